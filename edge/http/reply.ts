import type { BodySink } from './body.ts'
import type { RequestHead } from './request.ts'

/** Answers one request through the connection it came by, now or later. Must not throw. */
export type Handler = (request: RequestHead, reply: Connection) => void

/** How the end of a body is told: by Content-Length, by chunks, or by the end of the connection. */
export type Framing = 'length' | 'chunked' | 'close'

/** Told what becomes of an answer under way. */
export interface Watcher {
  /** There is room for more. */
  drained(): void
  /** The client is gone; nothing more may be written. */
  gone(): void
}

/** Where the answer to one request goes: a connection of HTTP/1.1, or a stream of HTTP/2. */
export interface Connection {
  readonly remoteAddress: string
  /** The connection ends with the answer under way: it must say `Connection: close`. */
  readonly closesAfter: boolean
  /** Reads the content of the request under way; a client that waits to be told so is told to send it (RFC 9110 §10.1.1). */
  readBody(sink: BodySink, expectsContinue: boolean): void
  /** Stops and starts the content of the request under way. */
  pauseBody(): void
  resumeBody(): void
  /**
   * Answers in one go.
   * @param head one character an octet; complete, the empty line included, together with `end`
   * @param body not to be changed afterwards
   */
  whole(head: string, body?: Buffer, end?: string): void
  /** `whole` may be asked for this body however large it is: it is sent from where it lies, as the client takes it. */
  lends(body: Buffer): boolean
  /** Begins an answer whose body follows by `write`, then `finish` or `abort`. */
  open(head: string, framing: Framing, watcher: Watcher): void
  /** An interim answer (1xx) before the one proper; nothing for clients that know of none. @param head as for `whole` */
  inform(head: string): void
  /** Answers by switching protocols: from now on octets go both ways as they are, until each side has ended. Of a head that `upgrades` alone. */
  switchTo(head: string, watcher: Watcher, sink: BodySink): void
  /** Asks to be told when the client goes while its answer is still awaited. */
  watch(watcher: Watcher): void
  /** Writes a piece of the body; false when the watcher's `drained` should be awaited before the next. */
  write(piece: Buffer): boolean
  /** The answer is complete. */
  finish(): void
  /** The answer cannot be completed: the client sees that it is not whole. */
  abort(): void
}
