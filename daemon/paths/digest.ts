import type { Prefix } from '../../core/address.ts'
import { lengthAt, maskWord, pathAt, wordAt, type FamilyTable } from './routes.ts'

/** The way to all addresses of a prefix that no longer one speaks of. */
export interface DigestRow {
  readonly prefix: Prefix
  readonly path: number
}

/** Longest prefixes that are told apart: each is tried until what is left fits. */
const CUTS: Readonly<Record<1 | 4, readonly number[]>> = {
  1: [32, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8],
  4: [128, 64, 56, 48, 46, 44, 42, 40, 38, 36, 34, 32, 30, 28, 26, 24, 22, 20, 16, 12, 8]
}

/**
 * A table in so many rows at most. What is longer than a cut becomes one row with the median of its paths, by addresses; a row
 * that says the same as the one around it goes. The first cut that fits is taken, so that a small table stays as it is.
 */
export function digestOf(table: FamilyTable, most: number): DigestRow[] {
  for (const cut of CUTS[table.width]) {
    // Counted first: rows of cuts that do not fit would be a multiple of those that are kept.
    if (!cutAt(table, cut, most, () => undefined)) continue
    const rows: DigestRow[] = []
    cutAt(table, cut, most, (at, length, path) => void rows.push(rowOf(table, at, length, path)))
    return rows
  }
  return []
}

/** Calls back for every row: the route that begins where it does, its length and path. @returns whether that was all, and not more than `most` */
function cutAt(table: FamilyTable, cut: number, most: number, found: (at: number, length: number, path: number) => void): boolean {
  const { count } = table
  let rows = 0
  /** Rows around the one at hand, the nearest last. */
  const around: { readonly at: number; readonly length: number; readonly path: number }[] = []
  const weights = new Float64Array(256)
  let at = 0
  while (at < count) {
    const first = at
    const length = Math.min(cut, lengthAt(table, at))
    let path = pathAt(table, at)
    at++
    if (lengthAt(table, first) >= cut) {
      let total = 0
      let longest = 0
      weights.fill(0)
      for (at = first; at < count && lengthAt(table, at) >= cut && isWithin(table, at, first, cut); at++) {
        const weight = 2 ** (cut - lengthAt(table, at))
        weights[pathAt(table, at)]! += weight
        total += weight
        longest = Math.max(longest, pathAt(table, at))
      }
      path = medianOf(weights, total, longest)
    }
    while (around.length > 0 && !isWithin(table, first, around.at(-1)!.at, around.at(-1)!.length)) around.pop()
    if (around.at(-1)?.path === path) continue
    around.push({ at: first, length, path })
    if (++rows > most) return false
    found(first, length, path)
  }
  return true
}

function rowOf(table: FamilyTable, at: number, length: number, path: number): DigestRow {
  const { width } = table
  const bytes = new Uint8Array(width * 4)
  const view = new DataView(bytes.buffer)
  for (let word = 0; word < width; word++) view.setUint32(word * 4, maskWord(wordAt(table, at, word), length - word * 32))
  return { prefix: { family: width === 1 ? 4 : 6, bytes, length }, path }
}

function isWithin(table: FamilyTable, inner: number, outer: number, length: number): boolean {
  for (let word = 0; word * 32 < length; word++) {
    if (maskWord(wordAt(table, inner, word), length - word * 32) !== maskWord(wordAt(table, outer, word), length - word * 32)) return false
  }
  return true
}

function medianOf(weights: Float64Array, total: number, most: number): number {
  let sum = 0
  for (let path = 0; path < most; path++) {
    sum += weights[path]!
    if (sum * 2 >= total) return path
  }
  return most
}
