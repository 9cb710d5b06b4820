import type { Socket } from 'node:net'
import { PassingMap } from '../../core/passing.ts'
import { Allowance } from './allowance.ts'
import { HpackDecoder } from './hpack.ts'
import { addField, areTrailers, FIELD_OVERHEAD, makeRawHead, readHttp2Head, type RawHead } from './http2-head.ts'
import {
  ACK, CODES, CONTINUATION, DATA, ENABLE_PUSH, END_HEADERS, END_STREAM, FRAME_HEAD, FRAME_SIZE, GOAWAY, HEADERS, Http2Output, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, MAX_FRAME_SIZE,
  MAX_HEADER_LIST_SIZE, MOST_WINDOW, PING, PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS, settingsOctets, unpadded, WINDOW, WINDOW_UPDATE, WITH_PRIORITY, type Gathering
} from './http2-output.ts'
import { LateStreams } from './http2-late.ts'
import { Http2Stream, type Owner } from './http2-stream.ts'
import { guard, type Held, type Surroundings } from './surroundings.ts'

/** Streams that a client may take back, and how many more each second: they cost us a request, and it next to nothing (CVE-2023-44487). */
const RESETS = 200
const RESETS_PER_SECOND = 20
/** Frames that ask for an answer and serve no request. */
const PINGS = 100
const PINGS_PER_SECOND = 10
/** Octets of frames that are neither requests nor their content, and how many more each second; and one for so many sent, which it acknowledges. */
const OVERHEAD = 64 * 1024
const OVERHEAD_PER_MS = 16
const SENT_PER_OVERHEAD = 64
/** What frames take around a request, or a piece of its content. */
const FRAMED = 64
/** Octets of content that a connection brings before somebody takes them: several uploads go on while one is held up. */
const CONNECTION_WINDOW = 1024 * 1024
/** Frames of one head, and pieces of content in a row that are empty. */
const MOST_CONTINUATIONS = 32
const MOST_EMPTY = 32
/** How long a client that is told to go may take to do so. */
const LEAVE_MS = 1000

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')
const NOTHING = Buffer.alloc(0)

/** A head that is being brought. */
interface Coming {
  readonly id: number
  readonly isEnd: boolean
  readonly parts: Buffer[]
  size: number
}

/** One client connection of HTTP/2 (RFC 9113): a request a stream, many at once. */
export class Http2Connection implements Held, Owner {
  readonly remoteAddress: string
  readonly around: Surroundings
  readonly output: Http2Output
  readonly #socket: Socket
  readonly #streams = new PassingMap<number, Http2Stream>()
  readonly #decoder = new HpackDecoder()
  readonly #resets: Allowance
  readonly #pings: Allowance
  readonly #begun: number
  readonly #mostHead: number
  /** The beginning of a frame of which the rest has not come. */
  #rest: Buffer = NOTHING
  #hasPreface = false
  #hasSettings = false
  #coming: Coming | undefined
  /** The last stream that was begun, and the last that was taken. */
  #last = 0
  #lastTaken = 0
  readonly #late = new LateStreams()
  /** What the client takes of each stream at first, and may still bring on all of them. */
  #window = WINDOW
  #mayBring = CONNECTION_WINDOW
  #credit = 0
  #received = 0
  /** Octets received that were requests, or content that somebody reads. */
  #useful = 0
  #empty = 0
  #idleSince: number
  /** Nothing new is taken. */
  #isLeaving = false
  /** Nothing is taken at all. */
  #isOver = false
  #deadline = Infinity

