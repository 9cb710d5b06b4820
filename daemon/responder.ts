import { makeAnswerer } from './answer.ts'
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
  const answerer = makeAnswerer({ ...(data as ResponderData), world: openWorld(world as WorldImage) })
  return {
    answer: answerer.answer,
    use: (next) => answerer.use(openWorld(next as WorldImage))
  }
}
