import type { ZoneRecord } from './record.ts'

/** A record without where it stood in a file: owner and RDATA in wire form, uncompressed; ROUTE and ALIAS by their pseudo types. */
export type PlainRecord = Pick<ZoneRecord, 'owner' | 'type' | 'ttl' | 'rdata'>

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
}
