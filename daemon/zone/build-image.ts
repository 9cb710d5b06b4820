import { makeScannedName, scanName, TYPE, type ScannedName } from '../wire/index.ts'
import { FLAG, HEADER, IMAGE_MAGIC, NODE, RRSET } from './image.ts'
import { TYPE_ALIAS, TYPE_ROUTE, type Zone } from './record.ts'

/** An array that grows; `used` of it counts. */
interface Growing<T extends Int32Array | Uint8Array> {
  array: T
  used: number
}

/** Everything read so far, column by column. Nodes count from 1; a record is a row of the `record…` columns. */
interface Draft {
  readonly name: ScannedName
  /** Names, and RDATA. */
  readonly names: Growing<Uint8Array>
  readonly data: Growing<Uint8Array>
  readonly nodeName: Growing<Int32Array>
  readonly nodeShown: Growing<Int32Array>
  readonly nodeSize: Growing<Int32Array>
  readonly nodeHash: Growing<Int32Array>
  readonly nodeParent: Growing<Int32Array>
  readonly nodeApex: Growing<Int32Array>
  readonly nodeWild: Growing<Int32Array>
  /** Of an apex: the node of the same name in the zone above. */
  readonly nodeAbove: Growing<Int32Array>
  /** Nodes outside the table, by apex and name. */
  readonly hidden: Map<string, number>
  /** (hash, node) pairs, never more than half full. */
  table: Int32Array
  readonly recordNode: Growing<Int32Array>
  readonly recordType: Growing<Int32Array>
  readonly recordTtl: Growing<Int32Array>
  readonly recordData: Growing<Int32Array>
  readonly recordLength: Growing<Int32Array>
}

const int32 = (): Growing<Int32Array> => ({ array: new Int32Array(1024), used: 1 })

/** Lays checked zones out as one shared buffer, in the form of image.ts. */
export function buildZoneImage(zones: readonly Zone[]): SharedArrayBuffer {
  const draft: Draft = {
    name: makeScannedName(), names: { array: new Uint8Array(65536), used: 0 }, data: { array: new Uint8Array(65536), used: 0 },
    nodeName: int32(), nodeShown: int32(), nodeSize: int32(), nodeHash: int32(), nodeParent: int32(), nodeApex: int32(), nodeWild: int32(), nodeAbove: int32(),
    hidden: new Map(), table: new Int32Array(2048),
    recordNode: int32(), recordType: int32(), recordTtl: int32(), recordData: int32(), recordLength: int32()
  }
  // All apexes first: a name belongs to the nearest of them.
  const apexes = zones.map((zone) => {
    scanName(zone.origin, 0, zone.origin.length, draft.name)
    return find(draft, 0) || addNode(draft, 0, 0, zone.origin, true)
  })
  // A zone below another makes the names between them exist (RFC 8020), whether the upper one delegates to it or not.
  for (const { origin } of zones) {
    scanName(origin, 0, origin.length, draft.name)
    let label = 1
    while (label <= draft.name.labels && find(draft, label) === 0) label++
    if (label <= draft.name.labels) ensure(draft, draft.nodeApex.array[find(draft, label)]!, 1, origin)
  }
  for (const [index, zone] of zones.entries()) {
    for (const { owner, type, ttl, rdata } of zone.records) addRecord(draft, apexes[index]!, owner, type, ttl, rdata)
  }
  return layOut(draft)
}

function addRecord(draft: Draft, apex: number, owner: Uint8Array, type: number, ttl: number, rdata: Uint8Array): void {
  scanName(owner, 0, owner.length, draft.name)
  const node = nodeFor(draft, apex, owner)
  push(draft.recordNode, node)
  push(draft.recordType, type)
  push(draft.recordTtl, ttl)
  push(draft.recordData, append(draft.data, rdata, 0, rdata.length))
  push(draft.recordLength, rdata.length)
  if (draft.nodeShown.array[node] === 0) noteShown(draft, node, owner)
}

