import type { NativeMemory, System } from './system.ts'

// When to look for queries again. A thread that takes each as it comes spends most of its time on falling asleep and on being
// woken: one or two queries at a time cost the responder in C that parses nothing 5.6 µs of CPU each, twelve at a time 3.6. So a
// busy thread naps first, as a network card holds its interrupts back under load: an answer comes a twentieth to a tenth of a
// millisecond later, and only while so many are asked that what each costs matters.

/** Queries a millisecond from which on it pays: a nap costs as much as being woken twice. */
const BUSY = 30
/** How long is counted. */
const WINDOW_MS = 5
/** So many at once gather without a nap. */
const ENOUGH = 24
/** Queries that a nap is for: twice as many cost but a tenth less each, and wait twice as long. */
const GATHERED = 8
/** A nap is longer than asked for by the 50 µs that the kernel may be late by, and is, and by the way in and out. */
const LATE_NS = 60_000
/** So that no nap is longer than some 90 µs. */
const LONGEST_NS = 30_000

/** How busy one thread is. */
export interface Pace {
  readonly mayNap: boolean
  /** Milliseconds: when the window began, and the queries in it. */
  since: number
  queries: number
  isBusy: boolean
  /** Queries since the last nap might have been. */
  last: number
  /** A `struct timespec`: how long to nap. `nanoseconds` is its lower half, for which a second is too much. */
  readonly nap: NativeMemory
  readonly nanoseconds: Uint32Array
}

/** @param mayNap whether it may gather at all */
export function makePace(system: System, mayNap: boolean): Pace {
  const nap = system.alloc(16)
  return { mayNap, since: 0, queries: 0, isBusy: false, last: 0, nap, nanoseconds: new Uint32Array(nap.bytes.buffer, nap.bytes.byteOffset + 8, 1) }
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
  pace.isBusy = pace.mayNap && pace.queries >= BUSY * passed && passed > 0
  if (pace.isBusy) pace.nanoseconds[0] = Math.max(1, Math.min(LONGEST_NS, (GATHERED * 1e6 * passed) / pace.queries - LATE_NS))
  pace.since = now
  pace.queries = 0
}
