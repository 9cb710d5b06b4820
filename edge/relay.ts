import type { Fill, Range, Reader } from './cache/index.ts'
import type { Desk } from './flight.ts'
import type { Connection, Framing } from './http/index.ts'

/**
 * Sends a head and then a body as it comes, as fast as the client takes it. A body that breaks off breaks the connection.
 * @param left the client has all it wants, or is gone
 * @param range the part of the body that is sent; without it, all
 */
export function relay(worker: Pick<Desk, 'fault'>, reply: Connection, head: string, framing: Framing, fill: Fill, left: () => void, range?: Range): void {
  let full = false
  const isDone = (): boolean => range !== undefined && reader.at > range.last
  const write = (piece: Buffer): boolean => {
    const from = reader.at - piece.length
    const part = range === undefined ? piece : piece.subarray(Math.max(0, range.first - from), Math.max(0, range.last + 1 - from))
    return part.length === 0 || reply.write(part)
  }
  let over = false
  const leave = (): void => {
    over = true
    fill.detach(reader)
    left()
  }
  const reader: Reader = { next: 0, at: range?.first ?? 0, wake: () => pump() }
  // Who else reads the same body is not to suffer from what goes wrong with one of them.
  const pump = (): void => {
    try {
      send()
    } catch (error) {
      worker.fault(error)
      reply.abort()
      if (!over) leave()
    }
  }
  const send = (): void => {
    if (full || over) return
    if (fill.isBrokenFor(reader)) {
      leave()
      return reply.abort()
    }
    for (let piece = fill.read(reader); piece !== undefined; piece = full || isDone() ? undefined : fill.read(reader)) full = !write(piece)
    if (!isDone() && (full || fill.state !== 'complete' || !fill.isAtEnd(reader))) return
    leave()
    reply.finish()
  }
  fill.attach(reader)
  reply.open(head, framing, {
    drained: () => {
      full = false
      pump()
    },
    gone: () => {
      if (!over) leave()
    }
  })
  pump()
}
