import { connect, type Socket } from 'node:net'
import { AnswerParser, type AnswerHead } from './answer.ts'
import { BodyReader } from './body.ts'
import { MOST_INTERIM, TOO_MANY_INTERIM, type Fetching, type Receiver, type UpstreamRequest, type UpstreamTrouble } from './fetching.ts'

// What may be asked twice, over plain connections that are kept: nearly all that a cache asks for.

const KEEP_ALIVE_MS = 30_000
const MOST_FREE = 256
/** A connection is let go of so long before the other end says that it will. */
const BEFORE_MS = 1000
/** All are read into this one: what is read is dealt with before the next is, and what is passed on is copied. */
const READ = Buffer.allocUnsafeSlow(64 * 1024)

/** The head of a request: what is in it has been checked where it came from. */
function textOf({ method, path, fields }: UpstreamRequest): string {
  let text = `${method} ${path} HTTP/1.1\r\n`
  for (let at = 0; at < fields.length; at += 2) text += `${fields[at]!}: ${fields[at + 1]!}\r\n`
  return `${text}Connection: keep-alive\r\n\r\n`
}

/** Connections to one server that nothing is asked on. */
interface Pool {
  readonly free: KeptConnection[]
  readonly keepAliveMs: number
}

/** Sends requests over plain connections, and keeps those for further ones. */
export class KeptClient {
  readonly #pools = new Map<string, Pool>()
  readonly #connections = new Set<KeptConnection>()
  readonly #fault: (error: unknown) => void

  /** @param fault told what of ours went wrong with what came */
  constructor(fault: (error: unknown) => void) {
    this.#fault = fault
  }