/** The node that takes a record of the zone of `apex`. What a lower zone of ours hides stands at nodes outside the table, for transfers alone. */
function nodeFor(draft: Draft, apex: number, owner: Uint8Array): number {
  const node = ensure(draft, apex, 0, owner)
  const { nodeApex, nodeAbove, hidden } = draft
  if (node !== 0 && nodeApex.array[node] === apex) return node
  const key = `${apex} ${Buffer.from(draft.name.lower.buffer, 0, draft.name.length).toString('latin1')}`
  const known = hidden.get(key)
  if (known !== undefined) return known
  // The NS and DS of the upper zone at the apex of a lower one are found from there.
  const isCut = node !== 0 && nodeApex.array[node] === node
  const parent = isCut ? ensure(draft, apex, 1, owner) : 0
  const isNext = parent !== 0 && nodeApex.array[parent] === apex
  const made = addNode(draft, 0, isNext ? parent : 0, owner, false)
  nodeApex.array[made] = apex
  if (isNext) nodeAbove.array[node] = made
  hidden.set(key, made)
  return made
}

/** The node of the scanned name's suffix from `label`, made with all that are missing above it; 0 when they would stand in another zone. */
function ensure(draft: Draft, apex: number, label: number, owner: Uint8Array): number {
  const { name } = draft
  let missing = label
  let node = find(draft, missing)
  while (node === 0 && missing < name.labels) node = find(draft, ++missing)
  if (node === 0 || (missing > label && draft.nodeApex.array[node] !== apex)) return 0
  while (missing > label) node = addNode(draft, --missing, node, owner, true)
  return node
}

function find(draft: Draft, label: number): number {
  const { name, table, nodeName, nodeSize, names } = draft
  const mask = table.length / 2 - 1
  const hash = name.hashes[label]!
  const start = name.starts[label]!
  const length = name.length - start
  for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
    const node = table[slot * 2 + 1]!
    if (node === 0) return 0
    if (table[slot * 2] !== hash || (nodeSize.array[node]! & 0xff) !== length) continue
    const stored = nodeName.array[node]!
    let same = 0
    while (same < length && names.array[stored + same] === name.lower[start + same]) same++
    if (same === length) return node
  }
}

function addNode(draft: Draft, label: number, parent: number, owner: Uint8Array, listed: boolean): number {
  const { name } = draft
  const start = name.starts[label]!
  const node = draft.nodeName.used
  push(draft.nodeName, append(draft.names, name.lower, start, name.length))
  push(draft.nodeShown, 0)
  push(draft.nodeSize, (name.length - start) | ((name.labels - label) << 8))
  push(draft.nodeHash, name.hashes[label]!)
  push(draft.nodeParent, parent)
  push(draft.nodeApex, parent === 0 ? node : draft.nodeApex.array[parent]!)
  push(draft.nodeWild, 0)
  push(draft.nodeAbove, 0)
  if (!listed) return node
  if (parent !== 0 && owner[start] === 1 && owner[start + 1] === 0x2a) draft.nodeWild.array[parent] = node
  if (node * 4 > draft.table.length) growTable(draft)
  list(draft.table, draft.nodeHash.array[node]!, node)
  return node
}

/** Keeps the owner as written when it has capitals; else the lower-case name serves for both. */
function noteShown(draft: Draft, node: number, owner: Uint8Array): void {
  const stored = draft.nodeName.array[node]!
  let same = 0
  while (same < owner.length && draft.names.array[stored + same] === owner[same]) same++
  draft.nodeShown.array[node] = same === owner.length ? stored : append(draft.names, owner, 0, owner.length)
}

function growTable(draft: Draft): void {
  const { table } = draft
  const larger = new Int32Array(table.length * 2)
  for (let at = 0; at < table.length; at += 2) if (table[at + 1] !== 0) list(larger, table[at]!, table[at + 1]!)
  draft.table = larger
}

