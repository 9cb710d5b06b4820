import { messageOf, type Fault } from '../../core/trouble.ts'
import { nameToText } from '../wire/index.ts'
import {
  applyChange, judgeOwners, judgeRecords, lowerName, nameKey, ownersAfter, readRecords, recordTypeToText, stepOf, TYPE_ALIAS, TYPE_ROUTE, zoneRecords, isReset,
  type Difference, type OwnerAfter, type PlainRecord, type ZoneChange, type ZoneStep
} from '../zone/index.ts'
import { beginBatch, dropZone, putDifference, putZone, type Batch } from './loader-contents.ts'
import { wholeFault } from './loader-files.ts'
import { putEntry, resultOf, type LoadResult, type State } from './loader-state.ts'
import { take, type Secondary } from './loader-transfers.ts'

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
const unkept = (from: string, error: unknown): Changed => ({ reply: { outcome: 'refused', faults: [wholeFault(from, `could not be kept: ${messageOf(error)}`)], isTrouble: true } })
const nothing: Changed = { reply: { outcome: 'done' } }

export function changeZone(state: State, change: ZoneChange, by: ChangedBy): Changed {
  const name = nameToText(lowerName(change.origin))
  const from = `${by} of ${name}`
  const secondary = state.secondaries.get(name)
  if ((secondary === undefined) !== (by === 'update')) return refused(wholeFault(from, by === 'update' ? `${name} is a secondary zone: it changes at its primary` : `${name} is no secondary zone`))
  const file = state.files.get(name)
  const served = secondary === undefined ? (file === undefined ? undefined : state.zones.get(file)?.served) : secondary.state === 'transferred' ? secondary : undefined
  if (served === undefined) return { reply: { outcome: 'stale' } }
  if (served.serial !== change.from) return { reply: { outcome: 'stale', serial: served.serial } }
  const strange = pseudoIn(change.added) ?? judgeRecords([...change.deleted, ...change.added])
  if (strange !== undefined) return refused(wholeFault(from, strange))
  const batch = beginBatch(state.held)
  const put = putChange(state, batch, change, from, 'aliases' in served ? served.aliases : [])
  if ('faults' in put) return refused(...put.faults)
  if (put.step === undefined) return nothing
  return secondary === undefined ? keepUpdate(state, batch, change, file!, put.step, put.difference) : keepStep(state, batch, change, secondary, put.step, put.difference)
}

/** ROUTE and ALIAS are ours alone: nothing that comes from outside may have their numbers. */
function pseudoIn(records: readonly PlainRecord[]): string | undefined {
  const found = records.find(({ type }) => type === TYPE_ROUTE || type === TYPE_ALIAS)
  return found === undefined ? undefined : `${nameToText(found.owner)} has a record of type ${found.type}, which is no data of a zone (RFC 6895 §3.1)`
}

const missing = (from: string, { owner, type }: PlainRecord): Fault => wholeFault(from, `a ${recordTypeToText(type)} of ${nameToText(owner)} that is to be deleted is not there`)

interface Put {
  readonly difference: Difference
  readonly step?: ZoneStep
}

/** Puts a change that passes the checks of a zone file into the batch. */
function putChange(state: State, batch: Batch, change: ZoneChange, from: string, aliases: readonly Uint8Array[]): Put | { readonly faults: readonly Fault[] } {
  const { image } = state.held.contents
  const origin = lowerName(change.origin)
  const owners = ownersAfter(image, { ...change, origin })
  if ('missing' in owners) return { faults: [missing(from, owners.missing)] }
  if ('hidden' in owners) return putWhole(state, batch, change, from)
  const reasons = judgeOwners({ image, origin, owners, aliases, policies: state.policies.names })
  if (reasons.length > 0) return { faults: reasons.map((reason) => wholeFault(from, reason)) }
  const difference = differenceOf(owners)
  const step = stepOf(origin, difference, change.from)
  if (step === undefined) return { difference }
  putDifference(batch, origin, difference)
  return { difference, step }
}

function differenceOf(owners: ReadonlyMap<string, OwnerAfter>): Difference {
  const all = [...owners.values()]
  return { deleted: all.flatMap(({ deleted }) => deleted), added: all.flatMap(({ added }) => added) }
}

