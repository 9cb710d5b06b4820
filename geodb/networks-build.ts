import type { Prefix } from '../core/address.ts'
import { networksOf, type LatencyImage } from './latencies.ts'
import type { Network, NetworksImage } from './networks.ts'
import { makeNetworkTables, type Ranges } from './networks-table.ts'
import { addOctets, makePrefixes, type Prefixes, type PrefixList } from './prefixes.ts'

/** Prefixes that an operator gave a name; a prefix written alone is named by its text. */
export interface NamedPrefixes {
  readonly name: string
  readonly prefixes: PrefixList
}

/** The prefixes of an autonomous system. */
export interface AsPrefixes {
  readonly asn: number
  /** The lists it stands in. */
  readonly lists: readonly string[]
  readonly prefixes: PrefixList
}

export interface NetworkSources {
  readonly named: readonly NamedPrefixes[]
  readonly asns?: readonly AsPrefixes[]
  /** Round trips that were measured: each of its prefixes has a row. */
  readonly measured?: LatencyImage | undefined
  /** Autonomous systems on the way from a prefix to edges, by their names: of an edge, the longest prefix that has it counts. */
  readonly paths?: readonly { readonly prefix: Prefix; readonly lengths: Readonly<Record<string, number>> }[]
}

/** What a prefix says of the addresses in it. */
type Says = { readonly name: string } | Pick<AsPrefixes, 'asn' | 'lists'> | { readonly row: number } | { readonly paths: Readonly<Record<string, number>> }

/**
 * Lays prefixes over one another in shared memory; undefined when there are none. A second of work for a million: not for a
 * thread that serves.
 */
export function buildNetworks({ named, asns = [], measured, paths = [] }: NetworkSources): NetworksImage | undefined {
  const says: Says[] = []
  const [v4, v6] = [layer(1), layer(4)]
  const add = (what: Says, list: PrefixList): void => {
    append(v4, list.v4, says.length)
    append(v6, list.v6, says.length)
    says.push(what)
  }
  for (const { name, prefixes } of named) add({ name }, prefixes)
  for (const { asn, lists, prefixes } of asns) add({ asn, lists }, prefixes)
  const addOne = (what: Says, { family, bytes, length }: Prefix): void => {
    const into = family === 4 ? v4 : v6
    addOctets(into.prefixes, bytes, length)
    mark(into, says.length)
    says.push(what)
  }
  for (const [row, prefix] of networksOf(measured).entries()) addOne({ row }, prefix)
  for (const { prefix, lengths } of paths) addOne({ paths: lengths }, prefix)
  if (v4.prefixes.count + v6.prefixes.count === 0) return undefined
  const book = makeBook(says)
  const ranges = [sweep(v4, book.inside), sweep(v6, book.inside)] as const
  const image = makeNetworkTables(ranges[0], ranges[1], book.texts(), measured)
  return paths.length === 0 ? image : { ...image, hasPaths: true }
}

/** Prefixes of one family, each with the number of what it says. */
interface Layer {
  readonly prefixes: Prefixes
  says: Uint32Array
}

const layer = (width: 1 | 4): Layer => ({ prefixes: makePrefixes(width), says: new Uint32Array(0) })

function append(into: Layer, from: Prefixes, says: number): void {
  const { prefixes } = into
  const { width, count } = prefixes
  const total = count + from.count
  if (total > prefixes.lengths.length) {
    const room = count === 0 ? total : Math.max(total, count * 2)
    const starts = new Uint32Array(room * width)
    starts.set(prefixes.starts.subarray(0, count * width))
    const lengths = new Uint8Array(room)
    lengths.set(prefixes.lengths.subarray(0, count))
    prefixes.starts = starts
    prefixes.lengths = lengths
  }
  prefixes.starts.set(from.starts.subarray(0, from.count * width), count * width)
  prefixes.lengths.set(from.lengths.subarray(0, from.count), count)
  prefixes.count = total
  fit(into)
  into.says.fill(says, count, total)
}

function mark(into: Layer, says: number): void {
  fit(into)
  into.says[into.prefixes.count - 1] = says
}

function fit(into: Layer): void {
  const { length } = into.prefixes.lengths
  if (into.says.length >= length) return
  const says = new Uint32Array(length)
  says.set(into.says)
  into.says = says
}

/** Networks by what they are, each once: `inside` is the number of one that lies in another and in one prefix more. */
interface Book {
  inside(outer: number, says: number, length: number): number
  /** Each network as JSON, in the order of their numbers. */
  texts(): string[]
}

