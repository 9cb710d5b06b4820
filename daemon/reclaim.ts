import { native } from '../core/native.ts'
import type { SharedZones } from './zone/index.ts'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Octets of images let go by a thread before it collects its garbage: a few milliseconds, which small zones never cost. */
const MOST_DROPPED = 64 << 20

/**
 * Makes a thread give back the zone images it no longer uses. V8 does not count shared memory, so that a thread that hardly
 * allocates, as those that answer, would keep every image it was ever given.
 * @returns to be called with the image in use, after it has taken the place of the one before
 */
export function makeReclaimer(collect: () => void = collector()): (image: Pick<SharedZones, 'build' | 'byteLength' | 'overlay'>) => void {
  let last: Pick<SharedZones, 'build' | 'byteLength' | 'overlay'> | undefined
  let dropped = 0
  return (image) => {
    // Of two versions of one build, only what lies over it is let go.
    if (last !== undefined) dropped += last.build === image.build ? (last.overlay?.byteLength ?? 0) : last.byteLength
    last = image
    if (dropped < MOST_DROPPED) return
    dropped = 0
    collect()
  }
}

/** The collector of this thread's garbage. It can be had only by a flag. */
export function collector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}

/**
 * Gives what the C library holds of freed memory back to the system: of what a large zone was made with, it would keep most for
 * whoever asks next. Does nothing where it is not glibc.
 */
export function trimMemory(): void {
  try {
    native()?.call('int malloc_trim(size_t)')(0)
  } catch {
    // Another C library, which has its own ways.
  }
}
