import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf, type Fault } from '../../core/trouble.ts'
import { diffZones, lowerName, type PlainRecord, type ZoneChange, type ZoneStep } from '../zone/index.ts'
import { keepsNothing, openLastGood, type Texts } from './last-good.ts'
import { changeZone, expireZone, replaceZone, type Changed, type ChangedBy } from './loader-changes.ts'
import { shownAs, wholeFault } from './loader-files.ts'
import { nothingOver } from './loader-over.ts'
import { noPolicies, POLICIES, readPolicyFile, restorePolicies, type Policies } from './loader-policies.ts'
import { contextOf, resetsOf, resultOf, type CatalogueOptions, type Change, type Entry, type LoadResult, type State } from './loader-state.ts'
import { openSecondaries } from './loader-transfers.ts'
import { readZoneFile, restoreZone, type Attempt } from './loader-zone.ts'
import { openSecondaryStore, storesNothing } from './secondary-store.ts'

export interface LoadRequest {
  /** Absolute paths; only what they concern is read. Absent: everything is. */
  readonly changed?: ReadonlySet<string>
  /** Being written at this moment: not to be read. */
  readonly moving?: ReadonlySet<string>
  /** Take also what looks like an accident. */
  readonly force?: boolean
}

export interface Catalogue {
  load(request: LoadRequest): LoadResult
  /** One step of a zone that did not come from its file; the result is there when it is to be put in service. */
  change(change: ZoneChange, by: ChangedBy): Changed
  /** All that a secondary zone holds from now on. */
  replace(origin: Uint8Array, records: readonly PlainRecord[]): Changed
  /** A secondary zone is answered for no longer. */
  expire(origin: Uint8Array): Changed
  /** Files outside the folder, or in it by other names, that zones include. */
  follows(): Set<string>
}

export const isZoneFile = (name: string): boolean => /^[^.].*\.zone$/.test(name)

/** Opens what was kept under the state folder, if there is one; the first `load` then reads what is there now. */
export function openCatalogue(options: CatalogueOptions): Catalogue {
  const lastGood = options.stateFolder === undefined ? keepsNothing : openLastGood(options.stateFolder, options.folder.path)
  const store = options.stateFolder === undefined ? storesNothing : openSecondaryStore(options.stateFolder)
  const state: State = {
    options, lastGood, store, over: options.over ?? nothingOver, zones: new Map(), secondaries: openSecondaries(options.secondaries ?? [], store),
    policies: noPolicies(options), policyFaults: [], folderFaults: [], hasLoaded: false
  }
  restore(state, lastGood.all())
  return {
    load: (request) => load(state, request),
    change: (change, by) => changeZone(state, change, by),
    replace: (origin, records) => replaceZone(state, origin, records),
    expire: (origin) => expireZone(state, origin),
    follows: () => new Set([...state.zones.values()].flatMap(({ served, follows }) => [...follows, ...(served?.follows ?? [])]))
  }
}

function restore(state: State, kept: ReadonlyMap<string, Texts>): void {
  const texts = kept.get(POLICIES)
  if (texts !== undefined) state.policies = restorePolicies(state.options, texts) ?? state.policies
  for (const [name, texts] of kept) {
    if (!isZoneFile(name)) continue
    const served = restoreZone(contextOf(state), name, texts)
    if (served !== undefined) state.zones.set(name, { served, isRestored: true, faults: [], follows: NONE })
  }
}

const NONE: ReadonlySet<string> = new Set()

function load(state: State, request: LoadRequest): LoadResult {
  const { options, zones, policies: before } = state
  const force = request.force === true
  const isPolicyDue = isDue(request, join(options.folder.path, POLICIES), state.policyFaults.length > 0, NONE)
  const read = isPolicyDue ? readPolicyFile(options, before, force) : { policies: before, faults: state.policyFaults }
  const due = dueFiles(state, request)
  const attemptAll = (names: ReadonlySet<string>): Map<string, Attempt> =>
    refuseTwins(state, new Map(due.map((name) => [name, readZoneFile({ ...contextOf(state), policies: names }, name, zones.get(name)?.served, force)])))
  let attempts = attemptAll((read.policies ?? before).names)
  state.policies = read.policies ?? before
  state.policyFaults = read.faults
  if (state.policies !== before) {
    const missing = missingPolicies(state, attempts, state.policies)
    if (missing.length > 0) {
      // What zones still refer to cannot be taken away: the policies stay as they were, and the zones are read beside those.
      state.policies = before
      state.policyFaults = missing
      attempts = attemptAll(before.names)
    }
  }
  const changes = [...commitPolicies(state, before), ...[...attempts].flatMap(([name, attempt]) => commitZone(state, name, attempt))]
  const isFirst = !state.hasLoaded
  // What was restored is told with the first load: nobody has been told of it yet.
  const restored = isFirst ? resetsOf(state) : []
  state.hasLoaded = true
  return {
    ...resultOf(state, changes, isFirst),
    ...(isFirst ? { zoneChanges: restored } : {}),
    ...(isFirst || state.policies !== before ? { routing: state.policies.image } : {})
  }
}

/** Whether a file may have something new to say: it or what it includes has changed, or it has faults that another file may have mended. */
function isDue({ changed, moving }: LoadRequest, file: string, hasFaults: boolean, follows: ReadonlySet<string>): boolean {
  if (changed === undefined) return true
  if (moving?.has(file) === true) return false
  return hasFaults || changed.has(file) || [...follows].some((path) => changed.has(path))
}

