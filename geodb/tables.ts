import type { Blocks } from './blocks.ts'
import { findNear, nearWords, openNear, packNear, touchNear, type Near } from './near.ts'
import { rangeOf4, rangeOf6, wordAt, type Starts6 } from './ranges.ts'
import type { Place, Places, PlacesImage } from './places.ts'

// The tables, one run of 32-bit words in shared memory:
//
//   header   HEADER words: MAGIC, FORMAT, IPv4 blocks, IPv6 blocks, places, octets of text, IPv4 and IPv6 blocks of resolvers,
//            blocks and values of near4
//   index4   65,537 words: the block in which each /16 begins, and the last one
//   start4   first address of each block         value4  place << 8 | length
//   index6   65,537 words, the same for IPv6
//   start6   four arrays, one per word of the first address          value6
//   the same again for resolvers, where there are any
//   near4    the IPv4 blocks once more, for look-ups (near.ts), where they can be packed
//   text     places + 2 words: where each place's JSON begins, then that of `about`, then the end; then the octets
//
// Why sorted blocks under a 16-bit index rather than wider tables: with the country database (506,151 IPv4 blocks) a
// random look-up costs 22-33 ns in 4.3 MB; a 16-8-8 stride table 25-26 ns in 25.8 MB; one entry per /24 with an overflow
// 60-63 ns in 68 MB, for it misses the TLB each time. The smallest is also the quickest to load and to share.
// IPv6 (800,353 blocks) has an array per word of the address, so that most steps of a search stay within one of them.

export const FORMAT = 3
const MAGIC = 0x4e43504c
const HEADER = 10
const INDEX = 65_537
/** Decoded places kept by each thread. */
const DECODED = 4096

/**
 * Lays blocks and places out as tables.
 * @param places each place as JSON, in the order of their numbers
 * @param resolvers where the clients of known resolvers are
 */
export function makeTables(v4: Blocks, v6: Blocks, places: readonly string[], about: string, resolvers?: { readonly v4: Blocks; readonly v6: Blocks }): PlacesImage {
  const texts = [...places, about]
  const octets = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  const sizeOf = (four: Blocks, six: Blocks): number => 2 * INDEX + four.count * 2 + six.count * 5
  const packed = packNear(v4)
  const [nearBlocks, nearValues] = [packed?.blocks.length ?? 0, packed?.values.length ?? 0]
  const words = HEADER + sizeOf(v4, v6) + (resolvers === undefined ? 0 : sizeOf(resolvers.v4, resolvers.v6)) + nearWords(nearBlocks, nearValues) + texts.length + 1 + Math.ceil(octets / 4)
  const tables = new SharedArrayBuffer(words * 4)
  new Uint32Array(tables, 0, HEADER).set([MAGIC, FORMAT, v4.count, v6.count, places.length, octets, resolvers?.v4.count ?? 0, resolvers?.v6.count ?? 0, nearBlocks, nearValues])
  const { networks, known, near, offsets, text } = sections(tables)
  fill(networks, v4, v6)
  if (known !== undefined && resolvers !== undefined) fill(known, resolvers.v4, resolvers.v6)
  if (near !== undefined && packed !== undefined) for (const part of ['index', 'blocks', 'values'] as const) near[part].set(packed[part])
  let at = 0
  for (const [number, json] of texts.entries()) {
    offsets[number] = at
    at += text.write(json, at)
  }
  offsets[texts.length] = at
  return { tables, about }
}

/** Tables that know of no place: every address is nowhere. */
export function noPlaces(): PlacesImage {
  const everything = (width: 1 | 4): Blocks => ({ count: 1, width, starts: new Uint32Array(width), values: new Uint32Array(1) })
  return makeTables(everything(1), everything(4), [JSON.stringify({ source: 'no database' } satisfies Place)], '')
}

function fill({ index4, start4, value4, index6, start6, value6 }: Section, v4: Blocks, v6: Blocks): void {
  start4.set(v4.starts.subarray(0, v4.count))
  value4.set(v4.values.subarray(0, v4.count))
  for (let block = 0; block < v6.count; block++) for (let word = 0; word < 4; word++) start6[word]![block] = v6.starts[block * 4 + word]!
  value6.set(v6.values.subarray(0, v6.count))
  fillIndex(index4, v4)
  fillIndex(index6, v6)
}

/** For each /16 the last block that begins at or before its first address. */
function fillIndex(index: Uint32Array, blocks: Blocks): void {
  let block = 0
  for (let top = 0; top < INDEX - 1; top++) {
    while (block + 1 < blocks.count && beginsBy(blocks, block + 1, top)) block++
    index[top] = block
  }
  index[INDEX - 1] = blocks.count - 1
}

