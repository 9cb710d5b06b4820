import type { Position } from '../../core/trouble.ts'

/** Pseudo types of zone files, from the private-use range (RFC 6895 §3.1). They are never sent. */
export const TYPE_ROUTE = 65280
export const TYPE_ALIAS = 65281

/** One record of a zone as read: names in wire form, uncompressed, case kept. */
export interface ZoneRecord {
  /** Owner in wire form: length-prefixed labels and a final zero octet, case as written. */
  readonly owner: Uint8Array
  readonly type: number
  readonly ttl: number
  /** RDATA in wire form without compression. ROUTE: the policy's name in ASCII; ALIAS: the target's name in wire form. */
  readonly rdata: Uint8Array
  readonly at: Position
}

/** One zone that has passed its checks, so that nothing in it can fail to be served. */
export interface Zone {
  /** Origin in wire form. */
  readonly origin: Uint8Array
  readonly records: readonly ZoneRecord[]
}
