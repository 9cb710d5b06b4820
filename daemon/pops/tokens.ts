import type { Clock } from '../../core/clock.ts'

/** A bucket that holds `burst` tokens and gets `perSecond` of them a second. */
export function makeTokens({ perSecond, burst }: { readonly perSecond: number; readonly burst: number }, clock: Pick<Clock, 'elapsed'>): { take(): boolean } {
  let tokens = burst
  let at = clock.elapsed()
  return {
    take: () => {
      const now = clock.elapsed()
      tokens = Math.min(burst, tokens + ((now - at) * perSecond) / 1000)
      at = now
      if (tokens < 1) return false
      tokens--
      return true
    }
  }
}
