import type { Viewer } from './asked.ts'
import { Fill, type Range } from './cache/index.ts'
import { joinSlices, type Slice } from './joined.ts'
import { isInMemory, type Run } from './parts.ts'
import { relay } from './relay.ts'
import { say } from './say.ts'
import { NOT_NOW } from './send-from-disk.ts'
import type { Worker } from './worker.ts'

// A part out of pieces that lie in memory and on disk.

/** The octets of a run; where they are gone from disk the piece is dropped, to be fetched anew. */
export function sliceOf(worker: Pick<Worker, 'disk' | 'store'>, run: Run): Slice {
  if (isInMemory(run)) return { fill: Fill.of(run), first: 0, last: run.length - 1 }
  const { key, body, from, to } = run
  const open = async (): Promise<Fill | 'not now' | undefined> => {
    const backing = await worker.disk?.openBody(key, body)
    if (backing === undefined) worker.store.delete(key)
    return backing === undefined || backing === 'not now' ? backing : Fill.from(backing)
  }
  return { fill: open(), first: from, last: to - 1 }
}

/** Sends a head and the octets of runs, some of which lie on disk. @param again answers anew where some of them are gone */
export function sendRuns(worker: Worker, { request, reply, nonce, id }: Viewer, head: string, runs: readonly Run[], again: () => void): void {
  let isGone = false
  reply.watch({ drained: () => undefined, gone: () => void (isGone = true) })
  const send = async (): Promise<void> => {
    const slices: (Range & { fill: Fill })[] = []
    let isBusy = false
    for (const { fill, first, last } of runs.map((run) => sliceOf(worker, run))) {
      const opened = await fill
      if (opened === 'not now') isBusy = true
      else if (opened !== undefined) slices.push({ fill: opened, first, last })
    }
    if (isGone || slices.length < runs.length) {
      for (const { fill } of slices) fill.retire()
      if (isGone) return
      if (!isBusy) return again()
      worker.counters.errors++
      return say(worker, request, reply, NOT_NOW, nonce, id)
    }
    const joined = joinSlices(slices, (error) => worker.fault(error))
    relay(worker, reply, head, 'length', joined.fill, joined.stop)
    joined.start()
  }
  send().catch((error: unknown) => {
    worker.fault(error)
    reply.abort()
  })
}