function dueFiles(state: State, request: LoadRequest): string[] {
  const { zones, options } = state
  const folder = options.folder.path
  let names: string[] = []
  state.folderFaults = []
  try {
    names = readdirSync(folder).filter(isZoneFile)
  } catch (error) {
    // The zones that were in it are served on, as if each of them were gone.
    state.folderFaults = [wholeFault(options.folder.label, `cannot be read: ${messageOf(error)}`)]
  }
  return [...new Set([...names, ...zones.keys()])].sort().filter((name) => {
    const entry = zones.get(name)
    const follows = entry === undefined ? NONE : new Set([...entry.follows, ...(entry.served?.follows ?? [])])
    return isDue(request, join(folder, name), entry !== undefined && entry.faults.length > 0, follows)
  })
}

/** Two files for one origin: the one that is served, or else the first, keeps it. */
function refuseTwins(state: State, attempts: Map<string, Attempt>): Map<string, Attempt> {
  const { zones, options } = state
  const owners = new Map<string, string>()
  for (const [name, { served }] of zones) if (served !== undefined && attempts.get(name)?.kind !== 'gone') owners.set(served.origin.toLowerCase(), name)
  for (const [name, attempt] of attempts) {
    if (attempt.kind !== 'new') continue
    const origin = attempt.file.origin.toLowerCase()
    const owner = owners.get(origin)
    if (state.secondaries.has(origin)) attempts.set(name, { kind: 'faulty', faults: [wholeFault(shownAs(options.folder, name), `${origin} is a secondary zone, which has no file`, 'take the file away, or primaries: out of its zone in nearcast.yaml')], follows: attempt.file.follows })
    else if (owner === undefined || owner === name) owners.set(origin, name)
    else attempts.set(name, { kind: 'faulty', faults: [wholeFault(shownAs(options.folder, name), `${origin} is the zone of ${shownAs(options.folder, owner)} already`)], follows: attempt.file.follows })
  }
  return attempts
}

/** A fault for each policy that zones refer to and that would no longer be there. */
function missingPolicies({ zones, options }: State, attempts: ReadonlyMap<string, Attempt>, policies: Policies): Fault[] {
  const faults = new Map<string, Fault>()
  for (const name of new Set([...zones.keys(), ...attempts.keys()])) {
    const attempt = attempts.get(name)
    const file = attempt?.kind === 'new' ? attempt.file : attempt?.kind === 'gone' ? undefined : zones.get(name)?.served
    for (const [policy, at] of file?.policies ?? []) {
      if (policies.names.has(policy) || faults.has(policy)) continue
      faults.set(policy, wholeFault(shownAs(options.folder, POLICIES), `policy ${policy} is missing, and ${at.file}:${at.line}:${at.column} refers to it`, 'the policies as they were are served on; take it out of the zone first'))
    }
  }
  return [...faults.values()]
}

function commitPolicies(state: State, before: Policies): Change[] {
  const { policies, options } = state
  if (policies === before) return []
  const text = `${shownAs(options.folder, POLICIES)}: ${policies.names.size} policies in service`
  return [{ text }, ...keep(state, POLICIES, policies.texts)]
}

function commitZone(state: State, name: string, attempt: Attempt): Change[] {
  const { zones, options } = state
  const shown = shownAs(options.folder, name)
  const entry: Entry = zones.get(name) ?? { isRestored: false, faults: [], follows: NONE }
  switch (attempt.kind) {
    case 'gone':
      zones.delete(name)
      state.lastGood.drop(name)
      if (entry.served === undefined) return []
      state.over.drop(lowerName(entry.served.zone.origin))
      return [{ text: `${shown}: is gone, and ${entry.served.origin} is served no more`, steps: [{ origin: lowerName(entry.served.zone.origin), reset: true }] }]
    case 'faulty':
      zones.set(name, { ...entry, faults: attempt.faults, follows: attempt.follows })
      return []
    case 'same':
      zones.set(name, { ...entry, isRestored: false, faults: [] })
      return []
    case 'new': {
      const { file } = attempt
      const before = entry.served
      // The file may have been taken to be another zone's.
      const gone: ZoneStep[] = before === undefined || before.origin.toLowerCase() === file.origin.toLowerCase() ? [] : [{ origin: lowerName(before.zone.origin), reset: true }]
      const step = diffZones(gone.length > 0 ? undefined : before?.zone, file.zone)
      zones.set(name, { served: file, isRestored: false, faults: [], follows: file.follows })
      const text = `${shown}: ${file.origin} serial ${file.serial}, ${file.zone.records.length} records, in service`
      const kept = keep(state, name, attempt.texts)
      const line = state.over.taken(lowerName(file.zone.origin), file.print)
      return [{ text, steps: [...gone, ...(step === undefined ? [] : [step])] }, ...kept, ...(line === undefined ? [] : [{ text: line }])]
    }
  }
}

/** A disk that does not take the copy is worth a line, and no reason not to serve. */
function keep({ lastGood }: State, name: string, texts: Texts): Change[] {
  try {
    if (texts.size > 0) lastGood.keep(name, texts)
    else lastGood.drop(name)
    return []
  } catch (error) {
    return [{ text: `${name}: no copy could be kept for the next start: ${messageOf(error)}` }]
  }
}
