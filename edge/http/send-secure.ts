import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

/** A write under way, as Node hands it to its connections. */
interface Request {
  handle: unknown
  oncomplete: (status: number) => void
}

/** What Node's own streams write with, by names of its own. */
interface Binding {
  readonly WriteWrap: new () => Request
  readonly streamBaseState: Int32Array
  readonly kLastWriteWasAsync: number
}

interface Inner {
  readonly _handle?: { writeBuffer?(request: Request, octets: Uint8Array): number } | null
}

let known: Binding | undefined
let tried = false

/** Undefined where Node is otherwise inside. */
function binding(): Binding | undefined {
  if (tried) return known
  tried = true
  try {
    const { WriteWrap, streamBaseState, kLastWriteWasAsync } = (process as unknown as { binding(name: string): Partial<Binding> }).binding('stream_wrap')
    if (typeof WriteWrap === 'function' && typeof kLastWriteWasAsync === 'number' && typeof streamBaseState?.[kLastWriteWasAsync] === 'number') known = { WriteWrap, streamBaseState, kLastWriteWasAsync }
  } catch {
    // The stream is there.
  }
  return known
}

/**
 * Sends small answers over TLS without the socket's stream: its bookkeeping costs a quarter of a small hit, and the connection keeps
 * what it is given in any case, encrypted. All that is written in the usual way, and the end, wait until it has gone, so that the order
 * stays; and Node ends the whole process where a connection is given two writes at once.
 * @returns takes octets, which may be changed afterwards; false when they must be written in the usual way: there are many, something is
 *   under way, or Node is otherwise inside. Undefined for a socket without TLS.
 */
export function secureSender(socket: Socket): ((octets: Uint8Array) => boolean) | undefined {
  if (!(socket instanceof TLSSocket)) return undefined
  const found = binding()
  const inner = socket as unknown as Inner
  if (found === undefined || typeof inner._handle?.writeBuffer !== 'function') return () => false
  const { WriteWrap, streamBaseState, kLastWriteWasAsync } = found
  const most = socket.writableHighWaterMark
  const turns = takeTurns(socket)
  const complete = (status: number): void => {
    if (status < 0 && !socket.destroyed) socket.destroy(new Error('the connection does not take what is written'))
    turns.leave()
  }
  return (octets) => {
    const handle = inner._handle
    if (octets.length >= most || handle === undefined || handle === null || !turns.enter()) return false
    const request = new WriteWrap()
    request.handle = handle
    request.oncomplete = complete
    const error = handle.writeBuffer!(request, octets)
    if (error !== 0) complete(error)
    else if (streamBaseState[kLastWriteWasAsync] === 0) complete(0)
    return true
  }
}

type Done = (error?: Error | null) => void

/** Has the stream of a socket wait for whoever has entered, who in turn does not while the stream has anything to do. */
function takeTurns(socket: Socket): { enter(): boolean; leave(): void } {
  let isTaken = false
  let waiting: (() => void) | undefined
  const take = (go: (done: Done) => void, done: Done): void => {
    const begin = (): void => {
      isTaken = true
      go((error) => {
        isTaken = false
        done(error)
      })
    }
    if (isTaken) waiting = begin
    else begin()
  }
  // A stream does one of these at a time.
  const [write, writev, final] = [socket._write.bind(socket), socket._writev!.bind(socket), socket._final.bind(socket)]
  socket._write = (chunk, encoding, done) => take((done) => write(chunk, encoding, done), done)
  socket._writev = (chunks, done) => take((done) => writev(chunks, done), done)
  // After the end nobody has a turn.
  socket._final = (done) => take(() => final(done), done)
  return {
    enter: () => !isTaken && (isTaken = true),
    leave: () => {
      isTaken = false
      const next = waiting
      waiting = undefined
      next?.()
    }
  }
}
