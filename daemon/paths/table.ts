import { formatAddress, type Address, type Prefix } from '../../core/address.ts'
import type { ListedRoute } from './listing.ts'

// The tables, columns of one run of memory, IPv4 before IPv6, each sorted by first address and the shorter first:
//
//   counts   2 words            origins   a word a route      starts   a word a route, four of IPv6
//   lengths, paths, hops        an octet a route each

/** What `columnsOf` opens; it is handed from thread to thread. */
export type PathTables = ArrayBuffer

/** Routes of one family, in the order of their addresses. */
export interface FamilyTable {
  readonly count: number
  /** Words of an address. */
  readonly width: 1 | 4
  readonly starts: Uint32Array
  readonly lengths: Uint8Array
  readonly paths: Uint8Array
  readonly hops: Uint8Array
  readonly origins: Uint32Array
}

/** What is known of the way to a prefix. */
export interface PathRow {
  readonly prefix: Prefix
  readonly path: number
  readonly hops: number
  /** Absent where more than one may be. */
  readonly origin?: number
}

/** Routes beyond this are left out: four times what there is today. */
const MOST_ROUTES = 4_000_000

/** Takes routes in any order. */
export interface TableBuilder {
  add(route: ListedRoute): void
  /** Routes that were left out because there are too many. */
  readonly left: number
  finish(): PathTables
}

export function makeTableBuilder(): TableBuilder {
  const [v4, v6] = [makeHeap(1), makeHeap(4)]
  let left = 0
  return {
    get left() {
      return left
    },
    add(route) {
      if (v4.count + v6.count === MOST_ROUTES) left++
      else push(route.family === 4 ? v4 : v6, route)
    },
    finish() {
      const [order4, order6] = [inOrder(v4), inOrder(v6)]
      const tables = new ArrayBuffer(8 + order4.length * 11 + order6.length * 23)
      new Uint32Array(tables, 0, 2).set([order4.length, order6.length])
      const [to4, to6] = columnsOf(tables)
      copy(v4, order4, to4)
      copy(v6, order6, to6)
      return tables
    }
  }
}

/** Routes as they come, in pieces of one size: what grows is never copied. A route is its address, its origin, then length, path and hops in a word. */
interface Heap {
  count: number
  readonly width: 1 | 4
  readonly pieces: Uint32Array[]
}

/** Routes of a piece: a power of two. */
const PIECE_BITS = 14

const makeHeap = (width: 1 | 4): Heap => ({ count: 0, width, pieces: [] })

function push(to: Heap, { words, length, path, hops, origin }: ListedRoute): void {
  const { count, width, pieces } = to
  const size = width + 2
  if (count >>> PIECE_BITS === pieces.length) pieces.push(new Uint32Array(size << PIECE_BITS))
  const piece = pieces[count >>> PIECE_BITS]!
  const at = (count & ((1 << PIECE_BITS) - 1)) * size
  for (let word = 0; word < width; word++) piece[at + word] = words[word]!
  piece[at + width] = origin
  piece[at + width + 1] = (length << 16) | (path << 8) | hops
  to.count++
}

const pieceOf = ({ pieces }: Heap, route: number): Uint32Array => pieces[route >>> PIECE_BITS]!
const placeIn = ({ width }: Heap, route: number): number => (route & ((1 << PIECE_BITS) - 1)) * (width + 2)
const wordOf = (heap: Heap, route: number, word: number): number => pieceOf(heap, route)[placeIn(heap, route) + word]!

/** The routes sorted; of two to one prefix, as several tables may have them, the one with the shorter path. */
function inOrder(heap: Heap): Uint32Array {
  const { count, width } = heap
  const order = width === 1 ? sorted4(heap) : sorted6(heap)
  let kept = 0
  for (let place = 0; place < count; place++) {
    const route = order[place]!
    const before = kept === 0 ? -1 : order[kept - 1]!
    if (before < 0 || !isSamePrefix(heap, before, route)) order[kept++] = route
    else if (((wordOf(heap, route, width + 1) >>> 8) & 0xff) < ((wordOf(heap, before, width + 1) >>> 8) & 0xff)) order[kept - 1] = route
  }
  return order.subarray(0, kept)
}

/** As whole numbers of 64 bits they are sorted by machine: address, length, number. MOST_ROUTES fit into 26 bits. */
function sorted4(heap: Heap): Uint32Array {
  const { count } = heap
  const keys = new BigUint64Array(count)
  const words = new Uint32Array(keys.buffer)
  for (let route = 0; route < count; route++) {
    words[route * 2] = (((wordOf(heap, route, 2) >>> 16) << 26) | route) >>> 0
    words[route * 2 + 1] = wordOf(heap, route, 0)
  }
  keys.sort()
  // The numbers move to the front: each place is read before it is written.
  for (let place = 0; place < count; place++) words[place] = words[place * 2]! & 0x3ffffff
  return words.subarray(0, count)
}

