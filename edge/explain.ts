import type { Config } from '../core/config.ts'
import { objectId } from './cache/index.ts'
import { readKey } from './asked.ts'
import type { CountryOf } from './country.ts'
import { RequestParser, type Refusal, type RequestHead } from './http/index.ts'
import { upstreamFields } from './question.ts'
import { behaviourFor, makeSites, type Behaviour } from './sites.ts'
import { makeStandings, originsOf, routeOf, type OriginGroup, type Route } from './tiers/index.ts'

/** How an edge would take a request. */
export type Explained =
  | { readonly kind: 'refused'; readonly status: number; readonly reason: string }
  | {
      readonly kind: 'taken'
      readonly distribution: string
      readonly behaviour: Behaviour
      /** How many behaviours the distribution has. */
      readonly of: number
      readonly primary: string
      /** The parts of the key beside the primary one. */
      readonly parts: readonly string[]
      /** The SHA-256 of the whole key. */
      readonly id: string
      /** Where an edge fetches from, and what it sends there: the target and the fields, name and value in turn. */
      readonly target: string
      readonly fields: readonly string[]
    }

const OURS = new Set(['via', 'cdn-loop', 'x-nearcast-request-id', 'x-nearcast-behaviour'])

/** Reads a request as an edge would. @param lines header fields: `Cookie: a=b` */
export function readRequest(config: Config, asked: { method: string; host: string; target: string; lines: readonly string[] }): RequestHead | Refusal {
  const parser = new RequestParser({ headSize: config.http['header-size'], fields: 128, urlLength: config.http['url-length'] })
  const head = Buffer.from(`${asked.method} ${asked.target} HTTP/1.1\r\nHost: ${asked.host}\r\n${asked.lines.map((line) => `${line}\r\n`).join('')}\r\n`, 'latin1')
  parser.push(head, head.length)
  return parser.next() ?? { status: 400, reason: 'a header field is not whole' }
}

/** Puts a request under its behaviour and tells its key, by what an edge itself goes by. */
export function explainRequest(config: Config, request: RequestHead, viewer: { readonly address: string; readonly countryOf: CountryOf }): Explained {
  const ports = { dns: 53, http: 80, admin: 1 }
  const { of: standingOf } = makeStandings({ retries: 0, hedges: 0 })
  const routes = (name: string, origins: OriginGroup): Route => routeOf({ config, ports, role: 'edge', name: '', distribution: config.distributions[name]!, origins, standingOf })
  const site = makeSites(config, routes, originsOf(config, ports, standingOf)).get(request.host)
  if (site === undefined) return { kind: 'refused', status: 421, reason: `no distribution has the name ${request.host}` }
  const behaviour = behaviourFor(site, request)
  if (behaviour === undefined) return { kind: 'refused', status: 404, reason: `distribution ${site.distribution} has no behaviour for this request` }
  const { primary, parts, target } = readKey(site, behaviour, request, { fromTier: false, country: () => viewer.countryOf(viewer.address) })
  const asking = { request, behaviour, parts: parts.join('\n'), nonce: undefined, id: '', reply: { remoteAddress: viewer.address } }
  const fields = upstreamFields({ node: 'nearcast', countryOf: viewer.countryOf }, asking, behaviour.bypass ? 'whole' : 'cache')
  const told = fields.filter((_, at) => !OURS.has(fields[at - (at % 2)]!.toLowerCase()))
  return { kind: 'taken', distribution: site.distribution, behaviour, of: site.behaviours.length, primary, parts, id: objectId(primary, parts), target: behaviour.bypass ? request.target : target, fields: told }
}
