import { makeAnswerer } from './answer.ts'
import { makeReclaimer } from './reclaim.ts'
import type { Responder } from './serve/index.ts'
import { openWorld, type WorldImage } from './world.ts'

// What a serving thread answers with: the module that daemon/serve is given by its address.

export interface ResponderData {
  /** Slots of this thread's answerer, read by the main thread. */
  readonly counters: Float64Array
  readonly serverId?: string
  readonly version?: string
  readonly seed: number
}

/** Opens an answerer over a world that has come from another thread. */
export function openResponder(data: unknown, world: unknown): Responder {
  const first = world as WorldImage
  const answerer = makeAnswerer({ ...(data as ResponderData), world: openWorld(first) })
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
