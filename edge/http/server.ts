import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import type { Clock } from '../../core/clock.ts'
import { tlsOptions, type Certificates } from '../tls/index.ts'
import { Http1Connection } from './connection.ts'
import { Http2Connection } from './http2.ts'
import { makeGathering } from './http2-output.ts'
import { readInto, readSecureInto } from './read-into.ts'
import type { Handler } from './reply.ts'
import { makeSeats, type Seats } from './seats.ts'
import { bindSharedPort } from './shared-port.ts'
import { guard, makeScratch, type ConnectionLimits, type Held, type Surroundings } from './surroundings.ts'

export interface ServerLimits extends ConnectionLimits {
  readonly clientsPerAddress: number
  /** Connections of all addresses. */
  readonly clients: number
  readonly handshakeMs: number
  /** HTTP/2 is offered over TLS. */
  readonly http2: boolean
}

export interface Listening {
  readonly addresses: readonly string[]
  /** 0 lets the system choose; all addresses then have ports of their own. */
  readonly port: number
  /** Absent: plain HTTP. */
  readonly tls?: Certificates
  /** Others listen on the same port. */
  readonly shared?: boolean
}

const SWEEP_MS = 250
const BACKLOG = 1024

/** Listens on some addresses, holds the connections within their limits, and lets them go in order. */
export class HttpServer {
  readonly #around: Surroundings
  readonly #clock: Clock
  readonly #limits: ServerLimits
  readonly #servers: Server[] = []
  /** Every connection of HTTP/1.1 is read into this one: what is read is dealt with before the next is. */
  readonly #readBuffer = Buffer.allocUnsafeSlow(64 * 1024)
  readonly #gathering = makeGathering()
  readonly #connections = new Set<Held>()
  readonly #seats: Seats
  readonly #sweeper: NodeJS.Timeout
  readonly #connected: (socket: Socket) => void

  /** @param options `connected` is told of each connection that is taken, before anything is read from it; `seats` stands for the limits of clients where they are shared; `fault` is told what of ours went wrong */
  constructor(options: { limits: ServerLimits; clock: Clock; handle: Handler; connected?: (socket: Socket) => void; seats?: Seats | undefined; fault?: (error: unknown) => void }) {
    this.#seats = options.seats ?? makeSeats({ clients: options.limits.clients, perAddress: options.limits.clientsPerAddress })
    this.#connected = options.connected ?? (() => undefined)
    this.#clock = options.clock
    this.#limits = options.limits
    this.#around = {
      limits: options.limits,
      handle: options.handle,
      scratch: makeScratch(),
      now: options.clock.elapsed(),
      bytesSent: 0,
      closing: false,
      heads: [],
      forget: (connection) => void this.#connections.delete(connection),
      fault: options.fault ?? (() => undefined)
    }
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS)
  }

  get connections(): number {
    return this.#connections.size
  }

  get bytesSent(): number {
    return this.#around.bytesSent
  }

  /** Binds every address, or throws what the system said about the first that could not be. Resolves to `address:port` texts. */
  async listen(listening: Listening): Promise<string[]> {
    const bound: string[] = []
    for (const address of listening.addresses) {
      const server = this.#makeServer(listening.tls)
      this.#servers.push(server)
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        const where = listening.shared === true ? { fd: bindSharedPort(address, listening.port) } : { host: address, port: listening.port }
        server.listen({ ...where, backlog: BACKLOG, exclusive: true }, () => {
          server.off('error', reject)
          // Accepting may fail for want of file descriptors; what is held is served on.
          server.on('error', () => undefined)
          resolve()
        })
      })
      const { port } = server.address() as AddressInfo
      bound.push(`${listening.tls === undefined ? 'http' : 'https'}://${address.includes(':') ? `[${address}]` : address}:${port}`)
    }
    return bound
  }

  /**
   * Takes no more connections, ends idle ones after half the time at most (clients that are just about to send are still
   * answered), lets the others finish, and cuts off what is left when the time is over.
   */
  async close(withinMs: number): Promise<void> {
    this.#around.closing = true
    for (const server of this.#servers) if (server.listening) server.close()
    for (const connection of this.#connections) connection.wind()
    const until = this.#clock.elapsed() + withinMs
    const idleUntil = this.#clock.elapsed() + Math.min(withinMs / 2, 500)
    while (this.#connections.size > 0 && this.#clock.elapsed() < until) {
      if (this.#clock.elapsed() >= idleUntil) for (const connection of this.#connections) connection.closeIfIdle()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    for (const connection of this.#connections) connection.destroy()
    clearInterval(this.#sweeper)
  }

  #makeServer(tls: Listening['tls']): Server {
    // Half-open: a client that has sent its request and ended still gets the answer.
    if (tls === undefined) return createServer({ noDelay: true, allowHalfOpen: true, pauseOnConnect: true }, (socket) => this.#acceptPlain(socket))
    const options = { ...tlsOptions, noDelay: true, allowHalfOpen: true, handshakeTimeout: this.#limits.handshakeMs, ALPNProtocols: this.#limits.http2 ? ['h2', 'http/1.1'] : ['http/1.1'] }
    const server = createTlsServer({ ...options, SNICallback: (name, done) => done(null, tls.contextFor(name)) }, (socket) => this.#acceptSecure(socket))
    const show = (): void => {
      const { standard, ticketKeys } = tls
      server.setSecureContext({ ...tlsOptions, ...(standard !== undefined && { cert: standard.certificate, key: standard.key }), ...(ticketKeys !== undefined && { ticketKeys }) })
    }
    show()
    tls.onChange(show)
    // Before the handshake, which a client may leave unfinished.
    server.on('connection', (socket) => this.#admit(socket))
    server.on('tlsClientError', (_error, socket) => socket.destroy())
    return server
  }

  #acceptSecure(socket: TLSSocket): void {
    const connection = socket.alpnProtocol === 'h2' ? new Http2Connection(socket, this.#around, this.#gathering) : new Http1Connection(socket, this.#around)
    this.#connections.add(connection)
    const receive = (octets: Buffer, length: number): void => guard(this.#around, connection, () => connection.receive(octets, length))
    if (!readSecureInto(socket, this.#readBuffer, (length) => receive(this.#readBuffer, length))) socket.on('data', (piece: Buffer) => receive(piece, piece.length))
    socket.resume()
  }

  #acceptPlain(accepted: Socket): void {
    const socket = readInto(accepted, this.#readBuffer, (length) => {
      // As `guard` does, without a function for each read.
      try {
        connection.receive(this.#readBuffer, length)
      } catch (error) {
        this.#around.fault(error)
        connection.destroy()
      }
    })
    if (!this.#admit(socket ?? accepted)) return
    const connection = this.#hold(socket ?? accepted)
    if (socket === undefined) connection.listenTo(accepted)
    else socket.resume()
  }

  /** Whether a new connection is within the limits of its address; else it is dropped. */
  #admit(socket: Socket): boolean {
    const address = socket.remoteAddress
    // An address is missing when the client is gone already.
    if (address === undefined || this.#around.closing || !this.#seats.take(address)) {
      socket.on('error', () => undefined)
      socket.destroy()
      return false
    }
    this.#connected(socket)
    socket.once('close', () => this.#seats.leave(address))
    return true
  }

  #hold(socket: Socket): Http1Connection {
    const connection = new Http1Connection(socket, this.#around)
    this.#connections.add(connection)
    return connection
  }

  #sweep(): void {
    const now = this.#clock.elapsed()
    this.#around.now = now
    for (const connection of this.#connections) guard(this.#around, connection, () => connection.sweep())
  }
}