  fetch(request: UpstreamRequest, receiver: Receiver): Fetching {
    const exchange = new KeptExchange(request, receiver, () => this.#send(exchange))
    this.#send(exchange)
    return exchange
  }

  close(): void {
    for (const connection of this.#connections) connection.destroy()
  }

  #send(exchange: KeptExchange): void {
    const { address, port, keepAliveMs = KEEP_ALIVE_MS } = exchange.request.server
    const name = `${address} ${port} ${keepAliveMs}`
    let pool = this.#pools.get(name)
    if (pool === undefined) this.#pools.set(name, (pool = { free: [], keepAliveMs }))
    const connection = pool.free.pop() ?? new KeptConnection(pool, exchange.request, this.#connections, this.#fault)
    exchange.connection = connection
    connection.ask(exchange)
  }
}

/** One request, and who hears of its answer. */
class KeptExchange implements Fetching {
  readonly request: UpstreamRequest
  readonly receiver: Receiver
  /** Sends it anew. */
  readonly again: () => void
  connection: KeptConnection | undefined
  isPaused = false

  constructor(request: UpstreamRequest, receiver: Receiver, again: () => void) {
    this.request = request
    this.receiver = receiver
    this.again = again
  }

  pause(): void {
    this.isPaused = true
    this.connection?.pause()
  }

  resume(): void {
    if (!this.isPaused) return
    this.isPaused = false
    this.connection?.resume()
  }

  /** What may be asked twice has no content. */
  write(): boolean {
    return true
  }

  end(): void {}

  abort(): void {
    const { connection } = this
    this.connection = undefined
    connection?.drop()
  }
}

/** A connection, on which one thing is asked at a time. */
class KeptConnection {
  readonly #socket: Socket
  readonly #pool: Pool
  readonly #all: Set<KeptConnection>
  readonly #fault: (error: unknown) => void
  readonly #parser = new AnswerParser()
  #exchange: KeptExchange | undefined
  #isConnected = false
  /** Something has been answered on it before. */
  #isUsed = false
  /** Reads since the request was sent; and the answer under way. */
  #reads = 0
  #interim = 0
  /** What of the content was in the chunks of one read. */
  #pieces: Buffer[] = []
  #head: AnswerHead | undefined
  #left = 0
  #chunks: BodyReader | undefined
  #connecting: NodeJS.Timeout | undefined
  #waiting: NodeJS.Timeout | undefined
  #waitMs = 0
  #resting: NodeJS.Timeout | undefined
  #restMs = 0

  constructor(pool: Pool, { server, connectMs }: UpstreamRequest, all: Set<KeptConnection>, fault: (error: unknown) => void) {
    this.#pool = pool
    this.#all = all
    this.#fault = fault
    all.add(this)
    const callback = (length: number): boolean => {
      this.#guard(() => this.#take(READ.subarray(0, length)))
      return true
    }
    this.#socket = connect({ host: server.address, port: server.port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 1000, onread: { buffer: READ, callback } })
    const late = (): void => this.#fail({ kind: 'timeout', detail: `no connection within ${connectMs} ms`, unsent: true })
    this.#connecting = setTimeout(() => setImmediate(() => this.#isConnected || this.#guard(late)), connectMs)
    this.#socket.on('connect', () => this.#guard(() => this.#connected()))
    this.#socket.on('end', () => this.#guard(() => this.#ended()))
    this.#socket.on('error', (error) => this.#guard(() => this.#broke(error.message)))
    this.#socket.on('close', () => this.#guard(() => this.#closed()))
    this.#socket.resume()
  }

  /** @param exchange whose request is sent now, or once it is connected */
  ask(exchange: KeptExchange): void {
    this.#exchange = exchange
    this.#reads = this.#interim = 0
    this.#head = undefined
    if (this.#isUsed) this.#socket.ref()
    const text = textOf(exchange.request)
    this.#socket.write(text, 'latin1')
    if (exchange.isPaused) this.pause()
    if (this.#isConnected) this.#wait()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
    if (this.#isConnected) this.#wait()
  }

  /** What it is asked is not wanted any more. */
  drop(): void {
    this.#exchange = undefined
    this.destroy()
  }

  destroy(): void {
    clearTimeout(this.#connecting)
    clearTimeout(this.#waiting)
    clearTimeout(this.#resting)
    this.#all.delete(this)
    const at = this.#pool.free.indexOf(this)
    if (at >= 0) this.#pool.free.splice(at, 1)
    this.#socket.destroy()
  }

  /** A fault of ours in what is done with an answer ends it, as if it had broken off, and nothing else. */
  #guard(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#fault(error)
      const exchange = this.#exchange
      this.drop()
      try {
        exchange?.receiver.trouble({ kind: 'broken', detail: 'a fault of ours' })
      } catch (again) {
        this.#fault(again)
      }
    }
  }

  #connected(): void {
    clearTimeout(this.#connecting)
    this.#isConnected = true
    this.#wait()
  }

  /** Something must be heard within this time. A process that was held up itself first reads what came meanwhile. */
  #wait(): void {
    const exchange = this.#exchange
    if (exchange === undefined) return
    const ms = exchange.request.responseMs
    if (this.#waiting !== undefined && this.#waitMs === ms) return void this.#waiting.refresh()
    clearTimeout(this.#waiting)
    this.#waitMs = ms
    this.#waiting = setTimeout(() => this.#look(), ms).unref()
  }

  #look(): void {
    const exchange = this.#exchange
    const reads = this.#reads
    if (exchange === undefined || exchange.isPaused) return
    setImmediate(() => {
      if (this.#exchange !== exchange || exchange.isPaused) return
      // Content that came has set a new time; a head that came in part has not, or whoever trickles one would be waited for without end.
      if (this.#reads !== reads && this.#head !== undefined) return
      this.#guard(() => this.#fail({ kind: 'timeout', detail: `silent for ${this.#waitMs} ms` }))
    })
  }

  #take(bytes: Buffer): void {
    this.#reads++
    let rest = bytes
    // What is said unasked is no answer to what is asked next: the connection ends (RFC 9112 §9.2).
    while (rest.length > 0) {
      if (this.#exchange === undefined) return this.destroy()
      rest = this.#head === undefined ? this.#takeHead(rest) : this.#takeContent(rest)
    }
  }

  /** @returns what it leaves */
  #takeHead(bytes: Buffer): Buffer {
    const exchange = this.#exchange!
    const head = this.#parser.take(bytes, exchange.request.method === 'HEAD')
    if (head === undefined) return bytes.subarray(bytes.length)
    if ('reason' in head) return this.#refuse({ kind: 'unreachable', detail: `what it says is no answer: ${head.reason}` })
    const rest = bytes.subarray(this.#parser.at)
    const { status, fields, content } = head
    if (status === 101) return this.#refuse({ kind: 'broken', detail: 'it switched protocols unasked' })
    if (status < 200) {
      if (++this.#interim > MOST_INTERIM) return this.#refuse(TOO_MANY_INTERIM)
      if (status !== 100) exchange.receiver.inform?.(status, fields)
      return rest
    }
    // Beyond 599 there is none (RFC 9110 §15), nor may HTTP/2 say one.
    if (status > 599) return this.#refuse({ kind: 'broken', detail: `it answered with ${status}, which is no status` })
    if (content === 'foreign') return this.#refuse({ kind: 'broken', detail: 'it sent a transfer coding that was not asked for' })
    this.#head = head
    this.#wait()
    this.#left = content === 'close' ? Infinity : content === 'chunked' ? 0 : content
    this.#chunks = content === 'chunked' ? this.#readChunks() : undefined
    exchange.receiver.head(status, fields)
    if (content === 0) this.#over(rest.length > 0)
    return rest
  }

  #readChunks(): BodyReader {
    return new BodyReader('chunked', Infinity, {
      data: (piece) => void this.#pieces.push(piece),
      end: () => undefined,
      broken: ({ reason }) => this.#fail({ kind: 'broken', detail: reason })
    })
  }

  #takeContent(bytes: Buffer): Buffer {
    const exchange = this.#exchange!
    this.#waiting?.refresh()
    const chunks = this.#chunks
    const taken = chunks === undefined ? Math.min(this.#left, bytes.length) : chunks.take(bytes)
    const rest = bytes.subarray(taken)
    if (chunks === undefined) {
      this.#left -= taken
      exchange.receiver.data(Buffer.from(bytes.subarray(0, taken)))
    } else if (this.#pieces.length > 0) {
      // Chunks of an octet each must not become as many buffers.
      const pieces = this.#pieces
      this.#pieces = []
      if (this.#exchange === exchange) exchange.receiver.data(pieces.length === 1 ? Buffer.from(pieces[0]!) : Buffer.concat(pieces))
    }
    if (this.#exchange === exchange && (chunks === undefined ? this.#left === 0 : chunks.isOver)) this.#over(rest.length > 0)
    return rest
  }

  /** The answer is whole. @param isMore more came with it, for which the connection is not used again */
  #over(isMore: boolean): void {
    const exchange = this.#exchange
    const head = this.#head!
    if (exchange === undefined) return
    this.#exchange = undefined
    exchange.connection = undefined
    const keepMs = Math.min(this.#pool.keepAliveMs, (head.keepMs ?? Infinity) - BEFORE_MS)
    if (isMore || !head.keepAlive || keepMs <= 0 || this.#pool.free.length >= MOST_FREE) this.destroy()
    else {
      if (exchange.isPaused) this.#socket.resume()
      this.#rest(keepMs)
    }
    exchange.receiver.end()
  }

  #rest(ms: number): void {
    this.#isUsed = true
    this.#socket.unref()
    this.#pool.free.push(this)
    if (this.#resting !== undefined && this.#restMs === ms) return void this.#resting.refresh()
    clearTimeout(this.#resting)
    this.#restMs = ms
    this.#resting = setTimeout(() => {
      if (this.#exchange === undefined) this.destroy()
    }, ms).unref()
  }

  #refuse(trouble: UpstreamTrouble): Buffer {
    this.#fail(trouble)
    return READ.subarray(0, 0)
  }

  #ended(): void {
    const head = this.#head
    if (this.#exchange !== undefined && head?.content === 'close') return this.#over(true)
    this.#broke(head === undefined ? 'the connection was closed before an answer' : 'the response ended early')
  }

  #closed(): void {
    this.#broke('the connection was closed')
  }

  #broke(detail: string): void {
    const exchange = this.#exchange
    if (exchange === undefined) return this.destroy()
    // A kept connection that the other end closed just now: nothing was answered, so that it may be sent anew.
    if (this.#isUsed && this.#reads === 0) {
      this.drop()
      return exchange.again()
    }
    this.#fail({ kind: this.#head === undefined ? 'unreachable' : 'broken', detail, unsent: !this.#isConnected })
  }

  #fail(trouble: UpstreamTrouble): void {
    const exchange = this.#exchange
    this.drop()
    if (exchange === undefined) return
    exchange.connection = undefined
    exchange.receiver.trouble(trouble)
  }
}
