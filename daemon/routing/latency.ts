import { byLatency, sayLatency, sayRanked } from './ranking.ts'
import { readArms } from './reading.ts'
import type { Verb } from './verb.ts'

/**
 * Lowest round trip first, as estimated from the distance between the place and the edge. A branch is as near as its
 * nearest edge. Estimates within the same millisecond keep the order written, and so do all when the place has no
 * coordinates; what has none itself (plain addresses) comes last.
 */
export const latency: Verb = {
  does: 'the nearest that can answer, by measured or estimated round trip',
  usesPlace: true,
  usesMeasured: true,
  together: false,
  options: [],
  parse(value, _options, reading) {
    const arms = readArms(value, reading)
    return arms && { arms }
  },
  order: (node, number, view) => ({ kind: 'first-of', node: number, of: byLatency(node.arms, view).map(({ order }) => order) }),
  say: (node, view) => sayRanked(byLatency(node.arms, view), view, sayLatency(view))
}
