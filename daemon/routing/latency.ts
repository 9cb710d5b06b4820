import { estimateMs } from './distance.ts'
import { readArms } from './reading.ts'
import { leavesOf, type Arm, type Order, type View } from './tree.ts'
import type { Verb } from './verbs.ts'

const SHOWN = 4

/**
 * Lowest round trip first, as estimated from the distance between the place and the edge. A branch is as near as its
 * nearest edge. Estimates within the same millisecond keep the order written, and so do all when the place has no
 * coordinates; what has none itself (plain addresses) comes last.
 */
export const latency: Verb = {
  does: 'the nearest that can answer, by estimated round trip',
  usesPlace: true,
  together: false,
  options: [],
  parse(value, _options, reading) {
    const arms = readArms(value, reading)
    return arms && { arms }
  },
  order: (node, number, view) => ({ kind: 'first-of', node: number, of: ranked(node.arms, view).map(({ order }) => order) }),
  say(node, view) {
    const list = ranked(node.arms, view)
    const shown = list.slice(0, SHOWN).map(({ arm, kilometres, milliseconds }) => (kilometres === undefined ? arm.key : `${arm.key} ${Math.round(kilometres)} km ~${milliseconds} ms`))
    const more = list.length > SHOWN ? `, and ${list.length - SHOWN} more` : ''
    const unknown = view.place.latitude === undefined ? ' (the place has no coordinates: as written)' : ''
    return `${shown.join(', ')}${more}${unknown}`
  }
}

interface Ranked {
  readonly arm: Arm
  readonly order: Order
  readonly kilometres: number | undefined
  readonly milliseconds: number
}

function ranked(arms: readonly Arm[], view: View): Ranked[] {
  const list = arms.map((arm): Ranked => {
    const order = view.order(arm.to)
    const kilometres = nearest(order, view)
    return { arm, order, kilometres, milliseconds: kilometres === undefined ? Number.MAX_SAFE_INTEGER : Math.round(estimateMs(kilometres)) }
  })
  return list.sort((a, b) => a.milliseconds - b.milliseconds)
}

function nearest(order: Order, view: View): number | undefined {
  let best: number | undefined
  for (const target of leavesOf(order)) {
    const kilometres = view.kilometres(target)
    if (kilometres !== undefined && (best === undefined || kilometres < best)) best = kilometres
  }
  return best
}
