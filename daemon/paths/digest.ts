import type { Prefix } from '../../core/address.ts'
import { maskWord, type FamilyTable } from './table.ts'

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
    const rows = cutAt(table, cut, most)
    if (rows !== undefined) return rows
  }
  return []
}

function cutAt(table: FamilyTable, cut: number, most: number): DigestRow[] | undefined {
  const { count, width, starts, lengths, paths } = table
  const rows: DigestRow[] = []
  /** Rows around the one at hand, the nearest last. */
  const around: { readonly at: number; readonly length: number; readonly path: number }[] = []
  const weights = new Float64Array(256)
  let at = 0
  while (at < count) {
    const first = at
    const length = Math.min(cut, lengths[at]!)
    let path = paths[at]!
    at++
    if (lengths[first]! >= cut) {
      let total = 0
      let most = 0
      weights.fill(0)
      for (at = first; at < count && lengths[at]! >= cut && isWithin(table, at, first, cut); at++) {
        const weight = 2 ** (cut - lengths[at]!)
        weights[paths[at]!]! += weight
        total += weight
        most = Math.max(most, paths[at]!)
      }
      path = medianOf(weights, total, most)
    }
    while (around.length > 0 && !isWithin(table, first, around.at(-1)!.at, around.at(-1)!.length)) around.pop()
    if (around.at(-1)?.path === path) continue
    around.push({ at: first, length, path })
    if (rows.length === most) return undefined
    const bytes = new Uint8Array(width * 4)
    for (let word = 0; word < width; word++) new DataView(bytes.buffer).setUint32(word * 4, maskWord(starts[first * width + word]!, length - word * 32))
    rows.push({ prefix: { family: width === 1 ? 4 : 6, bytes, length }, path })
  }
  return rows
}

function isWithin({ width, starts }: FamilyTable, inner: number, outer: number, length: number): boolean {
  for (let word = 0; word * 32 < length; word++) {
    if (maskWord(starts[inner * width + word]!, length - word * 32) !== maskWord(starts[outer * width + word]!, length - word * 32)) return false
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
