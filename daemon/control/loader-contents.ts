import {
  applyChange, buildContents, diffSource, findRrset, findZone, lowerName, nameKey, ownersAfter, recordsOfRrset, serialOf, sourceOfImage, sourceOfRecords, sourceOfZone, stepOf, zoneRecords, serialIn,
  type Contents, type Difference, type Zone, type ZoneEdit, type ZoneImage, type ZoneSource, type ZoneStep
} from '../zone/index.ts'
import { TYPE } from '../wire/index.ts'

// What loads make of the contents of zones: in place where little changes, else all is laid out anew, from what is served and from what was read.

/** Records that a load may change in place: past that, laying out anew costs less. */
const MOST_EDITED = 20_000
/** Records of a step that are worth telling: past that a whole transfer costs less. */
const MOST_TOLD = 100_000
/** So few records are laid out anew with every change: that costs a millisecond, and leaves nothing over the image. */
const FEW = 1000
/** A difference that is looked for in vain is not looked for again in so large a zone: the room for changes is made first. */
const LARGE = 50_000

/** The contents in service, and the zones in them by their origins. */
export interface Held {
  contents: Contents
  readonly origins: Map<string, Uint8Array>
}

/** What one load does to them, before it is put in service. */
export interface Batch {
  readonly held: Held
  /** Each told for an image, which is another one when all was laid out anew. */
  readonly edits: ((image: ZoneImage) => ZoneEdit | undefined)[]
  /** By origin, how a zone is to be laid out; undefined: not at all. */
  readonly zones: Map<string, { readonly origin: Uint8Array; readonly source: () => ZoneSource } | undefined>
  /** Records that it touches. */
  records: number
}

export function holdNothing(): Held {
  return { contents: buildContents([]), origins: new Map() }
}

export function beginBatch(held: Held): Batch {
  return { held, edits: [], zones: new Map(), records: 0 }
}

/** All that a zone holds from now on. Returns what became of it, if anything. */
export function putZone(batch: Batch, zone: Zone): ZoneStep | undefined {
  const { held: { contents, origins } } = batch
  const origin = lowerName(zone.origin)
  const key = nameKey(origin)
  const anew: ZoneStep = { origin, reset: true, serial: serialIn(zone) }
  const lay = { origin, source: () => sourceOfZone(zone) }
  if (!origins.has(key)) {
    batch.zones.set(key, lay)
    batch.records += zone.records.length
    batch.edits.push(() => ({ kind: 'new', source: lay.source() }))
    return anew
  }
  if (batch.zones.has(key) && batch.zones.get(key) === undefined) {
    // One file gave it up, and another takes it.
    batch.zones.set(key, lay)
    batch.records = Infinity
    return anew
  }
  const before = serialServed(contents.image, origin)
  const difference = zone.difference ?? diffSource(contents.image, lay.source(), MOST_TOLD)
  if (difference === undefined) {
    batch.zones.set(key, lay)
    batch.records = Infinity
    return anew
  }
  const step = stepOf(origin, difference, before)
  if (step !== undefined) putDifference(batch, origin, difference, zone.difference === undefined ? lay.source : undefined)
  return step
}

/** A zone that is served changes so. @param source the zone afterwards, where it is at hand */
export function putDifference(batch: Batch, origin: Uint8Array, difference: Difference, source?: () => ZoneSource): void {
  const { image } = batch.held.contents
  batch.records += difference.deleted.length + difference.added.length
  batch.zones.set(nameKey(origin), { origin, source: source ?? (() => changedSource(image, origin, difference)) })
  batch.edits.push((now) => {
    const owners = ownersAfter(now, { origin, ...difference })
    return 'missing' in owners || 'hidden' in owners ? undefined : { kind: 'owners', origin, owners }
  })
}

function changedSource(image: ZoneImage, origin: Uint8Array, difference: Difference): ZoneSource {
  const records = applyChange(zoneRecords(image, origin) ?? [], difference)
  if ('missing' in records) throw new Error('a change does not fit the zone that it was made for')
  return sourceOfRecords(origin, records)
}

/** A zone is served no more. Returns what became of it, if it was. */
export function dropZone(batch: Batch, origin: Uint8Array): ZoneStep[] {
  const own = lowerName(origin)
  const key = nameKey(own)
  if (!batch.held.origins.has(key)) return []
  batch.zones.set(key, undefined)
  batch.records += sourceRecords(batch.held.contents.image, own)
  batch.edits.push(() => ({ kind: 'gone', origin: own }))
  return [{ origin: own, reset: true }]
}

function sourceRecords(image: ZoneImage, origin: Uint8Array): number {
  const apex = findZone(image, origin)
  return apex === 0 ? 0 : sourceOfImage(image, apex).records
}

/** The serial of a zone that is served. */
export function serialServed(image: ZoneImage, origin: Uint8Array): number {
  const apex = findZone(image, origin)
  const soa = apex === 0 ? -1 : findRrset(image, apex, TYPE.SOA)
  if (soa >= 0) for (const { rdata } of recordsOfRrset(image, apex, soa)) return serialOf(rdata)
  return 0
}

/** Makes of the batch what is to be put in service. */
export function settleBatch(batch: Batch): void {
  const { held, zones } = batch
  const before = held.contents.image
  const origins = new Map(held.origins)
  for (const [key, zone] of zones) {
    if (zone === undefined) origins.delete(key)
    else origins.set(key, zone.origin)
  }
  if (!editInPlace(batch)) {
    const sources = [...origins].map(([key, origin]) => zones.get(key)?.source() ?? sourceOfImage(before, findZone(before, origin)))
    held.contents = buildContents(sources)
  }
  held.origins.clear()
  for (const [key, origin] of origins) held.origins.set(key, origin)
}

function editInPlace(batch: Batch): boolean {
  const { held, edits, records } = batch
  if (records > MOST_EDITED || held.contents.image.records < FEW) return false
  const edit = (): boolean => {
    const told = edits.map((each) => each(held.contents.image))
    return told.every((each) => each !== undefined) && held.contents.edit(told as ZoneEdit[])
  }
  if (edit()) return true
  const { image } = held.contents
  if (image.records < LARGE) return false
  // Most likely the room for changes is used up: what is served gets new room, which costs less than to make a large zone of its records.
  held.contents = buildContents([...held.origins.values()].map((origin) => sourceOfImage(image, findZone(image, origin))))
  return edit()
}
