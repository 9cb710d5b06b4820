import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Octets of images let go by a thread before it collects its garbage: a few milliseconds, which small zones never cost. */
const MOST_DROPPED = 64 << 20

/**
 * Makes a thread give back the zone images it no longer uses. V8 does not count shared memory, so that a thread that hardly
 * allocates, as those that answer, would keep every image it was ever given.
 * @returns to be called with the octets of the image in use, after it has taken the place of the one before
 */
export function makeReclaimer(collect: () => void = collector()): (size: number) => void {
  let last = 0
  let dropped = 0
  return (size) => {
    dropped += last
    last = size
    if (dropped < MOST_DROPPED) return
    dropped = 0
    collect()
  }
}

/** The collector of this thread's garbage. It can be had only by a flag. */
function collector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}
