import type { BlowKind } from './blow.ts'

/** What a drill must not exceed: milliseconds, and counts. */
export interface Limits {
  readonly detectMs: number
  readonly answerMs: number
  readonly goneMs: number
  /** With a planned stop: until the process has ended. */
  readonly exitMs: number
  readonly wrong: number
  readonly unanswered: number
  /** The longest that DNS answered nobody. */
  readonly silentMs: number
  readonly failed: number
  readonly failedElsewhere: number
  readonly failedLate: number
  /** Of `flap`: how often it left the answers. */
  readonly leaves: number
  readonly recoveryMs: number
}

/** Every limit, by its key in a scenario; on the command line `--max-KEY`. */
export const LIMITS: Readonly<Record<string, { readonly limit: keyof Limits; readonly kind: 'duration' | 'number'; readonly summary: string }>> = {
  detect: { limit: 'detectMs', kind: 'duration', summary: 'until the daemon knows (default: 1s)' },
  answer: { limit: 'answerMs', kind: 'duration', summary: 'until the first answer without the edge (default: 1s)' },
  gone: { limit: 'goneMs', kind: 'duration', summary: 'until the last client has left it (default: the TTL + 1s)' },
  exit: { limit: 'exitMs', kind: 'duration', summary: 'until the process of a stopped edge has ended (default: the greatest TTL + 7s)' },
  wrong: { limit: 'wrong', kind: 'number', summary: 'wrong answers (default: 0)' },
  unanswered: { limit: 'unanswered', kind: 'number', summary: 'queries without a reply (default: 0)' },
  silent: { limit: 'silentMs', kind: 'duration', summary: 'the longest without any answer of DNS (default: 2s)' },
  failed: { limit: 'failed', kind: 'number', summary: 'failed requests (default: 0; with --kill what is sent until the last TTL has run out)' },
  'failed-elsewhere': { limit: 'failedElsewhere', kind: 'number', summary: 'requests that other edges failed (default: 0)' },
  'failed-late': { limit: 'failedLate', kind: 'number', summary: 'requests that failed once the last TTL had run out (default: 0)' },
  leaves: { limit: 'leaves', kind: 'number', summary: 'how often a flapping edge leaves the answers (default: how often it ends)' },
  recovery: { limit: 'recoveryMs', kind: 'duration', summary: 'from the start until all is as before (default: 5s)' }
}

/** How the blow and the load are, as far as limits go by them. */
export interface Measures {
  /** Of the answers in question, seconds. */
  readonly ttl: number
  /** Of all answers that may name the edge, seconds: for so long, and two seconds more, a stopped edge serves on. */
  readonly longestTtl: number
  /** Requests a second. */
  readonly rate: number
  /** Of `flap`. */
  readonly times: number
}

/**
 * The limits when none are given. A planned stop loses nothing. Any other blow loses at most what clients send before their
 * answers run out; never a request to another edge, and none later.
 */
export function defaultLimits(kind: BlowKind, { ttl, longestTtl, rate, times }: Measures): Limits {
  return {
    detectMs: 1000,
    answerMs: 1000,
    goneMs: (ttl + 1) * 1000,
    exitMs: (longestTtl + 7) * 1000,
    wrong: 0,
    unanswered: 0,
    silentMs: 2000,
    failed: kind === 'stop' ? 0 : Math.ceil(rate * (ttl + 1)),
    failedElsewhere: 0,
    failedLate: 0,
    leaves: times,
    recoveryMs: 5000
  }
}
