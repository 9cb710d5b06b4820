import type { Handover, Reply } from './lane.ts'
import type { Carrier, Connection } from './tcp-connection.ts'
import type { Seat, TcpTable } from './tcp-table.ts'
import { ANSWERED, DECLINED, HAND_OVER, HANDED_OVER, RECEIVED, type Responder, type Source, type TcpLimits } from './types.ts'

// One connection: octets in, whole messages answered in their order, octets out. Each message stands behind two octets of
// length, many to a connection, in any pieces (RFC 1035 §4.2.2, RFC 7766 §6.2.1, §8).

export const LONGEST = 65535
/** A message shorter than a header is no DNS, and a response asks nothing: the connection is closed. */
const HEADER = 12
const RESPONSE = 0x80
/** Answers that the client has not taken: above this it is not read from until they are gone. */
const UNREAD = 64 << 10
/** Room for what is put together before it is written: answers up to UNREAD, and the longest behind them. */
export const OUT_SIZE = UNREAD + 2 + LONGEST
/** Messages of one connection that the exchange has at once. */
const MOST_HANDED_OVER = 4

export interface Client extends Seat {
  readonly connection: Connection
  readonly source: Source
  readonly acceptedAt: number
  /** The first `length` octets were received and are not yet answered: at most one message and what came with it. */
  pending: Buffer
  length: number
  /** Since when a message has been incomplete; 0: none is. */
  incompleteSince: number
  /** Since when, as far as was seen, answers wait to be taken, 0: none do; and the octets that had been taken by then. */
  unsentSince: number
  takenThen: number
  /** Not read from and not answered until it has taken what was sent. */
  isBlocked: boolean
  hasEnded: boolean
  /** Since when it has been told the end, and is answered nothing more; 0: it has not. */
  leavingSince: number
  /** By what number the exchange knows it, and how many of its messages are there. */
  readonly number: number
  handedOver: number
}

export interface TcpState {
  readonly responder: Responder
  readonly handover: Handover
  readonly limits: TcpLimits
  readonly traffic: Float64Array
  readonly elapsed: () => number
  readonly notice: (text: string) => void
  readonly table: TcpTable<Client>
  readonly numbers: Map<number, Client>
  lastNumber: number
  readonly carrier: Carrier
  /** Messages that the exchange has, of all connections. */
  handedOver: number
}

const EMPTY = Buffer.alloc(0)

export function makeClient(connection: Connection, source: Source, who: Pick<Seat, 'address' | 'network' | 'isExempt'>, number: number, now: number): Client {
  return {
    connection, source, ...who, number, acceptedAt: now, lastActive: now, hasAsked: false, isHeard: false, isBusy: false, pending: EMPTY, length: 0,
    incompleteSince: 0, unsentSince: 0, takenThen: 0, isBlocked: false, hasEnded: false, leavingSince: 0, handedOver: 0
  }
}

/** Takes up the first `length` octets of a chunk. Space doubles, so that a message in drips costs little more than one in a piece. */
export function append(client: Client, chunk: Buffer, length: number): void {
  const { pending, length: held } = client
  if (held === 0) {
    client.pending = chunk
  } else {
    if (pending.length < held + length) {
      client.pending = Buffer.allocUnsafe(Math.max(2 * pending.length, held + length))
      pending.copy(client.pending, 0, 0, held)
    }
    chunk.copy(client.pending, held, 0, length)
  }
  client.length = held + length
}

/** What is left of a chunk that was lent is copied. */
export function keep(client: Client, chunk: Buffer): void {
  if (client.length > 0 && client.pending.buffer === chunk.buffer) client.pending = Buffer.from(client.pending.subarray(0, client.length))
}

/** Answers every whole message that is there, as far as the client takes the answers. */
export function serve(client: Client, state: TcpState): void {
  const { connection } = client
  const { out } = state.carrier
  if (client.isBlocked || client.leavingSince !== 0 || connection.isDestroyed) return
  let size = 0
  let at = 0
  while (client.length - at >= 2 && size < UNREAD) {
    const { pending } = client
    const length = (pending[at]! << 8) | pending[at + 1]!
    if (length < HEADER || (client.length - at > 4 && pending[at + 4]! >= RESPONSE)) {
      // What was asked before it is answered still.
      if (size > 0) connection.writeOut(size)
      client.leavingSince = state.elapsed()
      connection.pause()
      connection.destroySoon()
      return
    }
    if (client.length - at - 2 < length) break
    const answer = answerOne(client, state, at + 2, length, size + 2)
    at += 2 + length
    if (answer === 0) continue
    out[size] = answer >>> 8
    out[size + 1] = answer & 255
    size += 2 + answer
  }
  const now = state.elapsed()
  if (at > 0) {
    client.pending = at === client.length ? EMPTY : client.pending.subarray(at, client.length)
    client.length -= at
    state.table.touch(client, now)
  }
  if (size > 0) connection.writeOut(size)
  client.isBlocked = connection.unsent >= UNREAD || size >= UNREAD
  if (client.length === 0 || client.isBlocked) client.incompleteSince = 0
  else if (at > 0 || client.incompleteSince === 0) client.incompleteSince = now
  if (client.isBlocked) {
    connection.pause()
    // What the system took at once is never drained; others have their turn first.
    if (connection.unsent === 0) state.carrier.later(() => unblock(client, state))
  } else if (client.hasEnded && client.handedOver === 0) {
    connection.end()
  }
}

export function unblock(client: Client, state: TcpState): void {
  client.isBlocked = false
  client.connection.resume()
  serve(client, state)
}

/** Puts the answer to a message into the carrier's memory, `outStart` octets in. @returns its length; 0: there is none */
function answerOne(client: Client, state: TcpState, start: number, length: number, outStart: number): number {
  const { responder, traffic, carrier } = state
  traffic[RECEIVED]!++
  let size = responder.answer(client.pending, start, length, client.source, 'tcp', carrier.out, outStart, LONGEST)
  if (size === HAND_OVER) size = handOver(client, state, start, length)
  if (size > 0) traffic[ANSWERED]!++
  return size
}

function framed(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(message.length + 2)
  frame.writeUInt16BE(message.length)
  frame.set(message, 2)
  return frame
}

/** @returns octets of an answer for now */
function handOver(client: Client, state: TcpState, start: number, length: number): number {
  const { handover, responder, traffic } = state
  const { pending, source, number } = client
  if (client.handedOver < MOST_HANDED_OVER && handover.offer(Uint8Array.from(pending.subarray(start, start + length)), source, 'tcp', { kind: 'lane', client: number })) {
    client.handedOver++
    state.handedOver++
    client.isBusy = true
    traffic[HANDED_OVER]!++
    return 0
  }
  traffic[DECLINED]!++
  return responder.decline()
}

/** One of the exchange's messages for a client: it is told when that has left, so that the next comes only then. */
export function takeReply({ kind, client: number, message }: Reply, state: TcpState): void {
  const client = state.numbers.get(number)
  if (client === undefined) return
  if (kind === 'broken') {
    // Only the end of the connection shows that a transfer is not whole (RFC 5936 §2.2).
    client.connection.destroy()
    return
  }
  if (kind === 'last') {
    client.handedOver--
    state.handedOver--
  }
  client.isBusy = client.handedOver > 0
  if (message === undefined) return serve(client, state)
  client.connection.write(framed(message), () => {
    if (!state.numbers.has(number)) return
    state.table.touch(client, state.elapsed())
    state.handover.tell({ kind: 'sent', client: number })
    if (client.hasEnded) serve(client, state)
  })
}
