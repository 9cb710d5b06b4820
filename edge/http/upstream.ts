import { Agent as HttpAgent, request as httpRequest, type AgentOptions, type ClientRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { fieldOf } from '../message/index.ts'
import { isForeignCoding } from './answer.ts'
import { MOST_INTERIM, TOO_MANY_INTERIM, type Fetching, type Receiver, type UpstreamRequest, type UpstreamTrouble } from './fetching.ts'
import { KeptClient } from './kept.ts'

const MAX_HEAD = 64 * 1024
/** Fields of a response: Node leaves out what is beyond, unsaid. */
const MOST_FIELDS = 2000
const KEEP_ALIVE_MS = 30_000
/** How long 100 (Continue) is waited for: not everybody says so. */
const PATIENCE_MS = 1000

/** Sends requests to parents and origins over connections that are kept. */
export class UpstreamClient {
  /** The pools of connections, by how long they keep them. */
  readonly #http = new Map<number, HttpAgent>()
  readonly #https = new Map<number, HttpsAgent>()
  readonly #kept: KeptClient
  readonly #fault: (error: unknown) => void

  /** @param fault told what of ours went wrong with what came */
  constructor(fault: (error: unknown) => void = () => undefined) {
    this.#fault = fault
    this.#kept = new KeptClient(fault)
  }

  fetch(request: UpstreamRequest, told: Receiver): Fetching {
    if (!request.server.secure && request.once !== true) return this.#kept.fetch(request, told)
    const receiver = guardReceiver(told, this.#fault, () => attempt?.abort())
    let attempt: Fetching = this.#attempt(request, receiver, (again) => (attempt = again))
    return { pause: () => attempt.pause(), resume: () => attempt.resume(), write: (piece) => attempt.write(piece), end: () => attempt.end(), abort: () => attempt.abort() }
  }

  close(): void {
    this.#kept.close()
    for (const agent of this.#http.values()) agent.destroy()
    for (const agent of this.#https.values()) agent.destroy()
  }

  #attempt(request: UpstreamRequest, receiver: Receiver, replaced: (again: Fetching) => void): Fetching {
    const { server } = request
    const options = { host: server.address, port: server.port, method: request.method, path: request.path, headers: request.fields as string[], setHost: false, maxHeaderSize: MAX_HEAD, joinDuplicateHeaders: false }
    const keepAliveMs = server.keepAliveMs ?? KEEP_ALIVE_MS
    const outgoing = server.secure
      ? httpsRequest({ ...options, agent: request.once === true ? false : poolOf(this.#https, keepAliveMs, HttpsAgent), ...(server.serverName === undefined ? {} : { servername: server.serverName }) })
      : httpRequest({ ...options, agent: request.once === true ? false : poolOf(this.#http, keepAliveMs, HttpAgent) })
    const exchange = new Exchange(outgoing, request, receiver, () => replaced(this.#attempt(request, receiver, replaced)))
    if (request.once !== true) outgoing.end()
    return exchange
  }
}

/** A fault of ours in what is done with an answer ends this fetch, as if the answer had broken off, and nothing else. */
function guardReceiver(told: Receiver, fault: (error: unknown) => void, abort: () => void): Receiver {
  let over = false
  const attempt = (work: () => void): boolean => {
    try {
      work()
      return true
    } catch (error) {
      fault(error)
      return false
    }
  }
  const guard = (work: () => void): void => {
    if (over || attempt(work)) return
    over = true
    attempt(abort)
    attempt(() => told.trouble({ kind: 'broken', detail: 'a fault of ours' }))
  }
  return {
    connected: () => guard(() => told.connected?.()),
    drained: () => guard(() => told.drained?.()),
    inform: (status, fields) => guard(() => told.inform?.(status, fields)),
    head: (status, fields) => guard(() => told.head(status, fields)),
    data: (piece) => guard(() => told.data(piece)),
    end: () => guard(() => told.end()),
    trouble: (trouble) => guard(() => told.trouble(trouble))
  }
}

function poolOf<Agent extends HttpAgent>(pools: Map<number, Agent>, keepAliveMs: number, Agent: new (options: AgentOptions) => Agent): Agent {
  let pool = pools.get(keepAliveMs)
  if (pool === undefined) {
    pool = refuseUnasked(new Agent({ keepAlive: true, maxFreeSockets: 256, timeout: keepAliveMs }))
    pools.set(keepAliveMs, pool)
  }
  return pool
}

/**
 * What is said on a connection while nothing is asked is no answer to what is asked next, nor is the rest of it: the connection ends
 * (RFC 9112 §9.2).
 */
function refuseUnasked<Pool extends HttpAgent>(pool: Pool): Pool {
  const refuse = function (this: Duplex): void {
    this.destroy()
  }
  const keep: (socket: Duplex) => unknown = pool.keepSocketAlive.bind(pool)
  const reuse = pool.reuseSocket.bind(pool)
  pool.keepSocketAlive = (socket) => {
    const isKept = keep(socket)
    socket.on('data', refuse)
    return isKept
  }
  pool.reuseSocket = (socket, request) => {
    socket.off('data', refuse)
    reuse(socket, request)
  }
  return pool
}

/** One request on one connection. */
class Exchange implements Fetching {
  readonly #outgoing: ClientRequest
  readonly #receiver: Receiver
  readonly #again: () => void
  readonly #responseMs: number
  #response: IncomingMessage | undefined
  #timer: NodeJS.Timeout | undefined
  #lastLook: NodeJS.Immediate | undefined
  #over = false
  #paused = false
  #connected = false
  #interim = 0
  /** Other protocols were offered. */
  readonly #offered: boolean
  /** Once the protocol is another. */
  #tunnel: Socket | undefined
  #patience: NodeJS.Timeout | undefined

  constructor(outgoing: ClientRequest, request: UpstreamRequest, receiver: Receiver, again: () => void) {
    this.#outgoing = outgoing
    this.#receiver = receiver
    this.#again = again
    this.#responseMs = request.responseMs
    this.#expect(request.connectMs, `no connection within ${request.connectMs} ms`)
    outgoing.on('socket', (socket) => {
      const connected = (): void => {
        this.#connected = true
        this.#await()
        this.#invite(fieldOf(request.fields, 'expect') !== undefined)
      }
      if (socket.connecting) socket.once(request.server.secure ? 'secureConnect' : 'connect', connected)
      else connected()
    })
    this.#offered = request.once === true && fieldOf(request.fields, 'upgrade') !== undefined
    outgoing.on('drain', () => receiver.drained?.())
    outgoing.on('information', ({ statusCode, rawHeaders }: { statusCode: number; rawHeaders: string[] }) => {
      if (this.#over || statusCode === 100) return
      if (++this.#interim > MOST_INTERIM) this.#trouble(TOO_MANY_INTERIM)
      else receiver.inform?.(statusCode, rawHeaders)
    })
    outgoing.on('upgrade', (response, socket: Socket, first: Buffer) => this.#switch(response, socket, first))
    outgoing.on('response', (response) => this.#respond(response))
    outgoing.on('error', (error) => this.#failed(error))
  }

  pause(): void {
    this.#paused = true
    this.#response?.pause()
    this.#tunnel?.pause()
    this.#stopTimer()
  }

  resume(): void {
    if (!this.#paused || this.#over) return
    this.#paused = false
    this.#response?.resume()
    this.#tunnel?.resume()
    this.#await()
  }

  write(piece: Buffer): boolean {
    if (this.#over) return true
    if (this.#tunnel !== undefined) return this.#tunnel.write(Buffer.from(piece))
    const hasRoom = this.#outgoing.write(Buffer.from(piece))
    // While there is room it is the client who is waited for.
    if (hasRoom) this.#stopTimer()
    else this.#await()
    return hasRoom
  }

  end(): void {
    if (this.#over) return
    if (this.#tunnel !== undefined) return void this.#tunnel.end()
    this.#await()
    this.#outgoing.end()
  }

  abort(): void {
    this.#over = true
    this.#stopTimer()
    clearTimeout(this.#patience)
    this.#outgoing.destroy()
    this.#tunnel?.destroy()
  }

  /** The content may be sent: at once, or, where the other end is to say so first, when it has or has not for a while (RFC 9110 §10.1.1). */
  #invite(isExpecting: boolean): void {
    let invited = false
    const invite = (): void => {
      clearTimeout(this.#patience)
      if (invited) return
      invited = true
      if (!this.#over && this.#response === undefined) this.#receiver.connected?.()
    }
    if (!isExpecting) return invite()
    this.#patience = setTimeout(invite, PATIENCE_MS)
    this.#outgoing.once('continue', invite)
    this.#outgoing.flushHeaders()
  }

  #switch(response: IncomingMessage, socket: Socket, first: Buffer): void {
    socket.on('error', () => undefined)
    if (this.#over || !this.#offered) {
      socket.destroy()
      return this.#trouble({ kind: 'broken', detail: 'it switched protocols unasked' })
    }
    this.#tunnel = socket
    this.#stopTimer()
    socket.on('drain', () => this.#receiver.drained?.())
    this.#receiver.head(101, response.rawHeaders)
    if (first.length > 0) this.#receiver.data(first)
    socket.on('data', (piece: Buffer) => this.#receiver.data(piece))
    socket.once('end', () => {
      if (this.#over) return
      this.#over = true
      this.#receiver.end()
    })
    socket.once('close', () => this.#trouble({ kind: 'broken', detail: 'the connection was closed' }))
    if (this.#paused) socket.pause()
  }

  #await(): void {
    if (!this.#over && this.#tunnel === undefined) this.#expect(this.#responseMs, `silent for ${this.#responseMs} ms`)
  }

  /** Something must be heard within this time. A process that was held up itself first reads what came meanwhile. */
  #expect(ms: number, otherwise: string): void {
    this.#stopTimer()
    const late = (): void => this.#trouble({ kind: 'timeout', detail: otherwise, unsent: !this.#connected })
    this.#timer = setTimeout(() => (this.#lastLook = setImmediate(late)), ms)
  }

  #stopTimer(): void {
    clearTimeout(this.#timer)
    if (this.#lastLook !== undefined) clearImmediate(this.#lastLook)
    this.#lastLook = undefined
  }

  #respond(response: IncomingMessage): void {
    if (this.#over) return
    this.#response = response
    clearTimeout(this.#patience)
    // Beyond 599 there is none (RFC 9110 §15), nor may HTTP/2 say one.
    if (response.statusCode! > 599) return this.#trouble({ kind: 'broken', detail: `it answered with ${response.statusCode!}, which is no status` })
    if (response.rawHeaders.length >= 2 * MOST_FIELDS) return this.#trouble({ kind: 'broken', detail: `its answer has ${MOST_FIELDS} fields or more` })
    const coding = fieldOf(response.rawHeaders, 'transfer-encoding')
    if (coding !== undefined && isForeignCoding(coding)) return this.#trouble({ kind: 'broken', detail: 'it sent a transfer coding that was not asked for' })
    this.#await()
    // `end` alone does not tell a whole response from one that was cut off.
    response.on('data', (piece: Buffer) => {
      if (this.#over) return
      if (this.#lastLook === undefined) this.#timer?.refresh()
      else this.#await()
      this.#receiver.data(piece)
    })
    response.on('end', () => {
      if (this.#over) return
      if (!response.complete) return this.#trouble({ kind: 'broken', detail: 'the response ended early' })
      this.#over = true
      this.#stopTimer()
      this.#receiver.end()
    })
    response.on('error', (error) => this.#trouble({ kind: 'broken', detail: error.message }))
    response.on('close', () => this.#trouble({ kind: 'broken', detail: 'the connection was closed' }))
    this.#receiver.head(response.statusCode!, response.rawHeaders)
    if (this.#paused) response.pause()
  }

  #failed(error: Error): void {
    if (this.#over) return
    // A kept connection that the other end closed just now: nothing was answered, so that GET may be sent anew.
    const reset = 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
    if (this.#outgoing.reusedSocket && reset && this.#response === undefined) {
      this.#over = true
      this.#stopTimer()
      this.#again()
      return
    }
    // It has said all of its answer, and more than that: the answer counts, the connection goes (RFC 9112 §6.3).
    if (this.#response?.complete === true) return
    this.#trouble({ kind: this.#response === undefined ? 'unreachable' : 'broken', detail: error.message, unsent: !this.#connected })
  }

  #trouble(trouble: UpstreamTrouble): void {
    if (this.#over) return
    this.abort()
    this.#receiver.trouble(trouble)
  }
}
