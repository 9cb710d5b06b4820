/** Numbers of which several workers may write the same, without a lock: all 0 at first. Times are milliseconds modulo 2 to the 32. */
export type Words = Int32Array

/** Where it is written how those above fare: in one worker's own memory, or in what the workers of an edge share. */
export interface Ledger {
  /** The words under a name. */
  line(name: string): Words
  /** A count under a name to which each worker adds its own; what a worker has added leaves with it. */
  tally(name: string): Tally
}

export interface Tally {
  /** Of all workers. */
  readonly sum: number
  count(change: 1 | -1): void
}

/** Words of a line: as many as a core writes at once, so that two lines never hinder each other. */
export const LINE_WORDS = 16

/** A ledger of one worker. */
export function makeLedger(): Ledger {
  const lines = new Map<string, Words>()
  return {
    line: (name) => {
      const line = lines.get(name) ?? new Int32Array(LINE_WORDS)
      lines.set(name, line)
      return line
    },
    tally: () => {
      let sum = 0
      return {
        get sum() {
          return sum
        },
        count: (change) => void (sum += change)
      }
    }
  }
}

/** A moment as a word. */
export const moment = (now: number): number => Math.floor(now) | 0

/** Milliseconds from one moment to another that is less than 24 days away. */
export const between = (from: number, to: number): number => (to - from) | 0
