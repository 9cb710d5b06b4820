// How much of what policies give them edges take, judged purely: loads, capacities, shares and the time -> shares.
//
// A share is one number, 0 to 2. Up to 1 it says what part of its own an edge keeps; above, it keeps all of its own, and takes
// so much of what others cannot keep. So an edge that others fill up first refuses theirs, at 1, and sheds of its own only when
// that alone is too much: no edge is pushed over by another, and nothing goes on from edge to edge in a chain.
//
// What a share does shows only when answers given before have run out. So a share moves by the ratio of load to capacity
// (then the loop's gain is 1, whatever the load), slowly beside that lag, and with nothing that could swing.

export interface LoadOf {
  /** In the unit of the capacity, smoothed; undefined: not known, or it cannot answer. */
  readonly load: number | undefined
  readonly capacity: number
}

export interface ShareState {
  readonly share: number
  /** As `share` was while the answers were given that bring the load of now. */
  readonly felt: number
}

/** The loop settles without a swing when its speed times its lag is below 1/e. */
const SPEED_BY_LAG = 0.3
/** Others' surplus is taken up to here; the rest is left to one's own growth. */
const FILLED = 0.95
/** Less than this part is never kept, so that the way back is not long. */
const LEAST = 1 / 16
/** With so much an edge begins to take of others'. */
const FIRST_TAKEN = 1 / 64
/** From the whole capacity on shedding helps nobody; past so much of it all keep their own. */
const HOPELESS = 1.1

export const firstShare: ShareState = { share: 2, felt: 2 }

/** All edges together, in the unit of loads. */
interface Fleet {
  /** What edges would have beyond their capacities if each kept all of its own, and how much of that others have now. */
  readonly surplus: number
  readonly shed: number
  /** What part of the surplus others have room for; nothing where all together have too much. */
  readonly relief: number
}

/**
 * @param states as this gave them last, one for each of `loads`
 * @param elapsedMs since then
 * @param lagMs until an answer given now is no longer gone by: the TTL, and what it takes to measure a load
 */
export function nextShares(states: readonly ShareState[], loads: readonly LoadOf[], elapsedMs: number, lagMs: number): ShareState[] {
  const step = Math.min(1, (SPEED_BY_LAG * elapsedMs) / lagMs)
  const fleet = fleetOf(states, loads)
  return loads.map(({ load, capacity }, index) => {
    const state = states[index] ?? firstShare
    if (load === undefined) return firstShare
    const share = state.share > 1 ? taking(state.share, load, capacity, fleet, step) : keeping(state, load / capacity, fleet, step)
    return { share, felt: state.felt + (share - state.felt) * Math.min(1, elapsedMs / lagMs) }
  })
}

function taking(share: number, load: number, capacity: number, { surplus, shed, relief }: Fleet, step: number): number {
  // Shedding grows: what is here of others will grow as it does, and it is that load which must find room.
  const growth = shed === 0 ? 1 : Math.max(1, (relief * surplus) / shed)
  const fill = (load + Math.min(load, (share - 1) * shed) * (growth - 1)) / capacity
  // Too much even without all that could be others': it is its own.
  if (load - shed > capacity) return 1
  const least = Math.min(share - 1, FIRST_TAKEN)
  // When others begin to shed it takes no more than it has room for, even if all of it came here.
  const mostAtFirst = shed * 10 < surplus ? Math.max(FIRST_TAKEN, (FILLED * capacity - load) / surplus) : 1
  const now = Math.min(share - 1, mostAtFirst)
  const others = Math.max(0.05, Math.min(fill, shed / capacity))
  const next = Math.max(least, now) * Math.exp(step * bounded((FILLED - fill) / others))
  return next < FIRST_TAKEN && fill > FILLED ? 1 : 1 + Math.min(1, Math.max(FIRST_TAKEN, next))
}

function keeping({ share, felt }: ShareState, fill: number, { relief }: Fleet, step: number): number {
  // Room of its own: it keeps all again, and then takes of others'.
  if (share >= 1 && fill <= 1) return fill < FILLED ? 1 + FIRST_TAKEN : 1
  const demand = fill / partFelt(felt)
  const wanted = demand <= 1 ? 1 : relief + (1 - relief) * demand
  return Math.min(1, Math.max(LEAST, share * Math.exp(step * Math.log(wanted / Math.max(1e-9, fill)))))
}

const bounded = (error: number): number => Math.max(-1, Math.min(1, error))

const partFelt = (felt: number): number => Math.max(LEAST, Math.min(1, felt))

function fleetOf(states: readonly ShareState[], loads: readonly LoadOf[]): Fleet {
  let load = 0
  let capacity = 0
  let surplus = 0
  let room = 0
  let shed = 0
  for (const [index, each] of loads.entries()) {
    if (each.load === undefined) continue
    const demand = each.load / partFelt((states[index] ?? firstShare).felt)
    load += each.load
    capacity += each.capacity
    shed += demand - each.load
    surplus += Math.max(0, demand - each.capacity)
    room += Math.max(0, each.capacity - each.load)
  }
  if (surplus === 0) return { surplus, shed, relief: 1 }
  const hope = (HOPELESS - load / capacity) / (HOPELESS - 1)
  // What has been shed already lies with others now, and finds room there.
  return { surplus, shed, relief: Math.max(0, Math.min(1, (room + shed) / surplus, hope)) }
}
