import type { Config } from '../core/config.ts'
import type { Times } from './cache/index.ts'
import type { RequestHead } from './http/index.ts'
import { fits, makePolicies, readConditions, readTarget, type Conditions, type Policy } from './policies/index.ts'
import { readCompression, type Compression } from './coding/index.ts'
import { readPages, type Page } from './pages.ts'
import type { OriginGroup, Parent, Route } from './tiers/index.ts'

/** One behaviour of a distribution, resolved. */
export interface Behaviour {
  /** Its place in the distribution. */
  readonly index: number
  readonly pattern: string
  /** What a request must have beside its path. */
  readonly conditions: Conditions | undefined
  readonly policy: Policy
  /** Nothing is answered from the cache, nor held. */
  readonly bypass: boolean
  /** Which bodies are compressed; undefined: all are left as they are. */
  readonly compression: Compression | undefined
  /** Name of the origin or the group of origins. */
  readonly from: string
  /** The first of its origins. */
  readonly origin: Parent
  /** By which way it is fetched. */
  readonly route: Route
  readonly times: Times
  /** For how long past its freshness a response may stand in for an error where it does not say. */
  readonly defaultIfError: number
}

export interface Site {
  readonly distribution: string
  readonly behaviours: readonly Behaviour[]
  /** Pages in place of errors, by the status of the error. */
  readonly pages: ReadonlyMap<number, Page>
  /** Requests for one target may fall under several behaviours. */
  readonly conditional: boolean
}

/** The distributions by each host name that they answer to: ID.domain and their aliases. */
export function makeSites(config: Config, routeOf: (distribution: string, origins: OriginGroup) => Route, groups: ReadonlyMap<string, OriginGroup>): Map<string, Site> {
  const sites = new Map<string, Site>()
  const policies = makePolicies(config)
  for (const [distribution, { aliases, behaviours, 'error-pages': pages }] of Object.entries(config.distributions)) {
    const resolved = behaviours.map(({ path, when, origin: name, policy: policyName, bypass, compress, 'default-ttl': defaultTtl, 'stale-if-error': defaultIfError }, index): Behaviour => {
      const origins = groups.get(name)
      if (origins === undefined) throw new Error(`distribution ${distribution}: there is no origin ${name}`)
      const policy = policies.get(policyName)
      if (policy === undefined) throw new Error(`distribution ${distribution}: there is no cache policy ${policyName}`)
      const times = defaultTtl === undefined ? policy.times : { ...policy.times, default: defaultTtl }
      return { index, pattern: path, conditions: readConditions(when), policy, bypass, compression: readCompression(compress), from: name, origin: origins.members[0]!, route: routeOf(distribution, origins), times, defaultIfError }
    })
    const site: Site = { distribution, behaviours: resolved, pages: readPages(pages), conditional: resolved.some(({ conditions }) => conditions !== undefined) }
    for (const host of [`${distribution}.${config.domain}`, ...aliases]) sites.set(host, site)
  }
  return sites
}

/** The first behaviour whose pattern matches the path of a request, and whose conditions it meets. */
export function behaviourFor(site: Site, request: RequestHead): Behaviour | undefined {
  const { target } = request
  for (const behaviour of site.behaviours) {
    if (behaviour.pattern !== '/*' && !matchesPath(behaviour.pattern, target)) continue
    if (behaviour.conditions === undefined || fits(behaviour.conditions, request)) return behaviour
  }
  return undefined
}

/** All behaviours that requests for a target may fall under. */
export const behavioursFor = (site: Site, target: string): Behaviour[] => site.behaviours.filter(({ pattern }) => matchesPath(pattern, target))

/** Under which targets responses to a URL are held, by the policies that it may fall under. @param what DISTRIBUTION TARGET, as are those */
export function heldAs(sites: Iterable<Site>, what: string): string[] {
  const space = what.indexOf(' ')
  const [distribution, target] = [what.slice(0, space), what.slice(space + 1)]
  const [site] = [...sites].filter((site) => site.distribution === distribution)
  return site === undefined ? [] : behavioursFor(site, target).map(({ policy }) => `${distribution} ${readTarget(policy, target).held}`)
}

/** Whether a path (what stands before `?` in the target) fits a pattern with `*` (any octets) and `?` (one octet); in time of length times length at most. */
export function matchesPath(pattern: string, target: string): boolean {
  const query = target.indexOf('?')
  const end = query < 0 ? target.length : query
  let at = 0
  let wanted = 0
  let star = -1
  let resume = 0
  while (at < end) {
    const char = pattern[wanted]
    if (char === '*') {
      star = wanted++
      resume = at
    } else if (char === '?' || char === target[at]) {
      wanted++
      at++
    } else if (star >= 0) {
      wanted = star + 1
      at = ++resume
    } else return false
  }
  while (pattern[wanted] === '*') wanted++
  return wanted === pattern.length
}
