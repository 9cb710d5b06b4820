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
  /**
   * Per target, how much of what policies give it it gets: 512 when all of it (capacity.ts).
   *
   *   bits 0-9    share: up to 256 what part of its own it keeps, in 256ths; above, it keeps all, and takes so many 256ths of what others cannot keep
   *   bits 16-24  ramp: how many 256ths of its weight are still missing
   */
  readonly limits: Uint32Array
  /** Slot 0 counts changes that can alter an answer; readers drop what they prepared when it moves. */
  readonly generation: Int32Array
}

export type Verdict = 'UNKNOWN' | 'UP' | 'DOWN'
export type Forced = 'none' | 'up' | 'down' | 'drain'

const VERDICTS: readonly Verdict[] = ['UNKNOWN', 'UP', 'DOWN']
const FORCES: readonly Forced[] = ['none', 'up', 'down', 'drain']
const SUSPECT = 1 << 4
/** All of its own, all that others cannot keep, its whole weight. */
const NO_LIMIT = 512

export function makeHealthTable(targets: number): HealthTable {
  const words = (): Uint32Array => new Uint32Array(new SharedArrayBuffer(Math.max(1, targets) * 4))
  return { words: words(), lastUp: words(), limits: words().fill(NO_LIMIT), generation: new Int32Array(...ownLines(4), 1) }
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
  Atomics.store(table.limits, target, NO_LIMIT)
  Atomics.add(table.generation, 0, 1)
}

/** What a target gets: parts of 1. */
export interface Limit {
  /** Of what is its own by the order of a policy. */
  readonly keeps: number
  /** Of what those before it cannot keep. */
  readonly takes: number
  /** Of its weight. */
  readonly ramp: number
}

/** Reads a word of `limits`. */
export function limitOf(word = NO_LIMIT): Limit {
  const share = (word & 0x3ff) / 256
  return { keeps: Math.min(1, share), takes: Math.min(1, Math.max(0, share - 1)), ramp: 1 - (word >>> 16) / 256 }
}

/** @param share 0 to 2 @param ramp 0 to 1 */
export function limitWord(share: number, ramp: number): number {
  return Math.round(share * 256) | (Math.round((1 - ramp) * 256) << 16)
}

/** Writes words of `limits`, and tells the readers once. */
export function setLimits(table: HealthTable, changes: ReadonlyMap<number, number>): void {
  if (changes.size === 0) return
  for (const [target, word] of changes) Atomics.store(table.limits, target, word)
  Atomics.add(table.generation, 0, 1)
}
