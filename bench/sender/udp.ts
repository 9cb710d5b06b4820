import { AF_INET, MSG_DONTWAIT, POLLIN, SO_RCVBUF, SO_RCVBUFFORCE, SOCK_DGRAM, SOL_SOCKET, type NativeMemory } from '../../daemon/serve/system.ts'
import type { Wires } from './run.ts'
import type { SenderSystem } from './system.ts'
import { arrived, idAhead, left, questionAhead, type Tally } from './tally.ts'

// Queries over UDP: a packet is copied into its slot, given its id, and leaves with others in one system call.

/** For a server with one worker few are the least work; for several enough that the kernel shares them out evenly. */
const SOCKETS = { one: 2, several: 16 }
const BATCH = 64
const HEADER = 64
const VECTOR = 16
const QUERY = 128
const ANSWER = 1344

export function makeUdpWires(system: SenderSystem, tally: Tally): Wires {
  const to = system.alloc(16)
  const outgoing = layMessages(system, QUERY, to)
  const incoming = layMessages(system, ANSWER)
  const all = openSockets(system)
  const ready = layPoll(system, all)
  const { questions } = tally
  let sockets = all
  let turn = 0
  const send = (count: number): void => {
    const most = Math.min(count, BATCH)
    for (let slot = 0; slot < most; slot++) {
      const question = questionAhead(tally, slot)
      const start = questions.starts[question]!
      const length = questions.starts[question + 1]! - start
      const at = slot * QUERY
      for (let octet = 2; octet < length; octet++) outgoing.bytes[at + octet] = questions.bytes[start + octet]!
      const id = idAhead(tally, slot)
      outgoing.bytes[at] = id >>> 8
      outgoing.bytes[at + 1] = id & 255
      outgoing.lengths[slot * 4 + 2] = length
    }
    const sent = system.sendmmsg(sockets[turn]!, outgoing.headers, most, 0)
    if (sent > 0) left(tally, sent)
    turn = (turn + 1) % sockets.length
  }
  const receive = (waitMs: number): void => {
    if (system.poll(ready.memory.address, sockets.length, waitMs) <= 0) return
    for (let index = 0; index < sockets.length; index++) {
      if (ready.words[index * 2 + 1]! >>> 16 === 0) continue
      const got = system.recvmmsg(sockets[index]!, incoming.headers, BATCH, MSG_DONTWAIT, 0)
      for (let slot = 0; slot < got; slot++) arrived(tally, incoming.bytes, slot * ANSWER, incoming.received[slot * 16 + 14]!)
    }
  }
  const open = (port: number, workers: number): void => {
    sockets = all.slice(0, workers === 1 ? SOCKETS.one : SOCKETS.several)
    turn = 0
    new DataView(to.bytes.buffer, to.bytes.byteOffset).setUint16(0, AF_INET, true)
    to.bytes.set([port >> 8, port & 255, 127, 0, 0, 1], 2)
  }
  return { open, send, receive }
}

/** A `struct pollfd` for each: the descriptor, then what is asked for and, in the upper half of the word, what there is. */
function layPoll(system: SenderSystem, sockets: readonly number[]): { memory: NativeMemory; words: Uint32Array } {
  const memory = system.alloc(sockets.length * 8)
  const words = wordsOf(memory)
  for (const [index, fd] of sockets.entries()) words.set([fd, POLLIN], index * 2)
  return { memory, words }
}

interface Messages {
  /** Address of the first `struct mmsghdr`. */
  readonly headers: number
  readonly bytes: Uint8Array
  /** The vectors as 32-bit words: the length of slot n is at 4 n + 2. */
  readonly lengths: Uint32Array
  /** The headers as 32-bit words: what came into slot n is at 16 n + 14. */
  readonly received: Uint32Array
}

function layMessages(system: SenderSystem, size: number, to?: NativeMemory): Messages {
  const data = system.alloc(BATCH * size)
  const vectors = system.alloc(BATCH * VECTOR)
  const headers = system.alloc(BATCH * HEADER)
  for (let slot = 0; slot < BATCH; slot++) {
    word(vectors, slot * VECTOR, data.address + slot * size)
    word(vectors, slot * VECTOR + 8, size)
    if (to !== undefined) {
      word(headers, slot * HEADER, to.address)
      word(headers, slot * HEADER + 8, 16)
    }
    word(headers, slot * HEADER + 16, vectors.address + slot * VECTOR)
    word(headers, slot * HEADER + 24, 1)
  }
  return { headers: headers.address, bytes: data.bytes, lengths: wordsOf(vectors), received: wordsOf(headers) }
}

const wordsOf = ({ bytes }: NativeMemory): Uint32Array => new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)

function word({ bytes }: NativeMemory, at: number, value: number): void {
  new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(at, BigInt(value), true)
}

function openSockets(system: SenderSystem): number[] {
  const size = system.alloc(4)
  new DataView(size.bytes.buffer, size.bytes.byteOffset).setInt32(0, 4 << 20, true)
  return Array.from({ length: SOCKETS.several }, () => {
    const fd = system.socket(AF_INET, SOCK_DGRAM, 0)
    if (system.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, size.address, 4) < 0) system.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, size.address, 4)
    return fd
  })
}
