import type { Socket } from 'node:net'
import { BodyReader, type BodySink } from './body.ts'
import { lend, mayLend } from './lend.ts'
import { Pace } from './pace.ts'
import type { Connection, Framing, Watcher } from './reply.ts'
import { RequestParser } from './parser.ts'
import { refusalText } from './refusal.ts'
import type { Refusal, RequestHead } from './request.ts'
import { secureSender } from './send-secure.ts'
import { guard, makeScratch, SCRATCH, sendSoon, type Headed, type Surroundings } from './surroundings.ts'

/** Octets of further requests that are taken in while one is being answered. */
const PIPELINE = 64 * 1024
/** Larger bodies are written from where they lie instead of being copied. */
const COPIED = 16 * 1024
/** How long, and over how many octets, a client that was refused may go on sending before it is cut off. */
const [LINGER_MS, LINGER_OCTETS] = [1000, 256 * 1024]

/** One client connection: reads requests, answers them one after the other in order, and stops reading when the client does. */
export class Http1Connection implements Connection, Headed {
  readonly remoteAddress: string
  readonly #socket: Socket
  /** Undefined without TLS. */
  readonly #sendSecure: ReturnType<typeof secureSender>
  readonly #parser: RequestParser
  readonly #around: Surroundings
  /** Sweeps end the connection after this moment (`Surroundings.now`). */
  deadline: number
  #request: RequestHead | undefined
  /** The content of the request being answered: undefined where it has none, or nobody reads it. */
  #body: BodyReader | undefined
  #bodyPaused = false
  /** Takes what comes once protocols are switched. */
  #tunnel: BodySink | undefined
  /** Of the content under way, and of the answer once the client did not keep up. */
  #bringing: Pace | undefined
  #taking: Pace | undefined
  /** The head of the answer is sent, or waits for the first of the body to go with it. */
  #begun = false
  #head: string | undefined
  #watcher: Watcher | undefined
  #framing: Framing = 'length'
  #gathered = 0
  #advancing = false
  #inHead = false
  /** The client has said all it will (FIN). */
  #ended = false
  /** No further request is read. */
  #last = false
  #lingered = 0
  #closed = false

