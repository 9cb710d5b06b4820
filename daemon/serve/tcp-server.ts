import { createServer, type Server, type Socket } from 'node:net'
import { parseAddress } from '../../core/address.ts'
import type { Handover, Reply } from './lane.ts'
import { ANSWERED, DECLINED, HAND_OVER, HANDED_OVER, RECEIVED, TCP_ACCEPTED, TCP_OPEN, TCP_REFUSED, TCP_SHED, type Listener, type Responder, type Source, type TcpLimits } from './types.ts'

// DNS over TCP (RFC 1035 §4.2.2, RFC 7766): each message behind two octets of length, many to a connection, in any pieces.

const LONGEST = 65535
/** A message shorter than a header is no DNS, and a response asks nothing: the connection is closed. */
const HEADER = 12
const RESPONSE = 0x80
/** Answers that the client has not taken: above this it is not read from until they are gone. */
const UNREAD = 64 << 10
/** How often connections are looked over for the idle ones, as a share of the limit. */
const SWEEPS = 10

/** Messages of one connection that the exchange has at once. */
const MOST_HANDED_OVER = 4

export interface TcpServer {
  /** Sends what the exchange answers. */
  reply(reply: Reply): void
  /** Stops accepting, sends what is under way, and closes every connection. */
  close(withinMs: number): Promise<void>
}

interface Client {
  readonly socket: Socket
  readonly source: Source
  readonly key: string
  /** The first `length` octets were received and are not yet answered: at most one message and what came with it. */
  pending: Buffer
  length: number
  /** When it last asked something, in milliseconds of `elapsed`. */
  lastQuery: number
  /** Not read from and not answered until it has taken what was sent. */
  isBlocked: boolean
  hasEnded: boolean
  /** By what number the exchange knows it, and how many of its messages are there. */
  readonly number: number
  handedOver: number
}

interface State {
  readonly responder: Responder
  readonly handover: Handover
  readonly limits: TcpLimits
  readonly traffic: Float64Array
  readonly elapsed: () => number
  /** Longest idle first. */
  readonly clients: Map<Socket, Client>
  readonly numbers: Map<number, Client>
  lastNumber: number
  readonly perAddress: Map<string, number>
  readonly out: Uint8Array
}

/** Listens on every address; rejects with the first error of a bind, which then carries `listener`. */
export async function openTcp(listeners: readonly Listener[], options: { responder: Responder; handover: Handover; limits: TcpLimits; traffic: Float64Array; elapsed: () => number }): Promise<TcpServer> {
  const state: State = { ...options, clients: new Map(), numbers: new Map(), lastNumber: 0, perAddress: new Map(), out: new Uint8Array(LONGEST) }
  const servers: Server[] = []
  const closeServers = (): void => {
    for (const server of servers) server.close()
  }
  try {
    for (const listener of listeners) servers.push(await listen(listener, state))
  } catch (error) {
    closeServers()
    throw error
  }
  const sweep = setInterval(() => shedIdle(state), Math.max(10, options.limits.idleMs / SWEEPS))
  return {
    reply: (reply) => takeReply(reply, state),
    close: async (withinMs) => {
      clearInterval(sweep)
      closeServers()
      for (const { socket } of state.clients.values()) socket.end()
      const end = state.elapsed() + withinMs
      while (state.clients.size > 0 && state.elapsed() < end) await new Promise((resolve) => setTimeout(resolve, 10))
      for (const { socket } of state.clients.values()) socket.destroy()
    }
  }
}

async function listen(listener: Listener, state: State): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => accept(socket, state))
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(Object.assign(error, { listener })))
    server.listen({ host: listener.address, port: listener.port, ipv6Only: listener.family === 6, exclusive: true }, resolve)
  })
  server.removeAllListeners('error')
  // A failed accept (out of descriptors) concerns that connection alone.
  server.on('error', () => undefined)
  return server
}

function accept(socket: Socket, state: State): void {
  const { clients, perAddress, limits, traffic } = state
  // Without a peer it is closed already; without this handler its errors would end the process.
  socket.on('error', () => socket.destroy())
  const address = parseAddress((socket.remoteAddress ?? '').replace(/%.*$/, ''))
  if (address === undefined) {
    socket.destroy()
    return
  }
  const key = clientKey(address.bytes)
  const held = perAddress.get(key) ?? 0
  if (held >= limits.clientsPerAddress) {
    traffic[TCP_REFUSED]!++
    socket.destroy()
    return
  }
  if (clients.size >= limits.clients) {
    const [longestIdle] = clients.values()
    if (longestIdle !== undefined) shed(longestIdle, state)
  }
  const client: Client = { socket, key, source: { family: address.family, bytes: address.bytes, at: 0 }, pending: EMPTY, length: 0, lastQuery: state.elapsed(), isBlocked: false, hasEnded: false, number: ++state.lastNumber, handedOver: 0 }
  clients.set(socket, client)
  state.numbers.set(client.number, client)
  perAddress.set(key, held + 1)
  traffic[TCP_ACCEPTED]!++
  traffic[TCP_OPEN] = clients.size
  socket.on('close', () => forget(client, state))
  socket.on('data', (chunk: Buffer) => {
    append(client, chunk)
    serve(client, state)
  })
  socket.on('drain', () => unblock(client, state))
  socket.on('end', () => {
    client.hasEnded = true
    serve(client, state)
  })
}

