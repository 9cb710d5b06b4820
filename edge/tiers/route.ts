import type { Ports, Role } from '../../core/channel.ts'
import type { Config } from '../../core/config.ts'
import type { Server } from '../http/index.ts'
import type { Liveness } from './liveness.ts'
import { makeRing, type Ring } from './ring.ts'

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

/** By which way the requests of one distribution go up from here. */
export interface Route {
  /** Regionals that share the keys, where there are several. */
  readonly shared: { readonly ring: Ring; readonly members: readonly Parent[]; readonly bound: number } | undefined
  /** The tiers behind them, nearest first: a regional alone, the shield, its fallback. */
  readonly tiers: readonly Parent[]
  readonly origin: Parent
}

const ORIGIN_MS = 10_000
const TIER_MS = 2000
/** So many of those that share the keys are asked for one, before it is asked for higher up. */
const MOST_SHARING = 2

type Distribution = Pick<Config['distributions'][string], 'shield' | 'fallback-shield'>

/** What stands above a member for a distribution. */
export function routeOf(options: { config: Config; ports: Ports; role: Role; name: string; distribution: Distribution; origin: Parent }): Route {
  const { config, ports, role, name, distribution, origin } = options
  const { parents, shields } = namesAbove(config, role, name, distribution)
  const levels = (parents.length > 0 ? 1 : 0) + shields.length
  const tier = (parent: string, level: number): Parent[] => {
    const member = config.regionals[parent] ?? config.shields[parent]
    if (member === undefined) return []
    const responseMs = ORIGIN_MS + TIER_MS * (levels - level)
    return [{ name: parent, kind: 'tier', server: { secure: false, address: member.address[0]!, port: ports.http }, pathPrefix: '', host: undefined, responseMs }]
  }
  const nearest = parents.flatMap((parent) => tier(parent, 0))
  const above = shields.flatMap((shield, at) => tier(shield, levels - shields.length + at))
  if (nearest.length < 2) return { shared: undefined, tiers: [...nearest, ...above], origin }
  return { shared: { ring: makeRing(nearest.map((parent) => parent.name)), members: nearest, bound: config.tiers['load-bound'] }, tiers: above, origin }
}

/** The regionals that a member may ask, and the shields behind them: the distribution's where it names one. */
function namesAbove(config: Config, role: Role, name: string, distribution: Distribution): { parents: string[]; shields: string[] } {
  if (role === 'shield') return { parents: [], shields: [] }
  const named = role === 'edge' ? (config.edges[name]?.parent ?? []) : []
  const parents = named.filter((parent) => parent in config.regionals)
  const own = role === 'edge' ? [...named.filter((parent) => parent in config.shields), ...parents.map((parent) => config.regionals[parent]!.shield)] : [config.regionals[name]?.shield]
  const chosen = distribution.shield === undefined ? own : [distribution.shield]
  const shields = [...chosen, distribution['fallback-shield']].filter((shield) => shield !== undefined)
  return { parents, shields: [...new Set(shields)] }
}

/**
 * Whom to ask for a key, in order; the last one, the origin, in any case. Those known to be dead stand last among their equals.
 * @param loadOf fetches under way at a parent, by its name
 */
export function parentsFor(route: Route, key: string, loadOf: (name: string) => number, liveness: Liveness, now: number): readonly Parent[] {
  const { shared, tiers, origin } = route
  if (shared === undefined) return [...tiers, origin]
  const { ring, members, bound } = shared
  const order = ring.bounded(key, (member) => loadOf(members[member]!.name), bound, (member) => !liveness.isSkipped(members[member]!.name, now))
  return [...order.slice(0, MOST_SHARING).map((member) => members[member]!), ...tiers, origin]
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
