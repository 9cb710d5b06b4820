import { messageOf, type Fault } from '../../core/trouble.ts'
import { nameToText, TYPE } from '../wire/index.ts'
import { isSerialAfter, withSerial, type ZoneRecord } from '../zone/index.ts'
import { changeOf, groupSets, higherSerial, keyOf, nextSerial, rebase, touchedBy, type Layer, type RRset, type Touched, type ZoneView } from '../update/index.ts'
import { diskTrouble, Journal } from './journal.ts'
import { lockJournals } from './journal-lock.ts'
import type { FreshZone, Laid, ZoneOver } from './loader-over.ts'

// What lies over zone files: the journals of their updates, and serials that rise by themselves. A journal belongs to one text of its
// file; when that is edited, its changes are brought over the new text, and on the disk only once that is served.

export interface JournalOptions {
  /** state/journal; absent: nothing outlives the process, and updates are refused. */
  readonly folder?: string
  /** Zones, without final dot, whose serial rises by itself. */
  readonly auto: ReadonlySet<string>
}

export type Journals = ZoneOver & Required<Pick<ZoneOver, 'laidOver'>>

/** One zone. */
interface Held {
  journal?: Journal
  /** What is served; its journal on the disk may still be that of the text before. */
  current?: Laid
  /** What was made of texts that may or may not be taken. */
  proposed: readonly Laid[]
  notes: readonly Fault[]
  /** Why its journal cannot be read: the file is served alone and takes no updates, so that what is on the disk stays. */
  readonly trouble?: string
}

const NOTHING: ReadonlyMap<string, Touched> = new Map()
// Of very many zones there is nothing to say: they share that.
const NONE: readonly Laid[] = []
const UNNOTED: readonly Fault[] = []
/** Texts of one zone that may wait to be taken at once: of its file, and of another for the same origin. */
const MOST_PROPOSED = 8

/** Opens the journals of a state folder for this process alone. @throws Error with one line when another has them */
export function openJournals(options: JournalOptions): Journals {
  if (options.folder !== undefined) lockJournals(options.folder)
  const zones = new Map<string, Held>()
  const held = (name: string): Held => {
    const key = name.toLowerCase()
    let zone = zones.get(key)
    if (zone === undefined) zones.set(key, (zone = open(options, key)))
    return zone
  }
  return {
    freshly: (fresh) => freshly(options, held(fresh.name), fresh),
    taken: (origin, print) => taken(options, held(nameToText(origin)), nameToText(origin), print),
    keep: (change) => {
      const name = nameToText(change.origin)
      const zone = held(name)
      if (options.folder === undefined) throw new Error('there is no state folder, so that nothing would outlive a restart')
      if (zone.trouble !== undefined) throw new Error(zone.trouble)
      try {
        const journal = settle(options, zone, name)!
        journal.append(change.to, touchedBy(change))
        zone.current = { ...zone.current!, layer: journal.layer }
      } catch (error) {
        throw new Error(diskTrouble(error), { cause: error })
      }
    },
    drop: (origin) => {
      const name = nameToText(origin)
      zones.get(name)?.journal?.close()
      zones.delete(name)
    },
    laidOver: (name) => zones.get(name.toLowerCase())?.current
  }
}

function open({ folder }: JournalOptions, name: string): Held {
  const proposed = NONE
  if (folder === undefined) return { proposed, notes: UNNOTED }
  const told = (reason: string): Fault => ({ file: `journal of ${name}`, line: 1, column: 1, severity: 'warning', reason })
  try {
    const { journal, notes } = Journal.open(folder, name)
    return { ...(journal !== undefined && { journal }), proposed, notes: notes.map(told) }
  } catch (error) {
    // One zone's trouble is not that of all.
    const trouble = `its journal cannot be read: ${messageOf(error)}`
    return { proposed, trouble, notes: [told(`${trouble}: the zone is served without its updates, and takes none until the next start`)] }
  }
}

function freshly(options: JournalOptions, zone: Held, fresh: FreshZone): ReturnType<ZoneOver['freshly']> {
  const { laid, faults } = propose(options, zone, fresh)
  const others = zone.proposed.length >= MOST_PROPOSED ? NONE : zone.proposed.filter(({ print }) => print !== fresh.print)
  zone.proposed = [...others, laid]
  // Restored from its copy, or read for the first time: there is nothing else that it could be.
  zone.current ??= laid
  const { layer } = laid
  if (layer.sets.size === 0 && layer.serial === fresh.serial) return { faults }
  const soa = groupSets([fresh.soa])[0]!
  const sets = [...layer.sets.values()]
  const now = sets.find(({ type }) => type === TYPE.SOA)?.now ?? soa
  const touched = [{ owner: soa.owner, type: TYPE.SOA, was: soa, now: { ...now, data: [withSerial(now.data[0]!, layer.serial)] } }, ...sets.filter(({ type }) => type !== TYPE.SOA)]
  return { change: changeOf(fresh.origin, touched), faults }
}

