import { lengthAt, pieceOf, placeIn, wordAt, type FamilyTable } from './routes.ts'

// Routes sorted where they stand, by the octets of their addresses and then by length (an American flag sort): of a full table
// nothing is to be held twice.

/** So few are sorted by comparing. */
const FEW = 24

export function sortRoutes(table: FamilyTable): void {
  sortFrom(table, 0, table.count, 0, [])
}

/** Counts of one depth, which no other depth touches. */
interface Buckets {
  readonly next: Uint32Array
  readonly ends: Uint32Array
}

/** Sorts routes that are alike in their first so many octets. */
function sortFrom(table: FamilyTable, from: number, to: number, depth: number, buckets: Buckets[]): void {
  if (to - from <= FEW) return insert(table, from, to)
  const { next, ends } = (buckets[depth] ??= { next: new Uint32Array(256), ends: new Uint32Array(256) })
  ends.fill(0)
  for (let route = from; route < to; route++) ends[octetAt(table, route, depth)]!++
  for (let octet = 0, sum = from; octet < 256; octet++) {
    next[octet] = sum
    sum += ends[octet]!
    ends[octet] = sum
  }
  for (let octet = 0; octet < 256; octet++) {
    while (next[octet]! < ends[octet]!) {
      const found = octetAt(table, next[octet]!, depth)
      if (found !== octet) swap(table, next[octet]!, next[found]!)
      next[found]!++
    }
  }
  // Alike in all their octets and their length.
  if (depth === table.width * 4) return
  for (let octet = 0, begin = from; octet < 256; octet++) {
    const end = ends[octet]!
    if (end - begin > 1) sortFrom(table, begin, end, depth + 1, buckets)
    begin = end
  }
}

/** An octet of the address; behind the last one the length. */
function octetAt(table: FamilyTable, route: number, depth: number): number {
  return depth === table.width * 4 ? lengthAt(table, route) : (wordAt(table, route, depth >>> 2) >>> (24 - ((depth & 3) << 3))) & 0xff
}

function insert(table: FamilyTable, from: number, to: number): void {
  for (let route = from + 1; route < to; route++) {
    for (let at = route; at > from && compareRoutes(table, at - 1, at) > 0; at--) swap(table, at - 1, at)
  }
}

/** Below zero, zero, above: by address, then by length. */
export function compareRoutes(table: FamilyTable, one: number, other: number): number {
  for (let word = 0; word < table.width; word++) {
    const difference = wordAt(table, one, word) - wordAt(table, other, word)
    if (difference !== 0) return difference
  }
  return lengthAt(table, one) - lengthAt(table, other)
}

function swap(table: FamilyTable, one: number, other: number): void {
  const first = pieceOf(table, one)
  const at = placeIn(table, one)
  const second = pieceOf(table, other)
  const place = placeIn(table, other)
  for (let word = 0; word < table.width + 2; word++) {
    const held = first[at + word]!
    first[at + word] = second[place + word]!
    second[place + word] = held
  }
}
