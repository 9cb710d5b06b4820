import type { Ports, Role } from '../../core/channel.ts'
import type { Config } from '../../core/config.ts'
import type { Liveness } from './liveness.ts'
import type { OriginGroup, Parent } from './parent.ts'
import { makeRing, type Ring } from './ring.ts'
import type { Standing } from './standing.ts'

/** By which way the requests of one behaviour go up from here. */
export interface Route {
  /** Our equals, and our own number among them, where one of them is asked first. */
  readonly neighbours: { readonly ring: Ring; readonly members: readonly Parent[]; readonly own: number } | undefined
  /** Regionals that share the keys, where there are several. */
  readonly shared: { readonly ring: Ring; readonly members: readonly Parent[]; readonly bound: number } | undefined
  /** The tiers behind them, nearest first: a regional alone, the shield, its fallback. */
  readonly tiers: readonly Parent[]
  readonly origins: OriginGroup
}

export interface RouteOptions {
  readonly config: Config
  readonly ports: Ports
  readonly role: Role
  readonly name: string
  readonly distribution: Pick<Config['distributions'][string], 'shield' | 'fallback-shield'>
  readonly origins: OriginGroup
  readonly standingOf: (kind: 'tier' | 'origin', name: string) => Standing
}

const CONNECT_MS = 2000
const TIER_MS = 2000
/** A neighbour answers from what it holds, or it is not worth waiting for. */
const NEIGHBOUR_MS = 250
/** Tiers let connections go before the other end does (60 s), so that requests are not sent into closing ones. */
const KEEP_ALIVE_MS = 30_000
/** So many of those that share the keys are asked for one, before it is asked for higher up. */
const MOST_SHARING = 2

/** What stands above and beside a member for a distribution. */
export function routeOf(options: RouteOptions): Route {
  const { config, origins } = options
  const { parents, shields } = namesAbove(options)
  const levels = (parents.length > 0 ? 1 : 0) + shields.length
  const wait = (level: number): number => origins.patienceMs + TIER_MS * (levels - level)
  const nearest = parents.map((parent) => tierOf(options, 'tier', parent, wait(0)))
  const above = shields.map((shield, at) => tierOf(options, 'tier', shield, wait(levels - shields.length + at)))
  const neighbours = neighboursOf(options)
  if (nearest.length < 2) return { neighbours, shared: undefined, tiers: [...nearest, ...above], origins }
  return { neighbours, shared: { ring: makeRing(parents), members: nearest, bound: config.tiers['load-bound'] }, tiers: above, origins }
}

function tierOf({ config, ports, standingOf }: RouteOptions, kind: 'tier' | 'neighbour', name: string, responseMs: number): Parent {
  const { address } = (config.regionals[name] ?? config.shields[name] ?? config.edges[name])!
  const connectMs = kind === 'neighbour' ? NEIGHBOUR_MS : CONNECT_MS
  const server = { secure: false, address: address[0]!, port: ports.http, keepAliveMs: KEEP_ALIVE_MS }
  return { name, kind, server, pathPrefix: '', host: undefined, fields: [], connectMs, responseMs, attempts: 1, standing: standingOf('tier', name) }
}

/** The regionals that a member may ask, and the shields behind them: the distribution's where it names one. */
function namesAbove({ config, role, name, distribution }: RouteOptions): { parents: string[]; shields: string[] } {
  if (role === 'shield') return { parents: [], shields: [] }
  const named = role === 'edge' ? (config.edges[name]?.parent ?? []) : []
  const parents = named.filter((parent) => parent in config.regionals)
  const own = role === 'edge' ? [...named.filter((parent) => parent in config.shields), ...parents.map((parent) => config.regionals[parent]!.shield)] : [config.regionals[name]?.shield]
  const chosen = distribution.shield === undefined ? own : [distribution.shield]
  const shields = [...chosen, distribution['fallback-shield']].filter((shield) => shield !== undefined)
  return { parents, shields: [...new Set(shields)] }
}

/** The equals that a member may ask: edges with the same parents, regionals that share keys with it. */
function neighboursOf(options: RouteOptions): Route['neighbours'] {
  const { config, role, name } = options
  const names = equalsOf(config, role, name)
  if (names.length < 2) return undefined
  return { ring: makeRing(names), members: names.map((each) => tierOf(options, 'neighbour', each, NEIGHBOUR_MS)), own: names.indexOf(name) }
}

/** A member and its equals by name, where they are to ask each other; else none. */
export function equalsOf(config: Config, role: Role, name: string): string[] {
  const parentsOf = (edge: string): string => config.edges[edge]?.parent?.toSorted().join() ?? ''
  if (role === 'edge' && config.tiers.neighbours.includes('edges')) return Object.keys(config.edges).filter((edge) => parentsOf(edge) !== '' && parentsOf(edge) === parentsOf(name))
  if (role !== 'regional' || !config.tiers.neighbours.includes('regionals')) return []
  return Object.keys(config.regionals).filter((regional) => Object.values(config.edges).some(({ parent = [] }) => parent.includes(name) && parent.includes(regional)))
}

/** The tiers to ask for a key, in order, one of our equals first where that is wanted. Those known to be dead stand last among theirs. */
export function tiersFor(route: Route, key: string, liveness: Liveness, now: number, withNeighbour: boolean): Parent[] {
  const { neighbours, shared, tiers } = route
  const order: Parent[] = []
  if (neighbours !== undefined && withNeighbour) order.push(neighbours.members[neighbours.ring.order(key).find((member) => member !== neighbours.own)!]!)
  if (shared !== undefined) {
    const { ring, members, bound } = shared
    const numbers = ring.bounded(key, (member) => members[member]!.standing.underWay, bound, (member) => !liveness.isSkipped(members[member]!.name, now))
    for (const member of numbers.slice(0, MOST_SHARING)) order.push(members[member]!)
  }
  order.push(...tiers)
  return order
}
