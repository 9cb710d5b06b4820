import type { Fault, Position } from '../../core/trouble.ts'
import { nameToText, TYPE } from '../wire/index.ts'
import { applyChange, lowerName, packZone, readRecords, readZone, serialIn, TYPE_ALIAS, TYPE_ROUTE, type PlainRecord, type Zone } from '../zone/index.ts'
import { fingerprint, type Texts } from './last-good.ts'
import type { FreshZone, ZoneOver } from './loader-over.ts'
import { danglingTarget, FORCE_HINT, isBlank, readingFromDisk, readingFromTexts, shownAs, tryRead, wholeFault, type Folder, type Reading } from './loader-files.ts'

/** A zone file that has been read without a fault, and what is asked of it when others change. */
export interface ZoneFile {
  /** Wire form, lower case, and text as it was written. */
  readonly wire: Uint8Array
  readonly origin: string
  /** As it is served, and how many records. */
  readonly serial: number
  readonly records: number
  /** The files it was read from, by their keys in the texts that are kept, and what tells their contents from others. */
  readonly paths: readonly string[]
  readonly print: string
  /** Files that it includes, absolute, and itself where it does. */
  readonly follows: ReadonlySet<string>
  /** Policies it refers to, and where first. */
  readonly policies: ReadonlyMap<string, Position>
  /** Names that are answered by a policy, and the greatest TTL among them. */
  readonly routed: readonly string[]
  readonly routedTtl: number
  /** Owners of ALIAS. */
  readonly aliases: readonly Uint8Array[]
  readonly warnings: readonly Fault[]
}

/** What came of reading a zone file again. */
export type Attempt =
  /** As it is served already. */
  | { readonly kind: 'same' }
  | { readonly kind: 'new'; readonly file: ZoneFile; readonly zone: Zone; readonly texts: Texts }
  /** What was served before goes on. `follows` are the files that may mend it. */
  | { readonly kind: 'faulty'; readonly faults: readonly Fault[]; readonly follows: ReadonlySet<string> }
  /** It is no zone any more. */
  | { readonly kind: 'gone' }

export interface ZoneContext {
  readonly folder: Folder
  /** Names of the policies that ROUTE may name. */
  readonly policies: ReadonlySet<string>
  readonly over: ZoneOver
  /** Whether a zone holds other records than are served under its name, the SOA apart. */
  differs(zone: Zone): boolean
}

/** Reads one file of the zones folder, beside what is served of it now. `known` is what was read of it just now. */
export function readZoneFile(context: ZoneContext, name: string, current: ZoneFile | undefined, force: boolean, known?: Reading): Attempt {
  const { folder, policies } = context
  const shown = shownAs(folder, name)
  if (current !== undefined && isSame(folder, current) && [...current.policies.keys()].every((policy) => policies.has(policy))) return { kind: 'same' }
  const reading = known ?? readingFromDisk(folder)
  const text = tryRead(reading, shown)
  const faulty = (faults: readonly Fault[]): Attempt => ({ kind: 'faulty', faults, follows: reading.asked })
  if (!Buffer.isBuffer(text)) {
    if (!text.isGone) return faulty([wholeFault(shown, text.reason)])
    const target = danglingTarget(folder, shown)
    if (current !== undefined && !force) return faulty([wholeFault(shown, text.reason, FORCE_HINT)])
    return target === undefined || current !== undefined ? { kind: 'gone' } : faulty([wholeFault(shown, `is a link to ${target}, where there is nothing`)])
  }
  if (isBlank(text)) {
    if (force) return { kind: 'gone' }
    return faulty([wholeFault(shown, 'is empty', current === undefined ? 'a zone begins with its SOA record' : FORCE_HINT)])
  }
  const { zone, faults } = readZone({ file: shown, read: reading.read, policies })
  if (zone === undefined) return faulty(faults)
  const before = current?.records ?? 0
  const after = zone.records.length
  if (!force && after * 2 < before) return faulty([wholeFault(shown, `has lost over half its records: ${after} of ${before} are left`, FORCE_HINT)])
  const print = fingerprint(reading.texts)
  const laid = layOver(context, shown, zone, print, current)
  if (laid.zone === undefined) return faulty([...faults, ...laid.faults])
  return { kind: 'new', file: { ...describe(laid.zone, [...faults, ...laid.faults]), paths: [...reading.texts.keys()], print, follows: followed(reading.asked) }, zone: laid.zone.records.length < SMALL ? packZone(laid.zone) : laid.zone, texts: reading.texts }
}

const NONE: ReadonlySet<string> = new Set()
/** Records of a zone that is held in one piece while it waits for others. */
const SMALL = 2000

