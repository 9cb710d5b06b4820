import { readArms } from './reading.ts'
import type { Verb } from './verb.ts'

/** As Route 53 answers: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/routing-policy-multivalue.html */
const MOST = 8

/** All that can answer, shuffled; of more than 8, runs of 8 in turn, so that each is in an equal share of the answers. */
export const multivalue: Verb = {
  does: 'up to 8 of those that can answer, shuffled',
  usesPlace: false,
  together: true,
  options: [],
  parse(value, _options, reading) {
    const arms = readArms(value, reading)
    return arms && { arms, ...(arms.length > MOST && { count: MOST }) }
  },
  order: (node, number, view) => ({ kind: 'set', node: number, of: node.arms.map((arm) => view.order(arm.to)), shuffle: true, ...(node.count !== undefined && { count: node.count }) }),
  say: (node) => `${node.count === undefined ? 'all' : `up to ${node.count}`} of ${node.arms.map((arm) => arm.key).join(', ')}, shuffled`
}
