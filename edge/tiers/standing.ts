import { makeBudget, type Budget } from './budget.ts'
import { makeCircuit, type Circuit } from './circuit.ts'
import { makeTimes, type Times } from './times.ts'

/** How a parent fares; one for each, by whatever route it is asked. */
export interface Standing {
  /** Requests to it under way. */
  underWay: number
  readonly times: Times
  /** Of an origin. */
  readonly circuit: Circuit
  /** Of an origin: what may be asked of it a second time. */
  readonly retries: Budget
  /** Of an origin: by its check. */
  isDown: boolean
}

/** Makes and keeps the standings of a worker. @param retryShare how many requests to an origin may be repeated, as a share of all */
export function makeStandings(retryShare: number): (kind: 'tier' | 'origin', name: string) => Standing {
  const standings = new Map<string, Standing>()
  return (kind, name) => {
    const key = `${kind} ${name}`
    let standing = standings.get(key)
    if (standing === undefined) {
      standing = { underWay: 0, times: makeTimes(), circuit: makeCircuit(), retries: makeBudget(retryShare), isDown: false }
      standings.set(key, standing)
    }
    return standing
  }
}
