import type { CaseName } from './dns-questions.ts'
import type { CaseResult, Row } from './dns-result.ts'
import { median } from './processes.ts'

// What is aimed at, as ratios of CPU per query within one run.

export const OURS = ['nearcast', 'nearcast steering']
export const FLOOR = 'C floor'
/** Those that parse nothing. */
const FLOORS = [FLOOR, 'C floor, napping']

export const isOurs = ({ server }: Row): boolean => OURS.includes(server)
export const isFloor = ({ server }: Row): boolean => FLOORS.includes(server)
export const isPeer = (row: Row): boolean => !isFloor(row) && !isOurs(row)
export const cost = ({ cpu }: Row): number => median(cpu)

/** The cheapest peer; undefined where none took part. */
export function bestPeer({ rows }: CaseResult): Row | undefined {
  return rows.filter(isPeer).toSorted((a, b) => cost(a) - cost(b))[0]
}

interface Target {
  readonly name: CaseName
  readonly workers: number
  /** Against this server, or the best of the peers. */
  readonly against: string
  readonly limit: number
}

const BEST = 'best peer'

const targets: readonly Target[] = [
  { name: 'static', workers: 1, against: FLOOR, limit: 1.25 },
  { name: 'static', workers: 1, against: BEST, limit: 1 },
  { name: 'steered', workers: 1, against: FLOOR, limit: 1.25 },
  { name: 'steered', workers: 1, against: BEST, limit: 1 },
  { name: 'nxdomain', workers: 1, against: 'nsd', limit: 1 },
  { name: 'million', workers: 1, against: 'nsd', limit: 1 },
  { name: 'tcp-one', workers: 1, against: BEST, limit: 1 },
  { name: 'tcp-many', workers: 1, against: BEST, limit: 1 },
  { name: 'static', workers: 2, against: BEST, limit: 1 },
  { name: 'steered', workers: 2, against: BEST, limit: 1 }
]

/** Rows of a table: what, against whom, the limit, the ratio with its range over the rounds, met or not. */
export function judgeTargets(results: readonly CaseResult[]): string[][] {
  const rows = targets.flatMap((target) => {
    const result = results.find(({ name, workers }) => name === target.name && workers === target.workers)
    const ours = result?.rows.find(isOurs)
    const other = target.against === BEST ? result && bestPeer(result) : result?.rows.find(({ server }) => server === target.against)
    if (ours === undefined || other === undefined) return []
    const ratio = cost(ours) / cost(other)
    // Of the two in the same round, which saw the same of the machine.
    const each = ours.cpu.map((value, round) => value / other.cpu[round]!)
    const verdict = ratio <= target.limit ? 'met' : 'not met'
    return [[
      `${target.name}, ${target.workers} ${target.workers === 1 ? 'worker' : 'workers'}`, target.against === BEST ? `${BEST}: ${other.server}` : other.server,
      `≤ ${target.limit.toFixed(2)}`, ratio.toFixed(2), `${Math.min(...each).toFixed(2)} – ${Math.max(...each).toFixed(2)}`, verdict
    ]]
  })
  return [['CPU per query, ours', 'against', 'limit', 'ratio of medians', 'ratios of the rounds', ''], ...rows]
}
