import { LONGEST_NAME } from './name.ts'
import { TYPE_ROWS } from './types.ts'
import { expandName, pastName } from './unpack.ts'

/** A message read whole, names uncompressed and in the case they came in. For what is rare: queries go by `parseQuery`. */
export interface Message {
  readonly id: number
  readonly isReply: boolean
  readonly opcode: number
  readonly isAuthoritative: boolean
  readonly isTruncated: boolean
  /** Its lower four bits, without what an OPT adds. */
  readonly rcode: number
  readonly questions: readonly Question[]
  readonly answers: readonly MessageRecord[]
  readonly authorities: readonly MessageRecord[]
  readonly additionals: readonly MessageRecord[]
}

export interface Question {
  readonly name: Uint8Array
  readonly type: number
  readonly class: number
}

export interface MessageRecord {
  readonly owner: Uint8Array
  readonly type: number
  readonly class: number
  readonly ttl: number
  /** Without compression, whatever the type allows (RFC 3597 §4). */
  readonly rdata: Uint8Array
}

/** Octets that fields of a fixed size take. */
const WIDTH: Readonly<Record<string, number>> = { u8: 1, u16: 2, u32: 4, ttl: 4, time: 4, algorithm: 1, type: 2 }

/** Types without a row whose RDATA may come with compressed names all the same (RFC 1035, RFC 2163, RFC 2535). */
const OLD_FIELDS: Readonly<Record<number, string>> = {
  3: 'name', 4: 'name', 7: 'name', 8: 'name', 9: 'name', 24: 'type algorithm u8 ttl time time u16 name', 26: 'u16 name name', 30: 'name'
}

const NAME = 0
const STRING = -1

function stepsOf(kinds: readonly string[]): number[] {
  const last = kinds.findLastIndex((kind) => kind.endsWith('name'))
  return kinds.slice(0, last + 1).map((kind) => (kind.endsWith('name') ? NAME : kind === 'string' ? STRING : WIDTH[kind]!))
}

/** Per type, the steps through its RDATA up to its last name: octets to copy, STRING or NAME. Types without names have none. */
const STEPS: ReadonlyMap<number, readonly number[]> = new Map([
  ...TYPE_ROWS.map(({ number, fields }) => [number, stepsOf(fields.split(' ').map((field) => field.split(':')[1]!))] as const),
  ...Object.entries(OLD_FIELDS).map(([number, fields]) => [Number(number), stepsOf(fields.split(' '))] as const)
])

/** Reads a message; undefined when its octets are none, or others follow it. */
export function readMessage(bytes: Uint8Array): Message | undefined {
  if (bytes.length < 12) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const cursor: Cursor = { bytes, view, at: 12, scratch: new Uint8Array(LONGEST_NAME) }
  const questions: Question[] = []
  for (let left = view.getUint16(4); left > 0; left--) {
    const name = takeName(cursor)
    if (name === undefined || cursor.at + 4 > bytes.length) return undefined
    questions.push({ name, type: view.getUint16(cursor.at), class: view.getUint16(cursor.at + 2) })
    cursor.at += 4
  }
  const answers = takeRecords(cursor, view.getUint16(6))
  const authorities = answers === undefined ? undefined : takeRecords(cursor, view.getUint16(8))
  const additionals = authorities === undefined ? undefined : takeRecords(cursor, view.getUint16(10))
  if (additionals === undefined || cursor.at !== bytes.length) return undefined
  const [high, low] = [bytes[2]!, bytes[3]!]
  return {
    id: view.getUint16(0), isReply: high >= 0x80, opcode: (high >>> 3) & 15, isAuthoritative: (high & 4) !== 0, isTruncated: (high & 2) !== 0, rcode: low & 15,
    questions, answers: answers!, authorities: authorities!, additionals
  }
}

interface Cursor {
  readonly bytes: Uint8Array
  readonly view: DataView
  at: number
  readonly scratch: Uint8Array
}

function takeName(cursor: Cursor): Uint8Array | undefined {
  const { bytes, at, scratch } = cursor
  const length = expandName(bytes, at, scratch, 0)
  if (length === 0) return undefined
  cursor.at = pastName(bytes, at)
  return scratch.slice(0, length)
}

function takeRecords(cursor: Cursor, count: number): MessageRecord[] | undefined {
  const { bytes, view } = cursor
  const records: MessageRecord[] = []
  for (let left = count; left > 0; left--) {
    const owner = takeName(cursor)
    const fixed = cursor.at
    if (owner === undefined || fixed + 10 > bytes.length) return undefined
    const type = view.getUint16(fixed)
    const end = fixed + 10 + view.getUint16(fixed + 8)
    const rdata = end > bytes.length ? undefined : expandRdata(bytes, fixed + 10, end, STEPS.get(type) ?? [])
    if (rdata === undefined) return undefined
    records.push({ owner, type, class: view.getUint16(fixed + 2), ttl: view.getUint32(fixed + 4), rdata })
    cursor.at = end
  }
  return records
}

/** The RDATA in bytes[from, end) without compression; undefined when its names or strings do not fit. */
function expandRdata(bytes: Uint8Array, from: number, end: number, steps: readonly number[]): Uint8Array | undefined {
  // Empty RDATA stands in updates and in transfers of nothing; whether it suits the type is not judged here.
  if (steps.length === 0 || from === end) return new Uint8Array(bytes.subarray(from, end))
  const out = new Uint8Array(end - from + LONGEST_NAME * steps.length)
  let read = from
  let write = 0
  for (const step of steps) {
    if (step === NAME) {
      const past = pastName(bytes, read)
      const length = past > end ? 0 : expandName(bytes, read, out, write)
      if (length === 0) return undefined
      read = past
      write += length
      continue
    }
    const octets = step === STRING ? 1 + (bytes[read] ?? 0) : step
    if (read + octets > end) return undefined
    out.set(bytes.subarray(read, read + octets), write)
    read += octets
    write += octets
  }
  out.set(bytes.subarray(read, end), write)
  return out.slice(0, write + end - read)
}
