import type { Position } from '../../core/trouble.ts'
import { TYPE } from '../wire/types.ts'
import type { Difference } from './change.ts'
import type { ZoneSource } from './zone-source.ts'

/**
 * Pseudo types of zone files, from the unassigned meta types (RFC 6895 §3.1), so that no data of a zone can have these numbers.
 * They are never sent, and a question for one of them finds nothing.
 */
export const TYPE_ROUTE = 240
export const TYPE_ALIAS = 241

/** Whether more is asked of records of this type than to be served. */
export const isNotable = (type: number): boolean => type === TYPE.SOA || type === TYPE_ROUTE || type === TYPE_ALIAS

/** One record of a zone as read: names in wire form, uncompressed, case kept. */
export interface ZoneRecord {
  /** Owner in wire form: length-prefixed labels and a final zero octet, case as first written in the zone. */
  readonly owner: Uint8Array
  readonly type: number
  /** Seconds; the same for all records of an RRset. */
  readonly ttl: number
  /** RDATA in wire form without compression. ROUTE: the policy's name in ASCII; ALIAS: the target's name in wire form. */
  readonly rdata: Uint8Array
  readonly at: Position
}

/**
 * The records of a zone: an array, or a packed table that makes each record when it is come to, so hold none longer than needed.
 * Those that `readZone` makes come grouped: all of an owner, with the very same `owner`, and among them all of a type, one behind the other.
 */
export type ZoneRecords = Iterable<ZoneRecord> & { readonly length: number }

/** One zone that has passed its checks, so that nothing in it can fail to be served. */
export interface Zone {
  /** Origin in wire form. */
  readonly origin: Uint8Array
  readonly records: ZoneRecords
  /** The same, ready to be laid out, where they were read into a table. */
  readonly source?: ZoneSource
  /** Those that more is asked of than to be served, where they are known already: SOA, ROUTE and ALIAS. */
  readonly notable?: readonly ZoneRecord[]
  /** Policies whose ROUTE stands at the zone's own name or beside other data, and where first: such may not answer CNAMEs. */
  readonly crowded?: ReadonlyMap<string, Position>
  /** How it differs from what is served, where that was found out in reading only what changed; then records and source are read when they are asked for. */
  readonly difference?: Difference
  /** Gives up the memory of records and source, neither of which is looked at again. */
  readonly giveUp?: () => void
}
