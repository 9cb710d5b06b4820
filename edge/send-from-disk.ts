import { messageOf } from '../core/trouble.ts'
import type { Viewer } from './asked.ts'
import { Fill, type BodyOnDisk, type Range } from './cache/index.ts'
import { relay } from './relay.ts'
import type { Worker } from './worker.ts'

/**
 * Sends a head and a body, or a part of it, that lies on disk, a piece after the other as the client takes them.
 * @param again answers anew where the body is gone; what is held of it is dropped before
 */
export function sendFromDisk(worker: Worker, viewer: Viewer, body: BodyOnDisk, head: string, again: () => void, range?: Range): void {
  const { reply, key } = viewer
  let isGone = false
  reply.watch({ drained: () => undefined, gone: () => void (isGone = true) })
  const answer = async (): Promise<void> => {
    const backing = await worker.disk?.openBody(key, body)
    if (isGone) return backing?.close()
    if (backing !== undefined) return relay(worker, reply, head, 'length', Fill.from(backing), () => undefined, range)
    const held = worker.store.get(key)
    // Another may have come meanwhile.
    if (held?.kind === 'object' && held.onDisk?.token === body.token) worker.store.delete(key)
    again()
  }
  answer().catch((error: unknown) => {
    worker.counters.errors++
    worker.complain(`${viewer.request.target} could not be answered from disk: ${messageOf(error)}`)
    reply.abort()
  })
}
