import { BOUND } from './draw.ts'
import { readArms } from './reading.ts'
import { readSticky, saySticky, stickyOf } from './sticky.ts'
import { leavesOf, type Order, type View } from './tree.ts'
import type { Verb } from './verb.ts'

/**
 * Consistent hashing with bounded loads, over clients (the default) or names. A name server sees no connections, so it is the
 * hash space that is shared out: by capacity, no branch having more than 1.25 times its share, whatever is down. When a branch
 * goes, what it had goes to the others, and of theirs moves only what meets a full one.
 */
export const hash: Verb = {
  does: 'one of them by consistent hashing on client or name, by capacity, with bounded shares',
  usesPlace: false,
  together: false,
  options: ['on'],
  parse(value, options, reading) {
    const arms = readArms(value, reading)
    const on = 'on' in options ? readSticky('on', options, reading) : 'client'
    return arms && on && { arms, sticky: on }
  },
  order(node, number, view) {
    const of = node.arms.map((arm) => view.order(arm.to))
    return { kind: 'split', node: number, of, weights: of.map((order) => capacityOf(order, view)), sticky: stickyOf(node, 'bounded')! }
  },
  say: (node) => `by consistent hashing, at most ${BOUND} times its share each, of ${node.arms.map((arm) => arm.key).join(', ')}${saySticky(node.sticky)}`
}

/** Of the largest of its targets; what has none said counts as an edge that says nothing. */
function capacityOf(order: Order, { targets }: View): number {
  return Math.max(...[...leavesOf(order)].map((target) => targets[target]!.capacity ?? DEFAULT_CAPACITY))
}

/** Of an edge in nearcast.yaml that says nothing. */
const DEFAULT_CAPACITY = 5000
