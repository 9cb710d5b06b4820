import type { Config } from '../../core/config.ts'
import { makeBudget, type Budget } from './budget.ts'
import { CIRCUIT_WORDS, makeCircuit, type Circuit } from './circuit.ts'
import { makeLedger, type Ledger } from './ledger.ts'
import { LIVENESS_WORDS, makeLiveness, type Liveness } from './liveness.ts'
import { makeTimes, type Times } from './times.ts'

/** How a parent fares; one for each, by whatever route it is asked. */
export interface Standing {
  /** Requests to it under way. */
  readonly underWay: number
  /** One more is under way, or one less. */
  count(change: 1 | -1): void
  readonly times: Times
  /** Of an origin. */
  readonly circuit: Circuit
  /** Of an origin: what may be asked of it a second time. */
  readonly retries: Budget
  /** Of an origin: by its check. */
  isDown: boolean
}

/** How all those above fare, and what may be asked of them a second time. */
export interface Standings {
  readonly of: (kind: 'tier' | 'origin', name: string) => Standing
  readonly liveness: Liveness
  readonly hedges: Budget
}

const HEDGES = 'hedges'
/** A line: a circuit, a budget, whether a tier is skipped. */
const RETRIES_AT = CIRCUIT_WORDS
const LIVENESS_AT = RETRIES_AT + 1
const lineOf = (kind: 'tier' | 'origin', name: string): string => `${kind} ${name}`

/** The names under which the standings of a configuration are written. */
export const ledgerNames = ({ origins, edges, regionals, shields }: Pick<Config, 'origins' | 'edges' | 'regionals' | 'shields'>): string[] => [
  HEDGES,
  ...Object.keys(origins).map((name) => lineOf('origin', name)),
  ...new Set([edges, regionals, shields].flatMap((members) => Object.keys(members).map((name) => lineOf('tier', name))))
]

/**
 * Makes and keeps the standings of a worker.
 * @param shares how many requests to an origin may be repeated, and to a tier asked twice, as shares of all
 * @param ledger where they are written, if that is not for this worker alone; times are each worker's own
 */
export function makeStandings(shares: { readonly retries: number; readonly hedges: number }, ledger: Ledger = makeLedger()): Standings {
  const standings = new Map<string, Standing>()
  return {
    of: (kind, name) => {
      const key = lineOf(kind, name)
      const standing = standings.get(key) ?? standingIn(ledger, key, shares.retries)
      standings.set(key, standing)
      return standing
    },
    liveness: makeLiveness(keep((name) => ledger.line(lineOf('tier', name)).subarray(LIVENESS_AT, LIVENESS_AT + LIVENESS_WORDS))),
    hedges: makeBudget(shares.hedges, ledger.line(HEDGES))
  }
}

function standingIn(ledger: Ledger, key: string, retryShare: number): Standing {
  const line = ledger.line(key)
  const tally = ledger.tally(key)
  return {
    get underWay() {
      return tally.sum
    },
    count: (change) => tally.count(change),
    times: makeTimes(),
    circuit: makeCircuit(line.subarray(0, CIRCUIT_WORDS)),
    retries: makeBudget(retryShare, line.subarray(RETRIES_AT, LIVENESS_AT)),
    isDown: false
  }
}

function keep<Made>(make: (name: string) => Made): (name: string) => Made {
  const made = new Map<string, Made>()
  return (name) => {
    const known = made.get(name) ?? make(name)
    made.set(name, known)
    return known
  }
}
