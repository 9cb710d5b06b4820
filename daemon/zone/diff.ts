import { LOWER, TYPE } from '../wire/index.ts'
import { isSerialAfter, serialOf, type PlainRecord, type ZoneChange, type ZoneStep } from './change.ts'
import type { Zone } from './record.ts'

/** Records of a step that are worth telling: past that a whole transfer costs less. */
const MOST_RECORDS = 200_000

/** What leads from one state of a zone to another; undefined when they hold the same. */
export function diffZones(before: Zone | undefined, after: Zone): ZoneStep | undefined {
  const origin = lowerName(after.origin)
  const serial = serialIn(after)
  if (before === undefined || before.records.length + after.records.length > MOST_RECORDS) return { origin, reset: true, serial }
  const old = new Map<string, PlainRecord>()
  for (const record of before.records) old.set(keyOf(record), plain(record))
  const added: PlainRecord[] = []
  for (const record of after.records) {
    const key = keyOf(record)
    if (!old.delete(key)) added.push(plain(record))
  }
  const deleted = [...old.values()]
  if (deleted.length + added.length === 0) return undefined
  const from = serialIn(before)
  if (!isSerialAfter(serial, from)) return { origin, reset: true, serial }
  return { origin, from, to: serial, deleted: soaFirst(deleted), added: soaFirst(added) }
}

/** The zone after a change, or what does not fit. Deleted records must be there; one that is added twice is there once. */
export function applyChange(zone: Zone, { deleted, added }: ZoneChange): PlainRecord[] | { readonly missing: PlainRecord } {
  const records = new Map<string, PlainRecord>()
  for (const record of zone.records) records.set(sameKey(record), plain(record))
  for (const record of deleted) if (!records.delete(sameKey(record))) return { missing: record }
  for (const record of added) records.set(sameKey(record), record)
  return [...records.values()]
}

/** The serial of a zone that has passed its checks. */
export function serialIn(zone: Zone): number {
  for (const { type, rdata } of zone.records) if (type === TYPE.SOA) return serialOf(rdata)
  return 0
}

const plain = ({ owner, type, ttl, rdata }: PlainRecord): PlainRecord => ({ owner, type, ttl, rdata })

const latin1 = (octets: Uint8Array): string => Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('latin1')

/** A copy of a name with its capitals made small. */
export function lowerName(name: Uint8Array): Uint8Array {
  return name.map((octet) => LOWER[octet]!)
}

/** What tells a record from others of its zone: not its TTL, nor the case of its owner. */
function sameKey({ owner, type, rdata }: PlainRecord): string {
  return `${type} ${latin1(owner).replace(/[A-Z]/g, (letter) => letter.toLowerCase())} ${latin1(rdata)}`
}

const keyOf = (record: PlainRecord): string => `${record.ttl} ${sameKey(record)}`

function soaFirst(records: readonly PlainRecord[]): PlainRecord[] {
  return [...records.filter(({ type }) => type === TYPE.SOA), ...records.filter(({ type }) => type !== TYPE.SOA)]
}
