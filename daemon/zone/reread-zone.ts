import { dataKey, nameKey, ownersAfter } from './change-owners.ts'
import type { Difference, PlainRecord } from './change.ts'
import { typesAt } from './check-change.ts'
import { isDoubtful, type DoubtOptions } from './check-reread.ts'
import { whyNotRenamed } from './check.ts'
import { lowerName } from './diff.ts'
import { findNode, findRrset, NODE, nodeWord, type ZoneImage } from './image.ts'
import { TYPE_ALIAS, TYPE_ROUTE, type Zone, type ZoneRecord } from './record.ts'
import { rereadText, type KeptText, type NotableNow } from './reread.ts'
import { findZone, recordsOfRrset } from './zone-records.ts'
import type { Position } from '../../core/trouble.ts'
import { makeScannedName, scanName } from '../wire/index.ts'
import { TYPE } from '../wire/types.ts'

export interface RereadOptions {
  /** What was kept of the text that is served, and what it says now. */
  readonly kept: KeptText
  readonly text: Uint8Array
  /** What is served: the zone as the kept text has it, but perhaps for its SOA. */
  readonly image: ZoneImage
  /** Wire form, lower case. */
  readonly origin: Uint8Array
  /** How many records are served. */
  readonly records: number
  readonly policies: ReadonlySet<string>
  /** Reads the text as a whole. */
  whole(): Zone
}

/**
 * The zone that a whole reading would make of the text, from what has changed in it alone.
 * @returns undefined when the text must be read as a whole: it is another one, or something may be amiss in it
 */
export function rereadZone(options: RereadOptions): { readonly zone: Zone; readonly kept: KeptText } | undefined {
  const { kept, text, image, origin, policies } = options
  const reread = rereadText(kept, text)
  const soas = reread?.notable.filter(({ type }) => type === TYPE.SOA)
  const [soa] = soas ?? []
  if (reread === undefined || soa === undefined || soas!.length > 1 || nameKey(soa.owner) !== nameKey(origin)) return undefined
  if (reread.notable.some(({ type, rdata }) => type === TYPE_ROUTE && !policies.has(String.fromCharCode(...rdata)))) return undefined
  const net = netOf(reread.before, reread.now)
  const served = servedSoa(image, origin)
  if (net === undefined || served === undefined) return undefined
  const difference = withSoa(net, served, soa)
  const owners = ownersAfter(image, { origin, ...difference })
  if ('missing' in owners || 'hidden' in owners) return undefined
  const aliases = kept.notable.filter(({ type }) => type === TYPE_ALIAS).map(({ owner }) => owner)
  if (isDoubtful({ image, origin, owners, difference, pointed: kept.pointed, policies, aliases })) return undefined
  const crowded = crowdedIn(reread.notable, { image, origin, owners })
  if (crowded === undefined) return undefined
  const all = [...owners.values()]
  const zone = { origin: soa.owner, notable: reread.notable, ...(crowded.size > 0 && { crowded }), difference: { deleted: all.flatMap(({ deleted }) => deleted), added: all.flatMap(({ added }) => added) } }
  return { zone: { ...zone, records: lateRecords(options, options.records + net.added.length - net.deleted.length) }, kept: reread.kept }
}

/** See Zone.crowded; undefined when a lower zone of ours hides one of the names, so that the image does not tell what else stands there. */
function crowdedIn(notable: readonly NotableNow[], { image, origin, owners }: Pick<DoubtOptions, 'image' | 'origin' | 'owners'>): Map<string, Position> | undefined {
  const crowded = new Map<string, Position>()
  const apex = findZone(image, origin)
  const scanned = makeScannedName()
  for (const { owner, type, rdata, dataAt } of notable) {
    if (type !== TYPE_ROUTE) continue
    scanName(owner, 0, owner.length, scanned)
    const node = findNode(image, scanned, 0)
    if (node !== 0 && nodeWord(image, node, NODE.APEX) !== apex) return undefined
    const policy = String.fromCharCode(...rdata)
    const why = whyNotRenamed(typesAt({ image, origin, owners, aliases: [] }, owner, scanned), nameKey(owner) === nameKey(origin))
    if (why !== undefined && !crowded.has(policy)) crowded.set(policy, dataAt)
  }
  return crowded
}

/** A zone that was read in that way, with another SOA than its file has. */
export function withOtherSoa(zone: Zone, image: ZoneImage, soa: PlainRecord): Zone {
  const { difference, notable, records, crowded } = zone
  const served = servedSoa(image, lowerName(zone.origin))
  const rest = ({ type }: PlainRecord): boolean => type !== TYPE.SOA
  const other = (record: ZoneRecord): ZoneRecord => (rest(record) ? record : { ...record, ttl: soa.ttl, rdata: soa.rdata })
  return {
    origin: zone.origin, notable: notable!.map(other), ...(crowded !== undefined && { crowded }),
    difference: withSoa({ deleted: difference!.deleted.filter(rest), added: difference!.added.filter(rest) }, served!, { ...soa, owner: served!.owner }),
    records: {
      length: records.length,
      *[Symbol.iterator](): Generator<ZoneRecord> {
        for (const record of records) yield other(record)
      }
    }
  }
}

/** All records, which hardly anybody asks for. */
function lateRecords({ whole }: RereadOptions, length: number): Zone['records'] {
  let zone: Zone | undefined
  return {
    length,
    *[Symbol.iterator](): Generator<ZoneRecord> {
      yield* (zone ??= whole()).records
    }
  }
}

const keyOf = ({ owner, type, rdata }: PlainRecord): string => `${type} ${nameKey(owner)} ${dataKey(type, rdata)}`

/** What is left when records that stand in both are taken away, the SOA apart; undefined when one stands twice. */
function netOf(before: readonly PlainRecord[], now: readonly PlainRecord[]): Difference | undefined {
  const [had, has] = [byKey(before), byKey(now)]
  if (had === undefined || has === undefined) return undefined
  const without = (these: Map<string, PlainRecord>, those: Map<string, PlainRecord>): PlainRecord[] => [...these].filter(([key, { ttl }]) => those.get(key)?.ttl !== ttl).map(([, record]) => record)
  return { deleted: without(had, has), added: without(has, had) }
}

function byKey(records: readonly PlainRecord[]): Map<string, PlainRecord> | undefined {
  const found = new Map<string, PlainRecord>()
  for (const record of records) {
    if (record.type === TYPE.SOA) continue
    const key = keyOf(record)
    if (found.has(key)) return undefined
    found.set(key, record)
  }
  return found
}

function servedSoa(image: ZoneImage, origin: Uint8Array): PlainRecord | undefined {
  const apex = findZone(image, origin)
  const rrset = apex === 0 ? -1 : findRrset(image, apex, TYPE.SOA)
  return rrset < 0 ? undefined : [...recordsOfRrset(image, apex, rrset)][0]
}

function withSoa({ deleted, added }: Difference, served: PlainRecord, soa: PlainRecord): Difference {
  if (served.ttl === soa.ttl && dataKey(TYPE.SOA, served.rdata) === dataKey(TYPE.SOA, soa.rdata)) return { deleted, added }
  return { deleted: [served, ...deleted], added: [soa, ...added] }
}
