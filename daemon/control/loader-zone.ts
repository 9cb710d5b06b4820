import type { Fault, Position } from '../../core/trouble.ts'
import { nameToText } from '../wire/index.ts'
import { readZone, TYPE_ROUTE, type Zone } from '../zone/index.ts'
import { fingerprint, type Texts } from './last-good.ts'
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

/** Reads one file of the zones folder, beside what is served of it now. */
export function readZoneFile(folder: Folder, name: string, current: ZoneFile | undefined, policies: ReadonlySet<string>, force: boolean): Attempt {
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
  return { kind: 'new', file: describe(zone, reading.texts, reading.asked, faults), texts: reading.texts }
}

/** The zone as it was kept, when it still passes. */
export function restoreZone(folder: Folder, name: string, kept: Texts, policies: ReadonlySet<string>): ZoneFile | undefined {
  const { zone, faults } = readZone({ file: shownAs(folder, name), read: readingFromTexts(folder, kept).read, policies })
  return zone === undefined ? undefined : describe(zone, kept, new Set(), faults)
}

/** Whether the disk says, word for word, what is served. */
function isSame(folder: Folder, current: ZoneFile): boolean {
  const reading = readingFromDisk(folder)
  return current.paths.every((path) => Buffer.isBuffer(tryRead(reading, shownAs(folder, path)))) && fingerprint(reading.texts) === current.print
}

function describe(zone: Zone, texts: Texts, follows: ReadonlySet<string>, warnings: readonly Fault[]): ZoneFile {
  const policies = new Map<string, Position>()
  const routed = new Set<string>()
  let routedTtl = 0
  let serial = 0
  for (const { owner, type, ttl, rdata, at } of zone.records) {
    if (type === 6) serial = serialOf(rdata)
    if (type !== TYPE_ROUTE) continue
    const policy = String.fromCharCode(...rdata)
    if (!policies.has(policy)) policies.set(policy, at)
    routed.add(nameToText(owner))
    routedTtl = Math.max(routedTtl, ttl)
  }
  return { zone, origin: nameToText(zone.origin), serial, paths: [...texts.keys()], print: fingerprint(texts), follows, policies, routed: [...routed], routedTtl, warnings }
}

/** SERIAL of SOA's RDATA: behind two names (RFC 1035 §3.3.13). */
function serialOf(rdata: Uint8Array): number {
  let at = 0
  for (let names = 0; names < 2; names++) {
    while (rdata[at]! > 0) at += rdata[at]! + 1
    at++
  }
  return new DataView(rdata.buffer, rdata.byteOffset, rdata.byteLength).getUint32(at)
}