/** Where a lower zone of ours hides what is changed: the zone is made and checked as a whole. */
function putWhole(state: State, batch: Batch, change: ZoneChange, from: string): Put | { readonly faults: readonly Fault[] } {
  const records = applyChange(zoneRecords(state.held.contents.image, change.origin) ?? [], change)
  if ('missing' in records) return { faults: [missing(from, records.missing)] }
  const read = readRecords({ from, origin: change.origin, records, policies: state.policies.names })
  if (read.zone === undefined) return { faults: read.faults }
  const step = putZone(batch, read.zone)
  const { deleted, added } = change
  return step === undefined ? { difference: { deleted: [], added: [] } } : { difference: { deleted, added }, step }
}

const serialOfStep = (step: ZoneStep, before: number): number => (isReset(step) ? (step.serial ?? before) : step.to)

function keepUpdate(state: State, batch: Batch, change: ZoneChange, file: string, step: ZoneStep, { deleted, added }: Difference): Changed {
  const entry = state.zones.get(file)!
  const served = entry.served!
  try {
    state.over.keep(change)
  } catch (error) {
    return unkept(`update of ${served.origin}`, error)
  }
  const serial = serialOfStep(step, served.serial)
  const records = served.records + added.length - deleted.length
  const unrouted = new Set(deleted.filter(({ type }) => type === TYPE_ROUTE).map(({ owner }) => nameKey(owner)))
  const routed = unrouted.size === 0 ? served.routed : served.routed.filter((name) => ![...unrouted].some((key) => nameToText(Buffer.from(key, 'latin1')) === name.toLowerCase()))
  putEntry(state, file, { ...entry, served: { ...served, serial, records, routed, kept: undefined } })
  return { reply: { outcome: 'done' }, result: resultOf(state, batch, [{ text: `update of ${served.origin}: serial ${serial}, ${records} records, in service`, steps: [step] }]) }
}

function keepStep(state: State, batch: Batch, change: ZoneChange, secondary: Secondary, step: ZoneStep, { deleted, added }: Difference): Changed {
  const from = `transfer of ${secondary.name}`
  try {
    state.store.append(secondary.name, change)
  } catch (error) {
    return unkept(from, error)
  }
  secondary.serial = serialOfStep(step, secondary.serial)
  secondary.records += added.length - deleted.length
  return transferred(state, batch, secondary, [step])
}

function transferred(state: State, batch: Batch, secondary: Secondary, steps: readonly ZoneStep[]): Changed {
  state.touched.add(secondary.name)
  const text = `transfer of ${secondary.name}: serial ${secondary.serial}, ${secondary.records} records, in service`
  return { reply: { outcome: 'done' }, result: resultOf(state, batch, [{ text, steps }]) }
}

export function replaceZone(state: State, origin: Uint8Array, records: readonly PlainRecord[]): Changed {
  const name = nameToText(lowerName(origin))
  const from = `transfer of ${name}`
  const secondary = state.secondaries.get(name)
  if (secondary === undefined) return refused(wholeFault(from, `${name} is no secondary zone`))
  const strange = pseudoIn(records)
  if (strange !== undefined) return refused(wholeFault(from, strange))
  const before = { ...secondary }
  const batch = beginBatch(state.held)
  const taken = take(batch, secondary, records)
  if ('faults' in taken) return refused(...taken.faults)
  if (taken.step === undefined) return nothing
  try {
    state.store.write(name, taken.zone.records)
  } catch (error) {
    Object.assign(secondary, before)
    return unkept(from, error)
  }
  return transferred(state, batch, secondary, [taken.step])
}

export function expireZone(state: State, origin: Uint8Array): Changed {
  const name = nameToText(lowerName(origin))
  const secondary = state.secondaries.get(name)
  if (secondary === undefined) return refused(wholeFault(name, 'is no secondary zone'))
  if (secondary.state !== 'transferred') return nothing
  secondary.state = 'expired'
  state.touched.add(name)
  const batch = beginBatch(state.held)
  const steps = dropZone(batch, secondary.origin)
  return { reply: { outcome: 'done' }, result: resultOf(state, batch, [{ text: `${name}: has not been refreshed for too long, and is answered for no longer`, steps }]) }
}

/** What was stored of secondary zones, for the first load. */
export function restoreSecondaries(state: State, batch: Batch): ZoneStep[] {
  return [...state.secondaries.values()].flatMap((secondary) => {
    const records = state.store.read(secondary.name)
    const taken = records === undefined ? undefined : take(batch, secondary, records)
    return taken === undefined || 'faults' in taken || taken.step === undefined ? [] : [taken.step]
  })
}
