import type { NativeMemory, System } from './system.ts'

// When to look for queries again. A thread that takes each as it comes spends most of its time on falling asleep and on being
// woken: one or two queries at a time cost the responder in C that parses nothing 5.6 µs of CPU each, twelve at a time 3.6. So a
// busy thread naps first, as a network card holds its interrupts back under load: an answer comes by a twentieth of a
// millisecond later on average, and only while so many are asked that it matters to all of them.

/** Queries a millisecond from which on it pays: a nap costs as much as being woken three times. */
const BUSY = 30
/** How long is counted. */
const WINDOW_MS = 5
/** So many at once gather without a nap. */
const ENOUGH = 24
/** Some 90 µs, with the 50 µs that the kernel may be late by and is. */
const NAP_NS = 30_000

/** How busy one thread is. */
export interface Pace {
  /** Milliseconds: when the window began, and the queries in it. */
  since: number
  queries: number
  isBusy: boolean
  /** Queries since the last nap might have been. */
  last: number
  /** A `struct timespec`. */
  readonly nap: NativeMemory
}

export function makePace(system: System): Pace {
  const nap = system.alloc(16)
  new DataView(nap.bytes.buffer, nap.bytes.byteOffset).setBigInt64(8, BigInt(NAP_NS), true)
  return { since: 0, queries: 0, isBusy: false, last: 0, nap }
}

/** Waits before the next receive where that gathers more. */
export function gather(pace: Pace, system: System): void {
  if (pace.isBusy && pace.last < ENOUGH) system.nanosleep(pace.nap.address, 0)
  pace.last = 0
}

/** Takes note of a receive. @param now milliseconds, by any clock */
export function notePace(pace: Pace, count: number, now: number): void {
  pace.last += count
  pace.queries += count
  const passed = now - pace.since
  // A clock that was set back begins a new window too.
  if (passed >= 0 && passed < WINDOW_MS) return
  pace.isBusy = pace.queries >= BUSY * passed && passed > 0
  pace.since = now
  pace.queries = 0
}
