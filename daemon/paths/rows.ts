import { maskBytes, type Prefix } from '../../core/address.ts'
import type { DigestRow } from './digest.ts'

// A digest as the entries that other PoPs are told. An entry has rows that are near each other, so that a change of some is a
// change of few entries: its key is the family, the first octet of the addresses (two of IPv6), and which part of these rows;
// its value is of each row: length of the prefix, length of the path, and as many octets of the address as the prefix needs.

/** Octets of a value. */
const LONGEST = 384

/** Rows that are believed of one PoP. */
export const MOST_ROWS = 16_384
/** Of the rows of a PoP, those of IPv4. */
export const SHARE_OF_IPV4 = 0.75

/** What a PoP says of the ways to networks, as it came in, and the edges that it runs. */
export interface PathSource {
  readonly edges: readonly string[]
  readonly values: readonly Uint8Array[]
}

export function entriesOf(rows: readonly DigestRow[]): Map<string, Uint8Array> {
  const parts = new Map<string, number[][]>()
  for (const { prefix: { family, bytes, length }, path } of rows) {
    const near = family === 4 ? hex(4, bytes[0]!) : hex(6, bytes[0]!, bytes[1]!)
    const row = [length, path, ...bytes.subarray(0, Math.ceil(length / 8))]
    const list = parts.get(near) ?? []
    parts.set(near, list)
    const last = list.at(-1)
    if (last === undefined || last.length + row.length > LONGEST) list.push(row)
    else last.push(...row)
  }
  return new Map([...parts].flatMap(([near, list]) => list.slice(0, 0x10000).map((octets, part) => [`${near}${hex(part >> 8, part & 0xff)}`, Uint8Array.from([near.startsWith('04') ? 4 : 6, ...octets])] as const)))
}

const hex = (...octets: readonly number[]): string => octets.map((octet) => octet.toString(16).padStart(2, '0')).join('')

/** The rows of a value; what makes no sense is left out, and all behind it. */
export function rowsIn(value: Uint8Array): DigestRow[] {
  const rows: DigestRow[] = []
  const family = value[0]
  if (family !== 4 && family !== 6) return rows
  const size = family === 4 ? 4 : 16
  for (let at = 1; at + 2 <= value.length; ) {
    const [length, path] = [value[at]!, value[at + 1]!]
    const octets = Math.ceil(length / 8)
    if (length === 0 || length > size * 8 || at + 2 + octets > value.length) break
    const bytes = new Uint8Array(size)
    bytes.set(value.subarray(at + 2, at + 2 + octets))
    rows.push({ prefix: { family, bytes: maskBytes(bytes, length), length }, path })
    at += 2 + octets
  }
  return rows
}

/** What all PoPs say, as the table of networks takes it. */
export function readDigests(sources: readonly PathSource[]): { readonly prefix: Prefix; readonly lengths: Readonly<Record<string, number>> }[] {
  return sources.flatMap(({ edges, values }) => {
    const lengthsOf = new Map<number, Readonly<Record<string, number>>>()
    const rows: { prefix: Prefix; lengths: Readonly<Record<string, number>> }[] = []
    for (const value of values) {
      for (const { prefix, path } of rowsIn(value)) {
        if (rows.length === MOST_ROWS) return rows
        let lengths = lengthsOf.get(path)
        if (lengths === undefined) lengthsOf.set(path, (lengths = Object.fromEntries(edges.map((edge) => [edge, path]))))
        rows.push({ prefix, lengths })
      }
    }
    return rows
  })
}
