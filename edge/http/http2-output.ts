import type { Socket } from 'node:net'
import { secureSender } from './send-secure.ts'
import { SCRATCH } from './surroundings.ts'

/** Types of frames (RFC 9113 §6). */
export const DATA = 0
export const HEADERS = 1
export const PRIORITY = 2
export const RST_STREAM = 3
export const SETTINGS = 4
export const PUSH_PROMISE = 5
export const PING = 6
export const GOAWAY = 7
export const WINDOW_UPDATE = 8
export const CONTINUATION = 9

export const END_STREAM = 1
export const ACK = 1
export const END_HEADERS = 4
const PADDED = 8
export const WITH_PRIORITY = 0x20

/** Settings (§6.5.2). */
export const ENABLE_PUSH = 2
export const MAX_CONCURRENT_STREAMS = 3
export const INITIAL_WINDOW_SIZE = 4
export const MAX_FRAME_SIZE = 5
export const MAX_HEADER_LIST_SIZE = 6

export function settingsOctets(settings: readonly (readonly [number, number])[]): Buffer {
  const octets = Buffer.alloc(6 * settings.length)
  for (const [at, [name, value]] of settings.entries()) octets.writeUInt32BE(value, octets.writeUInt16BE(name, 6 * at))
  return octets
}

/** A payload without its padding; undefined where there is more padding than payload (§6.1). */
export function unpadded(flags: number, payload: Buffer): Buffer | undefined {
  if ((flags & PADDED) === 0) return payload
  const padding = payload[0] ?? 0
  return padding < payload.length ? payload.subarray(1, payload.length - padding) : undefined
}

/** Error codes (§7). */
export const CODES = { none: 0, protocol: 1, internal: 2, flowControl: 3, streamClosed: 5, frameSize: 6, refused: 7, cancel: 8, compression: 9, calm: 11 } as const

/** Octets of a frame, less its head, that everybody takes (§4.2). */
export const FRAME_SIZE = 16 * 1024
export const FRAME_HEAD = 9
export const WINDOW = 65_535
export const MOST_WINDOW = 0x7fffffff

/** Memory in which the frames of one turn are put together: of all connections of a server, each in its turn. */
export interface Gathering {
  readonly octets: Buffer
  owner: Http2Output | undefined
}

export const makeGathering = (): Gathering => ({ octets: Buffer.allocUnsafeSlow(SCRATCH), owner: undefined })

/** What a body is sent of, as windows and the client allow. */
export interface Outgoing {
  readonly id: number
  readonly pieces: Buffer[]
  /** Octets of the first piece that have gone. */
  gone: number
  /** What the client still takes. */
  window: number
  /** Nothing follows the pieces. */
  isWhole: boolean
  /** All has gone, the end included. */
  sentAll(): void
  /** The pieces have gone, and more may come. */
  sentPieces(): void
  /** So many octets have gone. */
  sent(octets: number): void
}

/** The frames that a connection sends: put together and written at the end of a turn. */
export class Http2Output {
  /** What the client still takes of all bodies together. */
  window = WINDOW
  /** What goes before the first head of all: no table of ours, which the client would have to keep (RFC 7541 §4.2). */
  first: Buffer = Buffer.from([0x20])
  /** Octets, frames and all. */
  sent = 0
  readonly #socket: Socket
  readonly #gathering: Gathering
  readonly #send: (octets: Uint8Array) => boolean
  readonly #waiting = new Set<Outgoing>()
  #gathered = 0
  #isInTurn = false
  /** At the end of this turn of the event loop. */
  #isSoon = false

  constructor(socket: Socket, gathering: Gathering) {
    this.#socket = socket
    this.#gathering = gathering
    this.#send = secureSender(socket) ?? (() => false)
  }

  /** The client does not take what there is. */
  get isStuck(): boolean {
    return this.#socket.writableNeedDrain
  }