function list(table: Int32Array, hash: number, node: number): void {
  const mask = table.length / 2 - 1
  let slot = hash & mask
  while (table[slot * 2 + 1] !== 0) slot = (slot + 1) & mask
  table[slot * 2] = hash
  table[slot * 2 + 1] = node
}

function push(column: Growing<Int32Array>, value: number): void {
  if (column.used === column.array.length) {
    const larger = new Int32Array(column.used * 2)
    larger.set(column.array)
    column.array = larger
  }
  column.array[column.used++] = value
}

function append(heap: Growing<Uint8Array>, from: Uint8Array, start: number, end: number): number {
  const at = heap.used
  const used = at + end - start
  if (used > heap.array.length) {
    const larger = new Uint8Array(Math.max(used, heap.array.length * 2))
    larger.set(heap.array)
    heap.array = larger
  }
  for (let octet = start; octet < end; octet++) heap.array[at + octet - start] = from[octet]!
  heap.used = used
  return at
}

/** Sorts the records and copies everything into the shared buffer. */
function layOut(draft: Draft): SharedArrayBuffer {
  const order = sortRecords(draft)
  const nodeCount = draft.nodeName.used
  let rrsetCount = 0
  for (let row = 0; row < order.length; row++) if (row === 0 || !isSameRrset(draft, order[row - 1]!, order[row]!)) rrsetCount++
  const nodesAt = HEADER.WORDS + draft.table.length
  const rrsetsAt = nodesAt + (nodeCount + 1) * NODE.WORDS
  const namesAt = (rrsetsAt + rrsetCount * RRSET.WORDS) * 4
  const dataAt = namesAt + draft.names.used
  const image = new SharedArrayBuffer((dataAt + draft.data.used + order.length * 2 + 3) & ~3)
  const words = new Int32Array(image)
  const bytes = new Uint8Array(image)
  words.set(draft.table, HEADER.WORDS)
  bytes.set(draft.names.array.subarray(0, draft.names.used), namesAt)
  const deepest = writeNodes(draft, words, nodesAt, namesAt)
  writeRrsets(draft, order, words, bytes, { nodesAt, rrsetsAt, dataAt })
  words.set([IMAGE_MAGIC, HEADER.WORDS, draft.table.length / 2 - 1, nodesAt, nodeCount, rrsetsAt, deepest, order.length])
  return image
}

/** Rows of the record columns by node and type, and as written where these are the same. */
function sortRecords(draft: Draft): Int32Array {
  const { recordNode, recordType } = draft
  const nodeCount = draft.nodeName.used
  const next = new Int32Array(nodeCount + 1)
  for (let record = 1; record < recordNode.used; record++) next[recordNode.array[record]! + 1]!++
  for (let node = 1; node <= nodeCount; node++) next[node]! += next[node - 1]!
  const order = new Int32Array(recordNode.used - 1)
  for (let record = 1; record < recordNode.used; record++) order[next[recordNode.array[record]!]!++] = record
  for (let node = 1, start = 0; node < nodeCount; node++) {
    const stop = next[node]!
    if (stop - start > 1) order.subarray(start, stop).sort((a, b) => recordType.array[a]! - recordType.array[b]! || a - b)
    start = stop
  }
  return order
}

function isSameRrset(draft: Draft, a: number, b: number): boolean {
  return draft.recordNode.array[a] === draft.recordNode.array[b] && draft.recordType.array[a] === draft.recordType.array[b]
}

/** @returns the labels of the deepest name */
function writeNodes(draft: Draft, words: Int32Array, nodesAt: number, namesAt: number): number {
  let deepest = 0
  for (let node = 1; node < draft.nodeName.used; node++) {
    const base = nodesAt + node * NODE.WORDS
    const size = draft.nodeSize.array[node]!
    deepest = Math.max(deepest, size >>> 8)
    const stored = draft.nodeName.array[node]!
    words[base + NODE.NAME] = namesAt + stored
    words[base + NODE.SHOWN] = namesAt + (draft.nodeShown.array[node]! || stored)
    words[base + NODE.SHAPE] = size << 16
    words[base + NODE.APEX] = draft.nodeApex.array[node]!
    words[base + NODE.ABOVE] = draft.nodeAbove.array[node]!
    words[base + NODE.WILD] = draft.nodeWild.array[node]!
  }
  return deepest
}

