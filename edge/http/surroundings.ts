import type { ParserLimits } from './parser.ts'
import type { Handler } from './reply.ts'

export interface ConnectionLimits extends ParserLimits {
  readonly idleMs: number
  readonly headTimeoutMs: number
  /** Octets of a request's content. */
  readonly bodySize: number
  /** Octets a millisecond that a client must bring and take in the long run. */
  readonly leastRate: number
  /** Neither side of a tunnel says anything for this long: it is closed. */
  readonly tunnelIdleMs: number
  /** Requests at once on a connection of HTTP/2. */
  readonly streams: number
}

/** A connection as its server holds it. */
export interface Held {
  /** Nothing is under way. */
  readonly idle: boolean
  /** The server ends: nothing new is begun. */
  wind(): void
  closeIfIdle(): void
  destroy(): void
  /** Looks after time limits; called several times a second. */
  sweep(): void
}

export const SCRATCH = 64 * 1024
export const makeScratch = (): Buffer => Buffer.allocUnsafeSlow(SCRATCH)

/** A connection of whose answer the head is to be sent. */
export interface Headed extends Held {
  sendHead(): void
}

/** What the connections of one server share. */
export interface Surroundings {
  readonly limits: ConnectionLimits
  readonly handle: Handler
  /** Answers of one go are gathered here and written at once; replaced when the kernel did not take all of it. */
  scratch: Buffer
  /** Milliseconds, as of the last sweep over the connections. */
  now: number
  /** Octets written, all connections. */
  bytesSent: number
  /** The server ends: answers say so. */
  closing: boolean
  /** Whose heads wait for the end of this turn of the event loop, so that the first of the body goes with them. */
  heads: Headed[]
  forget(connection: Held): void
  /** A fault of ours: it is said. What it was about is ended by whoever caught it. */
  fault(error: unknown): void
}

/** Has the head of an answer sent before anything else happens, with what comes of its body until then. */
export function sendSoon(around: Surroundings, connection: Headed): void {
  if (around.heads.push(connection) > 1) return
  process.nextTick(() => {
    const { heads } = around
    around.heads = []
    for (const each of heads) guard(around, each, () => each.sendHead())
  })
}

/** Deals with something that happens to a connection; where that fails, the connection ends and the others are served on. */
export function guard(around: Surroundings, connection: Held, work: () => void): void {
  try {
    work()
  } catch (error) {
    around.fault(error)
    connection.destroy()
  }
}
