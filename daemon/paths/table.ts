import { formatAddress, type Address, type Prefix } from '../../core/address.ts'
import type { ListedRoute } from './listing.ts'
import { lengthAt, makePiece, maskWord, pathAt, pieceOf, piecesFor, placeIn, wordAt, type FamilyTable, type Piece } from './routes.ts'
import { compareRoutes, sortRoutes } from './sort.ts'

export interface PathTables {
  readonly v4: FamilyTable
  readonly v6: FamilyTable
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
  /** Nothing comes of it: its memory is spare again. */
  drop(): void
}

/** @param spare pieces of a table that is no longer used; they are taken from it as they are needed */
export function makeTableBuilder(spare: Piece[] = []): TableBuilder {
  const tables: PathTables = { v4: { count: 0, width: 1, pieces: [] }, v6: { count: 0, width: 4, pieces: [] } }
  let left = 0
  return {
    get left() {
      return left
    },
    add(route) {
      if (tables.v4.count + tables.v6.count === MOST_ROUTES) left++
      else push(route.family === 4 ? tables.v4 : tables.v6, route, spare)
    },
    finish() {
      for (const table of [tables.v4, tables.v6]) {
        sortRoutes(table)
        keepShortest(table)
        spare.push(...table.pieces.splice(piecesFor(table, table.count)))
      }
      return tables
    },
    drop: () => void spare.push(...piecesOf(tables))
  }
}

function push(to: FamilyTable, { words, length, path, hops, origin }: ListedRoute, spare: Piece[]): void {
  const { count, width, pieces } = to
  if (piecesFor(to, count + 1) > pieces.length) pieces.push(spare.pop() ?? makePiece())
  const piece = pieceOf(to, count)
  const at = placeIn(to, count)
  for (let word = 0; word < width; word++) piece[at + word] = words[word]!
  piece[at + width] = origin
  piece[at + width + 1] = (length << 16) | (path << 8) | hops
  to.count++
}

/** Of routes to one prefix, as several tables may have them, the one with the shorter path stays. */
function keepShortest(table: FamilyTable): void {
  let kept = 0
  for (let route = 0; route < table.count; route++) {
    const isAnother = kept === 0 || compareRoutes(table, kept - 1, route) !== 0
    if (isAnother) kept++
    if (kept - 1 !== route && (isAnother || pathAt(table, route) < pathAt(table, kept - 1))) copyRoute(table, route, kept - 1)
  }
  table.count = kept
}

function copyRoute(table: FamilyTable, from: number, to: number): void {
  const piece = pieceOf(table, from)
  const at = placeIn(table, from)
  const target = pieceOf(table, to)
  const place = placeIn(table, to)
  for (let word = 0; word < table.width + 2; word++) target[place + word] = piece[at + word]!
}

/** Every piece of memory of these. */
export const piecesOf = ({ v4, v6 }: PathTables): Piece[] => [...v4.pieces, ...v6.pieces]

/** The route that an address takes: the longest prefix that holds it. Some microseconds: for people, not for queries. */
export function findRoute({ v4, v6 }: PathTables, { family, bytes }: Address): PathRow | undefined {
  const table = family === 4 ? v4 : v6
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const words = new Uint32Array(table.width)
  for (let length = table.width * 32; length > 0; length--) {
    for (let word = 0; word < table.width; word++) words[word] = maskWord(view.getUint32(word * 4), length - word * 32)
    const at = placeOf(table, words, length)
    if (at >= 0) return rowAt(table, at)
  }
  return undefined
}

function placeOf(table: FamilyTable, words: Uint32Array, length: number): number {
  let low = 0
  let high = table.count - 1
  while (low <= high) {
    const middle = (low + high) >>> 1
    let order = 0
    for (let word = 0; word < table.width && order === 0; word++) order = wordAt(table, middle, word) - words[word]!
    order ||= lengthAt(table, middle) - length
    if (order === 0) return middle
    if (order < 0) low = middle + 1
    else high = middle - 1
  }
  return -1
}

function rowAt(table: FamilyTable, at: number): PathRow {
  const { width } = table
  const bytes = new Uint8Array(width * 4)
  for (let word = 0; word < width; word++) new DataView(bytes.buffer).setUint32(word * 4, wordAt(table, at, word))
  const origin = wordAt(table, at, width)
  return { prefix: { family: width === 1 ? 4 : 6, bytes, length: lengthAt(table, at) }, path: pathAt(table, at), hops: wordAt(table, at, width + 1) & 0xff, ...(origin !== 0 && { origin }) }
}

/** `192.0.2.0/24`. */
export const prefixText = ({ bytes, length }: Prefix): string => `${formatAddress(bytes)}/${length}`
