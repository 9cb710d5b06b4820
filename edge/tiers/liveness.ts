/** Which parents are to be skipped for now. */
export interface Liveness {
  /** It is skipped now. Changes nothing. */
  isSkipped(name: string, now: number): boolean
  /** Whether it is not to be asked; false, once, when its while is over: whoever hears that must ask it. */
  isDead(name: string, now: number): boolean
  /** It failed; it is skipped for a while, twice as long as the last one when it was tried in between. True when it was thought alive. */
  failed(name: string, now: number): boolean
  /** It answered. True when it was thought dead. */
  answered(name: string): boolean
}

const FIRST_MS = 1000
const LONGEST_MS = 30_000

/** When the while is over one request tries it again; the others go on skipping it until that is decided or has taken too long. */
export function makeLiveness(): Liveness {
  const dead = new Map<string, { until: number; skipMs: number; tried: boolean }>()
  return {
    isSkipped: (name, now) => now < (dead.get(name)?.until ?? -Infinity),
    isDead(name, now) {
      const state = dead.get(name)
      if (state === undefined) return false
      if (now < state.until) return true
      state.until = now + FIRST_MS
      state.tried = true
      return false
    },
    failed(name, now) {
      const before = dead.get(name)
      // One of those that were sent before it was known.
      if (before?.tried === false) return false
      const skipMs = before === undefined ? FIRST_MS : Math.min(LONGEST_MS, before.skipMs * 2)
      dead.set(name, { until: now + skipMs, skipMs, tried: false })
      return before === undefined
    },
    answered: (name) => dead.delete(name)
  }
}
