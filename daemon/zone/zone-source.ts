import type { PlainRecord } from './change.ts'
import { type Groups, groupRecords, settleRRsets } from './group.ts'
import { isStale, NODE, nodeWord, RRSET, rrsetWord, HEADER, type ZoneImage } from './image.ts'
import { makeTrouble, type Sources } from './sources.ts'
import { addRecord, internName, makeTable, reserve, type Table } from './table.ts'
import type { Zone } from './record.ts'

/** A zone to be laid out: its names by number, and the RRsets of each. */
export interface ZoneSource {
  /** Wire form. */
  readonly origin: Uint8Array
  /** Names that own records, no two of them the same. */
  readonly names: number
  readonly records: number
  /** Where the names stand, as they were written. */
  readonly octets: Uint8Array
  nameAt(name: number): number
  /** Adds to `size` what the RRsets of all names come to. */
  measure(size: Size): void
  /** Hands the RRsets of a name on, one by one: each opened, then its records as (length, octets) pairs. */
  lay(name: number, sink: RrsetSink): void
}

export interface Size {
  rrsets: number
  /** Octets of all RDATA with the lengths before it. */
  data: number
}

export interface RrsetSink {
  open(type: number, ttl: number, records: number): void
  /** Octets of records of the RRset that was opened last. */
  data(octets: Uint8Array, from: number, to: number): void
}

/** The zone that a table holds. */
export function sourceOfTable(origin: Uint8Array, table: Table, { order, starts }: Groups): ZoneSource {
  const { octets, rdata, type, ttl } = table
  const lengthAt = (at: number): number => 2 + ((octets[at]! << 8) | octets[at + 1]!)
  return {
    origin, names: starts.length - 1, records: order.length, octets,
    nameAt: (name) => table.nameAt[name]!,
    measure: (size) => {
      for (let at = 0; at < order.length; at++) {
        const record = order[at]!
        size.data += lengthAt(rdata[record]!)
        if (at === 0 || type[order[at - 1]!] !== type[record] || table.name[order[at - 1]!] !== table.name[record]) size.rrsets++
      }
    },
    lay: (name, sink) => {
      const end = starts[name + 1]!
      for (let from = starts[name]!; from < end; ) {
        const record = order[from]!
        let to = from + 1
        let least = ttl[record]!
        for (; to < end && type[order[to]!] === type[record]; to++) least = Math.min(least, ttl[order[to]!]!)
        sink.open(type[record]!, least, to - from)
        for (; from < to; from++) {
          const at = rdata[order[from]!]!
          sink.data(octets, at, at + lengthAt(at))
        }
      }
    }
  }
}

/** Records that have passed their checks, in any order. */
export function sourceOfRecords(origin: Uint8Array, records: Iterable<PlainRecord>): ZoneSource {
  const table = makeTable(4096)
  for (const record of records) putRecord(table, record, 0)
  const sources: Sources = { list: [{ file: '', base: 0, text: new Uint8Array(0) }], end: 0 }
  return sourceOfTable(origin, table, settleRRsets(table, groupRecords(table), makeTrouble(sources)))
}

/** Adds a record to a table; `place` is its place in the sources. */
export function putRecord(table: Table, { owner, type, ttl, rdata }: PlainRecord, place: number): void {
  const octets = reserve(table, owner.length + rdata.length + 2)
  octets.set(owner, table.used)
  const name = internName(table, owner.length)
  const start = table.used
  octets[start] = rdata.length >>> 8
  octets[start + 1] = rdata.length & 0xff
  octets.set(rdata, start + 2)
  table.used = start + 2 + rdata.length
  addRecord(table, name, type, ttl & 0x7fff_ffff, start, place)
}

export function sourceOfZone(zone: Zone): ZoneSource {
  return zone.source ?? sourceOfRecords(zone.origin, zone.records)
}

/** A zone as it stands in an image. */
export function sourceOfImage(image: ZoneImage, apex: number): ZoneSource {
  const { bytes } = image
  const owners: number[] = []
  const size: Size = { rrsets: 0, data: 0 }
  let records = 0
  eachNode(image, apex, (node) => {
    const [first, stop] = [nodeWord(image, node, NODE.RRSETS), nodeWord(image, node + 1, NODE.RRSETS)]
    if (first === stop) return
    owners.push(node)
    size.rrsets += stop - first
    for (let rrset = first; rrset < stop; rrset++) {
      size.data += rrsetWord(image, rrset, RRSET.LENGTH)
      records += rrsetWord(image, rrset, RRSET.TYPE) >>> 16
    }
  })
  const nodes = Int32Array.from(owners)
  const at = nodeWord(image, apex, NODE.SHOWN)
  const octets = (nodeWord(image, apex, NODE.SHAPE) >>> 16) & 0xff
  return {
    origin: bytes.slice(at, at + octets), names: nodes.length, records, octets: bytes,
    nameAt: (name) => nodeWord(image, nodes[name]!, NODE.SHOWN),
    measure: (into) => {
      into.rrsets += size.rrsets
      into.data += size.data
    },
    lay: (name, sink) => {
      const stop = nodeWord(image, nodes[name]! + 1, NODE.RRSETS)
      for (let rrset = nodeWord(image, nodes[name]!, NODE.RRSETS); rrset < stop; rrset++) {
        const shape = rrsetWord(image, rrset, RRSET.TYPE)
        sink.open(shape & 0xffff, rrsetWord(image, rrset, RRSET.TTL), shape >>> 16)
        const from = rrsetWord(image, rrset, RRSET.DATA)
        sink.data(bytes, from, from + rrsetWord(image, rrset, RRSET.LENGTH))
      }
    }
  }
}

/** Every node of a zone that stands now, the apex first: those with records and those without, and those outside the table. */
export function eachNode(image: ZoneImage, apex: number, visit: (node: number) => void): void {
  for (let node = nextNode(image, apex, 0); node !== 0; node = nextNode(image, apex, node)) visit(node)
}

/** The node of the zone behind `node` in an order that is the same for one image; its apex behind 0, 0 behind the last. */
export function nextNode(image: ZoneImage, apex: number, node: number): number {
  if (node === 0) return apex
  const { words, nodes, zones, zoneCount, nodeCount } = image
  const apexOf = (each: number): number => words[nodes + each * NODE.WORDS + NODE.APEX]!
  const home = apexOf(apex)
  const built = words[HEADER.NODE_COUNT]!
  const isBuilt = home <= zoneCount
  const end = isBuilt ? words[zones + home]! : 0
  let next = node === apex ? (isBuilt ? words[zones + home - 1]! : built) : node + 1
  for (; next < end; next++) if (!isStale(image, next)) return next
  for (next = Math.max(next, built); next < nodeCount; next++) if (apexOf(next) === home && next !== apex && !isStale(image, next)) return next
  return 0
}
