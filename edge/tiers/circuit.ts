/**
 * A circuit breaker before one origin. Closed: requests pass. Open: none does, until its while is over. Half-open: one passes and
 * decides; with an answer the circuit closes, without it opens for twice as long.
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
const UNREACHED = 5
/** or failures of any kind that are half of at least so many requests within the window. */
const LEAST_REQUESTS = 20
const WINDOW_MS = 10_000
const FIRST_MS = 1000
const LONGEST_MS = 10_000

export function makeCircuit(): Circuit {
  let state: 'closed' | 'open' | 'half-open' = 'closed'
  let until = 0
  let openMs = FIRST_MS
  let unreachedInRow = 0
  let window = { since: -Infinity, requests: 0, failures: 0 }
  const count = (now: number, isFailure: boolean): void => {
    if (now - window.since > WINDOW_MS) window = { since: now, requests: 0, failures: 0 }
    window.requests++
    if (isFailure) window.failures++
  }
  const open = (now: number, ms: number): void => {
    state = 'open'
    openMs = ms
    until = now + ms
  }
  const isOpen = (now: number): boolean => state !== 'closed' && now < until
  return {
    isOpen,
    enter: (now) => {
      if (isOpen(now)) return false
      if (state === 'closed') return true
      // Should nothing ever be heard of this one, another is let through after a while.
      state = 'half-open'
      until = now + LONGEST_MS
      return true
    },
    succeeded: (now) => {
      const wasBroken = state !== 'closed'
      unreachedInRow = 0
      if (wasBroken) window = { since: now, requests: 0, failures: 0 }
      count(now, false)
      state = 'closed'
      openMs = FIRST_MS
      return wasBroken
    },
    failed: (now, unreached) => {
      count(now, true)
      unreachedInRow = unreached ? unreachedInRow + 1 : 0
      if (state === 'half-open') open(now, Math.min(LONGEST_MS, openMs * 2))
      // Those that were sent before it opened say nothing new.
      else if (state === 'closed' && (unreachedInRow >= UNREACHED || (window.requests >= LEAST_REQUESTS && window.failures * 2 >= window.requests))) {
        open(now, FIRST_MS)
        return true
      }
      return false
    },
    abandoned: () => {
      if (state === 'half-open') until = 0
    }
  }
}
