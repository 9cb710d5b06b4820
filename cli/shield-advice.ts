import type { Config } from '../core/config.ts'
import { estimateMs, greatCircle } from '../daemon/routing/index.ts'

type Point = readonly [number, number]

/** A place of the fleet where a shield could stand. */
export interface Spot {
  /** Members that stand there. */
  readonly members: readonly string[]
  readonly region: string
  readonly at: Point
  /** Estimated round trip from the average request's edge, milliseconds. */
  readonly ms: number
}

export interface Advice {
  readonly distribution: string
  readonly best: Spot
  readonly why: string
  /** The next best in another place, for the fallback. */
  readonly fallback: Spot | undefined
  /** All of them, nearest to the traffic first. */
  readonly spots: readonly Spot[]
}

/** Members nearer to each other than this stand in one place. */
const ONE_PLACE_KM = 100

/**
 * Where the shield of a distribution should stand: in the region of its origin where there is a place of the fleet, else at the
 * centre of the traffic: the place from which the average request is nearest. (The middle of the points themselves would lie near
 * a pole for a fleet around the globe.)
 * @param shares the part of all requests that each edge has, by name; edges without one have none
 * @returns undefined where no member of the fleet has a place
 */
export function adviseShield(config: Config, distribution: string, shares: ReadonlyMap<string, number>): Advice | undefined {
  const edges = Object.entries(config.edges).map(([name, { at }]) => ({ at, share: shares.get(name) ?? 0 }))
  const spots = spotsOf(config, edges)
  if (spots.length === 0) return undefined
  const origins = originsOf(config, distribution)
  const [best, why] = besideOrigin(spots, origins) ?? [spots[0]!, `of all places of the fleet it is the nearest to the average request: ${Math.round(spots[0]!.ms)} ms there and back`]
  return { distribution, best, why, fallback: spots.find((spot) => spot !== best), spots }
}

interface OriginPlace {
  readonly name: string
  readonly region: string
}

function originsOf(config: Config, distribution: string): OriginPlace[] {
  const named = config.distributions[distribution]!.behaviours.flatMap(({ origin }) => Object.keys(config['origin-groups'][origin]?.origins ?? { [origin]: 1 }))
  return [...new Set(named)].map((name) => ({ name, region: config.origins[name]!.region }))
}

function besideOrigin(spots: readonly Spot[], origins: readonly OriginPlace[]): [Spot, string] | undefined {
  for (const { name, region } of origins) {
    const spot = region === '' ? undefined : spots.find((each) => each.region === region)
    if (spot !== undefined) return [spot, `its origin ${name} is in ${region}`]
  }
  return undefined
}

/** The places of the members that have one, nearest to the traffic first; those beside each other are one. */
function spotsOf(config: Config, edges: readonly { readonly at: Point; readonly share: number }[]): Spot[] {
  const spots: { members: string[]; region: string; at: Point; ms: number }[] = []
  const total = edges.reduce((sum, { share }) => sum + share, 0)
  for (const [name, { at, region }] of [...Object.entries(config.shields), ...Object.entries(config.regionals), ...Object.entries(config.edges)]) {
    if (at === undefined) continue
    const there = spots.find((spot) => (region !== '' && spot.region === region) || greatCircle(spot.at, at) < ONE_PLACE_KM)
    if (there !== undefined) {
      there.members.push(name)
      if (there.region === '') there.region = region
      continue
    }
    const ms = edges.reduce((sum, edge) => sum + (total === 0 ? 1 / edges.length : edge.share / total) * estimateMs(greatCircle(edge.at, at)), 0)
    spots.push({ members: [name], region, at, ms })
  }
  return spots.sort((one, other) => one.ms - other.ms)
}
