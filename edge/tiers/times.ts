/** How long a parent takes to begin its answers, in milliseconds. */
export interface Times {
  add(ms: number, now: number): void
  /** Longer than nineteen in twenty of the last answers took; undefined until there are enough to tell. */
  p95(): number | undefined
  /** What to expect now: as long as the slowest of late, less with each answer and each second that shows it faster (peak EWMA). */
  expected(now: number): number
}

const KEPT = 128
const ENOUGH = 20
/** The percentile is found anew after so many answers. */
const ANEW = 16
/** In which a bad moment is forgotten to a third. */
const DECAY_MS = 10_000

export function makeTimes(): Times {
  const kept = new Float64Array(KEPT)
  let count = 0
  let percentile: number | undefined
  let peak = 0
  let at = 0
  const expected = (now: number): number => peak * Math.exp(-Math.max(0, now - at) / DECAY_MS)
  return {
    add: (ms, now) => {
      kept[count++ % KEPT] = ms
      if (count === ENOUGH || (count > ENOUGH && count % ANEW === 0)) {
        const sorted = kept.slice(0, Math.min(count, KEPT)).sort()
        percentile = sorted[Math.floor(sorted.length * 0.95)]
      }
      const share = Math.exp(-Math.max(0, now - at) / DECAY_MS)
      // A slower answer counts at once and in full, a faster one by the time since the last.
      peak = ms > expected(now) ? ms : peak * share + ms * (1 - share)
      at = now
    },
    p95: () => percentile,
    expected
  }
}
