import { messageOf, type Fault } from '../../core/trouble.ts'
import { nameToText } from '../wire/index.ts'
import { applyChange, diffZones, lowerName, readRecords, recordTypeToText, serialIn, TYPE_ALIAS, TYPE_ROUTE, type PlainRecord, type ZoneChange, type ZoneStep } from '../zone/index.ts'
import { wholeFault } from './loader-files.ts'
import { resultOf, type Change, type Entry, type LoadResult, type State } from './loader-state.ts'
import { take, takeChange, type Secondary } from './loader-transfers.ts'
import { describe, type ZoneFile } from './loader-zone.ts'

/** Who brings a change that no file tells: a dynamic update of a zone with a file, or a transfer into a secondary zone. */
export type ChangedBy = 'update' | 'transfer'

export type ChangeReply =
  /** It is durable, where there is a state folder, and in service. */
  | { readonly outcome: 'done' }
  /** The zone is not at serial `from` any more: it is at this one, or not served at all. Make the change anew. */
  | { readonly outcome: 'stale'; readonly serial?: number }
  /** The zone would be broken by it, or, where that is our own trouble, it could not be kept. */
  | { readonly outcome: 'refused'; readonly faults: readonly Fault[]; readonly isTrouble?: true }

export interface Changed {
  readonly reply: ChangeReply
  /** To be put in service before the reply. */
  readonly result?: LoadResult
}

const refused = (...faults: Fault[]): Changed => ({ reply: { outcome: 'refused', faults } })

export function changeZone(state: State, change: ZoneChange, by: ChangedBy): Changed {
  const name = nameToText(lowerName(change.origin))
  const from = `${by} of ${name}`
  const secondary = state.secondaries.get(name)
  const entry = [...state.zones.values()].find(({ served }) => served?.origin.toLowerCase() === name)
  const zone = secondary === undefined ? entry?.served?.zone : secondary.state === 'transferred' ? secondary.zone : undefined
  if ((secondary === undefined) !== (by === 'update')) return refused(wholeFault(from, by === 'update' ? `${name} is a secondary zone: it changes at its primary` : `${name} is no secondary zone`))
  if (zone === undefined) return { reply: { outcome: 'stale' } }
  const serial = serialIn(zone)
  if (serial !== change.from) return { reply: { outcome: 'stale', serial } }
  const strange = pseudoIn(change.added)
  if (strange !== undefined) return refused(wholeFault(from, strange))
  return secondary === undefined ? updateFile(state, entry!, change, from) : changeSecondary(state, secondary, change, from)
}

/** ROUTE and ALIAS are ours alone: nothing that comes from outside may have their numbers. */
function pseudoIn(records: readonly PlainRecord[]): string | undefined {
  const found = records.find(({ type }) => type === TYPE_ROUTE || type === TYPE_ALIAS)
  return found === undefined ? undefined : `${nameToText(found.owner)} has a record of type ${found.type}, which is no data of a zone (RFC 6895 §3.1)`
}

const missing = (from: string, { owner, type }: PlainRecord): Fault => wholeFault(from, `a ${recordTypeToText(type)} of ${nameToText(owner)} that is to be deleted is not there`)

function updateFile(state: State, entry: Entry, change: ZoneChange, from: string): Changed {
  const served = entry.served!
  const records = applyChange(served.zone, change)
  if ('missing' in records) return refused(missing(from, records.missing))
  const read = readRecords({ from, origin: served.zone.origin, records, policies: state.policies.names })
  if (read.zone === undefined) return refused(...read.faults)
  const step = diffZones(served.zone, read.zone)
  if (step === undefined) return { reply: { outcome: 'done' } }
  try {
    state.over.keep(change)
  } catch (error) {
    return { reply: { outcome: 'refused', faults: [wholeFault(from, `could not be kept: ${messageOf(error)}`)], isTrouble: true } }
  }
  const file: ZoneFile = { ...served, ...describe(read.zone, served.warnings) }
  entry.served = { ...file, policies: served.policies }
  return done(state, [{ text: `${from}: serial ${file.serial}, ${read.zone.records.length} records, in service`, steps: [step] }])
}

function changeSecondary(state: State, secondary: Secondary, change: ZoneChange, from: string): Changed {
  const before = { ...secondary }
  const taken = takeChange(secondary, change)
  if ('missing' in taken) return refused(missing(from, taken.missing))
  return settle(state, secondary, before, taken, from)
}

export function replaceZone(state: State, origin: Uint8Array, records: readonly PlainRecord[]): Changed {
  const name = nameToText(lowerName(origin))
  const from = `transfer of ${name}`
  const secondary = state.secondaries.get(name)
  if (secondary === undefined) return refused(wholeFault(from, `${name} is no secondary zone`))
  const strange = pseudoIn(records)
  if (strange !== undefined) return refused(wholeFault(from, strange))
  const before = { ...secondary }
  return settle(state, secondary, before, take(secondary, records), from)
}

/** Keeps what a secondary zone has taken, or undoes it where it cannot be kept. */
function settle(state: State, secondary: Secondary, before: Secondary, taken: ReturnType<typeof take>, from: string): Changed {
  if ('faults' in taken) return refused(...taken.faults)
  const zone = secondary.zone!
  try {
    if (taken.step !== undefined) state.store.write(secondary.name, zone.records)
  } catch (error) {
    Object.assign(secondary, before)
    return refused(wholeFault(from, `could not be kept: ${messageOf(error)}`))
  }
  if (taken.step === undefined && before.state === 'transferred') return { reply: { outcome: 'done' } }
  const steps = taken.step === undefined ? [] : [taken.step]
  return done(state, [{ text: `${from}: serial ${serialIn(zone)}, ${zone.records.length} records, in service`, steps }])
}

export function expireZone(state: State, origin: Uint8Array): Changed {
  const name = nameToText(lowerName(origin))
  const secondary = state.secondaries.get(name)
  if (secondary === undefined) return refused(wholeFault(name, 'is no secondary zone'))
  if (secondary.state !== 'transferred') return { reply: { outcome: 'done' } }
  secondary.state = 'expired'
  const steps: ZoneStep[] = [{ origin: secondary.origin, reset: true }]
  return done(state, [{ text: `${name}: has not been refreshed for too long, and is answered for no longer`, steps }])
}

function done(state: State, changes: readonly Change[]): Changed {
  return { reply: { outcome: 'done' }, result: resultOf(state, changes, false) }
}