  constructor(socket: Socket, around: Surroundings, gathering: Gathering) {
    const { limits, now } = around
    this.around = around
    this.#socket = socket
    this.#begun = this.#idleSince = now
    this.#resets = new Allowance(RESETS, RESETS_PER_SECOND, now)
    this.#pings = new Allowance(PINGS, PINGS_PER_SECOND, now)
    this.#mostHead = limits.headSize + limits.fields * FIELD_OVERHEAD
    this.remoteAddress = socket.remoteAddress ?? ''
    this.output = new Http2Output(socket, gathering)
    socket.on('drain', () => guard(around, this, () => this.#drained()))
    socket.on('end', () => guard(around, this, () => this.#leave()))
    // What went wrong is of no interest: 'close' follows.
    socket.on('error', () => undefined)
    socket.on('close', () => guard(around, this, () => this.#closed()))
    this.output.turn(() => {
      this.output.frame(SETTINGS, 0, 0, settingsOctets([[MAX_CONCURRENT_STREAMS, limits.streams], [MAX_HEADER_LIST_SIZE, this.#mostHead]]))
      this.output.number(WINDOW_UPDATE, 0, CONNECTION_WINDOW - WINDOW)
    })
  }

  get idle(): boolean {
    return this.#streams.size === 0
  }

  wind(): void {
    if (this.#isLeaving || this.#isOver) return
    this.#isLeaving = true
    this.output.turn(() => this.#goAway(CODES.none))
    if (this.idle) this.#leave()
  }

  closeIfIdle(): void {
    if (this.idle) this.#leave()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  sweep(): void {
    const { now, limits } = this.around
    if (this.#deadline <= now) return this.destroy()
    if (this.#isOver) return
    if (this.#received - this.#useful > OVERHEAD + (now - this.#begun) * OVERHEAD_PER_MS + this.output.sent / SENT_PER_OVERHEAD) return this.#cutOff(CODES.calm)
    this.output.turn(() => {
      for (const stream of this.#streams.values()) if (stream.deadline <= now) stream.expire()
    })
    if (this.idle && now - this.#idleSince > limits.idleMs) {
      this.wind()
      this.#leave()
    }
  }

  credit(octets: number): void {
    this.#credit += octets
    if (this.#credit < CONNECTION_WINDOW / 2 || this.#isOver) return
    this.#mayBring += this.#credit
    this.output.number(WINDOW_UPDATE, 0, this.#credit)
    this.#credit = 0
  }

  closed(id: number, isCut: boolean): void {
    this.#streams.delete(id)
    if (isCut) this.#late.add(id)
    this.#idleSince = this.around.now
    // What is left of the last answer may still be on its way: the client ends when it has it.
    if (this.#isLeaving && this.idle) process.nextTick(() => this.#leave(this.around.limits.idleMs))
  }

  /** Takes `length` octets from the client; `buffer` may be used again afterwards. */
  receive(buffer: Buffer, length: number): void {
    this.#received += length
    if (this.#isOver) return
    this.output.turn(() => {
      const octets = this.#rest.length === 0 ? buffer.subarray(0, length) : Buffer.concat([this.#rest, buffer.subarray(0, length)])
      const taken = this.#frames(octets)
      this.#rest = taken < octets.length && !this.#isOver ? Buffer.from(octets.subarray(taken)) : NOTHING
    })
    if (this.output.isStuck && !this.#isOver) {
      this.#socket.pause()
      this.#deadline = this.around.now + this.around.limits.idleMs
    }
  }

  /** @returns how many octets were whole frames */
  #frames(octets: Buffer): number {
    let at = 0
    if (!this.#hasPreface) {
      if (octets.compare(PREFACE, 0, Math.min(PREFACE.length, octets.length), 0, Math.min(PREFACE.length, octets.length)) !== 0) return this.#cutOff(CODES.protocol), 0
      if (octets.length < PREFACE.length) return 0
      this.#hasPreface = true
      at = PREFACE.length
    }
    while (octets.length - at >= FRAME_HEAD && !this.#isOver) {
      const length = (octets[at]! << 16) | (octets[at + 1]! << 8) | octets[at + 2]!
      if (length > FRAME_SIZE) return this.#cutOff(CODES.frameSize), at
      const end = at + FRAME_HEAD + length
      if (end > octets.length) break
      const code = this.#frame(octets[at + 3]!, octets[at + 4]!, octets.readUInt32BE(at + 5) & MOST_WINDOW, octets.subarray(at + FRAME_HEAD, end))
      if (code !== undefined) return this.#cutOff(code), at
      at = end
    }
    return at
  }

  /** @returns a code where the connection cannot go on */
  #frame(type: number, flags: number, id: number, payload: Buffer): number | undefined {
    if (!this.#hasSettings && (type !== SETTINGS || (flags & ACK) !== 0)) return CODES.protocol
    if (this.#coming !== undefined && (type !== CONTINUATION || id !== this.#coming.id)) return CODES.protocol
    switch (type) {
      case DATA:
        return this.#data(flags, id, payload)
      case HEADERS:
        return this.#headers(flags, id, payload)
      case CONTINUATION:
        return this.#coming === undefined ? CODES.protocol : this.#continue(this.#coming, flags, payload)
      case PRIORITY:
        return id === 0 ? CODES.protocol : payload.length === 5 ? undefined : CODES.frameSize
      case RST_STREAM:
        return this.#reset(id, payload)
      case SETTINGS:
        return id === 0 ? this.#settings(flags, payload) : CODES.protocol
      case PUSH_PROMISE:
        return CODES.protocol
      case PING:
        return this.#ping(flags, id, payload)
      case GOAWAY:
        return id !== 0 ? CODES.protocol : payload.length < 8 ? CODES.frameSize : undefined
      case WINDOW_UPDATE:
        return this.#widen(id, payload)
      default:
        return undefined
    }
  }

  /** Nothing but PRIORITY may come on it (§5.1). */
  #isIdle(id: number): boolean {
    return id > this.#last || id % 2 === 0
  }

  /** Ends a stream for what the client did, which costs it as if it had taken the stream back (CVE-2025-8671). */
  #fail(stream: Http2Stream, code: number): number | undefined {
    stream.reset(code)
    return this.#resets.take(this.around.now) ? undefined : CODES.calm
  }

  #data(flags: number, id: number, payload: Buffer): number | undefined {
    const octets = unpadded(flags, payload)
    if (this.#isIdle(id) || octets === undefined) return CODES.protocol
    this.#mayBring -= payload.length
    if (this.#mayBring < 0) return CODES.flowControl
    const isEnd = (flags & END_STREAM) !== 0
    this.#empty = octets.length > 0 || isEnd ? 0 : this.#empty + 1
    if (this.#empty > MOST_EMPTY) return CODES.calm
    const stream = this.#streams.get(id)
    this.#useful += octets.length + (stream === undefined || octets.length === 0 ? 0 : FRAMED)
    const unused = stream === undefined ? payload.length : payload.length - octets.length
    if (unused > 0) this.credit(unused)
    if (stream === undefined) return this.#late.take(id, isEnd) ? undefined : CODES.streamClosed
    const code = stream.take(octets, payload.length, isEnd)
    if (code === undefined || code === CODES.streamClosed) return code
    this.credit(octets.length)
    return this.#fail(stream, code)
  }

  #headers(flags: number, id: number, payload: Buffer): number | undefined {
    let block = unpadded(flags, payload)
    if (id % 2 === 0 || block === undefined) return CODES.protocol
    if ((flags & WITH_PRIORITY) !== 0) {
      if (block.length < 5) return CODES.frameSize
      block = block.subarray(5)
    }
    const coming: Coming = { id, isEnd: (flags & END_STREAM) !== 0, parts: [], size: 0 }
    return this.#continue(coming, flags, block)
  }

  #continue(coming: Coming, flags: number, block: Buffer): number | undefined {
    coming.size += block.length
    if (coming.size > this.#mostHead + FRAME_SIZE || coming.parts.length > MOST_CONTINUATIONS) return CODES.calm
    if ((flags & END_HEADERS) !== 0) {
      this.#coming = undefined
      return this.#head(coming, coming.parts.length === 0 ? block : Buffer.concat([...coming.parts, block]))
    }
    coming.parts.push(Buffer.from(block))
    this.#coming = coming
    return undefined
  }

  /** A head is here. */
  #head({ id, isEnd }: Coming, block: Buffer): number | undefined {
    const raw = makeRawHead()
    if (!this.#decoder.read(block, (name, value) => addField(raw, name, value, this.#mostHead))) return CODES.compression
    const stream = this.#streams.get(id)
    if (stream !== undefined) {
      // Trailers are read and left out.
      const code = stream.hasEnded || (isEnd && areTrailers(raw)) ? stream.take(NOTHING, 0, true) : CODES.protocol
      return code === undefined || code === CODES.streamClosed ? code : this.#fail(stream, code)
    }
    if (id <= this.#last) return this.#late.take(id, isEnd) ? undefined : CODES.streamClosed
    this.#last = id
    if (this.#isLeaving) return isEnd ? undefined : void this.#late.add(id)
    this.#lastTaken = id
    if (this.#streams.size >= this.around.limits.streams) return this.#refuse(id, isEnd, CODES.refused)
    return this.#take(id, raw, isEnd, block.length)
  }

  /** Ends a stream that was not begun. */
  #refuse(id: number, isEnd: boolean, code: number): number | undefined {
    this.output.number(RST_STREAM, id, code)
    if (!isEnd) this.#late.add(id)
    return this.#resets.take(this.around.now) ? undefined : CODES.calm
  }

  #take(id: number, raw: RawHead, isEnd: boolean, octets: number): number | undefined {
    const head = readHttp2Head(raw, isEnd, this.around.limits)
    if (head === undefined) return this.#refuse(id, isEnd, CODES.protocol)
    const isGood = 'method' in head
    if (isGood) this.#useful += octets + FRAMED
    const stream = new Http2Stream(id, this, this.#window, isGood ? head.content : 'chunked', isEnd)
    this.#streams.set(id, stream)
    try {
      if (isGood) this.around.handle(head, stream)
      else stream.refuse(head)
    } catch (error) {
      // A fault of ours ends this stream alone.
      this.around.fault(error)
      stream.abort()
    }
    return undefined
  }

  #reset(id: number, payload: Buffer): number | undefined {
    if (payload.length !== 4) return CODES.frameSize
    if (this.#isIdle(id)) return CODES.protocol
    this.#streams.get(id)?.drop('the stream was reset')
    this.#late.take(id, true)
    return this.#resets.take(this.around.now) ? undefined : CODES.calm
  }

  #settings(flags: number, payload: Buffer): number | undefined {
    if ((flags & ACK) !== 0) return payload.length === 0 ? undefined : CODES.frameSize
    if (payload.length % 6 !== 0) return CODES.frameSize
    this.#hasSettings = true
    for (let at = 0; at < payload.length; at += 6) {
      const value = payload.readUInt32BE(at + 2)
      const name = payload.readUInt16BE(at)
      if (name === ENABLE_PUSH && value > 1) return CODES.protocol
      if (name === MAX_FRAME_SIZE && (value < FRAME_SIZE || value > 0xffffff)) return CODES.protocol
      if (name !== INITIAL_WINDOW_SIZE) continue
      if (value > MOST_WINDOW) return CODES.flowControl
      const by = value - this.#window
      this.#window = value
      for (const stream of this.#streams.values()) {
        if (stream.window + by > MOST_WINDOW) return CODES.flowControl
        stream.widen(by)
      }
    }
    this.output.frame(SETTINGS, ACK, 0)
    return this.#pings.take(this.around.now) ? undefined : CODES.calm
  }

  #ping(flags: number, id: number, payload: Buffer): number | undefined {
    if (id !== 0) return CODES.protocol
    if (payload.length !== 8) return CODES.frameSize
    if ((flags & ACK) !== 0) return undefined
    this.output.frame(PING, ACK, 0, payload)
    return this.#pings.take(this.around.now) ? undefined : CODES.calm
  }

  #widen(id: number, payload: Buffer): number | undefined {
    if (payload.length !== 4) return CODES.frameSize
    const by = payload.readUInt32BE(0) & MOST_WINDOW
    if (id === 0 ? by === 0 : this.#isIdle(id)) return CODES.protocol
    if (id === 0) {
      this.output.window += by
      return this.output.window > MOST_WINDOW ? CODES.flowControl : void this.output.resume()
    }
    const stream = this.#streams.get(id)
    if (stream === undefined) return undefined
    if (by === 0 || stream.window + by > MOST_WINDOW) return this.#fail(stream, by === 0 ? CODES.protocol : CODES.flowControl)
    return void stream.widen(by)
  }

  #drained(): void {
    if (!this.#isOver) this.#deadline = Infinity
    this.output.turn(() => this.output.resume())
    if (!this.output.isStuck && this.#socket.isPaused()) this.#socket.resume()
  }

  #goAway(code: number): void {
    const payload = Buffer.alloc(8)
    payload.writeUInt32BE(this.#lastTaken, 0)
    payload.writeUInt32BE(code, 4)
    this.output.frame(GOAWAY, 0, 0, payload)
  }

  /** Ends the connection, and says why. */
  #cutOff(code: number): void {
    if (this.#isOver) return
    this.#isLeaving = true
    this.output.turn(() => this.#goAway(code))
    this.#leave()
  }

  #leave(withinMs = LEAVE_MS): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#deadline = this.around.now + withinMs
    this.output.flush()
    this.#socket.end()
    for (const stream of this.#streams.values()) stream.drop('the connection was ended')
  }

  #closed(): void {
    this.#isOver = true
    this.around.forget(this)
    for (const stream of this.#streams.values()) guard(this.around, this, () => stream.drop('the connection was closed'))
  }
}