function beginsBy({ starts, width }: Blocks, block: number, top: number): boolean {
  const first = starts[block * width]!
  if (first >>> 16 !== top) return first >>> 16 < top
  if ((first & 0xffff) !== 0) return false
  for (let word = 1; word < width; word++) if (starts[block * width + word] !== 0) return false
  return true
}

/** One map of addresses to places, as views. */
interface Section {
  readonly index4: Uint32Array
  readonly start4: Uint32Array
  readonly value4: Uint32Array
  readonly index6: Uint32Array
  readonly start6: Starts6
  readonly value6: Uint32Array
}

function sections(tables: SharedArrayBuffer) {
  const [magic, format, count4 = 0, count6 = 0, size = 0, octets, resolvers4 = 0, resolvers6 = 0, nearBlocks = 0, nearValues = 0] = new Uint32Array(tables, 0, HEADER)
  if (magic !== MAGIC || format !== FORMAT) throw new Error('not tables of this version')
  let at = HEADER
  const take = (words: number): Uint32Array => {
    const view = new Uint32Array(tables, at * 4, words)
    at += words
    return view
  }
  const section = (four: number, six: number): Section => ({
    index4: take(INDEX), start4: take(four), value4: take(four),
    index6: take(INDEX), start6: [take(six), take(six), take(six), take(six)], value6: take(six)
  })
  return {
    networks: section(count4, count6), known: resolvers4 === 0 ? undefined : section(resolvers4, resolvers6), near: openNear(take, nearBlocks, nearValues),
    size, offsets: take(size + 2), text: Buffer.from(tables, at * 4, octets)
  }
}

/** The `about` of tables that were read from disk. */
export function aboutOf(tables: SharedArrayBuffer): string {
  const { size, offsets, text } = sections(tables)
  return text.toString('utf8', offsets[size], offsets[size + 1])
}

/** The blocks of one family as they stand in tables. */
export interface FamilyTables {
  readonly count: number
  readonly width: 1 | 4
  /** A word of a block's first address. */
  start(block: number, word: number): number
  /** `place << 8 | length`. */
  value(block: number): number
}

/** What tables were made from, so that others can be made from it; resolvers left out. */
export function readTables(tables: SharedArrayBuffer): { readonly v4: FamilyTables; readonly v6: FamilyTables; readonly places: readonly string[]; readonly about: string } {
  const { networks, size, offsets, text } = sections(tables)
  const { start4, value4, start6, value6 } = networks
  return {
    v4: { count: value4.length, width: 1, start: (block) => start4[block]!, value: (block) => value4[block]! },
    v6: { count: value6.length, width: 4, start: (block, word) => start6[word]![block]!, value: (block) => value6[block]! },
    places: Array.from({ length: size }, (_, number) => text.toString('utf8', offsets[number], offsets[number + 1])),
    about: aboutOf(tables)
  }
}

/** Makes tables readable in this thread. */
export function openPlaces(image: PlacesImage): Places {
  const { networks, known, near, size, offsets, text } = sections(image.tables)
  const decoded = new Map<number, Place>()
  const place = (number: number): Place => {
    const held = decoded.get(number)
    if (held !== undefined) return held
    if (!(number >= 0 && number < size)) throw new RangeError(`there is no place ${number}`)
    const value = JSON.parse(text.toString('utf8', offsets[number], offsets[number + 1])) as Place
    if (decoded.size >= DECODED) decoded.clear()
    decoded.set(number, value)
    return value
  }
  return { ...openSection(networks, near), ...(near !== undefined && { touch4: touchNear(near) }), size, place, resolvers: known && openSection(known) }
}

function openSection({ index4, start4, value4, index6, start6, value6 }: Section, near?: Near): Pick<Places, 'find4' | 'find6'> {
  const [first, second, third, fourth] = start6
  const find4 = near !== undefined ? findNear(near) : (address: number): number => value4[rangeOf4(index4, start4, address)]!
  const find6 = (bytes: Uint8Array, at: number): number => {
    const a = wordAt(bytes, at)
    const b = wordAt(bytes, at + 4)
    const c = wordAt(bytes, at + 8)
    const d = wordAt(bytes, at + 12)
    // IPv4-mapped (RFC 4291 §2.5.5.2), 6to4 (RFC 3056): the prefix length is the last octet of the value.
    if (a === 0 && b === 0 && c === 0xffff) return find4(d) + 96
    if (a >>> 16 === 0x2002) return find4(((a << 16) | (b >>> 16)) >>> 0) + 16
    return value6[rangeOf6(index6, first, second, third, fourth, a, b, c, d)]!
  }
  return { find4, find6 }
}
