import { LOWER, makeScannedName, scanName, TYPE, type ScannedName } from '../wire/index.ts'
import { FLAG, HEADER, IMAGE_MAGIC, NODE, RRSET, type SharedZones } from './image.ts'
import { TYPE_ALIAS, TYPE_ROUTE, type Zone } from './record.ts'
import { sourceOfZone, type RrsetSink, type Size, type ZoneSource } from './zone-source.ts'

/** What was built, and what only changes of it need. */
export interface Built {
  readonly shared: SharedZones
  /** Per node: names right beneath it, apexes of lower zones too. */
  readonly children: Int32Array
  /** How many nodes, RRsets and octets of the heap there are, and may be. */
  readonly used: Room
  readonly limit: Room
  /** Where the heap begins, in octets. */
  readonly heap: number
}

export interface Room {
  nodes: number
  rrsets: number
  /** Octets. */
  heap: number
}

/** Names put in the table so far, column by column. Nodes count from 1. */
interface Draft {
  readonly name: ScannedName
  /** What names stand in, and for each node in which of them, and where. */
  readonly texts: Uint8Array[]
  nodeText: Int32Array
  nodeAt: Int32Array
  /** The name of its zone's source that stands there, and one; 0: none. */
  nodeOwner: Int32Array
  /** Octets of the name | labels << 8. */
  nodeSize: Int32Array
  nodeHash: Int32Array
  nodeParent: Int32Array
  nodeApex: Int32Array
  nodeWild: Int32Array
  /** Of an apex: the node of the same name in the zone above. */
  nodeAbove: Int32Array
  children: Int32Array
  nodes: number
  /** Octets of all names. */
  names: number
  /** Nodes outside the table, by apex and name. */
  readonly hidden: Map<string, number>
  /** (hash, node) pairs, never more than half full. */
  table: Int32Array
}

const COLUMNS = ['nodeText', 'nodeAt', 'nodeOwner', 'nodeSize', 'nodeHash', 'nodeParent', 'nodeApex', 'nodeWild', 'nodeAbove', 'children'] as const

/** Lays checked zones out as one shared buffer, in the form of image.ts. */
export function buildZoneImage(zones: readonly Zone[]): SharedZones {
  return buildZones(zones.map(sourceOfZone)).shared
}

let builds = 0

/** @param spare room for changes beside what is kept anyway */
export function buildZones(sources: readonly ZoneSource[], spare?: Readonly<Room>): Built {
  const names = sources.reduce((sum, source) => sum + source.names, sources.length)
  const draft = makeDraft(names)
  // All apexes first: a name belongs to the nearest of them.
  const apexes = sources.map((source) => {
    draft.texts.push(source.origin, source.octets)
    scanName(source.origin, 0, source.origin.length, draft.name)
    return addNode(draft, 0, 0, draft.texts.length - 2, 0, true)
  })
  const starts = Int32Array.from([...sources.map((source, zone) => placeNames(draft, source, apexes[zone]!, zone * 2 + 1)), draft.nodes])
  for (const [zone, source] of sources.entries()) placeBetween(draft, source.origin, zone * 2)
  return layOut(draft, sources, starts, spare)
}

function makeDraft(names: number): Draft {
  const size = Math.max(64, Math.ceil(names * 1.1) + 2)
  const columns = Object.fromEntries(COLUMNS.map((column) => [column, new Int32Array(size)])) as Record<(typeof COLUMNS)[number], Int32Array>
  return { name: makeScannedName(), texts: [], ...columns, nodes: 1, names: 0, hidden: new Map(), table: new Int32Array(2 ** Math.ceil(Math.log2(size * 2 + 2)) * 2) }
}

/** Puts all names of a zone in place. @returns the first node that was made for it */
function placeNames(draft: Draft, source: ZoneSource, apex: number, text: number): number {
  const { octets } = source
  const first = draft.nodes
  for (let name = 0; name < source.names; name++) {
    const at = source.nameAt(name)
    scanName(octets, at, octets.length, draft.name)
    const node = nodeFor(draft, apex, text, at)
    draft.nodeOwner[node] = name + 1
    if (hasCapital(draft.name, octets, at)) draft.names += draft.name.length
  }
  return first
}

