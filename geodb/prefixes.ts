import type { Prefix } from '../core/address.ts'

/** Prefixes of one family, packed: a list may have a million. */
export interface Prefixes {
  count: number
  /** Words of an address: 1 for IPv4, 4 for IPv6. */
  readonly width: 1 | 4
  /** First addresses, `width` words each. */
  starts: Uint32Array
  lengths: Uint8Array
}

/** Prefixes of both families, in no order; one may stand in it twice. */
export interface PrefixList {
  readonly v4: Prefixes
  readonly v6: Prefixes
}

const FEWEST = 16

export function makePrefixes(width: 1 | 4): Prefixes {
  return { count: 0, width, starts: new Uint32Array(FEWEST * width), lengths: new Uint8Array(FEWEST) }
}

export function makePrefixList(): PrefixList {
  return { v4: makePrefixes(1), v6: makePrefixes(4) }
}

export function prefixListOf(prefixes: readonly Prefix[]): PrefixList {
  const list = makePrefixList()
  for (const { family, bytes, length } of prefixes) addOctets(family === 4 ? list.v4 : list.v6, bytes, length)
  return list
}

/** All that is in several lists. */
export function joinPrefixes(lists: readonly PrefixList[]): PrefixList {
  return lists.length === 1 ? lists[0]! : { v4: join(1, lists.map(({ v4 }) => v4)), v6: join(4, lists.map(({ v6 }) => v6)) }
}

function join(width: 1 | 4, parts: readonly Prefixes[]): Prefixes {
  const count = parts.reduce((sum, part) => sum + part.count, 0)
  const joined: Prefixes = { count, width, starts: new Uint32Array(Math.max(FEWEST, count) * width), lengths: new Uint8Array(Math.max(FEWEST, count)) }
  let at = 0
  for (const part of parts) {
    joined.starts.set(part.starts.subarray(0, part.count * width), at * width)
    joined.lengths.set(part.lengths.subarray(0, part.count), at)
    at += part.count
  }
  return joined
}

/** Adds a prefix, of which the bits past its length must be clear. @param octets of its first address: 4 or 16 */
export function addOctets(prefixes: Prefixes, octets: Uint8Array, length: number): void {
  const { width, count } = prefixes
  if (count === prefixes.lengths.length) grow(prefixes)
  for (let word = 0; word < width; word++) {
    const at = word * 4
    prefixes.starts[count * width + word] = (octets[at]! << 24) | (octets[at + 1]! << 16) | (octets[at + 2]! << 8) | octets[at + 3]!
  }
  prefixes.lengths[count] = length
  prefixes.count++
}

function grow(prefixes: Prefixes): void {
  const starts = new Uint32Array(prefixes.starts.length * 2)
  starts.set(prefixes.starts)
  const lengths = new Uint8Array(prefixes.lengths.length * 2)
  lengths.set(prefixes.lengths)
  prefixes.starts = starts
  prefixes.lengths = lengths
}