const EMPTY = Buffer.alloc(0)

/** Connections are counted by IPv4 address and by IPv6 /64, which one host has to itself. */
function clientKey(bytes: Uint8Array): string {
  return (bytes.length === 4 ? bytes : bytes.subarray(0, 8)).join('.')
}

/** Space doubles, so that a message in drips costs little more than one in a piece. */
function append(client: Client, chunk: Buffer): void {
  const { pending, length } = client
  if (length === 0) {
    client.pending = chunk
  } else {
    if (pending.length < length + chunk.length) {
      client.pending = Buffer.allocUnsafe(Math.max(2 * pending.length, length + chunk.length))
      pending.copy(client.pending, 0, 0, length)
    }
    chunk.copy(client.pending, length)
  }
  client.length = length + chunk.length
}

/** Answers every whole message that is there, as far as the client takes the answers. */
function serve(client: Client, state: State): void {
  const { socket } = client
  if (client.isBlocked || socket.destroyed) return
  const answers: Buffer[] = []
  let size = 0
  let at = 0
  while (client.length - at >= 2 && size < UNREAD) {
    const length = client.pending.readUInt16BE(at)
    if (length < HEADER || (client.length - at > 4 && client.pending[at + 4]! >= RESPONSE)) {
      socket.destroy()
      return
    }
    if (client.length - at - 2 < length) break
    const answer = answerOne(client, state, at + 2, length)
    at += 2 + length
    if (answer === undefined) continue
    answers.push(answer)
    size += answer.length
  }
  if (at > 0) {
    client.pending = at === client.length ? EMPTY : client.pending.subarray(at, client.length)
    client.length -= at
    touch(client, state)
  }
  if (answers.length > 0) socket.write(Buffer.concat(answers))
  if (socket.writableLength >= UNREAD || size >= UNREAD) {
    client.isBlocked = true
    socket.pause()
    // What the system took at once has no `drain`; others have their turn first.
    if (socket.writableLength === 0) setImmediate(() => unblock(client, state))
  } else if (client.hasEnded && client.handedOver === 0) {
    socket.end()
  }
}

function unblock(client: Client, state: State): void {
  client.isBlocked = false
  client.socket.resume()
  serve(client, state)
}

/** The answer with its two octets of length, in memory of its own; undefined when there is none. */
function answerOne(client: Client, state: State, start: number, length: number): Buffer | undefined {
  const { responder, traffic, out } = state
  traffic[RECEIVED]!++
  let size = responder.answer(client.pending, start, length, client.source, 'tcp', out, 0, LONGEST)
  if (size === HAND_OVER) size = handOver(client, state, start, length)
  if (size === 0) return undefined
  traffic[ANSWERED]!++
  return framed(out.subarray(0, size))
}

function framed(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(message.length + 2)
  frame.writeUInt16BE(message.length)
  frame.set(message, 2)
  return frame
}

/** @returns octets of an answer for now */
function handOver(client: Client, { handover, responder, traffic }: State, start: number, length: number): number {
  const { pending, source, number } = client
  if (client.handedOver < MOST_HANDED_OVER && handover.offer(Uint8Array.from(pending.subarray(start, start + length)), source, 'tcp', { kind: 'lane', client: number })) {
    client.handedOver++
    traffic[HANDED_OVER]!++
    return 0
  }
  traffic[DECLINED]!++
  return responder.decline()
}

/** One of the exchange's messages for a client: it is told when that has left, so that the next comes only then. */
function takeReply({ kind, client: number, message }: Reply, state: State): void {
  const client = state.numbers.get(number)
  if (client === undefined) return
  if (kind === 'broken') {
    // Only the end of the connection shows that a transfer is not whole (RFC 5936 §2.2).
    client.socket.destroy()
    return
  }
  if (kind === 'last') client.handedOver--
  if (message === undefined) return serve(client, state)
  client.socket.write(framed(message), () => {
    if (!state.numbers.has(number)) return
    touch(client, state)
    state.handover.tell({ kind: 'sent', client: number })
    if (client.hasEnded) serve(client, state)
  })
}

/** It has asked something: it moves to the end of the line of the idle ones. */
function touch(client: Client, { clients, elapsed }: State): void {
  client.lastQuery = elapsed()
  clients.delete(client.socket)
  clients.set(client.socket, client)
}

function shedIdle(state: State): void {
  const oldest = state.elapsed() - state.limits.idleMs
  for (const client of state.clients.values()) {
    if (client.lastQuery > oldest) return
    shed(client, state)
  }
}

/** Closes a connection that asks nothing, sends in drips, or does not take its answers. */
function shed(client: Client, state: State): void {
  state.traffic[TCP_SHED]!++
  // Dropped from the table at once: its `close` comes later, and must not make room twice.
  forget(client, state)
  client.socket.destroy()
}

function forget({ socket, key, number, handedOver }: Client, { clients, numbers, handover, perAddress, traffic }: State): void {
  if (!clients.delete(socket)) return
  numbers.delete(number)
  if (handedOver > 0) handover.tell({ kind: 'gone', client: number })
  const held = perAddress.get(key)! - 1
  if (held === 0) perAddress.delete(key)
  else perAddress.set(key, held)
  traffic[TCP_OPEN] = clients.size
}
