import { CLASS, expandName, LONGEST_NAME, nameToText, pastName, RCODE, TYPE, typeToText } from '../wire/index.ts'
import { isRdata } from '../zone/index.ts'

/** A record of an UPDATE message; names uncompressed. */
export interface UpdateRecord {
  readonly owner: Uint8Array
  readonly type: number
  readonly class: number
  /** Seconds. */
  readonly ttl: number
  readonly rdata: Uint8Array
}

/** An UPDATE message (RFC 2136 §2) taken apart; its additional section is left alone. */
export interface UpdateMessage {
  readonly zone: { readonly name: Uint8Array; readonly type: number; readonly class: number }
  readonly prerequisites: readonly UpdateRecord[]
  readonly updates: readonly UpdateRecord[]
}

/** What stands in the way of a message, and the rcode that says so. */
export interface Malformed {
  readonly rcode: number
  readonly reason: string
}

interface Reader {
  readonly bytes: Uint8Array
  at: number
}

const HEADER_OCTETS = 12
/** Names in RDATA that a sender may have compressed: octets before the first, and how many (RFC 1035 §3.3, RFC 3597 §4). */
const COMPRESSIBLE: Readonly<Record<number, readonly [before: number, names: number]>> = {
  [TYPE.NS]: [0, 1], [TYPE.CNAME]: [0, 1], [TYPE.PTR]: [0, 1], [TYPE.DNAME]: [0, 1], [TYPE.SOA]: [0, 2], [TYPE.MINFO]: [0, 2], [TYPE.RP]: [0, 2],
  [TYPE.MX]: [2, 1], [TYPE.AFSDB]: [2, 1], [TYPE.RT]: [2, 1], [TYPE.KX]: [2, 1], [TYPE.SRV]: [6, 1]
}

/** Takes an UPDATE message apart: one zone, then prerequisites and updates, every RDATA such as its type has it. */
export function parseUpdate(bytes: Uint8Array): UpdateMessage | Malformed {
  const malformed = (reason: string): Malformed => ({ rcode: RCODE.FORMERR, reason })
  if (bytes.length < HEADER_OCTETS) return malformed('the message ends within its header')
  const count = (at: number): number => (bytes[at]! << 8) | bytes[at + 1]!
  if (count(4) !== 1) return malformed(`${count(4)} zones in the zone section`)
  const reader: Reader = { bytes, at: HEADER_OCTETS }
  const name = readName(reader)
  if (name === undefined || reader.at + 4 > bytes.length) return malformed('the zone section is cut short')
  const zone = { name, type: count(reader.at), class: count(reader.at + 2) }
  reader.at += 4
  const prerequisites = readRecords(reader, count(6))
  if (typeof prerequisites === 'string') return malformed(`prerequisites: ${prerequisites}`)
  const updates = readRecords(reader, count(8))
  if (typeof updates === 'string') return malformed(`updates: ${updates}`)
  return { zone, prerequisites, updates }
}

function readRecords(reader: Reader, count: number): UpdateRecord[] | string {
  const { bytes } = reader
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const records: UpdateRecord[] = []
  for (let left = count; left > 0; left--) {
    const owner = readName(reader)
    const at = reader.at
    if (owner === undefined || at + 10 > bytes.length) return `record ${records.length + 1} is cut short`
    const [type, length] = [view.getUint16(at), view.getUint16(at + 8)]
    const end = at + 10 + length
    if (end > bytes.length) return `record ${records.length + 1} runs past the message`
    reader.at = at + 10
    const rdata = readRdata(reader, type, end)
    const record = { owner, type, class: view.getUint16(at + 2), ttl: view.getUint32(at + 4), rdata: rdata ?? bytes.subarray(at + 10, end) }
    // What is deleted or asked for by type alone has no data.
    const isEmpty = length === 0 && record.class !== CLASS.IN
    if (!isEmpty && (rdata === undefined || (record.class !== CLASS.ANY && !isRdata(type, rdata)))) return `the data of ${nameToText(owner)} are no ${typeToText(type)}`
    records.push(record)
    reader.at = end
  }
  return records
}

/** RDATA without compression; undefined when a name in it is none. */
function readRdata(reader: Reader, type: number, end: number): Uint8Array | undefined {
  const { bytes } = reader
  const layout = COMPRESSIBLE[type]
  if (layout === undefined || reader.at === end) return bytes.slice(reader.at, end)
  const [before, names] = layout
  if (reader.at + before > end) return undefined
  const parts = [bytes.subarray(reader.at, reader.at + before)]
  reader.at += before
  for (let left = names; left > 0; left--) {
    const name = readName(reader)
    if (name === undefined || reader.at > end) return undefined
    parts.push(name)
  }
  parts.push(bytes.subarray(reader.at, end))
  return new Uint8Array(Buffer.concat(parts))
}

/** The name at reader.at, without its pointers. */
function readName(reader: Reader): Uint8Array | undefined {
  const out = new Uint8Array(LONGEST_NAME + 1)
  const length = expandName(reader.bytes, reader.at, out, 0)
  reader.at = pastName(reader.bytes, reader.at)
  return length === 0 || reader.at > reader.bytes.length ? undefined : out.slice(0, length)
}
