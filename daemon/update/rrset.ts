import { LOWER, TYPE } from '../wire/index.ts'
import { isSerialAfter, rdataKey, type PlainRecord } from '../zone/index.ts'

/** All records of one owner and type; names in wire form, uncompressed. */
export interface RRset {
  /** In the case in which the zone shows it. */
  readonly owner: Uint8Array
  readonly type: number
  /** Seconds; one for all of them (RFC 2181 §5.2). */
  readonly ttl: number
  /** RDATA of each, no two alike, at least one. */
  readonly data: readonly Uint8Array[]
}

/** A zone as far as an update asks it. */
export interface ZoneView {
  /** In wire form. */
  readonly origin: Uint8Array
  /** Every RRset of a name, ROUTE and ALIAS among them; none when the name is not in use (RFC 2136 §2.4.4). */
  setsOf(owner: Uint8Array): readonly RRset[]
}

/** A name as a key of maps: its wire form in lower case, an octet a character. */
export function keyOf(name: Uint8Array): string {
  let key = ''
  for (const octet of name) key += String.fromCharCode(LOWER[octet]!)
  return key
}

/** The same records with the same TTL, in whatever order; undefined is no RRset. */
export function sameSet(a: RRset | undefined, b: RRset | undefined): boolean {
  if (a === b) return true
  if (a === undefined || b === undefined || a.ttl !== b.ttl || a.data.length !== b.data.length) return false
  return without(a, b).length === 0
}

/** RDATA of `a` that `b` has not. */
export function without(a: RRset, b: RRset | undefined): Uint8Array[] {
  if (b === undefined) return [...a.data]
  const known = new Set(b.data.map((data) => rdataKey(b.type, data)))
  return a.data.filter((data) => !known.has(rdataKey(a.type, data)))
}

/** Records as RRsets, in the order in which each is first met. */
export function groupSets(records: Iterable<PlainRecord>): RRset[] {
  const sets = new Map<string, { owner: Uint8Array; type: number; ttl: number; data: Uint8Array[] }>()
  for (const { owner, type, ttl, rdata } of records) {
    const key = `${type} ${keyOf(owner)}`
    const set = sets.get(key)
    if (set === undefined) sets.set(key, { owner, type, ttl, data: [rdata] })
    else set.data.push(rdata)
  }
  return [...sets.values()]
}

export const setOf = (sets: readonly RRset[], type: number): RRset | undefined => sets.find((set) => set.type === type)

/** The apex SOA of a zone, which every zone has. */
export function soaOf(view: ZoneView): RRset {
  const soa = setOf(view.setsOf(view.origin), TYPE.SOA)
  if (soa === undefined) throw new Error('a zone without SOA')
  return soa
}

/** The serial behind this one; 0 is left out, which some take for none. */
export function nextSerial(serial: number): number {
  return (serial + 1) >>> 0 || 1
}

/** The one of two serials that comes after the other. */
export const higherSerial = (a: number, b: number): number => (isSerialAfter(b, a) ? b : a)
