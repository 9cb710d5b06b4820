import { readArms } from './reading.ts'
import type { Verb } from './verb.ts'

/** The first that can answer, as written: the policy that changes nothing about the order. */
export const failover: Verb = {
  does: 'the first that can answer, in the order written',
  usesPlace: false,
  together: false,
  options: [],
  parse(value, _options, reading) {
    const arms = readArms(value, reading)
    return arms && { arms }
  },
  order: (node, number, view) => ({ kind: 'first-of', node: number, of: node.arms.map((arm) => view.order(arm.to)) }),
  say: (node) => node.arms.map((arm) => arm.key).join(', then ')
}
