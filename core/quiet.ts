import type { Clock } from './clock.ts'

/** Lines of one sort that are said within this: one, and then how many more there were. */
const PAUSE_MS = 10_000

/**
 * Keeps lines that come again and again from filling a log: the first is said at once, those of the next ten seconds are
 * counted, and the one after says how many it stands for.
 */
export function makeQuiet(say: (line: string) => void, clock: Pick<Clock, 'elapsed'>, pauseMs = PAUSE_MS): (line: string) => void {
  let last = -Infinity
  let unsaid = 0
  return (line) => {
    const now = clock.elapsed()
    if (now - last < pauseMs) {
      unsaid++
      return
    }
    say(unsaid === 0 ? line : `${line} (and ${unsaid} more of the kind since the last such line)`)
    last = now
    unsaid = 0
  }
}
