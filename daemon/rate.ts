import type { Clock } from '../core/clock.ts'

/** How long a stretch a rate is taken over. */
const WINDOW_MS = 5000
const SAMPLE_MS = 500

/** How fast a total grows, over the last seconds. */
export function makeRate(total: () => number, clock: Clock): { perSecond(): number } {
  const samples: { readonly at: number; readonly total: number }[] = []
  const sample = (): void => {
    const at = clock.elapsed()
    samples.push({ at, total: total() })
    while (samples.length > 2 && at - samples[0]!.at > WINDOW_MS) samples.shift()
  }
  sample()
  setInterval(sample, SAMPLE_MS).unref()
  return {
    perSecond: () => {
      const oldest = samples[0]!
      const seconds = (clock.elapsed() - oldest.at) / 1000
      return seconds <= 0 ? 0 : Math.round(((total() - oldest.total) / seconds) * 10) / 10
    }
  }
}
