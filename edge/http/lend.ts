import type { Socket } from 'node:net'
import { addressOf, fileOf, senderOfThread } from '../bodies/index.ts'

/** What is sent from where it lies goes out in turns of so many octets, so that other connections have theirs; whole pages of them. */
const TURN = 2 * 1024 * 1024
const PAGE = 4096
/** Smaller bodies, parts of larger ones, are cheaper to write. */
const LEAST = 32 * 1024
/** What is written, and so waited for, when the client takes no more for now. */
const PIECE = 16 * 1024

/** Whether a body is sent so: it lies in a file of memory, and is large enough. */
export const mayLend = (body: Buffer): boolean => body.length >= LEAST && fileOf(body) !== undefined && senderOfThread() !== undefined

/** What a body is lent to. */
export interface Borrower {
  readonly socket: Socket
  /** Writes in the usual way, and tells when the client has taken it; never where the connection ends before. */
  write(piece: Buffer, taken: () => void): unknown
  /** So many octets have gone. */
  sent(octets: number): void
  /** All of it has. */
  done(): void
}

/** The descriptor of a connection at this moment; undefined once it is closed. */
function descriptorOf(socket: Socket): number | undefined {
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: number } | null }
  return socket.destroyed || handle?.fd === undefined || handle.fd < 0 ? undefined : handle.fd
}

/**
 * Sends a head, then a body from where it lies. What has been given to the kernel by the usual way goes first: nothing is
 * sent past it. When the client takes no more, a piece is written in the usual way, and whoever waits for that goes on after it.
 * @param head one character an octet
 * @param scratch memory that nobody else uses meanwhile
 * @param body of which `mayLend` is true
 */
export function lend(borrower: Borrower, head: string, scratch: Buffer, body: Buffer): void {
  const { socket } = borrower
  const [sender, start] = [senderOfThread()!, addressOf(body)]
  const octets = head.length > scratch.length ? Buffer.from(head, 'latin1') : scratch.subarray(0, scratch.write(head, 'latin1'))
  let at = 0
  const goOn = (): void => {
    const descriptor = descriptorOf(socket)
    if (descriptor === undefined) return
    const turn = Math.min(TURN - ((start + at) % PAGE), body.length - at)
    const taken = sender.body(descriptor, start + at, turn, at + turn < body.length)
    at += taken
    borrower.sent(taken)
    if (taken < turn) {
      // Of a connection that is broken, writing tells.
      const piece = body.subarray(at, at + PIECE)
      at += piece.length
      borrower.write(piece, goOn)
    } else if (at < body.length) setImmediate(goOn)
    else borrower.done()
  }
  const descriptor = socket.writableLength === 0 ? descriptorOf(socket) : undefined
  const taken = descriptor === undefined ? 0 : sender.head(descriptor, octets, octets.length)
  borrower.sent(taken)
  if (taken < octets.length) borrower.write(Buffer.from(octets.subarray(taken)), goOn)
  else goOn()
}

