import { constants, performServerHandshake, type IncomingHttpHeaders, type OutgoingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import { PassingSet } from '../../core/passing.ts'
import type { BodySink } from './body.ts'
import { http2Fields, readHttp2Head } from './http2-head.ts'
import { Pace } from './pace.ts'
import type { Connection, Framing, Watcher } from './reply.ts'
import { refusalText } from './refusal.ts'
import type { Refusal, RequestHead } from './request.ts'
import { guard, type Held, type Surroundings } from './surroundings.ts'

/** What HPACK counts for each field beside its octets (RFC 7541 §4.1). */
const FIELD_OVERHEAD = 32
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
/** Megabytes that one connection makes us hold: answers that it has asked for and not taken, most of them in the cache anyway. */
const SESSION_MEMORY = 64

/** So many at once, and so many more each second; what is beyond that ends a connection. */
class Allowance {
  readonly #most: number
  readonly #perMs: number
  #left: number
  #since: number

  constructor(most: number, perSecond: number, now: number) {
    this.#most = this.#left = most
    this.#perMs = perSecond / 1000
    this.#since = now
  }

  /** Takes one; false when there is none left. */
  take(now: number): boolean {
    this.#left = Math.min(this.#most, this.#left + (now - this.#since) * this.#perMs) - 1
    this.#since = now
    return this.#left >= 0
  }
}

/** One client connection of HTTP/2 (RFC 9113): a request a stream, many at once. */
export class Http2Connection implements Held {
  readonly #session: ServerHttp2Session
  readonly #around: Surroundings
  readonly #streams = new PassingSet<Http2Reply>()
  readonly #resets: Allowance
  readonly #pings: Allowance
  readonly #socket: TLSSocket
  readonly #begun: number
  /** Octets received that were requests, or content that somebody reads. */
  #useful = 0
  #idleSince: number

  constructor(socket: TLSSocket, around: Surroundings) {
    const { limits, now } = around
    this.#around = around
    this.#socket = socket
    this.#begun = this.#idleSince = now
    this.#resets = new Allowance(RESETS, RESETS_PER_SECOND, now)
    this.#pings = new Allowance(PINGS, PINGS_PER_SECOND, now)
    const remoteAddress = socket.remoteAddress ?? ''
    this.#session = performServerHandshake(socket, {
      maxHeaderListPairs: limits.fields + 8,
      maxSessionInvalidFrames: 100,
      maxSessionMemory: SESSION_MEMORY,
      settings: { maxConcurrentStreams: limits.streams, maxHeaderListSize: limits.headSize + limits.fields * FIELD_OVERHEAD, enablePush: false, initialWindowSize: 64 * 1024 }
    })
    this.#session.setLocalWindowSize(CONNECTION_WINDOW)
    // What went wrong is of no interest: 'close' follows.
    this.#session.on('error', () => undefined)
    this.#session.on('stream', (stream: ServerHttp2Stream, fields: IncomingHttpHeaders, _flags: number, raw: string[]) => guard(around, this, () => this.#take(stream, fields, raw, remoteAddress)))
    this.#session.on('ping', () => this.#spend(this.#pings))
    this.#session.on('remoteSettings', () => this.#spend(this.#pings))
    this.#session.once('close', () => around.forget(this))
  }

  get idle(): boolean {
    return this.#streams.size === 0
  }

  /** GOAWAY: what is under way is finished. */
  wind(): void {
    if (!this.#session.closed) this.#session.close()
  }

  closeIfIdle(): void {
    if (this.idle) this.#session.destroy()
  }

  destroy(): void {
    this.#session.destroy()
  }

  sweep(): void {
    const { now, limits } = this.#around
    const { bytesRead, bytesWritten } = this.#socket
    if (bytesRead - this.#useful > OVERHEAD + (now - this.#begun) * OVERHEAD_PER_MS + bytesWritten / SENT_PER_OVERHEAD) return this.#cutOff()
    for (const stream of this.#streams) if (stream.deadline <= now) stream.expire()
    if (this.idle && now - this.#idleSince > limits.idleMs) {
      if (this.#session.closed) this.#session.destroy()
      else this.#session.close()
    }
  }

  #spend(allowance: Allowance): void {
    if (!allowance.take(this.#around.now)) this.#cutOff()
  }

  #cutOff(): void {
    this.#session.destroy(new Error('a flood'), constants.NGHTTP2_ENHANCE_YOUR_CALM)
  }

  #take(stream: ServerHttp2Stream, fields: IncomingHttpHeaders, raw: readonly string[], remoteAddress: string): void {
    const head = readHttp2Head(fields, raw, stream.endAfterHeaders, this.#around.limits)
    if ('method' in head) this.#useful += head.text.length + FRAMED
    const reply = new Http2Reply(stream, head, remoteAddress, this.#around, {
      took: (octets) => (this.#useful += octets + FRAMED),
      closed: (wasTakenBack) => {
        this.#streams.delete(reply)
        this.#idleSince = this.#around.now
        if (wasTakenBack) this.#spend(this.#resets)
      }
    })
    this.#streams.add(reply)
    if ('method' in head) this.#around.handle(head, reply)
    else reply.refuse(head)
  }
}

/** Who holds the streams of a connection. */
interface Owner {
  /** So many octets of content were read. */
  took(octets: number): void
  closed(wasTakenBack: boolean): void
}

/** The answer to the request of one stream. */
class Http2Reply implements Connection {
  readonly remoteAddress: string
  /** Sweeps end the stream after this moment (`Surroundings.now`). */
  deadline = Infinity
  readonly #stream: ServerHttp2Stream
  readonly #around: Surroundings
  readonly #content: RequestHead['content']
  readonly #owner: Owner
  #watcher: Watcher | undefined
  #sink: BodySink | undefined
  #taken = 0
  /** Of the content, and of the answer once the client did not keep up. */
  #bringing: Pace | undefined
  #taking: Pace | undefined
  /** We ended it early. */
  #cut = false

  constructor(stream: ServerHttp2Stream, head: RequestHead | Refusal, remoteAddress: string, around: Surroundings, owner: Owner) {
    this.#stream = stream
    this.#around = around
    this.#owner = owner
    this.remoteAddress = remoteAddress
    this.#content = 'content' in head ? head.content : 0
    stream.on('error', () => undefined)
    stream.on('drain', () => this.#guard(() => this.#drained()))
    stream.once('close', () => {
      const watcher = this.#watcher
      const sink = this.#sink
      this.#watcher = this.#sink = undefined
      owner.closed(!this.#cut && stream.rstCode !== constants.NGHTTP2_NO_ERROR)
      this.#guard(() => sink?.broken({ status: 400, reason: 'the stream was reset' }))
      this.#guard(() => watcher?.gone())
    })
  }

  /** GOAWAY tells it, not the answer. */
  get closesAfter(): boolean {
    return false
  }

  readBody(sink: BodySink, expectsContinue: boolean): void {
    const { limits } = this.#around
    this.#sink = sink
    this.#bringing = new Pace(limits)
    if (expectsContinue) this.#stream.additionalHeaders({ ':status': 100 })
    this.#awaitContent()
    this.#stream.on('data', (piece: Buffer) => {
      // What was under way when it turned out to be too much is no flood.
      this.#owner.took(piece.length)
      if (this.#sink === undefined) return
      this.#taken += piece.length
      this.#bringing?.add(piece.length)
      if (this.#taken > limits.bodySize) return this.#tooLarge()
      this.#awaitContent()
      this.#guard(() => sink.data(piece))
    })
    this.#stream.once('end', () => {
      if (this.#sink === undefined) return
      this.#sink = undefined
      this.deadline = Infinity
      this.#guard(() => sink.end())
    })
  }

  pauseBody(): void {
    this.deadline = Infinity
    this.#bringing?.rest(this.#around.now)
    this.#stream.pause()
  }

  resumeBody(): void {
    if (this.#sink === undefined || !this.#stream.isPaused()) return
    this.#awaitContent()
    this.#stream.resume()
  }

  whole(head: string, body?: Buffer, end = ''): void {
    this.#watcher = undefined
    if (!this.#respond(http2Fields(head, end), body === undefined || body.length === 0)) return
    if (body === undefined || body.length === 0) return
    this.#around.bytesSent += body.length
    this.#stream.end(body)
    this.#awaitTaking(this.#stream.writableNeedDrain, body.length)
  }

  lends(): boolean {
    return false
  }

  open(head: string, _framing: Framing, watcher: Watcher): void {
    this.#watcher = watcher
    this.#respond(http2Fields(head, ''), false)
  }

  inform(head: string): void {
    if (!this.#stream.destroyed && !this.#stream.headersSent) this.#stream.additionalHeaders(http2Fields(head, ''))
  }

  switchTo(): void {
    this.abort()
  }

  watch(watcher: Watcher): void {
    this.#watcher = watcher
  }

  write(piece: Buffer): boolean {
    if (this.#stream.destroyed) return false
    this.#around.bytesSent += piece.length
    const room = this.#stream.write(piece)
    this.#awaitTaking(!room, piece.length)
    return room
  }

  finish(): void {
    this.#watcher = undefined
    this.#stream.end()
    this.#awaitTaking(this.#stream.writableLength > 0, 0)
  }

  abort(): void {
    this.#watcher = undefined
    this.#cut = true
    // `close` would end the body in order first, so that it would be taken for whole.
    this.#stream.destroy(new Error('the answer cannot be completed'))
  }

  refuse(refusal: Refusal): void {
    this.whole(...refusalText(refusal))
  }

  /** A fault of ours ends this stream alone. */
  #guard(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#around.fault(error)
      this.abort()
    }
  }

  /** The deadline has passed. */
  expire(): void {
    this.deadline = Infinity
    this.#cut = true
    this.#stream.destroy(new Error('it took too long'))
  }

  #respond(fields: OutgoingHttpHeaders, endStream: boolean): boolean {
    if (this.#stream.destroyed || this.#stream.closed) return false
    this.#stream.respond(fields, { endStream })
    // What nobody reads of the content need not be sent (RFC 9113 §8.1).
    if (this.#content !== 0 && this.#sink === undefined) this.#stream.once('finish', () => this.#stream.close(constants.NGHTTP2_NO_ERROR))
    return true
  }

  #tooLarge(): void {
    const sink = this.#sink!
    this.#sink = undefined
    const refusal: Refusal = { status: 413, reason: `the content is larger than ${this.#around.limits.bodySize} octets` }
    this.deadline = Infinity
    sink.broken(refusal)
    if (this.#stream.headersSent) this.abort()
    else this.refuse(refusal)
  }

  #awaitContent(): void {
    if (this.#bringing !== undefined) this.deadline = this.#bringing.wait(this.#around.now)
  }

  #awaitTaking(isFull: boolean, octets: number): void {
    if (isFull) this.deadline = (this.#taking ??= new Pace(this.#around.limits)).wait(this.#around.now)
    this.#taking?.add(octets)
  }

  #drained(): void {
    this.#taking?.rest(this.#around.now)
    this.deadline = Infinity
    this.#watcher?.drained()
  }
}
