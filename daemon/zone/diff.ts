import { LOWER, TYPE } from '../wire/index.ts'
import { dataKey, nameKey } from './change-owners.ts'
import { serialOf, type PlainRecord, type ZoneChange } from './change.ts'
import type { Zone } from './record.ts'

/** Records after a change, or the one that does not fit: deleted records must be there; one that is added twice is there once. */
export function applyChange(before: Iterable<PlainRecord>, { deleted, added }: Pick<ZoneChange, 'deleted' | 'added'>): PlainRecord[] | { readonly missing: PlainRecord } {
  const records = new Map<string, PlainRecord>()
  for (const record of before) records.set(sameKey(record), record)
  for (const record of deleted) if (!records.delete(sameKey(record))) return { missing: record }
  for (const record of added) records.set(sameKey(record), record)
  return [...records.values()]
}

/** What tells a record from others of its zone: not its TTL, nor the case of its owner. */
const sameKey = ({ owner, type, rdata }: PlainRecord): string => `${type} ${nameKey(owner)} ${dataKey(type, rdata)}`

/** The serial of a zone that has passed its checks. */
export function serialIn({ notable, records }: Zone): number {
  for (const { type, rdata } of notable ?? records) if (type === TYPE.SOA) return serialOf(rdata)
  return 0
}

/** A copy of a name with its capitals made small. */
export function lowerName(name: Uint8Array): Uint8Array {
  return name.map((octet) => LOWER[octet]!)
}
