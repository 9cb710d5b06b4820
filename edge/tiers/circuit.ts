import { between, moment, type Words } from './ledger.ts'

/**
 * A circuit breaker before one origin. Closed: requests pass. Open: none does, until its while is over. Half-open: one passes and
 * decides; with an answer the circuit closes, without it opens for twice as long. Its state lies in words that several workers may
 * have in common: then it is one circuit for all of them.
 */
export interface Circuit {
  /** Whether a request may pass now; one that may must be followed by `succeeded`, `failed` or `abandoned`. */
  enter(now: number): boolean
  /** As `enter`, but changes nothing. */
  isOpen(now: number): boolean
  /** True when it was not closed before. */
  succeeded(now: number): boolean
  /** @param unreached no connection was made. True when the circuit opens by it, and was closed before */
  failed(now: number, unreached: boolean): boolean
  /** Nobody waits for the answer any more. */
  abandoned(): void
}

/** So many connections in a row that are not made open it; */
const UNREACHED_IN_ROW = 5
/** or failures of any kind that are half of at least so many requests within the window. */
const LEAST_REQUESTS = 20
const WINDOW_MS = 10_000
const FIRST_MS = 1000
const LONGEST_MS = 10_000

export const CIRCUIT_WORDS = 7
const [STATE, UNTIL, OPEN_MS, UNREACHED, SINCE, REQUESTS, FAILURES] = [0, 1, 2, 3, 4, 5, 6] as const
const [CLOSED, OPEN, HALF_OPEN] = [0, 1, 2] as const

/** @param words `CIRCUIT_WORDS` of them */
export function makeCircuit(words: Words = new Int32Array(CIRCUIT_WORDS)): Circuit {
  const get = (word: number): number => Atomics.load(words, word)
  const set = (word: number, value: number): void => void Atomics.store(words, word, value)
  /** Whether it was that before: of several who would change it one does. */
  const change = (word: number, from: number, to: number): boolean => Atomics.compareExchange(words, word, from, to) === from
  const openFor = (now: number, ms: number): void => {
    set(OPEN_MS, ms)
    set(UNTIL, moment(now + ms))
  }
  const clear = (): void => {
    set(REQUESTS, 0)
    set(FAILURES, 0)
  }
  const count = (now: number, isFailure: boolean): void => {
    const since = get(SINCE)
    const at = moment(now)
    if (get(REQUESTS) === 0) set(SINCE, at)
    else if (between(since, at) > WINDOW_MS && change(SINCE, since, at)) clear()
    Atomics.add(words, REQUESTS, 1)
    if (isFailure) Atomics.add(words, FAILURES, 1)
  }
  const isOpen = (now: number): boolean => get(STATE) !== CLOSED && between(get(UNTIL), moment(now)) < 0
  return {
    isOpen,
    enter: (now) => {
      if (get(STATE) === CLOSED) return true
      const until = get(UNTIL)
      // Should nothing ever be heard of this one, another is let through after a while.
      if (between(until, moment(now)) < 0 || !change(UNTIL, until, moment(now + LONGEST_MS))) return false
      change(STATE, OPEN, HALF_OPEN)
      return true
    },
    succeeded: (now) => {
      set(UNREACHED, 0)
      const wasBroken = get(STATE) !== CLOSED && Atomics.exchange(words, STATE, CLOSED) !== CLOSED
      if (wasBroken) clear()
      count(now, false)
      return wasBroken
    },
    failed: (now, unreached) => {
      count(now, true)
      if (unreached) Atomics.add(words, UNREACHED, 1)
      else set(UNREACHED, 0)
      if (change(STATE, HALF_OPEN, OPEN)) {
        openFor(now, Math.min(LONGEST_MS, get(OPEN_MS) * 2))
        return false
      }
      const isBroken = get(UNREACHED) >= UNREACHED_IN_ROW || (get(REQUESTS) >= LEAST_REQUESTS && get(FAILURES) * 2 >= get(REQUESTS))
      // Those that were sent before it opened say nothing new.
      if (get(STATE) !== CLOSED || !isBroken) return false
      openFor(now, FIRST_MS)
      return change(STATE, CLOSED, OPEN)
    },
    abandoned: () => {
      const until = get(UNTIL)
      if (get(STATE) === HALF_OPEN) change(UNTIL, until, (until - LONGEST_MS) | 0)
    }
  }
}
