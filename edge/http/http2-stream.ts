import type { BodySink } from './body.ts'
import { http2Octets } from './http2-head.ts'
import { CODES, CONTINUATION, END_HEADERS, END_STREAM, FRAME_SIZE, HEADERS, RST_STREAM, WINDOW, WINDOW_UPDATE, type Http2Output, type Outgoing } from './http2-output.ts'
import { Pace } from './pace.ts'
import { refusalText } from './refusal.ts'
import type { Connection, Framing, Watcher } from './reply.ts'
import type { Refusal, RequestHead } from './request.ts'
import type { Surroundings } from './surroundings.ts'

/** Octets of a body that wait for the client before whoever brings it is asked to wait. */
const MOST_WAITING = 64 * 1024
const NOTHING = Buffer.alloc(0)

/** The connection of a stream. */
export interface Owner {
  readonly remoteAddress: string
  readonly around: Surroundings
  readonly output: Http2Output
  /** So many octets of content that was brought may be brought anew. */
  credit(octets: number): void
  /** It is over. @param isCut the client had not ended it, and may still bring something */
  closed(id: number, isCut: boolean): void
}

/** One stream of HTTP/2 (RFC 9113 §5.1): a request, and the answer to it. */
export class Http2Stream implements Connection, Outgoing {
  readonly id: number
  /** Sweeps end the stream after this moment (`Surroundings.now`). */
  deadline = Infinity
  readonly pieces: Buffer[] = []
  gone = 0
  window: number
  isWhole = false
  readonly #owner: Owner
  #watcher: Watcher | undefined
  #sink: BodySink | undefined
  /** Octets that wait to be sent. */
  #waiting = 0
  #isFull = false
  #hasHead = false
  #isOver = false
  /** Content: what its length said is still to come, what came, what nobody has taken yet, and how much of it the client may bring. */
  #left: number
  #taken = 0
  readonly #held: Buffer[] = []
  #isPaused = false
  #hasEnded: boolean
  #mayBring = WINDOW
  /** Of the content, and of the answer once the client did not keep up. */
  #bringing: Pace | undefined
  #taking: Pace | undefined

  /** @param hasEnded no content follows */
  constructor(id: number, owner: Owner, window: number, content: RequestHead['content'], hasEnded: boolean) {
    this.id = id
    this.#owner = owner
    this.window = window
    this.#hasEnded = hasEnded
    this.#left = content === 'chunked' ? Infinity : content
  }

  get remoteAddress(): string {
    return this.#owner.remoteAddress
  }

