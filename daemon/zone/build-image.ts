import { LOWER, TYPE } from '../wire/index.ts'
import { makeDraft, placeApex, placeBetween, type Draft } from './draft.ts'
import { placeNames } from './place-many.ts'
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
  const apexes = sources.map((source) => placeApex(draft, source))
  const starts = Int32Array.from([...sources.map((source, zone) => placeNames(draft, source, apexes[zone]!, zone * 2 + 1)), draft.nodes])
  for (const [zone, source] of sources.entries()) placeBetween(draft, source.origin, zone * 2)
  return layOut(draft, sources, starts, spare)
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
  let hasCapital = false
  for (let octet = 0; octet < length; octet++) {
    const written = text[from + octet]!
    const lower = LOWER[written]!
    bytes[at + octet] = lower
    hasCapital ||= lower !== written
  }
  layout.heap += length
  words[base + NODE.NAME] = at
  words[base + NODE.SHOWN] = at
  if (shown < 0) return
  const { octets } = source!
  if (octets === text && shown === from) {
    if (!hasCapital) return
  } else {
    let same = 0
    while (same < length && octets[shown + same] === bytes[at + same]) same++
    if (same === length) return
  }
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
