import { addressAnswer, ANSWER_SIZE, answerAt, answerFromAsked, askedAddress, BATCH, makeBatch, nameAt, nameOf, queryAt, receivedLength, resetControls, type Batch } from './batch.ts'
import type { Handover } from './lane.ts'
import { gather, makePace, notePace, type Pace } from './pace.ts'
import { EAGAIN, EINTR, MSG_DONTWAIT, MSG_WAITFORONE, POLLIN, type System } from './system.ts'
import { ANSWERED, BEAT, DECLINED, FAULTS, HAND_OVER, HANDED_OVER, RECEIVED, UNSENT, type Listener, type Responder, type Source } from './types.ts'
import { RECEIVE_TIMEOUT_MS } from './udp-socket.ts'

/** One open socket with the memory its traffic passes through. */
interface Port {
  readonly fd: number
  readonly family: 4 | 6
  readonly wildcard: boolean
  readonly batch: Batch
  readonly source: Source
}

/** What the loop asks of its thread. */
export interface Loop {
  readonly system: System
  readonly listeners: readonly Listener[]
  readonly traffic: Float64Array
  readonly responder: Responder
  readonly handover: Handover
  /** Under load it may wait a little, so that queries gather. */
  readonly gathers: boolean
  /** Called between a receive and its answers, so that no query is answered from what was replaced before it came. @returns milliseconds since 1970 */
  attend(): number
  /** Set by `attend`: answer what is there, then end. */
  isOver: boolean
  trouble(reason: string): void
}

/**
 * Receives, answers and sends until it is over. Never returns to the event loop meanwhile.
 * One listener: a receive that waits. Several: a poll that waits, then receives that do not.
 */
export function runUdpLoop(loop: Loop): void {
  const { system, listeners } = loop
  const ports = listeners.map((listener) => openPort(system, listener))
  const pace = makePace(system, loop.gathers)
  const [only] = ports
  if (only !== undefined && ports.length === 1) {
    while (!loop.isOver) {
      gather(pace, system)
      receive(loop, only, MSG_WAITFORONE, pace)
    }
  } else runPolled(loop, ports, pace)
  // What had arrived before the end is answered still; the bound is against a sender that never stops.
  for (const port of ports) for (let round = 0; round < 64 && receive(loop, port, MSG_DONTWAIT, pace) > 0; round++);
}

function openPort(system: System, { fd, family, wildcard }: Listener): Port {
  const batch = makeBatch(system, { family, packetInfo: wildcard })
  return { fd: fd!, family, wildcard, batch, source: { family, bytes: batch.bytes, at: 0 } }
}

function runPolled(loop: Loop, ports: readonly Port[], pace: Pace): void {
  // struct pollfd: a descriptor, then what is asked for and, in the upper half of the word, what there is.
  const polled = loop.system.alloc(ports.length * 8)
  const words = new Uint32Array(polled.bytes.buffer, polled.bytes.byteOffset, ports.length * 2)
  for (const [index, port] of ports.entries()) {
    words[index * 2] = port.fd
    words[index * 2 + 1] = POLLIN
  }
  while (!loop.isOver) {
    gather(pace, loop.system)
    const ready = loop.system.poll(polled.address, ports.length, RECEIVE_TIMEOUT_MS)
    if (ready <= 0) {
      loop.traffic[BEAT]!++
      loop.attend()
      continue
    }
    for (let index = 0; index < ports.length; index++) {
      if (words[index * 2 + 1]! >>> 16 !== 0) receive(loop, ports[index]!, MSG_DONTWAIT, pace)
    }
  }
}

/** Receives what is there and answers it; the number of queries, or -1. */
function receive(loop: Loop, port: Port, flags: number, pace: Pace): number {
  if (port.wildcard) resetControls(port.batch, BATCH)
  const count = loop.system.recvmmsg(port.fd, port.batch.receiveHeaders, BATCH, flags, 0)
  loop.traffic[BEAT]!++
  notePace(pace, count > 0 ? count : 0, loop.attend())
  if (count > 0) answerBatch(loop, port, count)
  else if (count < 0) receiveFailed(loop)
  return count
}

function receiveFailed({ system, traffic, trouble }: Loop): void {
  const errno = system.errno()
  if (errno === EAGAIN || errno === EINTR) return
  // ECONNREFUSED and its like report what became of an earlier answer, and are gone once told. Others may last: no busy loop.
  traffic[FAULTS]!++
  trouble(`recvmmsg: error ${errno}`)
  Atomics.wait(PAUSE, 0, 0, 1)
}

const PAUSE = new Int32Array(new SharedArrayBuffer(4))

function answerBatch(loop: Loop, port: Port, count: number): void {
  const { traffic } = loop
  const { batch, source, family } = port
  const addressOffset = family === 4 ? 4 : 8
  if (count > 1 && loop.responder.expect !== undefined) {
    for (let index = 0; index < count; index++) {
      source.at = nameAt(index) + addressOffset
      loop.responder.expect(batch.bytes, queryAt(index), receivedLength(batch, index), source)
    }
  }
  let answers = 0
  for (let index = 0; index < count; index++) {
    const name = nameAt(index)
    // Port 0 cannot be answered: such a datagram is forged.
    if (batch.bytes[name + 2] === 0 && batch.bytes[name + 3] === 0) continue
    source.at = name + addressOffset
    let length = loop.responder.answer(batch.bytes, queryAt(index), receivedLength(batch, index), source, 'udp', batch.bytes, answerAt(answers), ANSWER_SIZE)
    if (length === HAND_OVER) length = handOver(loop, port, index)
    if (length === 0) continue
    addressAnswer(batch, answers, index, length)
    if (port.wildcard) answerFromAsked(batch, answers, index, family)
    answers++
  }
  traffic[RECEIVED]! += count
  traffic[ANSWERED]! += answers
  sendBatch(loop, port, answers)
}

/** The exchange sends what comes of it from this socket by itself. @returns octets of an answer for now */
function handOver({ handover, responder, traffic }: Loop, { fd, family, wildcard, batch, source }: Port, index: number): number {
  const at = queryAt(index)
  const to = { kind: 'socket', fd, name: nameOf(batch, index, family), control: wildcard ? askedAddress(batch, index, family) : NO_CONTROL } as const
  if (handover.offer(batch.bytes.slice(at, at + receivedLength(batch, index)), source, 'udp', to)) {
    traffic[HANDED_OVER]!++
    return 0
  }
  traffic[DECLINED]!++
  return responder.decline()
}

const NO_CONTROL = new Uint8Array(0)

function sendBatch({ system, traffic }: Loop, port: Port, count: number): void {
  let sent = 0
  let interrupted = 0
  while (sent < count) {
    const more = system.sendmmsg(port.fd, port.batch.sendHeaders + sent * 64, count - sent, 0)
    if (more > 0) {
      sent += more
    } else if (system.errno() === EINTR && interrupted++ < 16) {
      continue
    } else {
      // The first of what is left cannot be sent (no route, refused by a filter, or no room within the time-out): skip it alone.
      traffic[UNSENT]!++
      sent++
    }
  }
}
