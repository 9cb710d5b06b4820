import { mix } from './draw.ts'

// Clients as sticky choices tell them apart: by no longer prefixes than these, whatever a resolver tells of them (RFC 7871 §11.1).

const PREFIX4 = 24
const PREFIX6 = 56

/** How many bits of a client subnet of that family a choice goes by; the answer holds for no wider a network. */
export const keyLength = (family: 4 | 6): number => (family === 4 ? PREFIX4 : PREFIX6)

/** 32 bits of the network of a client subnet. @param octets how many of its address there are from `at`; those past them are zero */
export function subnetKey(bytes: Uint8Array, at: number, octets: number, family: 4 | 6): number {
  const length = keyLength(family) >>> 3
  return hashOctets(bytes, at, Math.min(octets, length), length)
}

/** 32 bits of the address that a query without a client subnet came from. */
export function addressKey(bytes: Uint8Array, at: number, family: 4 | 6): number {
  return hashOctets(bytes, at, family === 4 ? 4 : 16, 16)
}

/** Of so many octets, those past `count` being zero. */
function hashOctets(bytes: Uint8Array, at: number, count: number, octets: number): number {
  let hash = octets
  for (let word = 0; word < octets; word += 4) {
    let value = 0
    for (let octet = word; octet < word + 4; octet++) value = (value << 8) | (octet < count ? bytes[at + octet]! : 0)
    hash = mix(Math.imul(hash, 0x9e3779b1) ^ value)
  }
  return hash
}
