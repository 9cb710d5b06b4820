import { estimateMs } from './distance.ts'
import { leavesOf, type Arm, type Order, type View } from './tree.ts'

// What verbs that go by distance share: branches by how near they are, and how that is told.

/** More than these are not told one by one. */
const SHOWN = 4

export interface Ranked {
  readonly arm: Arm
  readonly order: Order
  /** To the nearest target of the branch; undefined when neither it nor the place can be found on a map. */
  readonly kilometres: number | undefined
  /** What it is ranked by: lower is nearer; Infinity without a distance. */
  readonly rank: number
}

/** Nearest first, a branch being as near as its nearest target. Equal ranks keep the order written. */
export function ranked(arms: readonly Arm[], view: View, rankOf: (kilometres: number, arm: Arm) => number): Ranked[] {
  const list = arms.map((arm): Ranked => {
    const order = view.order(arm.to)
    const kilometres = nearest(order, view)
    return { arm, order, kilometres, rank: kilometres === undefined ? Infinity : rankOf(kilometres, arm) }
  })
  // Infinity less itself is no number.
  return list.sort((a, b) => (a.rank === b.rank ? 0 : a.rank - b.rank))
}

/** By estimated round trip in whole milliseconds: what differs by less is as near. */
export function byLatency(arms: readonly Arm[], view: View): Ranked[] {
  return ranked(arms, view, (kilometres) => Math.round(estimateMs(kilometres)))
}

/** @param told what is told of one beside its name */
export function sayRanked(list: readonly Ranked[], view: View, told: (one: Ranked & { kilometres: number }) => string): string {
  const shown = list.slice(0, SHOWN).map((one) => (one.kilometres === undefined ? one.arm.key : `${one.arm.key} ${told({ ...one, kilometres: one.kilometres })}`))
  const more = list.length > SHOWN ? `, and ${list.length - SHOWN} more` : ''
  const unknown = view.place.latitude === undefined ? ' (the place has no coordinates: as written)' : ''
  return `${shown.join(', ')}${more}${unknown}`
}

export const sayLatency = ({ kilometres, rank }: Ranked & { kilometres: number }): string => `${Math.round(kilometres)} km ~${rank} ms`

function nearest(order: Order, view: View): number | undefined {
  let best: number | undefined
  for (const target of leavesOf(order)) {
    const kilometres = view.kilometres(target)
    if (kilometres !== undefined && (best === undefined || kilometres < best)) best = kilometres
  }
  return best
}
