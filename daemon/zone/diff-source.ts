import { makeScannedName, nameLength, scanName, type ScannedName } from '../wire/index.ts'
import { dataKey, nameKey, rdataOf } from './change-owners.ts'
import { isSerialAfter, serialOf, type Difference, type PlainRecord, type ZoneStep } from './change.ts'
import { lowerName } from './diff.ts'
import { findNode, NODE, nodeWord, RRSET, rrsetWord, type ZoneImage } from './image.ts'
import { TYPE } from '../wire/types.ts'
import { eachNode, type RrsetSink, type ZoneSource } from './zone-source.ts'
import { findZone } from './zone-records.ts'

interface Walk {
  readonly image: ZoneImage
  readonly apex: number
  readonly source: ZoneSource
  readonly name: ScannedName
  /** Nodes outside the table by name, once one of them is looked for. */
  hidden?: Map<string, number>
  /** RRsets of the name at hand. */
  readonly rrsets: { type: number; ttl: number; from: number; to: number }[]
  readonly deleted: PlainRecord[]
  readonly added: PlainRecord[]
}

/**
 * How what a source holds differs from what is served of its zone.
 * @param most records of a difference that is worth telling
 * @returns undefined when the zone is not served, or there is more to tell
 */
export function diffSource(image: ZoneImage, source: ZoneSource, most: number): Difference | undefined {
  const apex = findZone(image, source.origin)
  if (apex === 0) return undefined
  const walk: Walk = { image, apex, source, name: makeScannedName(), rrsets: [], deleted: [], added: [] }
  const { octets } = source
  const seen = new Uint32Array((image.nodeCount >>> 5) + 1)
  const sink = sinkInto(walk)
  for (let name = 0; name < source.names; name++) {
    const at = source.nameAt(name)
    scanName(octets, at, octets.length, walk.name)
    const node = nodeOf(walk, octets, at)
    seen[node >>> 5]! |= 1 << (node & 31)
    walk.rrsets.length = 0
    source.lay(name, sink)
    compareName(walk, node, at)
    if (walk.deleted.length + walk.added.length > most) return undefined
  }
  let isTooMuch = false
  eachNode(image, apex, (node) => {
    if (isTooMuch || ((seen[node >>> 5]! >>> (node & 31)) & 1) === 1) return
    const stop = nodeWord(image, node + 1, NODE.RRSETS)
    for (let rrset = nodeWord(image, node, NODE.RRSETS); rrset < stop; rrset++) drop(walk, node, rrset)
    isTooMuch = walk.deleted.length + walk.added.length > most
  })
  return isTooMuch ? undefined : walk
}

/** The node of the scanned name in its zone, wherever it stands; 0 when there is none. */
function nodeOf(walk: Walk, octets: Uint8Array, at: number): number {
  const { image, apex, name } = walk
  let label = 0
  let node = findNode(image, name, label)
  const isThere = node !== 0
  while (node === 0 && label < name.labels) node = findNode(image, name, ++label)
  if (node !== 0 && nodeWord(image, node, NODE.APEX) === apex) return isThere ? node : 0
  if (walk.hidden === undefined) {
    const hidden = (walk.hidden = new Map<string, number>())
    const other = makeScannedName()
    eachNode(image, apex, (each) => {
      const stored = nodeWord(image, each, NODE.NAME)
      const length = scanName(image.bytes, stored, image.bytes.length, other)
      if (findNode(image, other, 0) !== each) hidden.set(nameKey(image.bytes.subarray(stored, stored + length)), each)
    })
  }
  return walk.hidden.get(nameKey(octets.subarray(at, at + name.length))) ?? 0
}

function sinkInto({ rrsets, source }: Walk): RrsetSink {
  return {
    open: (type, ttl) => void rrsets.push({ type, ttl, from: -1, to: -1 }),
    data: (octets, from, to) => {
      if (octets !== source.octets) throw new Error('names and data of a table stand in one place')
      const last = rrsets.at(-1)!
      // Records of one RRset need not stand side by side: only the first run is compared octet by octet.
      if (last.from < 0) last.from = from
      else if (last.to !== from) rrsets.push({ type: last.type, ttl: last.ttl, from, to })
      rrsets.at(-1)!.to = to
    }
  }
}