/** Most zones include nothing: then there is nothing to look after but the file itself, which is. */
function followed(asked: ReadonlySet<string>): ReadonlySet<string> {
  return asked.size > 1 ? asked : NONE
}

/** The zone as it was kept, when it still passes. */
export function restoreZone(context: ZoneContext, name: string, kept: Texts): { readonly file: ZoneFile; readonly zone: Zone } | undefined {
  const { folder, policies } = context
  const shown = shownAs(folder, name)
  const { zone, faults } = readZone({ file: shown, read: readingFromTexts(folder, kept).read, policies })
  const print = fingerprint(kept)
  const laid = zone === undefined ? undefined : layOver(context, shown, zone, print, undefined)
  if (laid?.zone === undefined) return undefined
  return { file: { ...describe(laid.zone, [...faults, ...laid.faults]), paths: [...kept.keys()], print, follows: NONE }, zone: laid.zone }
}

/** The zone with what lies over its file; none when that does not go together. */
function layOver(context: ZoneContext, file: string, zone: Zone, print: string, current: ZoneFile | undefined): { readonly zone?: Zone; readonly faults: readonly Fault[] } {
  const { over, policies } = context
  const { change, faults = [] } = over.freshly(freshZone(context, file, zone, print, current))
  if (faults.some(({ severity }) => severity === 'error')) return { faults }
  if (change === undefined) return { zone, faults }
  const records = applyChange(zone.records, change)
  if ('missing' in records) return { faults: [...faults, wholeFault(file, `${nameToText(records.missing.owner)} has not what the changes over it delete`)] }
  const read = readRecords({ from: `${file} with its updates`, origin: zone.origin, records, policies })
  return { ...(read.zone !== undefined && { zone: read.zone }), faults: [...faults, ...read.faults.filter(({ severity }) => severity === 'error')] }
}

function freshZone({ differs }: ZoneContext, file: string, zone: Zone, print: string, current: ZoneFile | undefined): FreshZone {
  const at = (owner: Uint8Array, type?: number): PlainRecord[] => {
    const wanted = nameToText(lowerName(owner))
    return [...zone.records].filter((record) => (type === undefined || record.type === type) && nameToText(lowerName(record.owner)) === wanted)
  }
  return {
    origin: lowerName(zone.origin), name: nameToText(zone.origin), file, serial: serialIn(zone), print, zone, at,
    ...(current !== undefined && { served: current.serial }),
    soa: (zone.notable ?? at(zone.origin)).find(({ type }) => type === TYPE.SOA)!,
    differs: () => current === undefined || differs(zone)
  }
}

/** Whether the disk says, word for word, what was read once. */
function isSame(folder: Folder, current: Pick<ZoneFile, 'paths' | 'print'>): boolean {
  return readSame(folder, current) !== undefined
}

/** What the disk says, when it is word for word what was read once. */
export function readSame(folder: Folder, current: Pick<ZoneFile, 'paths' | 'print'>): Reading | undefined {
  const reading = readingFromDisk(folder)
  const isRead = current.paths.every((path) => Buffer.isBuffer(tryRead(reading, shownAs(folder, path))))
  return isRead && fingerprint(reading.texts) === current.print ? reading : undefined
}

/** Of zones without ROUTE and ALIAS: there may be very many. */
const PLAIN: Pick<ZoneFile, 'policies' | 'routed' | 'routedTtl' | 'aliases'> = { policies: new Map(), routed: [], routedTtl: 0, aliases: [] }

/** What is asked of a zone when others change. */
export function describe(zone: Zone, warnings: readonly Fault[]): Omit<ZoneFile, 'paths' | 'print' | 'follows'> {
  const notable = zone.notable ?? [...zone.records]
  if (!notable.some(({ type }) => type === TYPE_ROUTE || type === TYPE_ALIAS)) return { wire: lowerName(zone.origin), origin: nameToText(zone.origin), serial: serialIn(zone), records: zone.records.length, ...PLAIN, warnings }
  const policies = new Map<string, Position>()
  const routed = new Set<string>()
  const aliases: Uint8Array[] = []
  let routedTtl = 0
  for (const { owner, type, ttl, rdata, at } of notable) {
    if (type === TYPE_ALIAS) aliases.push(owner.slice())
    if (type !== TYPE_ROUTE) continue
    const policy = String.fromCharCode(...rdata)
    if (!policies.has(policy)) policies.set(policy, at)
    routed.add(nameToText(owner))
    routedTtl = Math.max(routedTtl, ttl)
  }
  return { wire: lowerName(zone.origin), origin: nameToText(zone.origin), serial: serialIn(zone), records: zone.records.length, policies, aliases, routed: [...routed], routedTtl, warnings }
}