  constructor(socket: Socket, around: Surroundings) {
    this.#socket = socket
    this.#sendSecure = secureSender(socket)
    this.#around = around
    this.#parser = new RequestParser(around.limits)
    this.remoteAddress = socket.remoteAddress ?? ''
    this.deadline = around.now + around.limits.idleMs
    socket.on('end', () => guard(around, this, () => this.#receiveEnd()))
    socket.on('drain', () => guard(around, this, () => this.#drained()))
    // What went wrong is of no interest: 'close' follows.
    socket.on('error', () => undefined)
    socket.on('close', () => guard(around, this, () => this.#receiveClose()))
  }

  /** Nothing is being answered and no head has begun. */
  get idle(): boolean {
    return this.#request === undefined && !this.#parser.midway
  }

  /** The connection ends with the answer under way: it must say `Connection: close`. */
  get closesAfter(): boolean {
    return this.#around.closing || this.#request?.keepAlive !== true || (this.#request.content !== 0 && this.#body?.isOver !== true)
  }

  /** Reads the content of the request under way; a client that waits to be told so is told to send it (RFC 9110 §10.1.1). */
  readBody(sink: BodySink, expectsContinue: boolean): void {
    const { content, minor } = this.#request!
    const broken = (refusal: Refusal): void => {
      sink.broken(refusal)
      // What was half sent on has no answer; whoever asked learns why.
      if (this.#request === undefined || this.#closed) return
      if (this.#begun) return this.abort()
      this.#watcher = undefined
      this.#request = undefined
      this.#refuse(refusal)
    }
    this.#body = new BodyReader(content, this.#around.limits.bodySize, { data: (piece) => sink.data(piece), end: () => sink.end(), broken })
    if (expectsContinue && minor === 1 && this.#parser.pending === 0) this.#write(Buffer.from('HTTP/1.1 100 Continue\r\n\r\n', 'latin1'))
    this.#bringing = new Pace(this.#around.limits)
    this.#readOn()
  }

  /** Stops and starts the content of the request under way. */
  pauseBody(): void {
    this.#bodyPaused = true
    this.#bringing?.rest(this.#around.now)
    this.deadline = this.#whileOther()
    this.#socket.pause()
  }

  resumeBody(): void {
    if (!this.#bodyPaused) return
    this.#bodyPaused = false
    this.#readOn()
    if (!this.#bodyPaused && this.#socket.isPaused()) this.#socket.resume()
  }

  /**
   * Answers in one go.
   * @param head one character an octet; complete, the empty line included, together with `end`
   * @param body not to be changed afterwards
   */
  whole(head: string, body?: Buffer, end = ''): void {
    const size = body === undefined ? 0 : body.length
    if (size > COPIED && this.lends(body!)) return this.#lend(head + end, body!)
    if (size > COPIED || head.length > COPIED) {
      this.#flush()
      this.#socket.cork()
      this.#write(Buffer.from(head + end, 'latin1'))
      if (body !== undefined) this.#write(body)
      this.#socket.uncork()
    } else {
      if (this.#gathered + head.length + end.length + size > SCRATCH) this.#flush()
      const { scratch } = this.#around
      this.#gathered += scratch.write(head, this.#gathered, 'latin1')
      if (end !== '') this.#gathered += scratch.write(end, this.#gathered, 'latin1')
      if (body !== undefined) this.#gathered += body.copy(scratch, this.#gathered)
    }
    this.#answered()
  }

  lends(body: Buffer): boolean {
    return this.#sendSecure === undefined && mayLend(body)
  }

  #lend(head: string, body: Buffer): void {
    this.#flush()
    this.#begun = true
    const write = (piece: Buffer, taken: () => void): boolean => this.#write(piece, () => guard(this.#around, this, () => (this.#drained(), taken())))
    lend({ socket: this.#socket, write, sent: (octets) => this.#count(octets), done: () => guard(this.#around, this, () => this.#answered()) }, head, this.#around.scratch, body)
  }

  /** Begins an answer whose body follows by `write`, then `finish` or `abort`. */
  open(head: string, framing: Framing, watcher: Watcher): void {
    this.#flush()
    this.#framing = framing
    this.#begun = true
    this.#watcher = watcher
    // What of the body is here already, or comes in the same moment, goes out with the head in one write.
    this.#head = head
    sendSoon(this.#around, this)
  }

  inform(head: string): void {
    if (this.#request?.minor !== 1 || this.#begun) return
    this.#flush()
    this.#write(Buffer.from(head, 'latin1'))
  }

  switchTo(head: string, watcher: Watcher, sink: BodySink): void {
    this.open(head, 'close', watcher)
    this.#body = new BodyReader(Infinity, Infinity, (this.#tunnel = sink))
    this.#readOn()
    if (this.#ended) sink.end()
  }

  /** Asks to be told when the client goes while its answer is still awaited. */
  watch(watcher: Watcher): void {
    this.#watcher = watcher
  }

  /** Writes a piece of the body; false when the watcher's `drained` should be awaited before the next. */
  write(piece: Buffer): boolean {
    const size = this.#framing === 'chunked' ? `${piece.length.toString(16)}\r\n` : ''
    const before = this.#head === undefined ? size : this.#head + size
    const after = size === '' ? '' : '\r\n'
    this.#head = undefined
    if (before === '') return this.#write(piece)
    if (piece.length <= COPIED && before.length <= COPIED) {
      this.#gather(before, piece, after)
      return this.#flush()
    }
    this.#socket.cork()
    this.#write(Buffer.from(before, 'latin1'))
    let room = this.#write(piece)
    if (after !== '') room = this.#write(Buffer.from(after, 'latin1'))
    this.#socket.uncork()
    return room
  }

  /** The answer is complete. */
  finish(): void {
    this.sendHead()
    if (this.#framing === 'chunked') this.#write(Buffer.from('0\r\n\r\n', 'latin1'))
    if (this.#framing === 'close') this.#last = true
    this.#answered()
  }

  /** The answer cannot be completed: the connection is cut, so that the client sees that it is not whole. */
  abort(): void {
    this.#watcher = undefined
    this.#head = undefined
    // Over TLS a reset cannot be asked for; an end without close_notify tells the same.
    if (this.#sendSecure === undefined) this.#socket.resetAndDestroy()
    else this.#socket.destroy()
  }

  /** Ends the connection if nothing is under way on it; called when the server closes. */
  closeIfIdle(): void {
    if (this.idle) this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** An answer under way says that it is the last. */
  wind(): void {}

  /** Ends what is over its deadline. */
  sweep(): void {
    if (this.deadline > this.#around.now) return
    if (this.#request === undefined && this.#parser.midway && !this.#last) {
      this.#refuse({ status: 408, reason: 'the request did not arrive in time' })
      this.#flush()
    } else this.#socket.destroy()
  }

  /** Reads from a socket in the usual way. */
  listenTo(socket: Socket): void {
    socket.on('data', (piece: Buffer) => guard(this.#around, this, () => this.receive(piece, piece.length)))
    socket.resume()
  }

  /** Takes `length` octets from the client; `buffer` may be used again afterwards. */
  receive(buffer: Buffer, length: number): void {
    if (this.#last && this.#request === undefined) {
      this.#lingered += length
      if (this.#lingered > LINGER_OCTETS) this.#socket.destroy()
      return
    }
    this.#parser.push(buffer, length)
    if (this.#request === undefined && !this.#socket.writableNeedDrain) this.#advance()
    else if (this.#body?.isOver === false && !this.#bodyPaused) this.#readOn()
    else if (this.#parser.pending > PIPELINE) this.#socket.pause()
    this.#parser.keep()
  }

  /** Hands on what has come of the content under way. */
  #readOn(): void {
    const body = this.#body!
    if (!body.isOver && this.#parser.pending > 0) {
      const taken = body.take(this.#parser.rest())
      this.#bringing?.add(taken)
      this.#parser.skip(taken)
    }
    if (!body.isOver && !this.#bodyPaused && this.#bringing !== undefined) this.deadline = this.#bringing.wait(this.#around.now)
    else if (this.#request !== undefined) this.deadline = Infinity
    if (this.#tunnel !== undefined) this.deadline = this.#whileOther()
  }

  /** The deadline while it is not the client who is waited for; none but for tunnels, where something must be said now and then. */
  #whileOther(): number {
    return this.#tunnel === undefined ? Infinity : this.#around.now + this.#around.limits.tunnelIdleMs
  }

  #receiveEnd(): void {
    this.#ended = true
    if (this.#tunnel !== undefined) return this.#tunnel.end()
    // A request that was not sent whole is not answered.
    if (this.#body?.isOver === false) return void this.#socket.destroy()
    if (this.#request === undefined) this.#socket.end()
  }

  #drained(): void {
    const watcher = this.#watcher
    this.#taking?.rest(this.#around.now)
    if (this.#request !== undefined) this.deadline = this.#whileOther()
    if (watcher !== undefined) watcher.drained()
    else if (this.#request === undefined) this.#advance()
  }

  #receiveClose(): void {
    this.#closed = true
    const watcher = this.#watcher
    this.#watcher = undefined
    this.#around.forget(this)
    watcher?.gone()
  }

  /** Reads requests on and has them answered, until one needs time, the client does not keep up, or there are no more. */
  #advance(): void {
    if (this.#advancing) return
    this.#advancing = true
    while (this.#request === undefined && !this.#last && !this.#closed) {
      if (this.#gathered > SCRATCH / 2) this.#flush()
      if (this.#socket.writableNeedDrain) break
      const head = this.#parser.next()
      if (head === undefined) break
      if (!('method' in head)) {
        this.#refuse(head)
        break
      }
      this.#request = head
      this.#inHead = false
      this.deadline = Infinity
      this.#around.handle(head, this)
    }
    this.#advancing = false
    this.#flush()
    if (this.#closed) return
    if (this.#request === undefined) this.#await()
    if (this.#parser.pending <= PIPELINE && this.#socket.isPaused()) this.#socket.resume()
  }

  /** Sets how long the next request may take to come; a head that has begun does not gain time by trickling in. */
  #await(): void {
    if (this.#last || this.#ended) return this.#linger()
    if (!this.#parser.midway) this.deadline = this.#around.now + this.#around.limits.idleMs
    else if (!this.#inHead) this.deadline = this.#around.now + this.#around.limits.headTimeoutMs
    this.#inHead = this.#parser.midway
  }

  #answered(): void {
    const ends = this.closesAfter
    this.#watcher = this.#request = this.#body = undefined
    this.#bodyPaused = false
    this.#begun = false
    this.#framing = 'length'
    this.#tunnel = undefined
    this.#bringing = this.#taking = undefined
    if (ends) this.#last = true
    this.#advance()
  }

  #refuse(refusal: Refusal): void {
    const [head, body] = refusalText(refusal)
    this.#last = true
    this.#write(Buffer.concat([this.#around.scratch.subarray(0, this.#gathered), Buffer.from(head, 'latin1'), body]))
    this.#gathered = 0
    this.#linger()
  }

  /** Says goodbye and reads on for a moment: closing over unread octets would reset the connection and lose the answer. */
  #linger(): void {
    this.#last = true
    this.#socket.end()
    if (this.#socket.isPaused()) this.#socket.resume()
    this.deadline = this.#around.now + LINGER_MS
  }

  /** Sends the head of an answer of whose body nothing has come yet. */
  sendHead(): void {
    const head = this.#head
    if (head === undefined) return
    this.#head = undefined
    this.#write(Buffer.from(head, 'latin1'))
  }

  /** Puts a piece between two texts, of which nothing waits to be written. */
  #gather(before: string, piece: Buffer, after: string): void {
    const { scratch } = this.#around
    let at = scratch.write(before, 'latin1')
    at += piece.copy(scratch, at)
    this.#gathered = at + scratch.write(after, at, 'latin1')
  }

  /** False when the client does not keep up. */
  #flush(): boolean {
    const size = this.#gathered
    if (size === 0) return true
    this.#gathered = 0
    const octets = this.#around.scratch.subarray(0, size)
    // Streams of TLS take nothing at once: a copy of what there is costs less than new scratch memory each time.
    if (this.#sendSecure !== undefined) return this.#sendSecure(octets) ? this.#count(size) : this.#write(Buffer.from(octets))
    const room = this.#write(octets)
    // Octets that the kernel has not taken are still read from there.
    if (this.#socket.writableLength > 0) this.#around.scratch = makeScratch()
    return room
  }

  #count(octets: number): true {
    this.#around.bytesSent += octets
    this.#taking?.add(octets)
    return true
  }

  /** @param taken told when the kernel has it */
  #write(piece: Buffer, taken?: () => void): boolean {
    if (this.#closed || this.#socket.destroyed) return false
    const room = this.#socket.write(piece, taken)
    if (this.#tunnel !== undefined) this.deadline = this.#whileOther()
    // Less than what makes a stream full may be too much for the client.
    else if (!room || (taken !== undefined && this.#socket.writableLength > 0)) this.deadline = (this.#taking ??= new Pace(this.#around.limits)).wait(this.#around.now)
    this.#count(piece.length)
    return room
  }
}
