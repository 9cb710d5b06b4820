import { ownLines } from '../core/own-lines.ts'

/**
 * The health of every target, one word each in shared memory: one writer (the daemon's main thread), many plain readers.
 *
 *   bits 0-1  verdict   0 UNKNOWN, 1 UP, 2 DOWN
 *   bits 2-3  forced    0 none, 1 up, 2 down, 3 drain
 *   bit  4    suspect   a failure is being confirmed
 *
 * Rules, here and nowhere else: a forced state wins over the verdict; `down` and `drain` are not answered; UNKNOWN counts
 * as up, so that a start answers before its first round has ended.
 */
export interface HealthTable {
  readonly words: Uint32Array
  /** Per target: the number of the change at which it was last answerable; the greatest were the last to go. For `last-good`. */
  readonly lastUp: Uint32Array
  /** Slot 0 counts changes that can alter an answer; readers drop what they prepared when it moves. */
  readonly generation: Int32Array
}

export type Verdict = 'UNKNOWN' | 'UP' | 'DOWN'
export type Forced = 'none' | 'up' | 'down' | 'drain'

const VERDICTS: readonly Verdict[] = ['UNKNOWN', 'UP', 'DOWN']
const FORCES: readonly Forced[] = ['none', 'up', 'down', 'drain']
const SUSPECT = 1 << 4

export function makeHealthTable(targets: number): HealthTable {
  const words = (): Uint32Array => new Uint32Array(new SharedArrayBuffer(Math.max(1, targets) * 4))
  return { words: words(), lastUp: words(), generation: new Int32Array(...ownLines(4), 1) }
}

export function healthWord(verdict: Verdict, forced: Forced, suspect: boolean): number {
  return VERDICTS.indexOf(verdict) | (FORCES.indexOf(forced) << 2) | (suspect ? SUSPECT : 0)
}

export function verdictOf(word: number): Verdict {
  return VERDICTS[word & 3]!
}

export function forcedOf(word: number): Forced {
  return FORCES[(word >>> 2) & 3]!
}

export function isSuspect(word: number): boolean {
  return (word & SUSPECT) !== 0
}

/** May this target stand in an answer? */
export function isAnswerable(word: number): boolean {
  const forced = (word >>> 2) & 3
  return forced === 0 ? (word & 3) !== 2 : forced === 1
}

/** Held down by an operator: fail-open does not revive it while any other target exists. */
export function isForcedOut(word: number): boolean {
  return (word & 8) !== 0
}

/** Writes a target's word and tells the readers when it changed. */
export function setHealth(table: HealthTable, target: number, word: number): boolean {
  const before = table.words[target]!
  if (before === word) return false
  if (isAnswerable(before) && !isAnswerable(word)) Atomics.store(table.lastUp, target, Atomics.load(table.generation, 0) + 1)
  Atomics.store(table.words, target, word)
  Atomics.add(table.generation, 0, 1)
  return true
}

/** A word that stands for another target from now on: nothing is known of it. */
export function freshWord(table: HealthTable, target: number): void {
  Atomics.store(table.words, target, 0)
  Atomics.store(table.lastUp, target, 0)
  Atomics.add(table.generation, 0, 1)
}
