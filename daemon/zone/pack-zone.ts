import { nameLength } from '../wire/name.ts'
import type { Zone, ZoneRecord, ZoneRecords } from './record.ts'
import { sourceOfZone, type RrsetSink, type ZoneSource } from './zone-source.ts'

// A small zone in one piece of memory: of a hundred thousand of them that wait to be laid out, only their octets count.
//
//   per name   the name, how many RRsets (2 octets)
//   per RRset  type (2), TTL (4), records (2), octets of data (4), data as (length, octets) pairs

const RRSET = 12

let scratch = new Uint8Array(1 << 16)
/** Zones share pieces of this many octets: memory for each by itself would cost more than what is in it. */
const PIECE = 1 << 18
let piece = new Uint8Array(0)
let filled = 0

function keep(octets: Uint8Array): Uint8Array {
  if (octets.length > PIECE >>> 3) return octets.slice()
  if (filled + octets.length > piece.length) {
    piece = new Uint8Array(PIECE)
    filled = 0
  }
  const kept = piece.subarray(filled, filled + octets.length)
  kept.set(octets)
  filled += octets.length
  return kept
}

/** The same zone, holding on to nothing but its octets; the one that is given is not looked at again. */
export function packZone(zone: Zone): Zone {
  const source = sourceOfZone(zone)
  let at = 0
  let counted = 0
  let rrset = 0
  let view = new DataView(scratch.buffer)
  const room = (octets: number): void => {
    if (at + octets <= scratch.length) return
    const larger = new Uint8Array((at + octets) * 2)
    larger.set(scratch)
    scratch = larger
    view = new DataView(scratch.buffer)
  }
  const sink: RrsetSink = {
    open: (type, ttl, records) => {
      room(RRSET)
      rrset = at
      view.setUint16(at, type)
      view.setUint32(at + 2, ttl)
      view.setUint16(at + 6, records)
      view.setUint32(at + 8, 0)
      at += RRSET
      view.setUint16(counted, view.getUint16(counted) + 1)
    },
    data: (octets, from, to) => {
      room(to - from)
      for (let octet = from; octet < to; octet++) scratch[at++] = octets[octet]!
      view.setUint32(rrset + 8, view.getUint32(rrset + 8) + to - from)
    }
  }
  for (let name = 0; name < source.names; name++) {
    const from = source.nameAt(name)
    const length = nameLength(source.octets, from)
    room(length + 2)
    scratch.set(source.octets.subarray(from, from + length), at)
    counted = at + length
    view.setUint16(counted, 0)
    at = counted + 2
    source.lay(name, sink)
  }
  const packed = openPack(zone.origin, keep(scratch.subarray(0, at)), source.names, source.records)
  zone.giveUp?.()
  return packed
}

function openPack(origin: Uint8Array, packed: Uint8Array, names: number, records: number): Zone {
  let source: ZoneSource | undefined
  return {
    origin,
    get records(): ZoneRecords {
      return { length: records, [Symbol.iterator]: () => recordsOf(packed) }
    },
    get source() {
      return (source ??= sourceOfPack(origin, packed, names, records))
    }
  }
}

const u16 = (octets: Uint8Array, at: number): number => (octets[at]! << 8) | octets[at + 1]!
const u32 = (octets: Uint8Array, at: number): number => u16(octets, at) * 65_536 + u16(octets, at + 2)

/** Calls for each RRset of the name at `at`. @returns where the next name stands */
function walk(packed: Uint8Array, at: number, each?: (rrset: number, data: number, end: number) => void): number {
  let next = at + nameLength(packed, at)
  const rrsets = u16(packed, next)
  next += 2
  for (let count = 0; count < rrsets; count++) {
    const end = next + RRSET + u32(packed, next + 8)
    each?.(next, next + RRSET, end)
    next = end
  }
  return next
}

function sourceOfPack(origin: Uint8Array, packed: Uint8Array, names: number, records: number): ZoneSource {
  const starts = new Uint32Array(names)
  for (let name = 0, at = 0; name < names; name++) {
    starts[name] = at
    at = walk(packed, at)
  }
  return {
    origin, names, records, octets: packed,
    nameAt: (name) => starts[name]!,
    measure: (size) => {
      for (const start of starts) {
        walk(packed, start, (_, data, end) => {
          size.rrsets++
          size.data += end - data
        })
      }
    },
    lay: (name, sink) => {
      walk(packed, starts[name]!, (rrset, data, end) => {
        sink.open(u16(packed, rrset), u32(packed, rrset + 2), u16(packed, rrset + 6))
        sink.data(packed, data, end)
      })
    }
  }
}

function* recordsOf(packed: Uint8Array): Generator<ZoneRecord> {
  for (let at = 0; at < packed.length; ) {
    const owner = packed.subarray(at, at + nameLength(packed, at))
    const found: ZoneRecord[] = []
    at = walk(packed, at, (rrset, data, end) => {
      for (let record = data; record < end; ) {
        const length = u16(packed, record)
        found.push({ owner, type: u16(packed, rrset), ttl: u32(packed, rrset + 2), rdata: packed.subarray(record + 2, record + 2 + length), at: { file: '', line: 1, column: 1 } })
        record += 2 + length
      }
    })
    yield* found
  }
}
