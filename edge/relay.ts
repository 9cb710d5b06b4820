import type { Fill, Reader } from './cache/index.ts'
import type { Connection, Framing } from './http/index.ts'

/**
 * Sends a head and then a body as it comes, as fast as the client takes it. A body that breaks off breaks the connection.
 * @param left the client has all it wants, or is gone
 */
export function relay(reply: Connection, head: string, framing: Framing, fill: Fill, left: () => void): void {
  let full = false
  let over = false
  const leave = (): void => {
    over = true
    fill.detach(reader)
    left()
  }
  const reader: Reader = { next: 0, wake: () => pump() }
  const pump = (): void => {
    if (full || over) return
    if (fill.state === 'broken') {
      leave()
      return reply.abort()
    }
    for (let piece = fill.read(reader); piece !== undefined; piece = full ? undefined : fill.read(reader)) full = !reply.write(piece)
    if (full || fill.state !== 'complete' || !fill.isAtEnd(reader)) return
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