function hasCapital({ lower, length }: ScannedName, octets: Uint8Array, at: number): boolean {
  for (let octet = 0; octet < length; octet++) if (octets[at + octet] !== lower[octet]) return true
  return false
}

/** A zone below another makes the names between them exist (RFC 8020), whether the upper one delegates to it or not. */
function placeBetween(draft: Draft, origin: Uint8Array, text: number): void {
  const { name } = draft
  scanName(origin, 0, origin.length, name)
  let label = 1
  while (label <= name.labels && find(draft, label) === 0) label++
  if (label > name.labels) return
  const above = ensure(draft, draft.nodeApex[find(draft, label)]!, 1, text, 0)
  if (above !== 0) draft.children[above]!++
}

/** The node that takes a name of the zone of `apex`. What a lower zone of ours hides stands at nodes outside the table, for transfers alone. */
function nodeFor(draft: Draft, apex: number, text: number, at: number): number {
  const node = ensure(draft, apex, 0, text, at)
  const { name, hidden } = draft
  if (node !== 0 && draft.nodeApex[node] === apex) return node
  const key = `${apex} ${Buffer.from(name.lower.buffer, 0, name.length).toString('latin1')}`
  const known = hidden.get(key)
  if (known !== undefined) return known
  // The NS and DS of the upper zone at the apex of a lower one are found from there.
  const isCut = node !== 0 && draft.nodeApex[node] === node
  const parent = isCut ? ensure(draft, apex, 1, text, at) : 0
  const isNext = parent !== 0 && draft.nodeApex[parent] === apex
  const made = addNode(draft, 0, isNext ? parent : 0, text, at, false)
  draft.nodeApex[made] = apex
  if (isNext) draft.nodeAbove[node] = made
  hidden.set(key, made)
  return made
}

/** The node of the scanned name's suffix from `label`, made with all that are missing above it; 0 when they would stand in another zone. */
function ensure(draft: Draft, apex: number, label: number, text: number, at: number): number {
  const { name } = draft
  let missing = label
  let node = find(draft, missing)
  while (node === 0 && missing < name.labels) node = find(draft, ++missing)
  if (node === 0 || (missing > label && draft.nodeApex[node] !== apex)) return 0
  while (missing > label) node = addNode(draft, --missing, node, text, at, true)
  return node
}

function find(draft: Draft, label: number): number {
  const { name, table, nodeAt, nodeSize, nodeText, texts } = draft
  const mask = table.length / 2 - 1
  const hash = name.hashes[label]!
  const start = name.starts[label]!
  const length = name.length - start
  for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
    const node = table[slot * 2 + 1]!
    if (node === 0) return 0
    if (table[slot * 2] !== hash || (nodeSize[node]! & 0xff) !== length) continue
    const text = texts[nodeText[node]!]!
    const stored = nodeAt[node]!
    let same = 0
    while (same < length && LOWER[text[stored + same]!] === name.lower[start + same]) same++
    if (same === length) return node
  }
}

/** @param at where the whole of the scanned name stands in the text */
function addNode(draft: Draft, label: number, parent: number, text: number, at: number, isListed: boolean): number {
  const { name } = draft
  const start = name.starts[label]!
  const node = draft.nodes++
  if (draft.nodes > draft.nodeAt.length) for (const column of COLUMNS) draft[column] = wider(draft[column])
  draft.nodeText[node] = text
  draft.nodeAt[node] = at + start
  draft.nodeSize[node] = (name.length - start) | ((name.labels - label) << 8)
  draft.nodeHash[node] = name.hashes[label]!
  draft.nodeParent[node] = parent
  draft.nodeApex[node] = parent === 0 ? node : draft.nodeApex[parent]!
  draft.names += name.length - start
  if (!isListed) return node
  if (parent !== 0) {
    draft.children[parent]!++
    if (name.lower[start] === 1 && name.lower[start + 1] === 0x2a) draft.nodeWild[parent] = node
  }
  if (node * 4 > draft.table.length) growTable(draft)
  list(draft.table, name.hashes[label]!, node)
  return node
}

