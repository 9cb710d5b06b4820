import { messageOf } from '../core/trouble.ts'
import type { Viewer } from './asked.ts'
import { Fill, type BodyOnDisk, type Range } from './cache/index.ts'
import { relay } from './relay.ts'
import { say, type Words } from './say.ts'
import type { Worker } from './worker.ts'

/** It is held all the same: a fetch would want a file descriptor and memory as well. */
export const NOT_NOW: Words = { status: 503, text: 'what is held on disk cannot be read for now', lines: 'Retry-After: 1\r\n' }

/**
 * Sends a head and a body, or a part of it, that lies on disk, a piece after the other as the client takes them.
 * @param again answers anew where the body is gone; what is held of it is dropped before
 */
export function sendFromDisk(worker: Worker, viewer: Viewer, body: BodyOnDisk, head: string, again: () => void, range?: Range): void {
  const { request, reply, key, nonce, id } = viewer
  let isGone = false
  reply.watch({ drained: () => undefined, gone: () => void (isGone = true) })
  const answer = async (): Promise<void> => {
    const backing = await worker.disk?.openBody(key, body)
    if (backing === 'not now') {
      if (isGone) return
      worker.counters.errors++
      return say(worker, request, reply, NOT_NOW, nonce, id)
    }
    if (isGone) return backing?.close()
    if (backing !== undefined) return relay(worker, reply, head, 'length', Fill.from(backing), () => undefined, range)
    const held = worker.store.get(key)
    // Another may have come meanwhile.
    if (held?.kind === 'object' && held.onDisk?.token === body.token) worker.store.delete(key)
    again()
  }
  answer().catch((error: unknown) => {
    worker.counters.errors++
    worker.complain(`${request.target} could not be answered from disk: ${messageOf(error)}`)
    reply.abort()
  })
}