function compareName(walk: Walk, node: number, at: number): void {
  const { image, rrsets, source } = walk
  const [first, stop] = node === 0 ? [0, 0] : [nodeWord(image, node, NODE.RRSETS), nodeWord(image, node + 1, NODE.RRSETS)]
  if (stop - first === rrsets.length && rrsets.every((rrset, index) => isSame(walk, rrset, first + index))) return
  const { octets } = source
  const owner = octets.slice(at, at + nameLength(octets, at))
  const left = new Set<number>()
  for (let rrset = first; rrset < stop; rrset++) left.add(rrset)
  for (const type of new Set(rrsets.map((rrset) => rrset.type))) {
    const runs = rrsets.filter((rrset) => rrset.type === type)
    const before = [...left].find((rrset) => (rrsetWord(image, rrset, RRSET.TYPE) & 0xffff) === type)
    if (before !== undefined) left.delete(before)
    compareType(walk, owner, type, runs, before)
  }
  for (const rrset of left) drop(walk, node, rrset)
}

function isSame({ image, source }: Walk, { type, ttl, from, to }: Walk['rrsets'][number], rrset: number): boolean {
  const length = rrsetWord(image, rrset, RRSET.LENGTH)
  if ((rrsetWord(image, rrset, RRSET.TYPE) & 0xffff) !== type || rrsetWord(image, rrset, RRSET.TTL) !== ttl || length !== to - from) return false
  const at = rrsetWord(image, rrset, RRSET.DATA)
  for (let octet = 0; octet < length; octet++) if (image.bytes[at + octet] !== source.octets[from + octet]) return false
  return true
}

function compareType(walk: Walk, owner: Uint8Array, type: number, runs: Walk['rrsets'], rrset: number | undefined): void {
  const { image, source: { octets } } = walk
  const { ttl } = runs[0]!
  const now = runs.flatMap(({ from, to }) => recordsIn(octets, from, to))
  const before = rrset === undefined ? [] : rdataOf(image, rrset)
  const ttlBefore = rrset === undefined ? ttl : rrsetWord(image, rrset, RRSET.TTL)
  const keep = ttlBefore === ttl
  const had = new Set(keep ? before.map((rdata) => dataKey(type, rdata)) : [])
  const has = new Set(keep ? now.map((rdata) => dataKey(type, rdata)) : [])
  for (const rdata of before) if (!has.has(dataKey(type, rdata))) walk.deleted.push({ owner, type, ttl: ttlBefore, rdata: rdata.slice() })
  for (const rdata of now) if (!had.has(dataKey(type, rdata))) walk.added.push({ owner, type, ttl, rdata: rdata.slice() })
}

function recordsIn(octets: Uint8Array, from: number, to: number): Uint8Array[] {
  const found: Uint8Array[] = []
  for (let at = from; at < to; ) {
    const length = (octets[at]! << 8) | octets[at + 1]!
    found.push(octets.subarray(at + 2, at + 2 + length))
    at += 2 + length
  }
  return found
}

function drop({ image, deleted }: Walk, node: number, rrset: number): void {
  const shown = nodeWord(image, node, NODE.SHOWN)
  const owner = image.bytes.slice(shown, shown + nameLength(image.bytes, shown))
  const type = rrsetWord(image, rrset, RRSET.TYPE) & 0xffff
  for (const rdata of rdataOf(image, rrset)) deleted.push({ owner, type, ttl: rrsetWord(image, rrset, RRSET.TTL), rdata: rdata.slice() })
}

/** A difference as a step; undefined when there is none. @param serial the one that is served before */
export function stepOf(origin: Uint8Array, { deleted, added }: Difference, serial: number): ZoneStep | undefined {
  if (deleted.length + added.length === 0) return undefined
  const own = lowerName(origin)
  const soa = added.find(({ type }) => type === TYPE.SOA)
  const to = soa === undefined ? serial : serialOf(soa.rdata)
  if (!isSerialAfter(to, serial)) return { origin: own, reset: true, serial: to }
  return { origin: own, from: serial, to, deleted: soaFirst(deleted), added: soaFirst(added) }
}

function soaFirst(records: readonly PlainRecord[]): PlainRecord[] {
  return [...records.filter(({ type }) => type === TYPE.SOA), ...records.filter(({ type }) => type !== TYPE.SOA)]
}
