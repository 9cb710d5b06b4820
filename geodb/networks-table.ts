import type { LatencyImage } from './latencies.ts'
import { UNKNOWN_NETWORK, type Network, type Networks, type NetworksImage } from './networks.ts'
import { rangeOf4, rangeOf6, wordAt, type Starts6 } from './ranges.ts'

// The tables, one run of 32-bit words in shared memory:
//
//   header   HEADER words: MAGIC, FORMAT, IPv4 ranges, IPv6 ranges, networks, octets of text
//   index4   65,537 words: the range in which each /16 begins, and the last one
//   start4   first address of each range         value4  its network
//   index6   65,537 words, the same for IPv6
//   start6   four arrays, one per word of the first address          value6
//   text     networks + 1 words: where each network's JSON begins, then the end; then the octets
//
// Ranges, and not prefixes as the places have: between a million prefixes there are several million others, and how long a
// prefix an answer holds for can be told from the neighbours of a range.

const FORMAT = 1
const MAGIC = 0x4e434e57
const HEADER = 6
const INDEX = 65_537
/** Decoded networks kept by each thread. */
const DECODED = 4096

/** Sorted and gapless: where each range of addresses begins, and its network. The first begins at 0. */
export interface Ranges {
  count: number
  /** Words of an address: 1 for IPv4, 4 for IPv6. */
  readonly width: 1 | 4
  readonly starts: Uint32Array
  readonly networks: Uint32Array
}

/** @param networks each as JSON, in the order of their numbers */
export function makeNetworkTables(v4: Ranges, v6: Ranges, networks: readonly string[], latencies?: LatencyImage): NetworksImage {
  const octets = networks.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  const words = HEADER + 2 * INDEX + v4.count * 2 + v6.count * 5 + networks.length + 1 + Math.ceil(octets / 4)
  const tables = new SharedArrayBuffer(words * 4)
  new Uint32Array(tables, 0, HEADER).set([MAGIC, FORMAT, v4.count, v6.count, networks.length, octets])
  const { index4, start4, value4, index6, start6, value6, offsets, text } = sections(tables)
  start4.set(v4.starts.subarray(0, v4.count))
  value4.set(v4.networks.subarray(0, v4.count))
  for (let range = 0; range < v6.count; range++) for (let word = 0; word < 4; word++) start6[word]![range] = v6.starts[range * 4 + word]!
  value6.set(v6.networks.subarray(0, v6.count))
  fillIndex(index4, v4)
  fillIndex(index6, v6)
  let at = 0
  for (const [number, json] of networks.entries()) {
    offsets[number] = at
    at += text.write(json, at)
  }
  offsets[networks.length] = at
  return { tables, ...(latencies !== undefined && { latencies }) }
}

/** For each /16 the last range that begins at or before its first address. */
function fillIndex(index: Uint32Array, { starts, width, count }: Ranges): void {
  const beginsBy = (range: number, top: number): boolean => {
    const first = starts[range * width]!
    if (first >>> 16 !== top) return first >>> 16 < top
    return (first & 0xffff) === 0 && starts.subarray(range * width + 1, (range + 1) * width).every((word) => word === 0)
  }
  let range = 0
  for (let top = 0; top < INDEX - 1; top++) {
    while (range + 1 < count && beginsBy(range + 1, top)) range++
    index[top] = range
  }
  index[INDEX - 1] = count - 1
}

function sections(tables: SharedArrayBuffer) {
  const [magic, format, count4, count6, size, octets] = new Uint32Array(tables, 0, HEADER) as unknown as [number, number, number, number, number, number]
  if (magic !== MAGIC || format !== FORMAT) throw new Error('not tables of this version')
  let at = HEADER
  const take = (words: number): Uint32Array => {
    const view = new Uint32Array(tables, at * 4, words)
    at += words
    return view
  }
  return {
    size,
    index4: take(INDEX), start4: take(count4), value4: take(count4),
    index6: take(INDEX), start6: [take(count6), take(count6), take(count6), take(count6)] as const, value6: take(count6),
    offsets: take(size + 1), text: Buffer.from(tables, at * 4, octets)
  }
}

