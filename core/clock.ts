/** The time, handed to everything that needs it, so that tests turn it by hand. */
export interface Clock {
  /** Wall time, in milliseconds since the epoch. */
  now(): number
  /** Milliseconds from an arbitrary start that never go back: for measuring durations. */
  elapsed(): number
}

/** The real time; the one place that reads it. */
export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now()
}