  /** Has what is sent by some work written at its end. */
  turn(work: () => void): void {
    if (this.#isInTurn) return work()
    this.#isInTurn = true
    try {
      work()
    } finally {
      this.#isInTurn = false
      this.flush()
    }
  }

  frame(type: number, flags: number, id: number, ...payload: readonly Uint8Array[]): void {
    let length = 0
    for (const part of payload) length += part.length
    this.#reserve(FRAME_HEAD + length)
    this.#head(length, type, flags, id)
    for (const part of payload) {
      this.#gathering.octets.set(part, this.#gathered)
      this.#gathered += part.length
    }
    this.#soon()
  }

  /** A frame whose payload is one number. */
  number(type: number, id: number, value: number): void {
    const payload = Buffer.allocUnsafe(4)
    payload.writeUInt32BE(value)
    this.frame(type, 0, id, payload)
  }

  /** Sends of a body what may be sent; the rest waits. */
  body(outgoing: Outgoing): void {
    this.#waiting.add(outgoing)
    while (this.#piece(outgoing));
  }

  forget(outgoing: Outgoing): void {
    this.#waiting.delete(outgoing)
  }

  /** There is room again: all that wait have a frame in turn. */
  resume(): void {
    let any = true
    while (any) {
      any = false
      for (const outgoing of this.#waiting) if (this.#piece(outgoing)) any = true
    }
  }

  /** One frame of it; false when there is none to send. */
  #piece(outgoing: Outgoing): boolean {
    const { pieces, isWhole } = outgoing
    const piece = pieces[0]
    if (piece === undefined) {
      this.#waiting.delete(outgoing)
      if (!isWhole) return (outgoing.sentPieces(), false)
      this.frame(DATA, END_STREAM, outgoing.id)
      outgoing.sentAll()
      return false
    }
    const size = Math.min(piece.length - outgoing.gone, FRAME_SIZE, outgoing.window, this.window)
    if ((size <= 0 && piece.length > 0) || this.isStuck) return false
    const isEnd = outgoing.gone + size === piece.length
    if (isEnd) pieces.shift()
    const isLast = isWhole && pieces.length === 0
    this.frame(DATA, isLast ? END_STREAM : 0, outgoing.id, size === piece.length ? piece : piece.subarray(outgoing.gone, outgoing.gone + size))
    outgoing.gone = isEnd ? 0 : outgoing.gone + size
    outgoing.window -= size
    this.window -= size
    outgoing.sent(size)
    if (!isLast) return true
    this.#waiting.delete(outgoing)
    outgoing.sentAll()
    return false
  }

  #reserve(size: number): void {
    const gathering = this.#gathering
    if (gathering.owner !== this) {
      gathering.owner?.flush()
      gathering.owner = this
    }
    if (this.#gathered + size > SCRATCH) {
      this.flush()
      gathering.owner = this
    }
  }

  #head(length: number, type: number, flags: number, id: number): void {
    const { octets } = this.#gathering
    const at = this.#gathered
    octets[at] = length >>> 16
    octets[at + 1] = length >>> 8
    octets[at + 2] = length
    octets[at + 3] = type
    octets[at + 4] = flags
    octets[at + 5] = id >>> 24
    octets[at + 6] = id >>> 16
    octets[at + 7] = id >>> 8
    octets[at + 8] = id
    this.#gathered += FRAME_HEAD
  }

  #soon(): void {
    if (this.#isInTurn) return void (this.#gathered > SCRATCH / 2 && this.flush())
    if (this.#isSoon) return
    this.#isSoon = true
    process.nextTick(() => {
      this.#isSoon = false
      this.flush()
    })
  }

  flush(): void {
    if (this.#gathering.owner !== this) return
    this.#gathering.owner = undefined
    const size = this.#gathered
    this.#gathered = 0
    if (size === 0 || this.#socket.destroyed) return
    this.sent += size
    const octets = this.#gathering.octets.subarray(0, size)
    if (!this.#send(octets)) this.#socket.write(Buffer.from(octets))
  }
}