function sorted6(heap: Heap): Uint32Array {
  const order = Uint32Array.from({ length: heap.count }, (_, route) => route)
  return order.sort((a, b) => {
    const [one, other] = [pieceOf(heap, a), pieceOf(heap, b)]
    const [at, from] = [placeIn(heap, a), placeIn(heap, b)]
    for (let word = 0; word < 4; word++) {
      const difference = one[at + word]! - other[from + word]!
      if (difference !== 0) return difference
    }
    return (one[at + 5]! >>> 16) - (other[from + 5]! >>> 16)
  })
}

function isSamePrefix(heap: Heap, a: number, b: number): boolean {
  const { width } = heap
  for (let word = 0; word < width; word++) if (wordOf(heap, a, word) !== wordOf(heap, b, word)) return false
  return wordOf(heap, a, width + 1) >>> 16 === wordOf(heap, b, width + 1) >>> 16
}

function copy(heap: Heap, order: Uint32Array, to: FamilyTable): void {
  const { width } = heap
  for (let place = 0; place < order.length; place++) {
    const piece = pieceOf(heap, order[place]!)
    const at = placeIn(heap, order[place]!)
    for (let word = 0; word < width; word++) to.starts[place * width + word] = piece[at + word]!
    to.origins[place] = piece[at + width]!
    const told = piece[at + width + 1]!
    to.lengths[place] = told >>> 16
    to.paths[place] = (told >>> 8) & 0xff
    to.hops[place] = told & 0xff
  }
}

/** The two families of tables. */
export function columnsOf(tables: PathTables): readonly [v4: FamilyTable, v6: FamilyTable] {
  const [count4, count6] = new Uint32Array(tables, 0, 2) as unknown as [number, number]
  let at = 8
  const words = (count: number): Uint32Array => {
    const view = new Uint32Array(tables, at, count)
    at += count * 4
    return view
  }
  const octets = (count: number): Uint8Array => {
    const view = new Uint8Array(tables, at, count)
    at += count
    return view
  }
  const [origins4, starts4, origins6, starts6] = [words(count4), words(count4), words(count6), words(count6 * 4)]
  return [
    { count: count4, width: 1, starts: starts4, origins: origins4, lengths: octets(count4), paths: octets(count4), hops: octets(count4) },
    { count: count6, width: 4, starts: starts6, origins: origins6, lengths: octets(count6), paths: octets(count6), hops: octets(count6) }
  ]
}

/** The route that an address takes: the longest prefix that holds it. Some microseconds: for people, not for queries. */
export function findRoute(tables: PathTables, { family, bytes }: Address): PathRow | undefined {
  const table = columnsOf(tables)[family === 4 ? 0 : 1]
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const words = new Uint32Array(table.width)
  for (let length = table.width * 32; length > 0; length--) {
    for (let word = 0; word < table.width; word++) words[word] = maskWord(view.getUint32(word * 4), length - word * 32)
    const at = placeOf(table, words, length)
    if (at >= 0) return rowAt(table, at)
  }
  return undefined
}

/** A word with all but its first so many bits cleared. */
export const maskWord = (word: number, bits: number): number => (bits >= 32 ? word : bits <= 0 ? 0 : word & (-1 << (32 - bits))) >>> 0

function placeOf({ count, width, starts, lengths }: FamilyTable, words: Uint32Array, length: number): number {
  let low = 0
  let high = count - 1
  while (low <= high) {
    const middle = (low + high) >>> 1
    let order = 0
    for (let word = 0; word < width && order === 0; word++) order = starts[middle * width + word]! - words[word]!
    order ||= lengths[middle]! - length
    if (order === 0) return middle
    if (order < 0) low = middle + 1
    else high = middle - 1
  }
  return -1
}

function rowAt({ width, starts, lengths, paths, hops, origins }: FamilyTable, at: number): PathRow {
  const bytes = new Uint8Array(width * 4)
  for (let word = 0; word < width; word++) new DataView(bytes.buffer).setUint32(word * 4, starts[at * width + word]!)
  const origin = origins[at]!
  return { prefix: { family: width === 1 ? 4 : 6, bytes, length: lengths[at]! }, path: paths[at]!, hops: hops[at]!, ...(origin !== 0 && { origin }) }
}

/** `192.0.2.0/24`. */
export const prefixText = ({ bytes, length }: Prefix): string => `${formatAddress(bytes)}/${length}`
