import { readArms, isRecord, type Reading } from './reading.ts'
import { suggestion } from '../../core/suggest.ts'
import { leavesOf, type Arm, type Node, type ScoreWeights, type View } from './tree.ts'
import type { Verb } from './verb.ts'

/** As an anycast network picks. */
const USUAL: ScoreWeights = { path: 0.3, latency: 0.4, capacity: 0.2, health: 0.1 }
const TERMS = ['path', 'latency', 'capacity', 'health'] as const
/** What nothing is known of is neither good nor bad. */
const NEUTRAL = 0.5
/** What differs by less is as good: a millisecond more or less is chance. */
const FINEST = 1e-3
/** Shares of a millisecond tell nothing. */
const LEAST_MS = 1

/** What one branch has of each term, 0 to 1, and where it comes from; health is told by whoever knows it. */
interface Scored {
  readonly arm: Arm
  readonly path: number
  readonly latency: number
  readonly capacity: number
  /** `3 ASes`, `~5 ms`, `5000/s`: undefined where it is not known. */
  readonly told: { readonly path?: string; readonly latency?: string; readonly capacity?: string }
}

/**
 * Highest first by a weighted sum: AS-path length, latency, capacity, health. Each is taken beside the best of the branches,
 * which has 1: half the path or half the round trip is twice as good, half the capacity half as good. Health is 1 for a branch
 * with an edge that is up, half for one that is suspect. The verb itself knows no health: it tells what each branch would come
 * to at each state, and which of these holds is found where the choice is made.
 */
export const score: Verb = {
  does: 'the highest weighted sum of AS-path length, latency, capacity and health',
  usesPlace: true,
  usesMeasured: true,
  usesPaths: true,
  together: false,
  options: ['weights'],
  parse(value, options, reading) {
    const arms = readArms(value, reading)
    const scores = 'weights' in options ? readWeights(options['weights'], reading) : USUAL
    return arms && scores && { arms, scores }
  },
  order(node, number, view) {
    const weights = weightsOf(node)
    const ranks = scoresOf(node, view).flatMap((each, part) => [2, 1, 0].map((level) => ({ part, level, total: Math.round(totalOf(each, level / 2, weights) / FINEST) })))
    ranks.sort((a, b) => b.total - a.total || a.part - b.part || b.level - a.level)
    return { kind: 'ranked', node: number, of: node.arms.map((arm) => view.order(arm.to)), ranks: ranks.map(({ part, level }) => [part, level] as const) }
  },
  say: (node) => TERMS.map((term) => `${term} ${fixed(weightsOf(node)[term])}`).join(', '),
  details(node, view, levels) {
    const weights = weightsOf(node)
    const list = scoresOf(node, view).map((each, part) => ({ ...each, health: levels[part]! / 2, total: totalOf(each, levels[part]! / 2, weights) }))
    return list.sort((a, b) => Math.round(b.total / FINEST) - Math.round(a.total / FINEST)).map(({ arm, told, health, total, ...each }) => {
      const terms = (['path', 'latency', 'capacity'] as const).map((term) => `${term} ${fixed(each[term] * weights[term])} (${told[term] ?? 'not known'})`)
      return `${arm.key} ${fixed(total)} = ${[...terms, `health ${fixed(health * weights.health)} (${health === 1 ? 'up' : health > 0 ? 'suspect' : 'down'})`].join(' + ')}`
    })
  }
}

/** Weights that add up to 1. */
function weightsOf({ scores = USUAL }: Node): ScoreWeights {
  const sum = TERMS.reduce((total, term) => total + scores[term], 0)
  return { path: scores.path / sum, latency: scores.latency / sum, capacity: scores.capacity / sum, health: scores.health / sum }
}

const totalOf = (each: Scored, health: number, weights: ScoreWeights): number => each.path * weights.path + each.latency * weights.latency + each.capacity * weights.capacity + health * weights.health

const fixed = (value: number): string => value.toFixed(2)

function scoresOf(node: Node, view: View): Scored[] {
  const known = node.arms.map((arm) => {
    const leaves = [...leavesOf(view.order(arm.to))]
    const trips = leaves.flatMap((target) => view.milliseconds(target) ?? [])
    const trip = trips.reduce<(typeof trips)[number] | undefined>((best, each) => (best === undefined || each.ms < best.ms ? each : best), undefined)
    const paths = leaves.flatMap((target) => view.pathLength(target) ?? [])
    const capacity = leaves.reduce((sum, target) => sum + (view.targets[target]!.capacity ?? 0), 0)
    return { arm, trip, ms: trip && Math.max(LEAST_MS, trip.ms), path: paths.length === 0 ? undefined : Math.max(1, Math.min(...paths)), capacity: capacity === 0 ? undefined : capacity }
  })
  const shortest = Math.min(...known.flatMap(({ path }) => path ?? []))
  const quickest = Math.min(...known.flatMap(({ ms }) => ms ?? []))
  const largest = Math.max(...known.flatMap(({ capacity }) => capacity ?? []))
  return known.map(({ arm, trip, ms, path, capacity }) => ({
    arm,
    path: path === undefined ? NEUTRAL : shortest / path,
    latency: ms === undefined ? NEUTRAL : quickest / ms,
    capacity: capacity === undefined ? NEUTRAL : capacity / largest,
    told: {
      ...(path !== undefined && { path: `${path} ${path === 1 ? 'AS' : 'ASes'}` }),
      ...(trip !== undefined && { latency: trip.measured === undefined ? `~${Math.round(trip.ms)} ms` : `${Math.round(trip.ms)} ms measured` }),
      ...(capacity !== undefined && { capacity: `${capacity}/s` })
    }
  }))
}

function readWeights(value: unknown, reading: Reading): ScoreWeights | undefined {
  const refuse = (path: readonly PropertyKey[], reason: string, hint?: string): undefined => reading.fault(['weights', ...path], reason, hint, 'option') as undefined
  if (!isRecord(value)) return refuse([], 'weights: expected weights by term', 'such as { path: 0.3, latency: 0.4, capacity: 0.2, health: 0.1 }')
  let isSound = true
  for (const [term, weight] of Object.entries(value)) {
    if (!TERMS.some((known) => known === term)) {
      refuse([term], `there is no term ${term}`, suggestion(term, TERMS) ?? `they are ${TERMS.join(', ')}`)
      isSound = false
    } else if (typeof weight !== 'number' || !(weight >= 0 && weight <= 1000)) {
      refuse([term], `${term}: a weight is a number from 0 to 1000`)
      isSound = false
    }
  }
  const weights = { ...USUAL, ...value }
  if (isSound && TERMS.every((term) => weights[term] === 0)) return refuse([], 'weights: all of them are 0')
  return isSound ? weights : undefined
}