function wider(column: Int32Array): Int32Array {
  const copy = new Int32Array(Math.ceil(column.length * 1.5))
  copy.set(column)
  return copy
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

/** The shared buffer while it is filled. */
interface Layout {
  readonly words: Int32Array
  readonly bytes: Uint8Array
  readonly nodesAt: number
  readonly rrsetsAt: number
  rrset: number
  /** Where the next octets of the heap go. */
  heap: number
  /** Flags of the node at hand. */
  flags: number
}

/** Room that is kept for changes: it costs no memory before it is used. */
function limitOf({ nodes, rrsets, heap }: Room, spare: Readonly<Room>): Room {
  return {
    nodes: nodes + Math.max(1024, nodes >>> 4) + spare.nodes,
    rrsets: rrsets + Math.max(4096, rrsets >>> 4) + spare.rrsets,
    heap: heap + Math.max(1 << 17, heap >>> 4) + spare.heap
  }
}

function layOut(draft: Draft, sources: readonly ZoneSource[], starts: Int32Array, spare: Readonly<Room> = { nodes: 0, rrsets: 0, heap: 0 }): Built {
  const size: Size = { rrsets: 0, data: 0 }
  for (const source of sources) source.measure(size)
  const { table } = draft
  const used = { nodes: draft.nodes, rrsets: size.rrsets, heap: draft.names + size.data }
  const limit = limitOf(used, spare)
  const heapAt = HEADER.WORDS + table.length
  const nodesAt = heapAt + Math.ceil(limit.heap / 4)
  const rrsetsAt = nodesAt + (limit.nodes + 1) * NODE.WORDS
  const zonesAt = rrsetsAt + limit.rrsets * RRSET.WORDS
  const base = new SharedArrayBuffer((zonesAt + starts.length) * 4)
  const words = new Int32Array(base)
  const layout: Layout = { words, bytes: new Uint8Array(base), nodesAt, rrsetsAt, rrset: 0, heap: heapAt * 4, flags: 0 }
  words.set(table, HEADER.WORDS)
  words.set(starts, zonesAt)
  const deepest = writeNodes(draft, sources, starts, layout)
  const records = sources.reduce((sum, source) => sum + source.records, 0)
  words.set([IMAGE_MAGIC, HEADER.WORDS, table.length / 2 - 1, nodesAt, draft.nodes, rrsetsAt, deepest, records, zonesAt, sources.length])
  const children = new Int32Array(limit.nodes + 1)
  children.set(draft.children.subarray(0, draft.nodes))
  return { shared: { base, build: ++builds, byteLength: base.byteLength }, children, used: { ...used, rrsets: layout.rrset, heap: layout.heap - heapAt * 4 }, limit, heap: heapAt * 4 }
}

/** @returns the labels of the deepest name */
function writeNodes(draft: Draft, sources: readonly ZoneSource[], starts: Int32Array, layout: Layout): number {
  const { words, nodesAt, rrsetsAt } = layout
  const sink = sinkOf(layout)
  let deepest = 0
  let zone = 0
  for (let node = 1; node < draft.nodes; node++) {
    const base = nodesAt + node * NODE.WORDS
    const size = draft.nodeSize[node]!
    deepest = Math.max(deepest, size >>> 8)
    while (zone < sources.length && node >= starts[zone + 1]!) zone++
    const source = node <= sources.length ? sources[node - 1] : sources[zone]
    words[base + NODE.RRSETS] = layout.rrset
    layout.flags = draft.nodeApex[node] === node ? FLAG.APEX : 0
    const owner = draft.nodeOwner[node]!
    writeName(draft, layout, node, base, owner === 0 ? -1 : source!.nameAt(owner - 1), source)
    if (owner !== 0) source!.lay(owner - 1, sink)
    if ((layout.flags & FLAG.APEX) !== 0) layout.flags &= ~FLAG.CUT
    words[base + NODE.SHAPE] = (size << 16) | layout.flags
    words[base + NODE.APEX] = draft.nodeApex[node]!
    words[base + NODE.WILD] = draft.nodeWild[node]!
    words[base + NODE.ABOVE] = aboveOf(draft, layout, node)
  }
  words[nodesAt + draft.nodes * NODE.WORDS + NODE.RRSETS] = layout.rrset
  if (layout.rrset * RRSET.WORDS + rrsetsAt > words.length) throw new Error('the RRsets were counted wrongly')
  return deepest
}

/** Writes the name of a node, and as it was written where it has capitals: there stands what `shown` says, if not -1. */
function writeName({ nodeAt, nodeText, nodeSize, texts }: Draft, layout: Layout, node: number, base: number, shown: number, source: ZoneSource | undefined): void {
  const { words, bytes } = layout
  const text = texts[nodeText[node]!]!
  const from = nodeAt[node]!
  const length = nodeSize[node]! & 0xff
  const at = layout.heap
  for (let octet = 0; octet < length; octet++) bytes[at + octet] = LOWER[text[from + octet]!]!
  layout.heap += length
  words[base + NODE.NAME] = at
  words[base + NODE.SHOWN] = at
  if (shown < 0) return
  const { octets } = source!
  let same = 0
  while (same < length && octets[shown + same] === bytes[at + same]) same++
  if (same === length) return
  words[base + NODE.SHOWN] = layout.heap
  for (let octet = 0; octet < length; octet++) bytes[layout.heap + octet] = octets[shown + octet]!
  layout.heap += length
}

function aboveOf(draft: Draft, { words, nodesAt, flags }: Layout, node: number): number {
  const parent = draft.nodeParent[node]!
  if (parent === 0 || (flags & FLAG.APEX) !== 0) return draft.nodeAbove[node]!
  return hiddenBelow(words, nodesAt + parent * NODE.WORDS, parent)
}

/** What hides the names right below a node, whose words are at `base`. @param node how others refer to it */
export function hiddenBelow(words: Int32Array, base: number, node: number): number {
  const shape = words[base + NODE.SHAPE]!
  if ((shape & FLAG.APEX) === 0 && words[base + NODE.ABOVE] !== 0) return words[base + NODE.ABOVE]!
  return (shape & (FLAG.CUT | FLAG.DNAME)) !== 0 ? node : 0
}

function sinkOf(layout: Layout): RrsetSink {
  const { words, bytes, rrsetsAt } = layout
  let base = 0
  return {
    open: (type, ttl, records) => {
      base = rrsetsAt + layout.rrset++ * RRSET.WORDS
      words[base + RRSET.TYPE] = type | (records << 16)
      words[base + RRSET.TTL] = ttl
      words[base + RRSET.DATA] = layout.heap
      words[base + RRSET.LENGTH] = 0
      layout.flags |= flagOf(type)
    },
    data: (octets, from, to) => {
      let at = layout.heap
      if (to - from > 64) bytes.set(octets.subarray(from, to), at)
      else for (let octet = from; octet < to; octet++) bytes[at++] = octets[octet]!
      layout.heap += to - from
      words[base + RRSET.LENGTH]! += to - from
    }
  }
}

/** What a type makes of the name that owns it. */
export function flagOf(type: number): number {
  switch (type) {
    case TYPE.NS: return FLAG.CUT
    case TYPE.DNAME: return FLAG.DNAME
    case TYPE.CNAME: return FLAG.CNAME
    case TYPE_ROUTE: return FLAG.ROUTE
    case TYPE_ALIAS: return FLAG.ALIAS
    default: return 0
  }
}