  /** GOAWAY tells it, not the answer. */
  get closesAfter(): boolean {
    return false
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  readBody(sink: BodySink, expectsContinue: boolean): void {
    if (this.#isOver) return
    this.#sink = sink
    this.#bringing = new Pace(this.#owner.around.limits)
    if (expectsContinue && !this.#hasHead && this.#held.length === 0) this.inform('HTTP/1.1 100 Continue\r\n\r\n')
    this.#readOn()
  }

  pauseBody(): void {
    this.#isPaused = true
    this.#bringing?.rest(this.#owner.around.now)
    this.deadline = Infinity
  }

  resumeBody(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#readOn()
  }

  whole(head: string, body?: Buffer, end = ''): void {
    this.#watcher = undefined
    const isEmpty = body === undefined || body.length === 0
    if (!this.#respond(head, end, isEmpty)) return
    if (isEmpty) return this.sentAll()
    this.isWhole = true
    this.#queue(body)
  }

  lends(): boolean {
    return false
  }

  open(head: string, _framing: Framing, watcher: Watcher): void {
    this.#watcher = watcher
    this.#respond(head, '', false)
  }

  inform(head: string): void {
    if (!this.#isOver && !this.#hasHead) this.#fields(http2Octets(head, ''), 0)
  }

  switchTo(): void {
    this.abort()
  }

  watch(watcher: Watcher): void {
    this.#watcher = watcher
  }

  write(piece: Buffer): boolean {
    if (this.#isOver) return false
    if (piece.length > 0) this.#queue(piece)
    this.#isFull = this.#waiting > MOST_WAITING || (this.#waiting > 0 && this.#owner.output.isStuck)
    return !this.#isFull
  }

  finish(): void {
    this.#watcher = undefined
    if (this.#isOver) return
    this.isWhole = true
    this.#owner.output.body(this)
  }

  abort(): void {
    this.reset(CODES.internal)
  }

  refuse(refusal: Refusal): void {
    this.whole(...refusalText(refusal))
  }

  /** Ends it before its time, and says why. */
  reset(code: number): void {
    if (this.#isOver) return
    this.#owner.output.number(RST_STREAM, this.id, code)
    this.drop('the stream was ended')
  }

  /** It is over, whoever ended it. */
  drop(reason: string): void {
    if (this.#isOver) return
    const watcher = this.#watcher
    const sink = this.#hasEnded && this.#held.length === 0 ? undefined : this.#sink
    this.#leave()
    sink?.broken({ status: 400, reason })
    watcher?.gone()
  }

  /** The deadline has passed. */
  expire(): void {
    this.reset(CODES.cancel)
  }

  /** Takes content in. @returns a code where the client may not bring it */
  take(octets: Buffer, counted: number, isEnd: boolean): number | undefined {
    if (this.#hasEnded) return CODES.streamClosed
    this.#mayBring -= counted
    this.#left -= octets.length
    this.#taken += octets.length
    if (this.#mayBring < 0) return CODES.flowControl
    if (this.#left < 0 || (isEnd && this.#left > 0 && this.#left !== Infinity)) return CODES.protocol
    // Padding is taken at once.
    this.#mayBring += counted - octets.length
    this.#hasEnded = isEnd
    this.#bringing?.add(octets.length)
    if (this.#taken > this.#owner.around.limits.bodySize) {
      this.#owner.credit(octets.length)
      return void this.#tooLarge()
    }
    if (octets.length > 0) this.#hold(octets)
    this.#readOn()
    return undefined
  }

  /** The client takes more. */
  widen(by: number): void {
    this.window += by
    if (this.pieces.length > 0) this.#owner.output.body(this)
  }

  sent(octets: number): void {
    this.#waiting -= octets
    this.#owner.around.bytesSent += octets
    this.#taking?.add(octets)
    if (this.#waiting > 0) this.deadline = (this.#taking ??= new Pace(this.#owner.around.limits)).wait(this.#owner.around.now)
  }

  sentPieces(): void {
    this.#taking?.rest(this.#owner.around.now)
    if (this.#bringing === undefined) this.deadline = Infinity
    if (!this.#isFull) return
    this.#isFull = false
    this.#watcher?.drained()
  }

  sentAll(): void {
    if (this.#isOver) return
    // What is still to come of the content is not wanted (§8.1); where there is none, its end may come.
    if (!this.#hasEnded && this.#left > 0) this.#owner.output.number(RST_STREAM, this.id, CODES.none)
    const sink = this.#hasEnded ? undefined : this.#sink
    this.#leave()
    sink?.broken({ status: 400, reason: 'it was answered before it was whole' })
  }

  #leave(): void {
    this.#isOver = true
    this.#watcher = this.#sink = undefined
    this.pieces.length = 0
    for (const piece of this.#held.splice(0)) this.#owner.credit(piece.length)
    this.#owner.output.forget(this)
    this.#owner.closed(this.id, !this.#hasEnded)
  }

  #queue(piece: Buffer): void {
    this.#waiting += piece.length
    this.pieces.push(piece)
    this.#owner.output.body(this)
    if (this.#waiting > 0 && this.#taking === undefined) this.deadline = (this.#taking = new Pace(this.#owner.around.limits)).wait(this.#owner.around.now)
  }

  #respond(head: string, end: string, isAll: boolean): boolean {
    if (this.#isOver || this.#hasHead) return false
    this.#hasHead = true
    this.deadline = Infinity
    this.#fields(http2Octets(head, end), isAll ? END_STREAM : 0)
    return true
  }

  #fields([octets, last]: readonly [Buffer, Buffer], flags: number): void {
    const { output } = this.#owner
    const { first } = output
    output.first = NOTHING
    if (first.length + octets.length + last.length <= FRAME_SIZE) return output.frame(HEADERS, flags | END_HEADERS, this.id, first, octets, last)
    const all = Buffer.concat([first, octets, last])
    for (let at = 0; at < all.length; at += FRAME_SIZE) {
      const isLast = at + FRAME_SIZE >= all.length
      output.frame(at === 0 ? HEADERS : CONTINUATION, (at === 0 ? flags : 0) | (isLast ? END_HEADERS : 0), this.id, all.subarray(at, at + FRAME_SIZE))
    }
  }

  /** Keeps a piece until somebody takes it; many small ones are kept as one. */
  #hold(octets: Buffer): void {
    const last = this.#held.at(-1)
    if (last !== undefined && last.length + octets.length <= FRAME_SIZE) this.#held[this.#held.length - 1] = Buffer.concat([last, octets])
    else this.#held.push(Buffer.from(octets))
  }

  /** Hands on what has come of the content. */
  #readOn(): void {
    let taken = 0
    while (this.#sink !== undefined && !this.#isPaused) {
      const piece = this.#held.shift()
      if (piece === undefined) break
      taken += piece.length
      this.#sink.data(piece)
    }
    if (taken > 0) this.#owner.credit(taken)
    if (this.#isOver) return
    if (taken > 0 && !this.#hasEnded) {
      this.#mayBring += taken
      this.#owner.output.number(WINDOW_UPDATE, this.id, taken)
    }
    const sink = this.#sink
    if (sink === undefined || this.#isPaused) return
    if (!this.#hasEnded) this.deadline = this.#bringing!.wait(this.#owner.around.now)
    else {
      this.#sink = this.#bringing = undefined
      this.deadline = Infinity
      sink.end()
    }
  }

  #tooLarge(): void {
    const sink = this.#sink
    const refusal: Refusal = { status: 413, reason: `the content is larger than ${this.#owner.around.limits.bodySize} octets` }
    this.#sink = undefined
    this.deadline = Infinity
    sink?.broken(refusal)
    if (this.#hasHead) this.abort()
    else this.refuse(refusal)
  }
}