/** The ranges of IPv4 addresses: where each begins, and its network. */
export function networkRanges({ tables }: NetworksImage): { readonly starts: Uint32Array; readonly values: Uint32Array } {
  const { start4, value4 } = sections(tables)
  return { starts: start4, values: value4 }
}

/** The numbers of networks that some address is in; others came up only on the way to these. */
export function networksInUse({ tables }: NetworksImage): ReadonlySet<number> {
  const { value4, value6 } = sections(tables)
  return new Set([...value4, ...value6])
}

/** Makes tables readable in this thread. */
export function openNetworks({ tables, latencies, hasPaths = false }: NetworksImage): Networks {
  const { size, index4, start4, value4, index6, start6, value6, offsets, text } = sections(tables)
  const decoded = new Map<number, Network>([[0, UNKNOWN_NETWORK]])
  const network = (number: number): Network => {
    const held = decoded.get(number)
    if (held !== undefined) return held
    if (!(number >= 0 && number < size)) throw new RangeError(`there is no network ${number}`)
    const value = JSON.parse(text.toString('utf8', offsets[number], offsets[number + 1])) as Network
    if (decoded.size >= DECODED) decoded.clear()
    decoded.set(number, value)
    return value
  }
  const find4 = finder4(index4, start4, value4)
  const find6 = finder6(index6, start6, value6)
  return {
    size,
    latencies,
    hasPaths,
    network,
    find4,
    find6(bytes, at) {
      const a = wordAt(bytes, at)
      const b = wordAt(bytes, at + 4)
      const c = wordAt(bytes, at + 8)
      const d = wordAt(bytes, at + 12)
      // IPv4-mapped (RFC 4291 §2.5.5.2): the prefix length is the last octet of the value.
      return a === 0 && b === 0 && c === 0xffff ? find4(d) + 96 : find6(a, b, c, d)
    }
  }
}

/** The widest prefix around an address that stays within its range begins where the address first differs from both neighbours. */
function finder4(index: Uint32Array, start: Uint32Array, value: Uint32Array): (address: number) => number {
  const last = start.length - 1
  return (address) => {
    const low = rangeOf4(index, start, address)
    const before = low === 0 ? 0 : Math.clz32(address ^ (start[low]! - 1)) + 1
    const behind = low === last ? 0 : Math.clz32(address ^ start[low + 1]!) + 1
    return ((value[low]! << 8) | (before > behind ? before : behind)) >>> 0
  }
}

function finder6(index: Uint32Array, [first, second, third, fourth]: Starts6, value: Uint32Array): (a: number, b: number, c: number, d: number) => number {
  const last = first.length - 1
  return (a, b, c, d) => {
    const low = rangeOf6(index, first, second, third, fourth, a, b, c, d)
    let before = 0
    if (low > 0) {
      // The address before the range: one less, with what that borrows.
      const four = fourth[low]!
      const three = third[low]!
      const two = second[low]!
      const borrows3 = four === 0
      const borrows2 = borrows3 && three === 0
      const borrows1 = borrows2 && two === 0
      before = differsAt(a ^ (first[low]! - (borrows1 ? 1 : 0)), b ^ (two - (borrows2 ? 1 : 0)), c ^ (three - (borrows3 ? 1 : 0)), d ^ (four - 1))
    }
    const behind = low === last ? 0 : differsAt(a ^ first[low + 1]!, b ^ second[low + 1]!, c ^ third[low + 1]!, d ^ fourth[low + 1]!)
    return ((value[low]! << 8) | (before > behind ? before : behind)) >>> 0
  }
}

/** Bits up to and with the first one that is set. */
function differsAt(a: number, b: number, c: number, d: number): number {
  if (a !== 0) return Math.clz32(a) + 1
  if (b !== 0) return Math.clz32(b) + 33
  return c !== 0 ? Math.clz32(c) + 65 : Math.clz32(d) + 97
}
