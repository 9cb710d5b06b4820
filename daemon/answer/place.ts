import { NOWHERE, type Places } from '../../geodb/index.ts'
import type { Exchange } from './send.ts'

/** Where a query came from. */
export interface Source {
  readonly family: 4 | 6
  /** 4 or 16 octets from `at`. */
  readonly bytes: Uint8Array
  readonly at: number
}

/** Where the client is: by its subnet when the query has one, else by the address it came from. Sets the scope the answer will hold for. */
export function placeOf(exchange: Exchange, places: Places, source: Source): number {
  const { query, bytes, address } = exchange
  // A source prefix of 0 asks us to look at no address but the resolver's, and holds for everybody (RFC 7871 §7.1.2).
  if (query.subnetAt === 0 || query.subnetSource === 0) return placeOfResolver(places, source)
  const { subnetAt, subnetOctets } = query
  const octets = query.subnetFamily === 1 ? 4 : 16
  for (let octet = 0; octet < octets; octet++) address[octet] = octet < subnetOctets ? bytes[subnetAt + 4 + octet]! : 0
  const found = placeOfAddress(places, query.subnetFamily === 1 ? 4 : 6, address, 0)
  exchange.scope = found & 0xff
  return found >>> 8
}

/** A resolver that is known stands for its clients, wherever it is itself. */
function placeOfResolver(places: Places, { family, bytes, at }: Source): number {
  if (places.resolvers !== undefined) {
    const known = placeOfAddress(places.resolvers, family, bytes, at) >>> 8
    if (known !== NOWHERE) return known
  }
  return placeOfAddress(places, family, bytes, at) >>> 8
}

function placeOfAddress(places: Pick<Places, 'find4' | 'find6'>, family: 4 | 6, bytes: Uint8Array, at: number): number {
  if (family === 6) return places.find6(bytes, at)
  return places.find4(((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0)
}

/** xorshift32: good enough to share out answers, and without allocation: 32 bits with a sign. */
export function nextRandom(state: Int32Array): number {
  let x = state[0]!
  x ^= x << 13
  x ^= x >>> 17
  x ^= x << 5
  state[0] = x
  return x
}
