import { closeSync, openSync, writeSync } from 'node:fs'

// The zones that every server is given.

export const BENCH_ZONE = 'bench.test'
export const MILLION_ZONE = 'million.test'
/** Records of the large zone beside those of its apex. */
export const MILLION = 1_000_000
/** Names that are answered by country. */
export const ROUTED_NAMES = 1000
/** www of the small zone: 192.0.2.1. */
export const STATIC_ADDRESS = 0xc0000201

/** Where the clients of a country are sent: 127.0.39.1 and so on. */
export const targetAddress = (country: number): number => 0x7f002701 + country
export const addressText = (address: number): string => [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255].join('.')

/** A label without pattern that no other member has: an odd factor maps 32 bits onto themselves one to one. */
export function memberLabel(member: number): string {
  const mixed = Math.imul(member + 1, 0x9e3779b1) >>> 0
  return ((mixed ^ (mixed >>> 15)) >>> 0).toString(36).padStart(7, '0')
}

/** The address of a member of the large zone: 10.0.0.0 and on. */
export const memberAddress = (member: number): number => 0x0a000000 + member

const head = (origin: string): string => `$ORIGIN ${origin}.\n$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 604800 60\n@ NS ns1\nns1 A 127.0.0.1\nwww A 192.0.2.1\n`

/** The small zone: one static name, and a record each for the routed names where a server keeps them in the zone. */
export function benchZone(routed?: string): string {
  const names = routed === undefined ? [] : Array.from({ length: ROUTED_NAMES }, (_, index) => `r${index} 20 ${routed}\n`)
  return head(BENCH_ZONE) + names.join('')
}

/** Writes the large zone to a file. */
export function writeMillionZone(file: string): void {
  const fd = openSync(file, 'w')
  writeSync(fd, head(MILLION_ZONE))
  const CHUNK = 20_000
  for (let from = 0; from < MILLION; from += CHUNK) {
    writeSync(fd, Array.from({ length: CHUNK }, (_, index) => `${memberLabel(from + index)} A ${addressText(memberAddress(from + index))}\n`).join(''))
  }
  closeSync(fd)
}
