import type { Places } from '../../geodb/index.ts'
import type { Source } from './place.ts'

// A look ahead at queries that have come together: each reads what the look-up of its client will wait for, and since none
// waits for another, memory answers all of them at once. A hint, and nothing goes by it. Under load an answer steered by random
// clients takes 0.15 µs less, of 6.

/** Octets of an EDNS option's head and of a client subnet's (RFC 7871 §6). */
const HEADS = 8

/**
 * Begins to read what finding the client of a query takes.
 * @returns what was read there, to be kept somewhere: what nobody uses need not be read
 */
export function lookAhead(places: Places, bytes: Uint8Array, end: number, { family, bytes: address, at }: Source): number {
  if (places.touch4 === undefined) return 0
  // Of an IPv4 subnet that is the last option of its query, as it mostly is.
  const octets = isSubnet(bytes, end, 3) ? 3 : isSubnet(bytes, end, 4) ? 4 : 0
  if (octets > 0) return places.touch4((bytes[end - octets]! << 8) | bytes[end - octets + 1]!)
  return family === 4 ? places.touch4((address[at]! << 8) | address[at + 1]!) : 0
}

function isSubnet(bytes: Uint8Array, end: number, octets: number): boolean {
  const at = end - octets - HEADS
  return at > 0 && bytes[at] === 0 && bytes[at + 1] === 8 && bytes[at + 2] === 0 && bytes[at + 3] === 4 + octets && bytes[at + 5] === 1
}
