import { TYPE } from '../wire/index.ts'
import { lowerName, serialOf, withSerial, type PlainRecord, type ZoneChange } from '../zone/index.ts'
import type { Touched } from './draft.ts'
import { groupSets, keyOf, sameSet, without, type RRset } from './rrset.ts'

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
    origin: lowerName(origin),
    from: serialOf(soa.was!.data[0]!),
    to: serialOf(soa.now!.data[0]!),
    deleted: ordered.flatMap(({ was, now }) => records(was, now)),
    added: ordered.flatMap(({ was, now }) => records(now, was)),
    before: ordered.flatMap(({ was }) => records(was, undefined))
  }
}

/** The RRsets that a change touches, from what it says of them as they were. */
export function touchedBy({ before = [], deleted, added }: ZoneChange): Touched[] {
  const gone = new Map(groupSets(deleted).map((set) => [layerKey(set.owner, set.type), set]))
  const fresh = new Map(groupSets(added).map((set) => [layerKey(set.owner, set.type), set]))
  const old = new Map(groupSets(before).map((set) => [layerKey(set.owner, set.type), set]))
  return [...new Set([...old.keys(), ...fresh.keys()])].map((key) => {
    const [was, less, more] = [old.get(key), gone.get(key), fresh.get(key)]
    const { owner, type, ttl } = (more ?? was)!
    const data = [...(was === undefined ? [] : without(was, less)), ...(more?.data ?? [])]
    return { owner: was?.owner ?? owner, type, ...(was !== undefined && { was }), ...(data.length > 0 && { now: { owner: was?.owner ?? owner, type, ttl, data } }) }
  })
}
