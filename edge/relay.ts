import type { Fill, Range, Reader } from './cache/index.ts'
import type { Desk } from './flight.ts'
import type { Connection, Framing, Watcher } from './http/index.ts'

/**
 * Sends a head and then a body as it comes, as fast as the client takes it. A body that breaks off breaks the connection.
 * @param left the client has all it wants, or is gone
 * @param range the part of the body that is sent; without it, all
 */
export function relay(worker: Pick<Desk, 'fault'>, reply: Connection, head: string, framing: Framing, fill: Fill, left: () => void, range?: Range): void {
  const relayed = new Relay(worker, reply, fill, left, range)
  fill.attach(relayed)
  reply.open(head, framing, relayed)
  relayed.wake()
}

/** One body on its way to one client. */
class Relay implements Reader, Watcher {
  next = 0
  at: number
  readonly #worker: Pick<Desk, 'fault'>
  readonly #reply: Connection
  readonly #fill: Fill
  readonly #left: () => void
  readonly #range: Range | undefined
  #full = false
  #over = false

  constructor(worker: Pick<Desk, 'fault'>, reply: Connection, fill: Fill, left: () => void, range: Range | undefined) {
    this.#worker = worker
    this.#reply = reply
    this.#fill = fill
    this.#left = left
    this.#range = range
    this.at = range?.first ?? 0
  }

  /** Who else reads the same body is not to suffer from what goes wrong with one of them. */
  wake(): void {
    try {
      this.#send()
    } catch (error) {
      this.#worker.fault(error)
      this.#reply.abort()
      this.gone()
    }
  }

  drained(): void {
    this.#full = false
    this.wake()
  }

  gone(): void {
    if (!this.#over) this.#leave()
  }

  #send(): void {
    if (this.#full || this.#over) return
    const fill = this.#fill
    if (fill.isBrokenFor(this)) {
      this.#leave()
      return this.#reply.abort()
    }
    for (let piece = fill.read(this); piece !== undefined; piece = this.#full || this.#isDone() ? undefined : fill.read(this)) this.#full = !this.#write(piece)
    if (!this.#isDone() && (this.#full || fill.state !== 'complete' || !fill.isAtEnd(this))) return
    this.#leave()
    this.#reply.finish()
  }

  #isDone(): boolean {
    return this.#range !== undefined && this.at > this.#range.last
  }

  #write(piece: Buffer): boolean {
    const range = this.#range
    if (range === undefined) return this.#reply.write(piece)
    const from = this.at - piece.length
    const part = piece.subarray(Math.max(0, range.first - from), Math.max(0, range.last + 1 - from))
    return part.length === 0 || this.#reply.write(part)
  }

  #leave(): void {
    this.#over = true
    this.#fill.detach(this)
    this.#left()
  }
}
