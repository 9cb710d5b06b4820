import { readArms } from './reading.ts'
import type { Verb } from './verb.ts'

/** Fixed answers: all that can answer together, or with `count: n` n of them in turn; records rotate. */
export const simple: Verb = {
  does: 'fixed answers: all of them, or `count: n` in turn; records are rotated',
  usesPlace: false,
  together: true,
  options: ['count'],
  parse(value, options, reading) {
    const arms = readArms(value, reading)
    const { count } = options
    if (count === undefined) return arms && { arms }
    if (typeof count !== 'number' || !Number.isInteger(count) || count < 1 || count > 100) {
      reading.fault(['count'], 'count: expected a whole number from 1 to 100', undefined, 'option')
      return undefined
    }
    if (arms === undefined) return undefined
    if (count >= arms.length) reading.warn(['count'], `count: ${count} is not less than the ${arms.length} that stand here: all are answered`, undefined, 'option')
    return { arms, count }
  },
  order: (node, number, view) => ({ kind: 'set', node: number, of: node.arms.map((arm) => view.order(arm.to)), ...(node.count !== undefined && { count: node.count }) }),
  say: (node) => `${node.count === undefined || node.count >= node.arms.length ? 'all' : `${node.count}, in turn,`} of ${node.arms.map((arm) => arm.key).join(', ')}`
}