function makeBook(says: readonly Says[]): Book {
  const networks: Network[] = [{ in: [] }]
  const numbers = new Map<string, number>([[JSON.stringify(networks[0]), 0]])
  const known = new Map<number, number>()
  return {
    inside(outer, number, length) {
      const key = (outer * says.length + number) * 256 + length
      let found = known.get(key)
      if (found !== undefined) return found
      const network = within(networks[outer]!, says[number]!, length)
      const text = JSON.stringify(network)
      found = numbers.get(text)
      if (found === undefined) {
        found = networks.push(network) - 1
        numbers.set(text, found)
      }
      known.set(key, found)
      return found
    },
    texts: () => [...numbers.keys()]
  }
}

function within(outer: Network, says: Says, length: number): Network {
  if ('row' in says) return { ...outer, row: says.row }
  if ('paths' in says) return { ...outer, paths: { ...outer.paths, ...says.paths } }
  if ('asn' in says) return { ...outer, asn: says.asn, as: says.lists }
  const others = outer.in.filter(([name]) => name !== says.name)
  return { ...outer, in: [[says.name, length] as const, ...others].sort(([a, long], [b, short]) => short - long || (a < b ? -1 : 1)) }
}

/** Ranges of addresses in one network each, in order and without a gap, from prefixes that lie in one another. */
function sweep({ prefixes, says }: Layer, inside: Book['inside']): Ranges {
  const { width, starts, lengths } = prefixes
  const ranges: Ranges = { count: 1, width, starts: new Uint32Array((prefixes.count * 2 + 1) * width), networks: new Uint32Array(prefixes.count * 2 + 1) }
  /** Prefixes that have begun and not ended, and the networks in them. */
  const open: number[] = []
  const within: number[] = [0]
  const behind = new Uint32Array(width)
  const close = (): void => {
    const prefix = open.pop()!
    within.pop()
    if (stepPast(behind, starts, prefix * width, lengths[prefix]!)) begin(ranges, behind, 0, within.at(-1)!)
  }
  for (const prefix of inOrder(prefixes)) {
    while (open.length > 0 && !holds(prefixes, open.at(-1)!, prefix)) close()
    open.push(prefix)
    within.push(inside(within.at(-1)!, says[prefix]!, lengths[prefix]!))
    begin(ranges, starts, prefix * width, within.at(-1)!)
  }
  while (open.length > 0) close()
  return ranges
}

/** From this address on it is that network: neighbours of one network become one range. */
function begin(ranges: Ranges, address: Uint32Array, at: number, network: number): void {
  const { width, starts, networks } = ranges
  if (isAt(ranges, ranges.count - 1, address, at)) ranges.count--
  if (ranges.count > 0 && networks[ranges.count - 1] === network) return
  for (let word = 0; word < width; word++) starts[ranges.count * width + word] = address[at + word]!
  networks[ranges.count] = network
  ranges.count++
}

function isAt({ starts, width }: Ranges, range: number, address: Uint32Array, at: number): boolean {
  for (let word = 0; word < width; word++) if (starts[range * width + word] !== address[at + word]) return false
  return true
}

/** Whether a prefix that begins no earlier lies in another. */
function holds({ starts, lengths, width }: Prefixes, outer: number, inner: number): boolean {
  const length = lengths[outer]!
  for (let word = 0; word * 32 < length; word++) {
    const bits = Math.min(32, length - word * 32)
    if (((starts[outer * width + word]! ^ starts[inner * width + word]!) & (bits === 32 ? -1 : ~(0xffffffff >>> bits))) !== 0) return false
  }
  return true
}

/** The first address behind a prefix; false when it is the last of all. */
function stepPast(out: Uint32Array, starts: Uint32Array, at: number, length: number): boolean {
  for (let word = 0; word < out.length; word++) out[word] = starts[at + word]!
  if (length === 0) return false
  let add = 2 ** (31 - ((length - 1) & 31))
  for (let word = (length - 1) >>> 5; word >= 0; word--) {
    const sum = out[word]! + add
    out[word] = sum
    if (sum <= 0xffffffff) return true
    add = 1
  }
  return false
}

/** Numbers of prefixes by first address, and where that is the same the shorter first. */
function inOrder(prefixes: Prefixes): Uint32Array {
  const { count, width, starts, lengths } = prefixes
  const order = new Uint32Array(count)
  if (width === 1) {
    // As whole numbers of 64 bits they are sorted by machine: address, length, number.
    const keys = new BigUint64Array(count)
    const words = new Uint32Array(keys.buffer)
    for (let prefix = 0; prefix < count; prefix++) {
      words[prefix * 2] = (lengths[prefix]! << 26) | prefix
      words[prefix * 2 + 1] = starts[prefix]!
    }
    keys.sort()
    for (let place = 0; place < count; place++) order[place] = words[place * 2]! & 0x3ffffff
    return order
  }
  for (let prefix = 0; prefix < count; prefix++) order[prefix] = prefix
  return order.sort((a, b) => {
    for (let word = 0; word < 4; word++) {
      const difference = starts[a * 4 + word]! - starts[b * 4 + word]!
      if (difference !== 0) return difference
    }
    return lengths[a]! - lengths[b]!
  })
}
