import { TYPE } from '../wire/index.ts'
import type { PlainRecord, Zone, ZoneChange, ZoneRecord, ZoneRecords } from '../zone/index.ts'
import type { Touched } from './draft.ts'
import { fromKey, keyOf, sameSet, serialOf, withSerial, without, type RRset } from './rrset.ts'

/**
 * The net of all updates over a zone file: per RRset what the file says (`was`) and what is served (`now`), never the same. The SOA
 * is among them only when more than its serial was changed.
 */
export interface Layer {
  /** What is served, whatever the file says. */
  readonly serial: number
  /** By owner and type. */
  readonly sets: ReadonlyMap<string, Touched>
}

export const layerKey = (owner: Uint8Array, type: number): string => `${type} ${keyOf(owner)}`

/** The layer after one more update. */
export function mergeTouched(layer: Layer, touched: readonly Touched[]): Layer {
  const sets = new Map(layer.sets)
  let { serial } = layer
  for (const each of touched) {
    const { owner, type, now } = each
    if (type === TYPE.SOA) serial = serialOf(now!.data[0]!)
    const key = layerKey(owner, type)
    const was = sets.has(key) ? sets.get(key)!.was : each.was
    if (isAsFiled(type, was, now)) sets.delete(key)
    else sets.set(key, { owner, type, ...(was !== undefined && { was }), ...(now !== undefined && { now }) })
  }
  return { serial, sets }
}

/** Whether nothing of an RRset is to be kept over the file: of a SOA the serial is kept apart. */
export function isAsFiled(type: number, was: RRset | undefined, now: RRset | undefined): boolean {
  return type === TYPE.SOA ? sameSet(unnumbered(was), unnumbered(now)) : sameSet(was, now)
}

const unnumbered = (soa: RRset | undefined): RRset | undefined => soa && { ...soa, data: soa.data.map((data) => withSerial(data, 0)) }

/** What one RRset's step comes to, as a transfer tells it. */
export function changeOf(origin: Uint8Array, touched: readonly Touched[]): ZoneChange {
  const soa = touched.find(({ type }) => type === TYPE.SOA)!
  // The SOA first (RFC 1995 §4).
  const ordered = [soa, ...touched.filter((each) => each !== soa)]
  const records = (set: RRset | undefined, other: RRset | undefined): PlainRecord[] => {
    if (set === undefined) return []
    const data = set.ttl === other?.ttl ? without(set, other) : set.data
    return data.map((rdata) => ({ owner: set.owner, type: set.type, ttl: set.ttl, rdata }))
  }
  return {
    origin: fromKey(keyOf(origin)),
    from: serialOf(soa.was!.data[0]!),
    to: serialOf(soa.now!.data[0]!),
    deleted: ordered.flatMap(({ was, now }) => records(was, now)),
    added: ordered.flatMap(({ was, now }) => records(now, was))
  }
}

/** A zone as its file has it, with a layer over it. */
export function applyLayer(zone: Zone, layer: Layer): Zone {
  return { origin: zone.origin, records: layRecords(zone, layer) }
}

/** The touched RRsets of a layer by owner. */
export function netOf(layer: Layer): Map<string, Touched[]> {
  const names = new Map<string, Touched[]>()
  for (const touched of layer.sets.values()) {
    const key = keyOf(touched.owner)
    const list = names.get(key)
    if (list === undefined) names.set(key, [touched])
    else list.push(touched)
  }
  return names
}

/** The records, grouped as those of the file are; what is new stands where the SOA does, for want of a line. */
export function layRecords(zone: Zone, layer: Layer): ZoneRecords {
  const names = netOf(layer)
  let length = zone.records.length
  for (const { was, now } of layer.sets.values()) length += (now?.data.length ?? 0) - (was?.data.length ?? 0)
  return {
    length,
    *[Symbol.iterator]() {
      const pending = new Map(names)
      let at: ZoneRecord['at'] = { file: '', line: 1, column: 1 }
      for (const group of byOwner(zone.records)) {
        const owner = group[0]!.owner
        const isApex = owner.length === zone.origin.length
        if (isApex) at = group.find(({ type }) => type === TYPE.SOA)?.at ?? at
        const key = isApex || mayBeIn(pending, owner) ? keyOf(owner) : undefined
        const touched = key === undefined ? undefined : pending.get(key)
        const records = touched === undefined ? group : overlay(group, touched, at)
        for (const record of records) yield record.type === TYPE.SOA ? { ...record, rdata: withSerial(record.rdata, layer.serial) } : record
        if (touched !== undefined) pending.delete(key!)
      }
      for (const touched of pending.values()) yield* overlay([], touched, at)
    }
  }
}

/** A test that costs less than a key: whether some pending name has this length. */
function mayBeIn(pending: ReadonlyMap<string, unknown>, owner: Uint8Array): boolean {
  if (pending.size > 64) return true
  for (const key of pending.keys()) if (key.length === owner.length && key.charCodeAt(0) === owner[0]) return true
  return false
}

function* byOwner(records: ZoneRecords): Generator<ZoneRecord[]> {
  let group: ZoneRecord[] = []
  for (const record of records) {
    if (group.length > 0 && group[0]!.owner !== record.owner) {
      yield group
      group = []
    }
    group.push(record)
  }
  if (group.length > 0) yield group
}

function overlay(group: readonly ZoneRecord[], touched: readonly Touched[], at: ZoneRecord['at']): ZoneRecord[] {
  const owner = group[0]?.owner ?? touched[0]!.owner
  const kept = group.filter(({ type }) => !touched.some((each) => each.type === type))
  const laid = touched.flatMap(({ type, now }) => (now === undefined ? [] : now.data.map((rdata) => ({ owner, type, ttl: now.ttl, rdata, at: group.find((record) => record.type === type)?.at ?? at }))))
  return [...kept, ...laid].sort((a, b) => a.type - b.type)
}
