import { AF_INET, MSG_DONTWAIT, POLLIN, type NativeMemory } from '../../daemon/serve/system.ts'
import type { Wires } from './run.ts'
import { IPPROTO_TCP, MSG_NOSIGNAL, SOCK_CLOEXEC, SOCK_STREAM, TCP_NODELAY, type SenderSystem } from './system.ts'
import { arrived, idAhead, left, questionAhead, type Tally } from './tally.ts'

// Queries over TCP, pipelined (RFC 7766 §6.2.1.1): those of a connection that leave together leave in one write.

const INCOMING = 1 << 16
const OUTGOING = 1 << 14
const LONGEST = 128

interface Connection {
  readonly fd: number
  readonly incoming: NativeMemory
  /** Octets of `incoming` that are not yet a whole answer. */
  held: number
  inFlight: number
}

export function makeTcpWires(system: SenderSystem, tally: Tally, count: number, inFlight: number): Wires {
  let connections: Connection[] = []
  const memories = Array.from({ length: count }, () => system.alloc(INCOMING))
  const outgoing = system.alloc(OUTGOING)
  const polled = system.alloc(count * 8)
  const events = new Uint32Array(polled.bytes.buffer, polled.bytes.byteOffset, count * 2)
  let turn = 0
  const open = (port: number): void => {
    // Those of the last run stay open until now: threads of a server that live as long as a connection are still there to be measured.
    for (const { fd } of connections) system.close(fd)
    connections = memories.map((incoming, index) => ({ fd: connectTo(system, port, index), incoming, held: 0, inFlight: 0 }))
    for (const [index, { fd }] of connections.entries()) {
      events[index * 2] = fd
      events[index * 2 + 1] = POLLIN
    }
  }
  const send = (wanted: number): void => {
    for (let tries = 0, rest = wanted; tries < count && rest > 0; tries++) {
      const connection = connections[turn]!
      turn = (turn + 1) % count
      const room = Math.min(rest, inFlight - connection.inFlight)
      if (room > 0) rest -= sendOn(system, tally, connection, outgoing, room)
    }
  }
  const receive = (waitMs: number): void => {
    if (system.poll(polled.address, count, waitMs) <= 0) return
    for (let index = 0; index < count; index++) if (events[index * 2 + 1]! >>> 16 !== 0) receiveOn(system, tally, connections[index]!)
  }
  return { open, send, receive }
}

/** A connection from an address of its own, as clients have them. */
function connectTo(system: SenderSystem, port: number, index: number): number {
  const fd = system.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)
  const address = system.alloc(16)
  const view = new DataView(address.bytes.buffer, address.bytes.byteOffset)
  view.setUint16(0, AF_INET, true)
  address.bytes.set([0, 0, 127, 0, 40, 1 + index], 2)
  system.bind(fd, address.address, 16)
  view.setUint16(2, port)
  address.bytes.set([127, 0, 0, 1], 4)
  if (system.connect(fd, address.address, 16) < 0) throw new Error(`no TCP connection to port ${port}: error ${system.errno()}`)
  view.setInt32(0, 1, true)
  system.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, address.address, 4)
  return fd
}

/** Sends up to `count` queries in one write; as many as it did. */
function sendOn(system: SenderSystem, tally: Tally, connection: Connection, { address, bytes }: NativeMemory, count: number): number {
  const { questions } = tally
  const most = Math.min(count, OUTGOING / LONGEST)
  let at = 0
  for (let ahead = 0; ahead < most; ahead++) {
    const question = questionAhead(tally, ahead)
    const start = questions.starts[question]!
    const length = questions.starts[question + 1]! - start
    const id = idAhead(tally, ahead)
    bytes[at] = 0
    bytes[at + 1] = length
    for (let octet = 2; octet < length; octet++) bytes[at + 2 + octet] = questions.bytes[start + octet]!
    bytes[at + 2] = id >>> 8
    bytes[at + 3] = id & 255
    at += 2 + length
  }
  const sent = system.send(connection.fd, address, at, MSG_DONTWAIT | MSG_NOSIGNAL)
  if (sent !== at) throw new Error(sent < 0 ? `the connection was closed: error ${system.errno()}` : 'the server does not read')
  connection.inFlight += most
  left(tally, most)
  return most
}

function receiveOn(system: SenderSystem, tally: Tally, connection: Connection): void {
  const { fd, incoming } = connection
  const { bytes } = incoming
  const got = system.recv(fd, incoming.address + connection.held, INCOMING - connection.held, MSG_DONTWAIT)
  if (got === 0) throw new Error('the server closed a connection')
  if (got < 0) return
  const end = connection.held + got
  let at = 0
  while (end - at >= 2) {
    const length = (bytes[at]! << 8) | bytes[at + 1]!
    if (end - at - 2 < length) break
    arrived(tally, bytes, at + 2, length)
    connection.inFlight--
    at += 2 + length
  }
  bytes.copyWithin(0, at, end)
  connection.held = end - at
}
