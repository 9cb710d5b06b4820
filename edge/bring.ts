import type { Connection } from './http/index.ts'
import type { Worker } from './worker.ts'

/** What a request may find on disk: the mark of its variants, its own, the list of its parts and then these; and once more where memory lost one meanwhile. */
export const MOST_LOOKS = 5

/**
 * Brings what memory does not hold from disk, and then has the request answered again.
 * @param looks how often it was looked for on behalf of this request
 * @returns whether it is on its way; if not, nothing was done
 */
export function bringUp(worker: Worker, reply: Connection, key: string, looks: number, answer: (looks: number) => void): boolean {
  const { warm } = worker
  if (warm === undefined || looks >= MOST_LOOKS || !warm.has(key)) return false
  let isGone = false
  reply.watch({ drained: () => undefined, gone: () => void (isGone = true) })
  warm.bring(key, () => {
    if (isGone) return
    try {
      answer(looks + 1)
    } catch (error) {
      worker.counters.errors++
      worker.complain(`a request could not be served: ${String(error)}`)
      reply.abort()
    }
  })
  return true
}
