import type { ZoneRecord } from './record.ts'

/** A record without where it stood in a file: owner and RDATA in wire form, uncompressed; ROUTE and ALIAS by their pseudo types. */
export type PlainRecord = Pick<ZoneRecord, 'owner' | 'type' | 'ttl' | 'rdata'>

/** What leads from one state of a zone to another; none of it is a view of either. */
export interface Difference {
  readonly deleted: readonly PlainRecord[]
  readonly added: readonly PlainRecord[]
}

/**
 * One step of a zone from one serial to the next, as an incremental transfer tells it (RFC 1995 §4). A record whose TTL changes
 * is deleted and added. Applied to the zone at serial `from`, and to no other, it gives the zone at serial `to`.
 */
export interface ZoneChange {
  /** Origin in wire form, lower case. */
  readonly origin: Uint8Array
  readonly from: number
  readonly to: number
  /** The old SOA first, then the rest in any order. */
  readonly deleted: readonly PlainRecord[]
  /** The new SOA first, then the rest in any order. */
  readonly added: readonly PlainRecord[]
  /** Of a dynamic update: every RRset that it changes, whole, as it was before. */
  readonly before?: readonly PlainRecord[]
}

/**
 * The history of a zone begins anew: it was not served before, or is no more, or what changed is too much to tell, or its
 * contents changed without a serial that rose (RFC 1982).
 */
export interface ZoneReset {
  /** Origin in wire form, lower case. */
  readonly origin: Uint8Array
  readonly reset: true
  /** The serial that is served now; absent when the zone is served no more. */
  readonly serial?: number
}

/** What became of the contents of a zone in one load. */
export type ZoneStep = ZoneChange | ZoneReset

export function isReset(step: ZoneStep): step is ZoneReset {
  return 'reset' in step
}

/** SERIAL of a SOA's RDATA (RFC 1035 §3.3.13): the first of the five numbers that end it. */
export function serialOf(soa: Uint8Array): number {
  return new DataView(soa.buffer, soa.byteOffset, soa.byteLength).getUint32(soa.length - 20)
}

/** A copy of a SOA's RDATA with another serial. */
export function withSerial(soa: Uint8Array, serial: number): Uint8Array {
  const copy = soa.slice()
  new DataView(copy.buffer).setUint32(copy.length - 20, serial)
  return copy
}

/** Whether serial `a` comes behind `b` in the circle of serials (RFC 1982 §3.2). Two that are half the circle apart are behind neither. */
export function isSerialAfter(a: number, b: number): boolean {
  const distance = (a - b) >>> 0
  return distance !== 0 && distance < 0x8000_0000
}
