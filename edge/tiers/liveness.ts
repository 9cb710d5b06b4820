import { between, moment, type Words } from './ledger.ts'

/** Which parents are to be skipped for now. */
export interface Liveness {
  /** It is skipped now. Changes nothing. */
  isSkipped(name: string, now: number): boolean
  /** Whether it is not to be asked; false, once, when its while is over: whoever hears that must ask it. */
  isDead(name: string, now: number): boolean
  /** It failed; it is skipped for a while, twice as long as the last one when it was tried in between. True when it was thought alive. */
  failed(name: string, now: number): boolean
  /** It answered. True when it was thought dead. */
  answered(name: string): boolean
}

const FIRST_MS = 1000
const LONGEST_MS = 30_000

export const LIVENESS_WORDS = 3
const [STATE, UNTIL, SKIP_MS] = [0, 1, 2] as const
/** `TRIED`: its while was over, and one request tries it again. */
const [ALIVE, DEAD, TRIED] = [0, 1, 2] as const

/**
 * When the while is over one request tries it again; the others go on skipping it until that is decided or has taken too long.
 * @param wordsOf a parent: `LIVENESS_WORDS`, the same ones each time, which workers may have in common
 */
export function makeLiveness(wordsOf: (name: string) => Words = ownWords()): Liveness {
  const change = (words: Words, word: number, from: number, to: number): boolean => Atomics.compareExchange(words, word, from, to) === from
  const skipFor = (words: Words, now: number, ms: number): void => {
    Atomics.store(words, SKIP_MS, ms)
    Atomics.store(words, UNTIL, moment(now + ms))
  }
  const isSkipped = (words: Words, now: number): boolean => Atomics.load(words, STATE) !== ALIVE && between(Atomics.load(words, UNTIL), moment(now)) < 0
  return {
    isSkipped: (name, now) => isSkipped(wordsOf(name), now),
    isDead(name, now) {
      const words = wordsOf(name)
      if (Atomics.load(words, STATE) === ALIVE) return false
      const until = Atomics.load(words, UNTIL)
      if (isSkipped(words, now) || !change(words, UNTIL, until, moment(now + FIRST_MS))) return true
      change(words, STATE, DEAD, TRIED)
      return false
    },
    failed(name, now) {
      const words = wordsOf(name)
      if (change(words, STATE, TRIED, DEAD)) {
        skipFor(words, now, Math.min(LONGEST_MS, Atomics.load(words, SKIP_MS) * 2))
        return false
      }
      // One of those that were sent before it was known.
      if (Atomics.load(words, STATE) !== ALIVE) return false
      skipFor(words, now, FIRST_MS)
      return change(words, STATE, ALIVE, DEAD)
    },
    answered: (name) => {
      const words = wordsOf(name)
      return Atomics.load(words, STATE) !== ALIVE && Atomics.exchange(words, STATE, ALIVE) !== ALIVE
    }
  }
}

function ownWords(): (name: string) => Words {
  const known = new Map<string, Words>()
  return (name) => {
    const words = known.get(name) ?? new Int32Array(LIVENESS_WORDS)
    known.set(name, words)
    return words
  }
}
