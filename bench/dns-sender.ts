import { systemClock } from '../core/clock.ts'
import { AF_INET, loadSystem, MSG_DONTWAIT, SO_RCVBUF, SO_RCVBUFFORCE, SOCK_DGRAM, SOL_SOCKET, type NativeMemory, type System } from '../daemon/serve/system.ts'
import type { Load, SenderTask } from './dns-load.ts'

// A process that offers queries at a rate: laid out beforehand in native memory, sent as each falls due, from a few sockets.

const SOCKETS = 8
const BATCH = 64
const HEADER = 64
const VECTOR = 16
const ANSWER = 1280
/** Queries without an answer yet: a sender that was held up does not make up for it in one burst. */
const OUTSTANDING = 400
const GIVE_UP_MS = 100

process.once('message', (task: SenderTask) => {
  send(task).then(
    (load) => process.send!(load, () => process.exit(0)),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`)
      process.exit(1)
    }
  )
})

async function send(task: SenderTask): Promise<Load> {
  const system = await loadSystem()
  if (typeof system === 'string') throw new Error(system)
  const outgoing = layOut(system, task)
  const incoming = layIn(system)
  const sockets = openSockets(system)
  const total = Math.round(task.rate * task.seconds)
  const start = systemClock.elapsed()
  const last = start + task.seconds * 1000 + 200
  let sent = 0
  let answered = 0
  // Given up, so that they do not count as outstanding for ever.
  let lost = 0
  let lastAnswer = start
  let turn = 0
  let right = 0
  for (let now = start; now < last && (sent < total || answered + lost < sent); now = systemClock.elapsed()) {
    const due = Math.min(total, Math.floor(((now - start) * task.rate) / 1000)) - sent
    const room = OUTSTANDING - (sent - answered - lost)
    const socket = sockets[turn++ % SOCKETS]!
    if (due > 0 && room > 0) {
      const from = sent % task.packets.length
      const more = system.sendmmsg(socket, outgoing + from * HEADER, Math.min(due, room, BATCH, task.packets.length - from), 0)
      if (more > 0) sent += more
    }
    const got = system.recvmmsg(socket, incoming.headers, BATCH, MSG_DONTWAIT, 0)
    if (got > 0) {
      answered += got
      right += countRight(incoming.octets, got, task.rcode)
      // Some that were given up came late.
      lost = Math.min(lost, sent - answered)
      lastAnswer = now
    } else if (now - lastAnswer > GIVE_UP_MS) {
      lost = sent - answered
    }
  }
  return { sent, answered, perSecond: answered / task.seconds, right }
}

/** Headers of all packets, ready to be sent to the server. */
function layOut(system: System, { packets, port }: SenderTask): number {
  const name = system.alloc(16)
  new DataView(name.bytes.buffer, name.bytes.byteOffset).setUint16(0, AF_INET, true)
  name.bytes.set([port >> 8, port & 255, 127, 0, 0, 1], 2)
  const octets = packets.map((packet) => Buffer.from(packet, 'hex'))
  const data = system.alloc(octets.reduce((sum, packet) => sum + packet.length, 0))
  const vectors = system.alloc(octets.length * VECTOR)
  const headers = system.alloc(octets.length * HEADER)
  let at = 0
  for (const [index, packet] of octets.entries()) {
    data.bytes.set(packet, at)
    word(vectors, index * VECTOR, data.address + at)
    word(vectors, index * VECTOR + 8, packet.length)
    at += packet.length
    word(headers, index * HEADER, name.address)
    word(headers, index * HEADER + 8, 16)
    word(headers, index * HEADER + 16, vectors.address + index * VECTOR)
    word(headers, index * HEADER + 24, 1)
  }
  return headers.address
}

/** Answers among the first `count` that say what they should: the RCODE, and for NOERROR an answer section. */
function countRight(octets: Uint8Array, count: number, rcode: SenderTask['rcode']): number {
  let right = 0
  for (let index = 0; index < count; index++) {
    const at = index * ANSWER
    if ((octets[at + 3]! & 15) === (rcode === 'NOERROR' ? 0 : 3) && (rcode === 'NXDOMAIN' || octets[at + 7]! > 0)) right++
  }
  return right
}

function layIn(system: System): { headers: number; octets: Uint8Array } {
  const data = system.alloc(BATCH * ANSWER)
  const vectors = system.alloc(BATCH * VECTOR)
  const headers = system.alloc(BATCH * HEADER)
  for (let index = 0; index < BATCH; index++) {
    word(vectors, index * VECTOR, data.address + index * ANSWER)
    word(vectors, index * VECTOR + 8, ANSWER)
    word(headers, index * HEADER + 16, vectors.address + index * VECTOR)
    word(headers, index * HEADER + 24, 1)
  }
  return { headers: headers.address, octets: data.bytes }
}

function word({ bytes }: NativeMemory, at: number, value: number): void {
  new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(at, BigInt(value), true)
}

function openSockets(system: System): number[] {
  const size = system.alloc(4)
  new DataView(size.bytes.buffer, size.bytes.byteOffset).setInt32(0, 4 << 20, true)
  return Array.from({ length: SOCKETS }, () => {
    const fd = system.socket(AF_INET, SOCK_DGRAM, 0)
    if (system.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, size.address, 4) < 0) system.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, size.address, 4)
    return fd
  })
}
