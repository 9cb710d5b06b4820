import { encodeName, escaped, lowerOctet } from '../wire/name.ts'
import { type Entry, refuse, tokenText } from './entry.ts'

/** One kind of RDATA field: text to octets and back. */
export interface Field {
  /** Reads tokens from entry.next on and writes their octets at entry.write; false with entry.wrong set. `what` names the field. */
  read(entry: Entry, what: string): boolean
  /** The text of the octets at data.at, which moves on; undefined when they are no such field. */
  print(data: Data): string | undefined
}

/** RDATA being printed. */
export interface Data {
  readonly octets: Uint8Array
  at: number
  readonly end: number
}

/** RFC 2181 §8 */
export const LONGEST_TTL = 0x7fff_ffff

/** Whether a token is left; when not, the entry is refused. */
export function expect(entry: Entry, what: string): boolean {
  return entry.next < entry.count || refuse(entry, entry.count, `ends where ${what} is expected`)
}

/** The next token as a whole number up to `most`, or -1 with the entry refused. */
export function readNumber(entry: Entry, what: string, most: number): number {
  if (!expect(entry, what)) return -1
  const token = entry.next++
  const value = plainNumber(entry, token, most)
  if (value < 0) refuse(entry, token, `expected ${what}, a number from 0 to ${most}, found ${tokenText(entry, token)}`)
  return value
}

/** A token of digits as a number up to `most`, or -1. */
export function plainNumber(entry: Entry, token: number, most: number): number {
  const { text, starts, ends } = entry
  const end = ends[token]!
  let value = 0
  let at = starts[token]!
  if (at === end) return -1
  for (; at < end; at++) {
    const digit = text[at]! - 48
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
    if (value > most) return -1
  }
  return value
}

/** Seconds of a token such as 3600 or 1h30m, or -1; NaN never. Above `most` it is -2. */
export function plainDuration(entry: Entry, token: number, most: number): number {
  const { text, starts, ends } = entry
  const end = ends[token]!
  let total = 0
  let value = -1
  for (let at = starts[token]!; at < end; at++) {
    const octet = text[at]!
    if (octet >= 48 && octet <= 57) {
      value = Math.max(value, 0) * 10 + octet - 48
      if (value > most) return -2
      continue
    }
    const unit = UNITS[octet | 0x20] ?? 0
    if (unit === 0 || value < 0) return -1
    total += value * unit
    value = -1
  }
  total += Math.max(value, 0)
  return total > most ? -2 : total
}

const UNITS: Readonly<Record<number, number>> = { 0x73: 1, 0x6d: 60, 0x68: 3600, 0x64: 86_400, 0x77: 604_800 }

/**
 * Writes the name of a token at entry.write, which moves on, and notes in entry.doubled when a name without final dot ends in the zone's
 * own name, so that it ends in it twice.
 * @returns the octets written, or a negative code for `nameFault`
 */
export function readName(entry: Entry, token: number): number {
  const { text, origin, zone, out, write } = entry
  const end = entry.ends[token]!
  const length = encodeName(text, entry.starts[token]!, end, origin, out, write)
  if (length < 0) return length
  entry.write = write + length
  if (!entry.ascii && text.subarray(entry.starts[token], end).some((octet) => octet > 127)) entry.foreign = token
  if (zone !== undefined && origin !== undefined && text[end - 1] !== 0x2e && endsInZone(out, write + length - origin.length, write, zone)) entry.doubled = token
  return length
}

/** Whether the labels in octets[from, to) end in those of the zone; of a zone with one label, only below it. */
function endsInZone(octets: Uint8Array, to: number, from: number, zone: Uint8Array): boolean {
  const labels = zone.length - 1
  if (labels === 0 || to - from < labels || (to - from === labels && zone[0] === labels - 1)) return false
  for (let back = 1; back <= labels; back++) if (lowerOctet(octets[to - back]!) !== lowerOctet(zone[labels - back]!)) return false
  return true
}

/** Writes the octets of a token, escapes read, to out[at…]; -1 on a broken escape. Returns how many. */
export function copyToken(entry: Entry, token: number, at: number): number {
  const { text, out } = entry
  const end = entry.ends[token]!
  let write = at
  for (let read = entry.starts[token]!; read < end; ) {
    let octet = text[read++]!
    if (octet === 0x5c) {
      octet = escaped(text, read, end)
      if (octet < 0) return -1
      read += text[read]! >= 48 && text[read]! <= 57 ? 3 : 1
    }
    out[write++] = octet
  }
  return write - at
}

export function write8(entry: Entry, value: number): void {
  entry.out[entry.write++] = value
}

export function write16(entry: Entry, value: number): void {
  entry.out[entry.write++] = value >>> 8
  entry.out[entry.write++] = value & 0xff
}

export function write32(entry: Entry, value: number): void {
  write16(entry, value >>> 16)
  write16(entry, value & 0xffff)
}

/** An unsigned number of that many octets, or undefined when there are fewer left. */
export function take(data: Data, octets: 1 | 2 | 4): number | undefined {
  if (data.at + octets > data.end) return undefined
  let value = 0
  for (let count = 0; count < octets; count++) value = value * 256 + data.octets[data.at++]!
  return value
}

/** The next octets, or undefined when there are fewer left. */
export function takeOctets(data: Data, count: number): Uint8Array | undefined {
  if (data.at + count > data.end) return undefined
  data.at += count
  return data.octets.subarray(data.at - count, data.at)
}

/** All octets that are left. */
export function takeRest(data: Data): Uint8Array {
  const rest = data.octets.subarray(data.at, data.end)
  data.at = data.end
  return rest
}

/** A field of a fixed-size number. */
export function numberField(octets: 1 | 2 | 4): Field {
  const most = 256 ** octets - 1
  const writer = octets === 1 ? write8 : octets === 2 ? write16 : write32
  return {
    read: (entry, what) => {
      const value = readNumber(entry, what, most)
      if (value >= 0) writer(entry, value)
      return value >= 0
    },
    print: (data) => take(data, octets)?.toString()
  }
}

/** Octets in quotation marks, escaped so that they read back as they are. */
export function quote(octets: Uint8Array): string {
  let text = '"'
  for (const octet of octets) {
    if (octet < 0x20 || octet > 0x7e) text += `\\${String(octet).padStart(3, '0')}`
    else if (octet === 0x22 || octet === 0x5c) text += `\\${String.fromCharCode(octet)}`
    else text += String.fromCharCode(octet)
  }
  return `${text}"`
}
