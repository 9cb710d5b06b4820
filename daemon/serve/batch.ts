import type { NativeMemory, System } from './system.ts'

// The memory of one thread's UDP traffic: message headers as recvmmsg and sendmmsg read them, and the octets they point to.
//
//   struct mmsghdr (64)   0 name*  8 namelen  16 iov*  24 iovlen  32 control*  40 controllen  48 flags  56 msg_len
//   struct iovec   (16)   0 base*  8 len

/** Datagrams received by one call. */
export const BATCH = 64
/** Octets of a query that are read; what is longer is no query we know of and arrives cut. */
export const QUERY_SIZE = 2048
/** Room for an answer over UDP: as much as `dns.payload` may be at most. */
export const ANSWER_SIZE = 1400

const HEADER = 64
const VECTOR = 16
const NAME = 32
const CONTROL = 64
// An odd number of cache lines each, so that slots of equal offset do not fall into the same cache set.
const QUERY_STRIDE = 2112
const ANSWER_STRIDE = 1472

/** Where things lie in `bytes`, and the same memory in 32-bit words (index = octets / 4). */
export interface Batch {
  readonly memory: NativeMemory
  readonly bytes: Uint8Array
  readonly words: Uint32Array
  /** Addresses of the first header, for the system. */
  readonly receiveHeaders: number
  readonly sendHeaders: number
}

const RECEIVE_HEADERS = 0
const SEND_HEADERS = RECEIVE_HEADERS + BATCH * HEADER
const RECEIVE_VECTORS = SEND_HEADERS + BATCH * HEADER
const SEND_VECTORS = RECEIVE_VECTORS + BATCH * VECTOR
const NAMES = SEND_VECTORS + BATCH * VECTOR
const CONTROLS = NAMES + BATCH * NAME
const QUERIES = CONTROLS + BATCH * CONTROL
const ANSWERS = QUERIES + BATCH * QUERY_STRIDE
const TOTAL = ANSWERS + BATCH * ANSWER_STRIDE

export const queryAt = (index: number): number => QUERIES + index * QUERY_STRIDE
export const answerAt = (index: number): number => ANSWERS + index * ANSWER_STRIDE
export const nameAt = (index: number): number => NAMES + index * NAME
export const controlAt = (index: number): number => CONTROLS + index * CONTROL

/** Lays out the memory for sockets of one family. */
export function makeBatch(system: System, options: { family: 4 | 6; packetInfo: boolean }): Batch {
  const memory = system.alloc(TOTAL)
  const { bytes } = memory
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, TOTAL / 4)
  const pointer = (at: number, target: number): void => {
    words[at / 4] = (memory.address + target) >>> 0
    words[at / 4 + 1] = Math.floor((memory.address + target) / 2 ** 32)
  }
  for (let index = 0; index < BATCH; index++) {
    const receive = RECEIVE_HEADERS + index * HEADER
    const send = SEND_HEADERS + index * HEADER
    for (const [header, vector, data] of [[receive, RECEIVE_VECTORS, queryAt(index)], [send, SEND_VECTORS, answerAt(index)]] as const) {
      pointer(header, nameAt(index))
      words[header / 4 + 2] = options.family === 4 ? 16 : 28
      pointer(header + 16, vector + index * VECTOR)
      words[header / 4 + 6] = 1
      pointer(vector + index * VECTOR, data)
    }
    words[(RECEIVE_VECTORS + index * VECTOR) / 4 + 2] = QUERY_SIZE
    if (options.packetInfo) pointer(receive + 32, controlAt(index))
  }
  return { memory, bytes, words, receiveHeaders: memory.address + RECEIVE_HEADERS, sendHeaders: memory.address + SEND_HEADERS }
}

/** The kernel writes back how much of the control space it used: gives the first `count` headers all of it again. */
export function resetControls(batch: Batch, count: number): void {
  for (let index = 0; index < count; index++) batch.words[(RECEIVE_HEADERS + index * HEADER) / 4 + 10] = CONTROL
}

/** Octets of query `index` of the batch just received. */
export function receivedLength(batch: Batch, index: number): number {
  return batch.words[(RECEIVE_HEADERS + index * HEADER) / 4 + 14]!
}

/** Makes slot `slot` of the next send an answer of `length` octets to the sender of query `index`. */
export function addressAnswer(batch: Batch, slot: number, index: number, length: number): void {
  const { words, memory } = batch
  words[(SEND_VECTORS + slot * VECTOR) / 4 + 2] = length
  // Queries that get no answer leave a gap: from there on slots and queries are no longer the same.
  const name = memory.address + nameAt(index)
  const header = (SEND_HEADERS + slot * HEADER) / 4
  words[header] = name
  words[header + 1] = name / 2 ** 32
}

/**
 * Makes the answer in `slot` leave from the address that query `index` was sent to (IP_PKTINFO, IPV6_PKTINFO). The
 * interface is left to the routes, except that a link-local address has no meaning without one.
 */
export function answerFromAsked(batch: Batch, slot: number, index: number, family: 4 | 6): void {
  const { bytes, words, memory } = batch
  const header = (SEND_HEADERS + slot * HEADER) / 4
  const used = words[(RECEIVE_HEADERS + index * HEADER) / 4 + 10]!
  const control = controlAt(index)
  const info = control + 16
  if (used === 0) {
    words[header + 10] = 0
    return
  }
  if (mayLoseInterface(bytes, info, family)) words[family === 4 ? info / 4 : info / 4 + 4] = 0
  const at = memory.address + control
  words[header + 8] = at
  words[header + 9] = at / 2 ** 32
  words[header + 10] = family === 4 ? 32 : 40
}

/** A copy of the address that query `index` came from, as the system has it. */
export function nameOf({ bytes }: Batch, index: number, family: 4 | 6): Uint8Array {
  return bytes.slice(nameAt(index), nameAt(index) + (family === 4 ? 16 : 28))
}

/** A copy of the control data that makes an answer leave from the address that query `index` was sent to. */
export function askedAddress(batch: Batch, index: number, family: 4 | 6): Uint8Array {
  const { bytes, words } = batch
  if (words[(RECEIVE_HEADERS + index * HEADER) / 4 + 10] === 0) return new Uint8Array(0)
  const control = bytes.slice(controlAt(index), controlAt(index) + (family === 4 ? 32 : 40))
  if (mayLoseInterface(control, 16, family)) control.fill(0, family === 4 ? 16 : 32, family === 4 ? 20 : 36)
  return control
}

/** Only a link-local address has no meaning without its interface. */
function mayLoseInterface(bytes: Uint8Array, info: number, family: 4 | 6): boolean {
  return family === 4 || bytes[info] !== 0xfe || (bytes[info + 1]! & 0xc0) !== 0x80
}
