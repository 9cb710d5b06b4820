import { formatAddress, maskBytes, type Address } from '../../core/address.ts'
import { CLASS, nameToText, TYPE, TYPE_ROWS, typeToText } from '../wire/index.ts'
import { rdataToText } from '../zone/index.ts'
import type { Explanation } from './api.ts'

// A question as a resolver would send it, and its reply as text.

const OPTION = { SUBNET: 8, ERROR: 15 } as const
const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED']

/** A query in class IN whose client subnet (RFC 7871) is the whole address. */
export function writeQuery(name: Uint8Array, type: number, from: Address): Uint8Array {
  const subnet = [0, OPTION.SUBNET, 0, 4 + from.bytes.length, 0, from.family === 4 ? 1 : 2, from.bytes.length * 8, 0, ...from.bytes]
  const opt = [0, 0, TYPE.OPT, 1232 >> 8, 1232 & 0xff, 0, 0, 0, 0, 0, subnet.length, ...subnet]
  return Uint8Array.from([0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, ...name, type >> 8, type & 0xff, 0, CLASS.IN, ...opt])
}

/** What a reply says. Throws when it is no DNS message. */
export function readReply(reply: Uint8Array): Explanation['answer'] {
  const message = new DataView(reply.buffer, reply.byteOffset, reply.length)
  const flags = message.getUint16(2)
  const counts = [4, 6, 8, 10].map((at) => message.getUint16(at))
  let at = 12
  for (let question = 0; question < counts[0]!; question++) at = expandName(reply, at).next + 4
  let rcode = flags & 15
  let scope: string | undefined
  let extendedError: string | undefined
  const section = (count: number): ReadRecord[] =>
    Array.from({ length: count }, () => {
      const record = readRecord(reply, message, at)
      at = record.next
      return record
    })
  const answers = section(counts[1]!)
  const authorities = section(counts[2]!)
  for (const record of section(counts[3]!)) {
    if (record.type !== TYPE.OPT) continue
    rcode |= (record.ttl >>> 24) << 4
    for (const { code, data } of optionsOf(record.rdata)) {
      if (code === OPTION.SUBNET) scope = showScope(data)
      if (code === OPTION.ERROR) extendedError = showError(data)
    }
  }
  return {
    rcode: RCODES[rcode] ?? `RCODE${rcode}`,
    authoritative: (flags & 0x0400) !== 0,
    answers: answers.map((record) => record.text),
    authorities: authorities.map((record) => record.text),
    ...(answers.length === 0 ? {} : { ttl: Math.min(...answers.map((record) => record.ttl)) }),
    ...(scope === undefined ? {} : { scope }),
    ...(extendedError === undefined ? {} : { extendedError })
  }
}

interface ReadRecord {
  readonly type: number
  readonly ttl: number
  readonly rdata: Uint8Array
  readonly text: string
  readonly next: number
}

function readRecord(reply: Uint8Array, message: DataView, at: number): ReadRecord {
  const owner = expandName(reply, at)
  const type = message.getUint16(owner.next)
  const ttl = message.getUint32(owner.next + 4)
  const start = owner.next + 10
  const next = start + message.getUint16(owner.next + 8)
  const rdata = type === TYPE.OPT ? reply.slice(start, next) : expandRdata(reply, type, start, next)
  const text = type === TYPE.OPT ? '' : `${nameToText(owner.name)} ${ttl} ${typeToText(type)} ${rdataToText(type, rdata)}`
  return { type, ttl, rdata, text, next }
}

const SIZES: Readonly<Record<string, number>> = { u8: 1, u16: 2, u32: 4, ttl: 4 }

/** RDATA with its names whole: only those of kind `name` may be compressed (RFC 3597 §4), and fields of fixed size stand before them. */
function expandRdata(reply: Uint8Array, type: number, start: number, end: number): Uint8Array {
  const kinds = TYPE_ROWS.find((row) => row.number === type)?.fields.split(' ').map((field) => field.split(':')[1]!) ?? []
  const parts: number[] = []
  let at = start
  for (const kind of kinds) {
    if (kind === 'name') {
      const { name, next } = expandName(reply, at)
      parts.push(...name)
      at = next
    } else if (kind in SIZES) {
      parts.push(...reply.subarray(at, at + SIZES[kind]!))
      at += SIZES[kind]!
    } else break
  }
  return Uint8Array.from([...parts, ...reply.subarray(at, end)])
}

/** The name at `at` without compression (RFC 1035 §4.1.4), and where what follows it stands. */
function expandName(reply: Uint8Array, at: number): { name: Uint8Array; next: number } {
  const name: number[] = []
  let read = at
  let next: number | undefined
  while (name.length < 255) {
    const length = reply[read]
    if (length === undefined) break
    if (length >= 0xc0) {
      next ??= read + 2
      // Pointers lead backwards, so that they come to an end.
      const target = ((length & 0x3f) << 8) | (reply[read + 1] ?? 0)
      if (target >= read) break
      read = target
      continue
    }
    name.push(...reply.subarray(read, read + length + 1))
    read += length + 1
    if (length === 0) return { name: Uint8Array.from(name), next: next ?? read }
  }
  throw new Error('the reply holds a name that is none')
}

function* optionsOf(rdata: Uint8Array): Generator<{ code: number; data: Uint8Array }> {
  for (let at = 0; at + 4 <= rdata.length; ) {
    const length = (rdata[at + 2]! << 8) | rdata[at + 3]!
    yield { code: (rdata[at]! << 8) | rdata[at + 1]!, data: rdata.subarray(at + 4, at + 4 + length) }
    at += 4 + length
  }
}

function showScope(data: Uint8Array): string {
  const whole = new Uint8Array(data[1] === 1 ? 4 : 16)
  whole.set(data.subarray(4, 4 + whole.length))
  return `${formatAddress(maskBytes(whole, data[3]!))}/${data[3]!}`
}

function showError(data: Uint8Array): string {
  const text = new TextDecoder().decode(data.subarray(2))
  const code = ((data[0] ?? 0) << 8) | (data[1] ?? 0)
  return text === '' ? `extended error ${code}` : text
}