/** Fills RRsets, their records and the flags of their nodes; then each node learns what above it hides it. */
function writeRrsets(draft: Draft, order: Int32Array, words: Int32Array, bytes: Uint8Array, parts: { nodesAt: number; rrsetsAt: number; dataAt: number }): void {
  const { recordNode, nodeParent, nodeApex } = draft
  let rrset = 0
  let row = 0
  let at = parts.dataAt
  for (let node = 1; node <= draft.nodeName.used; node++) {
    const base = parts.nodesAt + node * NODE.WORDS
    words[base + NODE.RRSETS] = rrset
    if (node === draft.nodeName.used) break
    let flags = nodeApex.array[node] === node ? FLAG.APEX : 0
    while (row < order.length && recordNode.array[order[row]!] === node) {
      let stop = row + 1
      while (stop < order.length && isSameRrset(draft, order[row]!, order[stop]!)) stop++
      flags |= flagOf(draft.recordType.array[order[row]!]!)
      at = writeRrset(draft, order.subarray(row, stop), words.subarray(parts.rrsetsAt + rrset * RRSET.WORDS), bytes, at)
      rrset++
      row = stop
    }
    if ((flags & FLAG.APEX) !== 0) flags &= ~FLAG.CUT
    words[base + NODE.SHAPE]! |= flags
    const parent = nodeParent.array[node]!
    if (parent === 0) continue
    const above = parts.nodesAt + parent * NODE.WORDS
    const hides = (words[above + NODE.SHAPE]! & (FLAG.CUT | FLAG.DNAME)) !== 0
    words[base + NODE.ABOVE] = (words[above + NODE.SHAPE]! & FLAG.APEX) === 0 && words[above + NODE.ABOVE] !== 0 ? words[above + NODE.ABOVE]! : hides ? parent : 0
  }
}

function flagOf(type: number): number {
  switch (type) {
    case TYPE.NS: return FLAG.CUT
    case TYPE.DNAME: return FLAG.DNAME
    case TYPE.CNAME: return FLAG.CNAME
    case TYPE_ROUTE: return FLAG.ROUTE
    case TYPE_ALIAS: return FLAG.ALIAS
    default: return 0
  }
}

/** Writes one RRset without its duplicates; its TTL is the least of its records' (RFC 2181 §5). @returns where the next one's data goes */
function writeRrset(draft: Draft, rows: Int32Array, words: Int32Array, bytes: Uint8Array, dataAt: number): number {
  const { data, recordData, recordLength, recordTtl } = draft
  const seen = rows.length > 1 ? new Set<string>() : undefined
  let count = 0
  let at = dataAt
  let ttl = 0x7fffffff
  for (const row of rows) {
    ttl = Math.min(ttl, recordTtl.array[row]!)
    const rdata = data.array.subarray(recordData.array[row]!, recordData.array[row]! + recordLength.array[row]!)
    if (seen !== undefined) {
      const text = Buffer.from(rdata.buffer, rdata.byteOffset, rdata.length).toString('latin1')
      if (seen.has(text)) continue
      seen.add(text)
    }
    bytes[at] = rdata.length >>> 8
    bytes[at + 1] = rdata.length
    bytes.set(rdata, at + 2)
    at += 2 + rdata.length
    count++
  }
  words[RRSET.TYPE] = draft.recordType.array[rows[0]!]! | (count << 16)
  words[RRSET.TTL] = ttl
  words[RRSET.DATA] = dataAt
  words[RRSET.LENGTH] = at - dataAt
  return at
}
