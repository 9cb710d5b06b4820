import type { Fault, Position } from '../../core/trouble.ts'
import { nameToText, TYPE } from '../wire/index.ts'
import { applyChange, lowerName, readRecords, readZone, serialIn, TYPE_ROUTE, type PlainRecord, type Zone } from '../zone/index.ts'
import { fingerprint, type Texts } from './last-good.ts'
import type { FreshZone, ZoneOver } from './loader-over.ts'
import { FORCE_HINT, isBlank, readingFromDisk, readingFromTexts, shownAs, tryRead, wholeFault, type Folder } from './loader-files.ts'

/** A zone file that has been read without a fault, and what is asked of it when others change. */
export interface ZoneFile {
  readonly zone: Zone
  readonly origin: string
  readonly serial: number
  /** The files it was read from, by their keys in the texts that are kept, and what tells their contents from others. */
  readonly paths: readonly string[]
  readonly print: string
  /** Files it was read from, absolute: itself and those it includes. */
  readonly follows: ReadonlySet<string>
  /** Policies it refers to, and where first. */
  readonly policies: ReadonlyMap<string, Position>
  /** Names that are answered by a policy, and the greatest TTL among them. */
  readonly routed: readonly string[]
  readonly routedTtl: number
  readonly warnings: readonly Fault[]
}

/** What came of reading a zone file again. */
export type Attempt =
  /** As it is served already. */
  | { readonly kind: 'same' }
  | { readonly kind: 'new'; readonly file: ZoneFile; readonly texts: Texts }
  /** What was served before goes on. `follows` are the files that may mend it. */
  | { readonly kind: 'faulty'; readonly faults: readonly Fault[]; readonly follows: ReadonlySet<string> }
  /** It is no zone any more. */
  | { readonly kind: 'gone' }

export interface ZoneContext {
  readonly folder: Folder
  /** Names of the policies that ROUTE may name. */
  readonly policies: ReadonlySet<string>
  readonly over: ZoneOver
}

/** Reads one file of the zones folder, beside what is served of it now. */
export function readZoneFile(context: ZoneContext, name: string, current: ZoneFile | undefined, force: boolean): Attempt {
  const { folder, policies } = context
  const shown = shownAs(folder, name)
  if (current !== undefined && isSame(folder, current) && [...current.policies.keys()].every((policy) => policies.has(policy))) return { kind: 'same' }
  const reading = readingFromDisk(folder)
  const text = tryRead(reading, shown)
  const faulty = (faults: readonly Fault[]): Attempt => ({ kind: 'faulty', faults, follows: reading.asked })
  if (!Buffer.isBuffer(text)) {
    if (!text.isGone) return faulty([wholeFault(shown, text.reason)])
    return current === undefined || force ? { kind: 'gone' } : faulty([wholeFault(shown, text.reason, FORCE_HINT)])
  }
  if (isBlank(text)) {
    if (force) return { kind: 'gone' }
    return faulty([wholeFault(shown, 'is empty', current === undefined ? 'a zone begins with its SOA record' : FORCE_HINT)])
  }
  const { zone, faults } = readZone({ file: shown, read: reading.read, policies })
  if (zone === undefined) return faulty(faults)
  const before = current?.zone.records.length ?? 0
  const after = zone.records.length
  if (!force && after * 2 < before) return faulty([wholeFault(shown, `has lost over half its records: ${after} of ${before} are left`, FORCE_HINT)])
  const print = fingerprint(reading.texts)
  const laid = layOver(context, shown, zone, print, current)
  if (laid.zone === undefined) return faulty([...faults, ...laid.faults])
  const file = { ...describe(laid.zone, [...faults, ...laid.faults]), paths: [...reading.texts.keys()], print, follows: reading.asked }
  return { kind: 'new', file, texts: reading.texts }
}

/** The zone as it was kept, when it still passes. */
export function restoreZone(context: ZoneContext, name: string, kept: Texts): ZoneFile | undefined {
  const { folder, policies } = context
  const shown = shownAs(folder, name)
  const { zone, faults } = readZone({ file: shown, read: readingFromTexts(folder, kept).read, policies })
  const print = fingerprint(kept)
  const laid = zone === undefined ? undefined : layOver(context, shown, zone, print, undefined)
  if (laid?.zone === undefined) return undefined
  return { ...describe(laid.zone, [...faults, ...laid.faults]), paths: [...kept.keys()], print, follows: new Set() }
}

/** The zone with what lies over its file; none when that does not go together. */
function layOver({ over, policies }: ZoneContext, file: string, zone: Zone, print: string, current: ZoneFile | undefined): { readonly zone?: Zone; readonly faults: readonly Fault[] } {
  const { change, faults = [] } = over.freshly(freshZone(file, zone, print, current))
  if (faults.some(({ severity }) => severity === 'error')) return { faults }
  if (change === undefined) return { zone, faults }
  const records = applyChange(zone, change)
  if ('missing' in records) return { faults: [...faults, wholeFault(file, `${nameToText(records.missing.owner)} has not what the changes over it delete`)] }
  const read = readRecords({ from: `${file} with its updates`, origin: zone.origin, records, policies })
  return { ...(read.zone !== undefined && { zone: read.zone }), faults: [...faults, ...read.faults.filter(({ severity }) => severity === 'error')] }
}

function freshZone(file: string, zone: Zone, print: string, current: ZoneFile | undefined): FreshZone {
  const at = (owner: Uint8Array, type?: number): PlainRecord[] => {
    const wanted = nameToText(lowerName(owner))
    return [...zone.records].filter((record) => (type === undefined || record.type === type) && nameToText(lowerName(record.owner)) === wanted)
  }
  return {
    origin: lowerName(zone.origin), name: nameToText(zone.origin), file, serial: serialIn(zone), print, zone, at,
    ...(current !== undefined && { served: current.serial }),
    soa: at(zone.origin, TYPE.SOA)[0]!,
    differs: () => current === undefined || holdsOther(zone, current.zone)
  }
}

/** Whether two zones differ in anything but their SOA. */
function holdsOther(zone: Zone, other: Zone): boolean {
  if (zone.records.length !== other.records.length) return true
  const texts = ({ records }: Zone): string[] =>
    [...records].filter(({ type }) => type !== TYPE.SOA).map(({ owner, type, ttl, rdata }) => `${nameToText(lowerName(owner))} ${type} ${ttl} ${Buffer.from(rdata).toString('latin1')}`).sort()
  return texts(zone).join('\n') !== texts(other).join('\n')
}

/** Whether the disk says, word for word, what is served. */
function isSame(folder: Folder, current: ZoneFile): boolean {
  const reading = readingFromDisk(folder)
  return current.paths.every((path) => Buffer.isBuffer(tryRead(reading, shownAs(folder, path)))) && fingerprint(reading.texts) === current.print
}

/** What is asked of a zone when others change. */
export function describe(zone: Zone, warnings: readonly Fault[]): Omit<ZoneFile, 'paths' | 'print' | 'follows'> {
  const policies = new Map<string, Position>()
  const routed = new Set<string>()
  let routedTtl = 0
  for (const { owner, type, ttl, rdata, at } of zone.records) {
    if (type !== TYPE_ROUTE) continue
    const policy = String.fromCharCode(...rdata)
    if (!policies.has(policy)) policies.set(policy, at)
    routed.add(nameToText(owner))
    routedTtl = Math.max(routedTtl, ttl)
  }
  return { zone, origin: nameToText(zone.origin), serial: serialIn(zone), policies, routed: [...routed], routedTtl, warnings }
}
