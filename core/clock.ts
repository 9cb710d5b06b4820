import { performance } from 'node:perf_hooks'

/** The time, handed to everything that needs it, so that tests turn it by hand. */
export interface Clock {
  /** Wall time, in milliseconds since the epoch. */
  now(): number
  /** Milliseconds from an arbitrary start that never go back, the same one in all threads of a process: for measuring durations. */
  elapsed(): number
}

/** Each thread counts from its own beginning, the system from one. */
const start = Number(process.hrtime.bigint()) / 1e6 - performance.now()

/** The real time; the one place that reads it. */
export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now() + start
}

/** Runs something once after so many milliseconds, unless what it returned has been called; handed about like the clock. */
export type After = (milliseconds: number, run: () => void) => () => void

/** Real timers. They do not keep the process alive. */
export const systemAfter: After = (milliseconds, run) => {
  // Longer delays than a timer can hold would fire at once: sleep in pieces.
  const longest = 2 ** 31 - 1
  let timer: NodeJS.Timeout
  const sleep = (left: number): void => {
    timer = setTimeout(() => (left > longest ? sleep(left - longest) : run()), Math.min(Math.max(0, left), longest))
    timer.unref()
  }
  sleep(milliseconds)
  return () => clearTimeout(timer)
}