/** What is to lie over this text of the file, and what there is to say of it. */
function propose(options: JournalOptions, zone: Held, fresh: FreshZone): { readonly laid: Laid; readonly faults: readonly Fault[] } {
  const { journal, current, notes } = zone
  const { print, serial: fileSerial } = fresh
  const laid = (layer: Layer): Laid => ({ print, fileSerial, layer })
  // What is on the disk is brought over a new text; without a disk, what is in memory.
  const from = journal === undefined ? current : { print: journal.head.file, layer: journal.layer }
  if (from?.print === print) return { laid: laid(from.layer), faults: notes }
  if (from === undefined || from.layer.sets.size === 0) {
    const { serial, faults } = serialOfEdit(fresh, from?.layer.serial, journal !== undefined || isAuto(options, fresh))
    return { laid: laid({ serial, sets: NOTHING }), faults: [...notes, ...faults] }
  }
  const { layer, conflicts } = rebase(from.layer, viewOfFile(fresh, from.layer))
  const faults = conflicts.map(({ owner, type, reason }): Fault => ({ ...placeOf(fresh, owner, type), severity: 'warning', reason }))
  const serial = layer.sets.size > 0 ? nextSerial(higherSerial(from.layer.serial, fileSerial)) : serialOfEdit(fresh, from.layer.serial, true).serial
  return { laid: laid({ serial, sets: layer.sets }), faults: [...notes, ...faults] }
}

const isAuto = ({ auto }: JournalOptions, { name }: FreshZone): boolean => auto.has(name.toLowerCase().replace(/(?<=.)\.$/, ''))

/** The serial of an edited file over which no records lie. @param kept what was served last @param rises it may be another than the file's, and never goes back */
function serialOfEdit(fresh: FreshZone, kept: number | undefined, rises: boolean): { readonly serial: number; readonly faults: readonly Fault[] } {
  const { serial, name } = fresh
  const served = kept ?? fresh.served
  if (served === undefined || isSerialAfter(serial, served)) return { serial, faults: [] }
  if (!fresh.differs()) return { serial: rises ? served : serial, faults: [] }
  if (rises) return { serial: nextSerial(served), faults: [] }
  const which = serial === served ? `under the serial ${serial}, which was served already` : `while the serial went back from ${served} to ${serial}`
  const hint = `raise it, or let it rise by itself: zones.${name.replace(/\.$/, '')}.serial: auto`
  return { serial, faults: [{ ...placeOf(fresh, fresh.origin, TYPE.SOA), severity: 'warning', reason: `the contents changed ${which}: secondaries will not notice`, hint }] }
}

/** Those names of a file that a layer touches. */
function viewOfFile({ zone, origin }: FreshZone, { sets }: Layer): ZoneView {
  const wanted = new Set([keyOf(origin), ...[...sets.values()].map(({ owner }) => keyOf(owner))])
  const lengths = new Set([...wanted].map((key) => key.length))
  const found: ZoneRecord[] = []
  for (const record of zone.records) if (lengths.has(record.owner.length) && wanted.has(keyOf(record.owner))) found.push(record)
  const names = new Map<string, RRset[]>()
  for (const set of groupSets(found)) names.set(keyOf(set.owner), [...(names.get(keyOf(set.owner)) ?? []), set])
  return { origin, setsOf: (owner) => names.get(keyOf(owner)) ?? [] }
}

/** Where an RRset stands in the file, or at least its owner; else where the zone begins. */
function placeOf({ zone, file, origin, soa }: FreshZone, owner: Uint8Array, type: number): Pick<Fault, 'file' | 'line' | 'column'> {
  const key = keyOf(owner)
  if (type === TYPE.SOA && key === keyOf(origin)) return soa.at
  let near: ZoneRecord['at'] | undefined
  let apex: ZoneRecord['at'] | undefined
  for (const record of zone.records) {
    if (record.type === TYPE.SOA && record.owner.length === origin.length) apex = record.at
    if (record.owner.length !== owner.length || keyOf(record.owner) !== key) continue
    if (record.type === type) return record.at
    near ??= record.at
  }
  return near ?? apex ?? { file, line: 1, column: 1 }
}

/** What was proposed for this text is served: the disk is told, where there is one. */
function taken(options: JournalOptions, zone: Held, name: string, print: string): string | undefined {
  const laid = zone.proposed.find((each) => each.print === print)
  zone.proposed = NONE
  if (laid !== undefined) zone.current = laid
  zone.notes = UNNOTED
  try {
    settle(options, zone, name, true)
    return undefined
  } catch (error) {
    return `${name}: its journal could not be brought up to its file: ${diskTrouble(error)}; it is tried again with the next update`
  }
}

/** Makes the journal on the disk that of what is served. `mayGo`: none is needed when it would say nothing. */
function settle({ folder }: JournalOptions, zone: Held, name: string, mayGo = false): Journal | undefined {
  const { current, journal, trouble } = zone
  if (folder === undefined || current === undefined || trouble !== undefined) return undefined
  const { print, fileSerial, layer } = current
  if (mayGo && layer.sets.size === 0 && layer.serial === fileSerial) {
    journal?.remove()
    delete zone.journal
    return undefined
  }
  if (journal === undefined) {
    zone.journal = Journal.create(folder, { origin: name, file: print, fileSerial, serial: layer.serial }, layer)
  } else if (journal.head.file !== print) journal.rewrite({ file: print, fileSerial }, layer)
  return zone.journal
}

