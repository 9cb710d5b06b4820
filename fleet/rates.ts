import type { Counters } from '../core/channel.ts'

/** What became of a worker's totals over the last minute. */
export interface Rates {
  /** Totals as they stand, once a second. A restart begins a new series. */
  sample(counters: Counters): void
  clear(): void
  requestsPerSecond(): number | undefined
  hitRatio(): number | undefined
}

/** Seconds over which requests per second are averaged. */
const RATE_SECONDS = 5
const RATIO_SECONDS = 60

export function makeRates(): Rates {
  let samples: { requests: number; hits: number }[] = []
  const since = (seconds: number): { requests: number; hits: number; seconds: number } | undefined => {
    const last = samples.at(-1)
    if (last === undefined || samples.length < 2) return undefined
    const first = samples[Math.max(0, samples.length - 1 - seconds)]!
    return { requests: last.requests - first.requests, hits: last.hits - first.hits, seconds: Math.min(seconds, samples.length - 1) }
  }
  return {
    sample: ({ requests, hits }) => {
      const last = samples.at(-1)
      if (last !== undefined && requests < last.requests) samples = []
      samples.push({ requests, hits })
      if (samples.length > RATIO_SECONDS + 1) samples.shift()
    },
    clear: () => {
      samples = []
    },
    requestsPerSecond: () => {
      const span = since(RATE_SECONDS)
      return span === undefined ? undefined : span.requests / span.seconds
    },
    hitRatio: () => {
      const span = since(RATIO_SECONDS)
      return span === undefined || span.requests === 0 ? undefined : span.hits / span.requests
    }
  }
}
