import type { Config } from '../core/config.ts'
import type { Parent, Route } from './tiers/index.ts'

/** One behaviour of a distribution, resolved. */
export interface Behaviour {
  readonly pattern: string
  readonly origin: Parent
  /** By which way it is fetched. */
  readonly route: Route
  readonly defaultTtl: number
  /** For how long past its freshness a response may stand in for an error where it does not say. */
  readonly defaultIfError: number
}

export interface Site {
  readonly distribution: string
  readonly behaviours: readonly Behaviour[]
}

/** The distributions by each host name that they answer to: ID.domain and their aliases. */
export function makeSites(config: Config, routeOf: (distribution: string, origin: Parent) => Route, origins: ReadonlyMap<string, Parent>): Map<string, Site> {
  const sites = new Map<string, Site>()
  for (const [distribution, { aliases, behaviours }] of Object.entries(config.distributions)) {
    const resolved = behaviours.map(({ path, origin: name, 'default-ttl': defaultTtl, 'stale-if-error': defaultIfError }): Behaviour => {
      const origin = origins.get(name)
      if (origin === undefined) throw new Error(`distribution ${distribution}: there is no origin ${name}`)
      return { pattern: path, origin, route: routeOf(distribution, origin), defaultTtl, defaultIfError }
    })
    for (const host of [`${distribution}.${config.domain}`, ...aliases]) sites.set(host, { distribution, behaviours: resolved })
  }
  return sites
}

/** The first behaviour whose pattern matches the path of a target. */
export function behaviourFor(site: Site, target: string): Behaviour | undefined {
  for (const behaviour of site.behaviours) if (behaviour.pattern === '/*' || matchesPath(behaviour.pattern, target)) return behaviour
  return undefined
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
