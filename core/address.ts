import { Address6 } from 'ip-address'

/** An IP address: 4 or 16 octets in network order. */
export interface Address {
  readonly family: 4 | 6
  readonly bytes: Uint8Array
}

/** An address prefix; the bits past `length` are zero. */
export interface Prefix extends Address {
  readonly length: number
}

/** Reads `192.0.2.1` or `2001:db8::1`; undefined for anything else (zone indexes, prefixes and octal parts included). */
export function parseAddress(text: string): Address | undefined {
  if (text.includes('/') || text.includes('%')) return undefined
  if (text.includes(':')) {
    if (!Address6.isValid(text)) return undefined
    const bytes = new Uint8Array(16)
    const raw = new Address6(text).toUnsignedByteArray()
    bytes.set(raw.slice(-16), 16 - Math.min(16, raw.length))
    return { family: 6, bytes }
  }
  const bytes = new Uint8Array(4)
  return readIpv4(text, bytes) ? { family: 4, bytes } : undefined
}

/** By hand: it is done for every TCP connection, and for every datagram where there are no batched calls. */
function readIpv4(text: string, bytes: Uint8Array): boolean {
  let part = 0
  let value = -1
  for (let at = 0; at <= text.length; at++) {
    const digit = text.charCodeAt(at) - 48
    if (digit >= 0 && digit <= 9) {
      // No part has more digits than it needs: 010 would be 8 to some.
      if (value === 0) return false
      value = value < 0 ? digit : value * 10 + digit
      if (value > 255) return false
    } else {
      if (value < 0 || (at < text.length && text[at] !== '.') || part === 4) return false
      bytes[part++] = value
      value = -1
    }
  }
  return part === 4
}

/** Reads `192.0.2.0/24`, or an address alone as a prefix of one; undefined when it is neither or has host bits set. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf('/')
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash))
  if (address === undefined) return undefined
  const longest = address.family === 4 ? 32 : 128
  if (slash < 0) return { ...address, length: longest }
  const digits = text.slice(slash + 1)
  const length = Number(digits)
  if (!/^\d{1,3}$/.test(digits) || length > longest) return undefined
  const bytes = maskBytes(address.bytes, length)
  return bytes.every((byte, at) => byte === address.bytes[at]) ? { family: address.family, bytes, length } : undefined
}

/** A copy of `bytes` with every bit past the first `length` cleared. */
export function maskBytes(bytes: Uint8Array, length: number): Uint8Array {
  return bytes.map((byte, at) => {
    const kept = Math.min(8, Math.max(0, length - at * 8))
    return byte & (0xff << (8 - kept))
  })
}

/** The usual text of an address; IPv6 compressed and in lower case (RFC 5952). */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  return Address6.fromUnsignedByteArray([...bytes]).correctForm()
}

/** The four octets of an IPv4 address as an unsigned number. */
export function ipv4Number(bytes: Uint8Array, at = 0): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}
