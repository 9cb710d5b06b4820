import { LOWER, scanName } from '../wire/index.ts'
import { findNamed, growTable, isSameName, list, makeRoom, placeName, type Draft } from './draft.ts'
import { slotOrder } from './slot-order.ts'
import type { ZoneSource } from './zone-source.ts'

// A million names that are put in place one by one wait for memory at every step: each is looked for, and listed, somewhere else in
// a table of tens of megabytes. Together they go in label by label, so that what is above a name is there before it, and each depth
// in the order of the table.

/** What is known of each name of a source. */
interface Scanned {
  readonly hashes: Int32Array
  /** Hash of the name above. */
  readonly above: Int32Array
  /** Octets | labels << 8. */
  readonly sizes: Uint16Array
  /** In the order of their depth, else as they come. */
  readonly order: Uint32Array
}

/** From so many names on they are put in place together. */
const MANY = 20_000

/** Puts all names of a zone in place; no two of them are the same. @returns the first node that was made for it */
export function placeNames(draft: Draft, source: ZoneSource, apex: number, text: number): number {
  const first = draft.nodes
  if (source.names >= MANY) placeMany(draft, source, apex, text)
  else for (let name = 0; name < source.names; name++) placeName(draft, source, apex, text, name)
  return first
}

function placeMany(draft: Draft, source: ZoneSource, apex: number, text: number): void {
  const scanned = scanAll(draft, source)
  const { order, sizes } = scanned
  for (let from = 0; from < order.length; ) {
    const labels = sizes[order[from]!]! >>> 8
    let to = from + 1
    while (to < order.length && sizes[order[to]!]! >>> 8 === labels) to++
    placeDepth(draft, source, apex, text, scanned, from, to)
    from = to
  }
}

function scanAll(draft: Draft, source: ZoneSource): Scanned {
  const { name } = draft
  const { names, octets } = source
  const [hashes, above, sizes] = [new Int32Array(names), new Int32Array(names), new Uint16Array(names)]
  const ends = new Uint32Array(130)
  for (let owner = 0; owner < names; owner++) {
    const at = source.nameAt(owner)
    scanName(octets, at, octets.length, name)
    hashes[owner] = name.hashes[0]!
    above[owner] = name.hashes[1]!
    sizes[owner] = name.length | (name.labels << 8)
    ends[name.labels + 1]!++
  }
  for (let labels = 1; labels < ends.length; labels++) ends[labels]! += ends[labels - 1]!
  const order = new Uint32Array(names)
  for (let owner = 0; owner < names; owner++) order[ends[sizes[owner]! >>> 8]!++] = owner
  return { hashes, above, sizes, order }
}

/** Puts the names of one depth in place: order[from, to). */
function placeDepth(draft: Draft, source: ZoneSource, apex: number, text: number, scanned: Scanned, from: number, to: number): void {
  makeRoom(draft, to - from)
  const { hashes, above, sizes, order } = scanned
  const { nodeText, nodeAt, nodeSize, nodeHash, nodeParent, nodeApex, nodeOwner, nodeWild, children, apexHashes } = draft
  const { octets } = source
  const first = draft.nodes
  const later: number[] = []
  let node = first
  let parent = 0
  let parentAt = 0
  for (let index = from; index < to; index++) {
    const owner = order[index]!
    const at = source.nameAt(owner)
    const up = at + 1 + octets[at]!
    const size = sizes[owner]!
    const length = size & 0xff
    const hash = hashes[owner]!
    if (parent === 0 || nodeHash[parent] !== above[owner] || !isSameName(octets, parentAt, octets, up, length - (up - at))) {
      parent = length === 1 ? 0 : findNamed(draft, above[owner]!, octets, up, length - (up - at))
      parentAt = up
    }
    // The zone's own name, and what stands at or beneath a lower zone, or beneath a name that is not there yet.
    if (parent === 0 || nodeApex[parent] !== apex || apexHashes.has(hash)) {
      later.push(owner)
      continue
    }
    nodeText[node] = text
    nodeAt[node] = at
    nodeSize[node] = size
    nodeHash[node] = hash
    nodeParent[node] = parent
    nodeApex[node] = apex
    nodeOwner[node] = owner + 1
    // One with capitals is kept as it was written, too.
    draft.names += hasCapital(octets, at, length) ? length * 2 : length
    children[parent]!++
    if (octets[at] === 1 && octets[at + 1] === 0x2a) nodeWild[parent] = node
    node++
  }
  draft.nodes = node
  listNodes(draft, first)
  for (const owner of later) placeName(draft, source, apex, text, owner)
}

/** Lists the nodes from `first` on, part of the table by part. */
function listNodes(draft: Draft, first: number): void {
  while (draft.nodes * 4 > draft.table.length) growTable(draft)
  const { table, nodeHash, nodes } = draft
  const { items, hashes } = slotOrder(nodeHash.subarray(first), nodes - first, table.length / 2 - 1)
  for (let each = 0; each < items.length; each++) list(table, hashes[each]!, first + items[each]!)
}

function hasCapital(octets: Uint8Array, at: number, length: number): boolean {
  for (let octet = at; octet < at + length; octet++) if (LOWER[octets[octet]!] !== octets[octet]) return true
  return false
}
