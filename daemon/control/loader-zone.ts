import type { Fault, Position } from '../../core/trouble.ts'
import { nameToText, TYPE } from '../wire/index.ts'
import { applyChange, LARGE_TEXT, lowerName, packZone, readRecords, readZone, rereadZone, serialIn, TYPE_ALIAS, TYPE_ROUTE, withOtherSoa, type KeptText, type PolicyNames, type Zone, type ZoneChange, type ZoneImage, type ZoneReading, type ZoneRecord } from '../zone/index.ts'
import { fingerprint, type Texts } from './last-good.ts'
import type { FreshZone, ZoneOver } from './loader-over.ts'
import type { Preread } from './preread.ts'
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
  /** Those of them that may not answer CNAMEs, and where they stand beside other data. */
  readonly crowded: ReadonlyMap<string, Position>
  /** Names that are answered by a policy, and the greatest TTL among them. */
  readonly routed: readonly string[]
  readonly routedTtl: number
  /** Owners of ALIAS. */
  readonly aliases: readonly Uint8Array[]
  readonly warnings: readonly Fault[]
  /** Of a large file that is served as it is: what it takes to read only what changes in it. */
  readonly kept?: KeptText | undefined
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
  readonly policies: PolicyNames
  readonly over: ZoneOver
  readonly preread?: Preread
  /** What is served. */
  image(): ZoneImage
  /** Whether a zone holds other records than are served under its name, the SOA apart. */
  differs(zone: Zone): boolean
}

/** Reads one file of the zones folder, beside what is served of it now. `known` is what was read of it just now. */
export function readZoneFile(context: ZoneContext, name: string, current: ZoneFile | undefined, force: boolean, known?: Reading): Attempt {
  const { folder, policies } = context
  const shown = shownAs(folder, name)
  const now = current === undefined ? undefined : readAgain(folder, current.paths)
  if (now !== undefined && now.print === current!.print && [...current!.policies.keys()].every((policy) => policies.has(policy))) return { kind: 'same' }
  const reading = known ?? readingFromDisk(folder, now?.reading.texts)
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
  const { zone, faults, kept } = readText(context, shown, text, reading, current)
  if (zone === undefined) return faulty(faults)
  const before = current?.records ?? 0
  const after = zone.records.length
  if (!force && after * 2 < before) return faulty([wholeFault(shown, `has lost over half its records: ${after} of ${before} are left`, FORCE_HINT)])
  const print = now !== undefined && isAlike(now.reading.texts, reading.texts) ? now.print : fingerprint(reading.texts)
  const laid = layOver(context, shown, zone, print, current)
  if (laid.zone === undefined) return faulty([...faults, ...laid.faults])
  const file = { ...describe(laid.zone, [...faults, ...laid.faults]), paths: [...reading.texts.keys()], print, follows: followed(reading.asked), ...(kept !== undefined && laid.isPlain && { kept }) }
  return { kind: 'new', file, zone: laid.zone.records.length < SMALL ? packZone(laid.zone) : laid.zone, texts: reading.texts }
}

/** Reads a text: what has changed of it, where that says enough, else all of it. */
function readText({ policies, image, preread }: ZoneContext, shown: string, text: Buffer, reading: Reading, current: ZoneFile | undefined): Pick<ZoneReading, 'zone' | 'faults' | 'kept'> {
  const whole = (keeps: boolean): ZoneReading => readZone({ file: shown, read: reading.read, policies, ...(keeps && { keeps: LARGE_TEXT }) })
  if (current?.kept === undefined) return (policies.size === 0 ? preread?.take(shown, text) : undefined) ?? whole(true)
  const { kept, wire: origin, records } = current
  const reread = rereadZone({ kept, text, image: image(), origin, records, policies, whole: () => whole(false).zone! })
  return reread === undefined ? whole(true) : { ...reread, faults: [] }
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
function layOver(context: ZoneContext, file: string, zone: Zone, print: string, current: ZoneFile | undefined): { readonly zone?: Zone; readonly faults: readonly Fault[]; readonly isPlain?: boolean } {
  const { over, policies } = context
  const { change, faults = [] } = over.freshly(freshZone(context, file, zone, print, current))
  if (faults.some(({ severity }) => severity === 'error')) return { faults }
  if (change === undefined) return { zone, faults, isPlain: true }
  const isPlain = isOfSoa(change)
  if (isPlain && zone.difference !== undefined) return { zone: withOtherSoa(zone, context.image(), change.added[0]!), faults, isPlain }
  const records = applyChange(zone.records, change)
  if ('missing' in records) return { faults: [...faults, wholeFault(file, `${nameToText(records.missing.owner)} has not what the changes over it delete`)] }
  const read = readRecords({ from: `${file} with its updates`, origin: zone.origin, records, policies })
  return { ...(read.zone !== undefined && { zone: read.zone }), faults: [...faults, ...read.faults.filter(({ severity }) => severity === 'error')], isPlain }
}

/** Nothing but the serial lies over the file. */
const isOfSoa = ({ deleted, added }: ZoneChange): boolean => deleted.length === 1 && added.length === 1 && added[0]!.type === TYPE.SOA

function freshZone({ differs }: ZoneContext, file: string, zone: Zone, print: string, current: ZoneFile | undefined): FreshZone {
  const at = (owner: Uint8Array, type?: number): ZoneRecord[] => {
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

/** What the disk says now of files that were read once; undefined when one cannot be read. */
function readAgain(folder: Folder, paths: ZoneFile['paths']): { readonly reading: Reading; readonly print: string } | undefined {
  const reading = readingFromDisk(folder)
  const isRead = paths.every((path) => Buffer.isBuffer(tryRead(reading, shownAs(folder, path))))
  return isRead ? { reading, print: fingerprint(reading.texts) } : undefined
}

/** What the disk says, when it is word for word what was read once. */
export function readSame(folder: Folder, current: Pick<ZoneFile, 'paths' | 'print'>): Reading | undefined {
  const now = readAgain(folder, current.paths)
  return now?.print === current.print ? now.reading : undefined
}

/** Whether both hold the same texts in the same order, as read at once. */
function isAlike(one: Texts, other: Texts): boolean {
  const texts = [...other]
  return one.size === texts.length && [...one].every(([path, text], index) => texts[index]![0] === path && texts[index]![1] === text)
}

/** Of zones without ROUTE and ALIAS: there may be very many. */
const PLAIN: Pick<ZoneFile, 'policies' | 'crowded' | 'routed' | 'routedTtl' | 'aliases'> = { policies: new Map(), crowded: new Map(), routed: [], routedTtl: 0, aliases: [] }

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
  return { wire: lowerName(zone.origin), origin: nameToText(zone.origin), serial: serialIn(zone), records: zone.records.length, policies, crowded: zone.crowded ?? PLAIN.crowded, aliases, routed: [...routed], routedTtl, warnings }
}
