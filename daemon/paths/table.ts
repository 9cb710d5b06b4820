import { formatAddress, type Address, type Prefix } from '../../core/address.ts'
import type { ListedRoute } from './listing.ts'

// The tables, columns of one run of shared memory, IPv4 before IPv6, each sorted by first address and the shorter first:
//
//   counts   2 words            origins   a word a route      starts   a word a route, four of IPv6
//   lengths, paths, hops        an octet a route each

/** Shared memory, to be opened by `openPaths`. */
export type PathTables = SharedArrayBuffer

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
const FEWEST = 1024

/** Takes routes in any order. */
export interface TableBuilder {
  add(route: ListedRoute): void
  /** Routes that were left out because there are too many. */
  readonly left: number
  finish(): PathTables
}

/** @param sizes how many routes there will be about, by family */
export function makeTableBuilder(sizes: { readonly v4: number; readonly v6: number } = { v4: FEWEST, v6: FEWEST }): TableBuilder {
  const [v4, v6] = [makeColumns(1, sizes.v4), makeColumns(4, sizes.v6)]
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
      const tables = new SharedArrayBuffer(8 + order4.length * 11 + order6.length * 23)
      new Uint32Array(tables, 0, 2).set([order4.length, order6.length])
      const [to4, to6] = columnsOf(tables)
      copy(v4, order4, to4)
      copy(v6, order6, to6)
      return tables
    }
  }
}

interface Columns {
  count: number
  readonly width: 1 | 4
  starts: Uint32Array
  lengths: Uint8Array
  paths: Uint8Array
  hops: Uint8Array
  origins: Uint32Array
}

function makeColumns(width: 1 | 4, size: number): Columns {
  const room = Math.max(FEWEST, Math.min(MOST_ROUTES, size))
  return { count: 0, width, starts: new Uint32Array(room * width), lengths: new Uint8Array(room), paths: new Uint8Array(room), hops: new Uint8Array(room), origins: new Uint32Array(room) }
}

function push(to: Columns, { words, length, path, hops, origin }: ListedRoute): void {
  if (to.count === to.lengths.length) grow(to)
  const { count, width, starts } = to
  for (let word = 0; word < width; word++) starts[count * width + word] = words[word]!
  to.lengths[count] = length
  to.paths[count] = path
  to.hops[count] = hops
  to.origins[count] = origin
  to.count++
}

function grow(columns: Columns): void {
  const room = Math.ceil(columns.lengths.length * 1.5)
  const wider = <T extends Uint8Array | Uint32Array>(from: T, to: T): T => {
    to.set(from)
    return to
  }
  columns.starts = wider(columns.starts, new Uint32Array(room * columns.width))
  columns.origins = wider(columns.origins, new Uint32Array(room))
  columns.lengths = wider(columns.lengths, new Uint8Array(room))
  columns.paths = wider(columns.paths, new Uint8Array(room))
  columns.hops = wider(columns.hops, new Uint8Array(room))
}

/** The routes sorted; of two to one prefix, as several tables may have them, the one with the shorter path. */
function inOrder({ count, width, starts, lengths, paths }: Columns): Uint32Array {
  const order = new Uint32Array(count)
  if (width === 1) {
    // As whole numbers of 64 bits they are sorted by machine: address, length, number. MOST_ROUTES fit into 26 bits.
    const keys = new BigUint64Array(count)
    const words = new Uint32Array(keys.buffer)
    for (let route = 0; route < count; route++) {
      words[route * 2] = ((lengths[route]! << 26) | route) >>> 0
      words[route * 2 + 1] = starts[route]!
    }
    keys.sort()
    for (let place = 0; place < count; place++) order[place] = words[place * 2]! & 0x3ffffff
  } else {
    for (let route = 0; route < count; route++) order[route] = route
    order.sort((a, b) => starts[a * 4]! - starts[b * 4]! || starts[a * 4 + 1]! - starts[b * 4 + 1]! || starts[a * 4 + 2]! - starts[b * 4 + 2]! || starts[a * 4 + 3]! - starts[b * 4 + 3]! || lengths[a]! - lengths[b]!)
  }
  let kept = 0
  for (const route of order) {
    const before = kept === 0 ? -1 : order[kept - 1]!
    const isSame = before >= 0 && lengths[before] === lengths[route] && isSameStart(starts, width, before, route)
    if (!isSame) order[kept++] = route
    else if (paths[route]! < paths[before]!) order[kept - 1] = route
  }
  return order.subarray(0, kept)
}

function isSameStart(starts: Uint32Array, width: number, a: number, b: number): boolean {
  for (let word = 0; word < width; word++) if (starts[a * width + word] !== starts[b * width + word]) return false
  return true
}

function copy(from: Columns, order: Uint32Array, to: FamilyTable): void {
  const { width } = from
  for (let place = 0; place < order.length; place++) {
    const route = order[place]!
    for (let word = 0; word < width; word++) to.starts[place * width + word] = from.starts[route * width + word]!
    to.lengths[place] = from.lengths[route]!
    to.paths[place] = from.paths[route]!
    to.hops[place] = from.hops[route]!
    to.origins[place] = from.origins[route]!
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
