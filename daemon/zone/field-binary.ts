import { type Entry, refuse, tokenText } from './entry.ts'
import { expect, type Field, take, takeOctets, takeRest, write8 } from './field.ts'
import { hexDigit } from '../../core/address-text.ts'

/** Writes the hexadecimal digits of all tokens that are left; digits may be split between tokens at any place. */
export function readHex(entry: Entry, what: string): boolean {
  if (!expect(entry, what)) return false
  const { text, out } = entry
  let half = -1
  for (; entry.next < entry.count; entry.next++) {
    for (let at = entry.starts[entry.next]!; at < entry.ends[entry.next]!; at++) {
      const digit = hexDigit(text[at]!)
      if (digit < 0) return refuse(entry, entry.next, `${what}: expected hexadecimal digits, found ${tokenText(entry, entry.next)}`)
      if (half < 0) half = digit
      else {
        out[entry.write++] = half * 16 + digit
        half = -1
      }
    }
  }
  return half < 0 || refuse(entry, entry.count - 1, `${what}: an odd number of hexadecimal digits`)
}

/** Octets as upper-case hexadecimal digits. */
export function hexText(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('hex').toUpperCase()
}

export const hex: Field = {
  read: readHex,
  print: (data) => (data.at < data.end ? hexText(takeRest(data)) : undefined)
}

const BASE64 = new Int8Array(256).fill(-1)
for (const [value, character] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].entries()) BASE64[character.charCodeAt(0)] = value

/** Reads base64 (RFC 4648 §4, with its padding) up to token `end`; it may be split between tokens. */
export function readBase64(entry: Entry, what: string, end: number): boolean {
  if (!expect(entry, what)) return false
  let bits = 0
  let held = 0
  let digits = 0
  let padding = 0
  for (; entry.next < end; entry.next++) {
    for (let at = entry.starts[entry.next]!; at < entry.ends[entry.next]!; at++) {
      const octet = entry.text[at]!
      const value = BASE64[octet]!
      digits++
      if (octet === 0x3d) padding++
      else if (value < 0 || padding > 0) return refuse(entry, entry.next, `${what}: expected base64, found ${tokenText(entry, entry.next)}`)
      else {
        bits = ((bits << 6) | value) & 0xfff
        held += 6
        if (held >= 8) {
          held -= 8
          entry.out[entry.write++] = (bits >>> held) & 0xff
        }
      }
    }
  }
  if (digits % 4 === 0 && padding <= 2) return true
  return refuse(entry, end - 1, `${what}: base64 comes in groups of four characters, the last one filled up with =`)
}

export const base64: Field = {
  read: (entry, what) => readBase64(entry, what, entry.count),
  print: (data) => {
    const rest = takeRest(data)
    return rest.length === 0 ? undefined : Buffer.from(rest.buffer, rest.byteOffset, rest.length).toString('base64')
  }
}

const BASE32 = '0123456789abcdefghijklmnopqrstuv'

/** A hashed owner name of NSEC3: base32 with the extended hex alphabet, no padding, behind its length (RFC 5155 §3.3). */
export const base32: Field = {
  read: (entry, what) => {
    if (!expect(entry, what)) return false
    const token = entry.next++
    const start = entry.write++
    let bits = 0
    let held = 0
    for (let at = entry.starts[token]!; at < entry.ends[token]!; at++) {
      const value = BASE32.indexOf(String.fromCharCode(entry.text[at]!).toLowerCase())
      if (value < 0) return refuse(entry, token, `${what}: expected base32 (0-9, A-V), found ${tokenText(entry, token)}`)
      bits = ((bits << 5) | value) & 0xfff
      held += 5
      if (held < 8) continue
      held -= 8
      entry.out[entry.write++] = (bits >>> held) & 0xff
    }
    const length = entry.write - start - 1
    if (length === 0 || length > 255 || held >= 5) return refuse(entry, token, `${what}: this base32 does not end at an octet`)
    entry.out[start] = length
    return true
  },
  print: (data) => {
    const length = take(data, 1)
    const octets = length === undefined ? undefined : takeOctets(data, length)
    if (octets === undefined || octets.length === 0) return undefined
    let text = ''
    let bits = 0
    let held = 0
    for (const octet of octets) {
      bits = ((bits << 8) | octet) & 0xffff
      for (held += 8; held >= 5; ) text += BASE32[(bits >>> (held -= 5)) & 31]
    }
    return (held > 0 ? text + BASE32[(bits << (5 - held)) & 31] : text).toUpperCase()
  }
}

/** The salt of NSEC3: hexadecimal digits behind their length, or - for none (RFC 5155 §3.3). */
export const salt: Field = {
  read: (entry, what) => {
    if (!expect(entry, what)) return false
    const token = entry.next++
    const text = tokenText(entry, token)
    const start = entry.starts[token]!
    const digits = text === '-' ? 0 : entry.ends[token]! - start
    if (digits % 2 === 1 || digits > 510) return refuse(entry, token, `expected ${what}, up to 255 octets in hexadecimal digits or -, found ${text}`)
    write8(entry, digits / 2)
    for (let at = 0; at < digits; at += 2) {
      const value = hexDigit(entry.text[start + at]!) * 16 + hexDigit(entry.text[start + at + 1]!)
      if (hexDigit(entry.text[start + at]!) < 0 || hexDigit(entry.text[start + at + 1]!) < 0) {
        return refuse(entry, token, `expected ${what}, hexadecimal digits or -, found ${text}`)
      }
      write8(entry, value)
    }
    return true
  },
  print: (data) => {
    const length = take(data, 1)
    const octets = length === undefined ? undefined : takeOctets(data, length)
    return octets === undefined ? undefined : octets.length === 0 ? '-' : hexText(octets)
  }
}

/** Octets of the digests of DS, by the digest type that stands before them: SHA-1, SHA-256, GOST, SHA-384. */
const DIGESTS: Readonly<Record<number, number>> = { 1: 20, 2: 32, 3: 32, 4: 48 }

export const digest: Field = {
  read: (entry, what) => {
    const start = entry.write
    const wanted = DIGESTS[entry.out[start - 1]!]
    const token = entry.next
    if (!readHex(entry, what)) return false
    const length = entry.write - start
    if (wanted === undefined || wanted === length) return true
    return refuse(entry, token, `${what}: digest type ${entry.out[start - 1]} has ${wanted} octets, found ${length}`)
  },
  print: (data) => {
    const wanted = DIGESTS[data.octets[data.at - 1]!]
    const rest = takeRest(data)
    return rest.length > 0 && (wanted ?? rest.length) === rest.length ? hexText(rest) : undefined
  }
}
