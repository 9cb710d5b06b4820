import { leavesOf, type Arm, type Order, type RoundTrip, type View } from './tree.ts'

// What verbs that go by nearness share: branches by how near they are, and how that is told.

/** More than these are not told one by one. */
const SHOWN = 4

export interface Ranked {
  readonly arm: Arm
  readonly order: Order
  /** To the nearest target of the branch; undefined when neither it nor the place can be found on a map. */
  readonly kilometres: number | undefined
  /** To the target of the branch that has the shortest; undefined where none has any. */
  readonly trip?: RoundTrip | undefined
  /** What it is ranked by: lower is nearer; Infinity without a distance. */
  readonly rank: number
}

/** Nearest first, a branch being as near as its nearest target. Equal ranks keep the order written. */
export function ranked(arms: readonly Arm[], view: View, rankOf: (kilometres: number, arm: Arm) => number): Ranked[] {
  return inOrder(arms.map((arm): Ranked => {
    const order = view.order(arm.to)
    const kilometres = nearest(order, view)
    return { arm, order, kilometres, rank: kilometres === undefined ? Infinity : rankOf(kilometres, arm) }
  }))
}

/** By round trip in whole milliseconds, measured where known, else estimated: what differs by less is as near. */
export function byLatency(arms: readonly Arm[], view: View): Ranked[] {
  return inOrder(arms.map((arm): Ranked => {
    const order = view.order(arm.to)
    const trip = quickest(order, view)
    return { arm, order, kilometres: nearest(order, view), trip, rank: trip === undefined ? Infinity : Math.round(trip.ms) }
  }))
}

function inOrder(list: Ranked[]): Ranked[] {
  // Infinity less itself is no number.
  return list.sort((a, b) => (a.rank === b.rank ? 0 : a.rank - b.rank))
}

/** @param told what is told of one beside its name; undefined: nothing */
export function sayRanked(list: readonly Ranked[], view: View, told: (one: Ranked) => string | undefined): string {
  const shown = list.slice(0, SHOWN).map((one) => {
    const text = told(one)
    return text === undefined ? one.arm.key : `${one.arm.key} ${text}`
  })
  const more = list.length > SHOWN ? `, and ${list.length - SHOWN} more` : ''
  const unknown = list.every(({ rank }) => rank === Infinity) && view.place.latitude === undefined ? ' (the place has no coordinates: as written)' : ''
  return `${shown.join(', ')}${more}${unknown}`
}

/** `12 ms measured (214 samples)`, `~240 ms by distance`; where nothing was measured, with the distance. */
export function sayLatency({ isMeasured }: Pick<View, 'isMeasured'>): (one: Ranked) => string | undefined {
  return ({ kilometres, trip, rank }) => {
    if (trip?.measured !== undefined) return `${tellMs(trip.ms)} ms measured${WITHIN[trip.measured.of]} (${trip.measured.samples} samples)`
    if (trip === undefined) return undefined
    return isMeasured || kilometres === undefined ? `~${rank} ms by distance` : `${Math.round(kilometres)} km ~${rank} ms`
  }
}

/** Short ones to a tenth: on one machine all are. */
const tellMs = (ms: number): string => (ms < 10 ? ms.toFixed(1) : String(Math.round(ms)))

const WITHIN = { network: '', system: ' in its AS', country: ' in its country' } as const

function nearest(order: Order, view: View): number | undefined {
  let best: number | undefined
  for (const target of leavesOf(order)) {
    const kilometres = view.kilometres(target)
    if (kilometres !== undefined && (best === undefined || kilometres < best)) best = kilometres
  }
  return best
}

function quickest(order: Order, view: View): RoundTrip | undefined {
  let best: RoundTrip | undefined
  for (const target of leavesOf(order)) {
    const trip = view.milliseconds(target)
    if (trip !== undefined && (best === undefined || trip.ms < best.ms)) best = trip
  }
  return best
}
