import { systemClock } from '../core/clock.ts'
import { AF_INET, loadSystem, MSG_DONTWAIT, SO_RCVBUF, SO_RCVBUFFORCE, SOCK_DGRAM, SOL_SOCKET, type NativeMemory, type System } from '../daemon/serve/system.ts'
import type { Flood, FloodTask } from './flood.ts'

// A process that sends packets at a rate, whether they are answered or not, from as many loopback addresses as it is told.

const BATCH = 32
const HEADER = 64
const VECTOR = 16
const ANSWER = 2048
const NAME = 16
/** A sender that was held up makes up for so much, and no more. */
const MOST_BEHIND = 2000
/** What is under way when the last packet has been sent. */
const LATE_MS = 300

process.once('message', (task: FloodTask) => {
  send(task).then(
    (flood) => process.send!(flood, () => process.exit(0)),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`)
      process.exit(1)
    }
  )
})

async function send(task: FloodTask): Promise<Flood> {
  const system = await loadSystem()
  if (typeof system === 'string') throw new Error(system)
  const outgoing = layOut(system, task)
  const incoming = layIn(system)
  const sockets = task.sources.map((source) => openFrom(system, source))
  const lengths = task.packets.map((packet) => packet.length / 2)
  const result = { sent: 0, sentOctets: 0, answered: 0, truncated: 0, octets: 0 }
  const start = systemClock.elapsed()
  const end = start + task.seconds * 1000
  let given = 0
  let turn = 0
  for (let now = start; now < end + LATE_MS; now = systemClock.elapsed()) {
    const socket = sockets[turn++ % sockets.length]!
    const wanted = Math.floor(((Math.min(now, end) - start) * task.rate) / 1000)
    if (wanted - given > MOST_BEHIND) given = wanted - MOST_BEHIND
    if (wanted > given) {
      const from = result.sent % task.packets.length
      const more = system.sendmmsg(socket, outgoing + from * HEADER, Math.min(wanted - given, BATCH, task.packets.length - from), 0)
      for (let index = 0; index < more; index++) result.sentOctets += lengths[from + index]!
      if (more > 0) {
        given += more
        result.sent += more
      }
    }
    const got = system.recvmmsg(socket, incoming.headers, BATCH, MSG_DONTWAIT, 0)
    for (let index = 0; index < got; index++) {
      result.answered++
      if ((incoming.octets[index * ANSWER + 2]! & 2) !== 0) result.truncated++
      result.octets += incoming.words[(index * HEADER + 56) / 4]!
    }
  }
  return result
}

/** Headers of all packets, ready to be sent to the server. */
function layOut(system: System, { packets, port }: FloodTask): number {
  const name = system.alloc(NAME)
  putAddress(name, [127, 0, 0, 1], port)
  const octets = packets.map((packet) => Buffer.from(packet, 'hex'))
  const data = system.alloc(octets.reduce((sum, packet) => sum + packet.length, 1))
  const vectors = system.alloc(octets.length * VECTOR)
  const headers = system.alloc(octets.length * HEADER)
  let at = 0
  for (const [index, packet] of octets.entries()) {
    data.bytes.set(packet, at)
    word(vectors, index * VECTOR, data.address + at)
    word(vectors, index * VECTOR + 8, packet.length)
    at += packet.length
    word(headers, index * HEADER, name.address)
    word(headers, index * HEADER + 8, NAME)
    word(headers, index * HEADER + 16, vectors.address + index * VECTOR)
    word(headers, index * HEADER + 24, 1)
  }
  return headers.address
}

function layIn(system: System): { headers: number; octets: Uint8Array; words: Uint32Array } {
  const data = system.alloc(BATCH * ANSWER)
  const vectors = system.alloc(BATCH * VECTOR)
  const headers = system.alloc(BATCH * HEADER)
  for (let index = 0; index < BATCH; index++) {
    word(vectors, index * VECTOR, data.address + index * ANSWER)
    word(vectors, index * VECTOR + 8, ANSWER)
    word(headers, index * HEADER + 16, vectors.address + index * VECTOR)
    word(headers, index * HEADER + 24, 1)
  }
  return { headers: headers.address, octets: data.bytes, words: new Uint32Array(headers.bytes.buffer, headers.bytes.byteOffset, (BATCH * HEADER) / 4) }
}

function openFrom(system: System, source: string): number {
  const scratch = system.alloc(NAME)
  const view = new DataView(scratch.bytes.buffer, scratch.bytes.byteOffset)
  const fd = system.socket(AF_INET, SOCK_DGRAM, 0)
  view.setInt32(0, 1 << 20, true)
  if (system.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, scratch.address, 4) < 0) system.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, scratch.address, 4)
  putAddress(scratch, source.split('.').map(Number), 0)
  if (system.bind(fd, scratch.address, NAME) < 0) throw new Error(`cannot send from ${source}: error ${system.errno()}`)
  return fd
}

function putAddress({ bytes }: NativeMemory, address: readonly number[], port: number): void {
  bytes.fill(0, 0, NAME)
  new DataView(bytes.buffer, bytes.byteOffset).setUint16(0, AF_INET, true)
  bytes.set([port >> 8, port & 255, ...address], 2)
}

function word({ bytes }: NativeMemory, at: number, value: number): void {
  new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(at, BigInt(value), true)
}
