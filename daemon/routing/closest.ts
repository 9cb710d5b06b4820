import { byLatency, sayLatency, sayRanked, type Ranked } from './ranking.ts'
import { readArms, type Reading } from './reading.ts'
import type { Verb } from './verb.ts'

/** Shares of a millisecond cannot be told from a distance: a ratio to less would cut by chance. */
const LEAST_MS = 1

/**
 * The `count` nearest of those that can answer, nearest first, and of these only such as are at most `within` times as far,
 * by estimated round trip, as the nearest of them. Ranked as `latency` ranks; without `within` nothing is cut off.
 */
export const closest: Verb = {
  does: 'the nearest `count` together, cut off at `within` times the round trip of the first',
  usesPlace: true,
  usesMeasured: true,
  together: true,
  options: ['count', 'within'],
  parse(value, options, reading) {
    const arms = readArms(value, reading)
    const count = readCount(options, reading)
    const within = options['within']
    if (within !== undefined && !isRatio(within)) {
      reading.fault(['within'], 'within: expected a number from 1 to 100', 'such as 1.5: half as far again as the nearest', 'option')
      return undefined
    }
    if (arms === undefined || count === undefined) return undefined
    if (count > arms.length) reading.warn(['count'], `count: ${count} is more than the ${arms.length} that stand here`, undefined, 'option')
    return { arms, count, ...(within !== undefined && { within }) }
  },
  order(node, number, view) {
    const list = byLatency(node.arms, view)
    return { kind: 'top', node: number, of: list.map(({ order }) => order), count: node.count!, reach: list.map((nearest) => reachOf(nearest, list, node.within)) }
  },
  say: (node, view) => `the nearest ${node.count}${node.within === undefined ? '' : `, up to ${node.within} times as far as the first,`} of ${sayRanked(byLatency(node.arms, view), view, sayLatency(view))}`
}

/** Where the cut is when `nearest` is the first that can answer. */
function reachOf(nearest: Ranked, list: readonly Ranked[], within = Infinity): number {
  const limit = Math.max(nearest.rank, LEAST_MS) * within
  const end = list.findIndex(({ rank }) => rank > limit)
  return end < 0 ? list.length : end
}

function readCount(options: Readonly<Record<string, unknown>>, reading: Reading): number | undefined {
  const { count } = options
  if (typeof count === 'number' && Number.isInteger(count) && count >= 1 && count <= 100) return count
  if ('count' in options) reading.fault(['count'], 'count: expected a whole number from 1 to 100', undefined, 'option')
  else reading.fault([], 'closest has no count', 'say how many are answered: count: 2')
  return undefined
}

function isRatio(within: unknown): within is number {
  return typeof within === 'number' && within >= 1 && within <= 100
}
