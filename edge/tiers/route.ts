import type { Ports, Role } from '../../core/channel.ts'
import type { Config } from '../../core/config.ts'
import type { Server } from '../http/index.ts'

/** A place to fetch from: another tier of the fleet, or an origin. */
export interface Parent {
  readonly name: string
  readonly kind: 'tier' | 'origin'
  readonly server: Server
  /** Prepended to the path. */
  readonly pathPrefix: string
  /** Host that it is told; absent: the viewer's. */
  readonly host: string | undefined
  /** How long it may take to begin its answer, in milliseconds: each tier more than those above it, so that the one nearest to a silent origin gives up first. */
  readonly responseMs: number
}

const ORIGIN_MS = 10_000
const TIER_MS = 2000

/**
 * The tiers above a member, nearest first: regional, shield. A fetch goes to the first that is not known to be dead, and
 * past the last to the origin. A regional has no stand-in among its equals: its shield is one.
 */
export function tiersAbove(config: Config, ports: Ports, role: Role, name: string): Parent[] {
  const names: string[] = []
  let at = role === 'edge' ? config.edges[name]?.parent : role === 'regional' ? config.regionals[name]?.shield : undefined
  while (at !== undefined && !names.includes(at)) {
    names.push(at)
    at = config.regionals[at]?.shield
  }
  return names.flatMap((parent, index) => {
    const member = config.regionals[parent] ?? config.shields[parent]
    if (member === undefined) return []
    const responseMs = ORIGIN_MS + TIER_MS * (names.length - index)
    return [{ name: parent, kind: 'tier', server: { secure: false, address: member.address[0]!, port: ports.http }, pathPrefix: '', host: undefined, responseMs }]
  })
}

/** The origins of a configuration, by name. */
export function originsOf(config: Config, ports: Ports): Map<string, Parent> {
  const origins = new Map<string, Parent>()
  for (const [name, origin] of Object.entries(config.origins)) {
    if ('demo' in origin) {
      const server = { secure: false, address: origin.demo, port: ports.http }
      origins.set(name, { name, kind: 'origin', server, pathPrefix: '', host: undefined, responseMs: ORIGIN_MS })
      continue
    }
    const url = new URL(origin.url)
    const secure = url.protocol === 'https:'
    const address = url.hostname.replace(/^\[(.*)\]$/, '$1')
    const server = { secure, address, port: url.port === '' ? (secure ? 443 : 80) : Number(url.port), serverName: origin.host ?? address }
    origins.set(name, { name, kind: 'origin', server, pathPrefix: url.pathname.replace(/\/$/, ''), host: origin.host, responseMs: ORIGIN_MS })
  }
  return origins
}
