import { makeAnswerer } from './answer.ts'
import { makeReclaimer } from './reclaim.ts'
import type { Responder } from './serve/index.ts'
import { openWorld, type WorldImage } from './world.ts'
import { messageOf } from '../core/trouble.ts'

// What a serving thread answers with: the module that daemon/serve is given by its address.

export interface ResponderData {
  /** Slots of this thread's answerer, read by the main thread. */
  readonly counters: Float64Array
  readonly serverId?: string
  readonly version?: string
  readonly seed: number
}

/** Of so many faults of ours one is logged: whoever finds a query that brings one about sends many. */
const LOGGED = 1000

/** Opens an answerer over a world that has come from another thread. */
export function openResponder(data: unknown, world: unknown, trouble: (reason: string) => void): Responder {
  const first = world as WorldImage
  let faults = 0
  const onError = (error: unknown, question: string): void => {
    if (faults++ % LOGGED === 0) trouble(`${question} was answered SERVFAIL: ${error instanceof Error ? error.stack : messageOf(error)}`)
  }
  const answerer = makeAnswerer({ ...(data as ResponderData), world: openWorld(first), onError })
  const reclaim = makeReclaimer()
  reclaim(first.zones.byteLength)
  return {
    answer: answerer.answer,
    use: (next) => {
      const image = next as WorldImage
      answerer.use(openWorld(image))
      reclaim(image.zones.byteLength)
    }
  }
}
