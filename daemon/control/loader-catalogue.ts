import { readdirSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { whyUnreadable, type Fault } from '../../core/trouble.ts'
import { nameToText } from '../wire/index.ts'
import { buildZoneImage, openZoneImage, type PlainRecord, type PolicyNames, type ZoneChange, type ZoneStep } from '../zone/index.ts'
import type { FlushReply } from './api.ts'
import { writeBack } from './flush.ts'
import { keepsNothing, openLastGood, type Texts } from './last-good.ts'
import { changeZone, expireZone, replaceZone, restoreSecondaries, type Changed, type ChangedBy } from './loader-changes.ts'
import { beginBatch, dropZone, holdNothing, putZone, type Batch } from './loader-contents.ts'
import { isZoneFile, shownAs, wholeFault } from './loader-files.ts'
import { nothingOver } from './loader-over.ts'
import { noPolicies, POLICIES, readPolicyFile, restorePolicies, type Policies, type PolicyAttempt } from './loader-policies.ts'
import { contextOf, isOther, putEntry, resultOf, type CatalogueOptions, type Change, type Entry, type LoadResult, type State } from './loader-state.ts'
import { openSecondaries } from './loader-transfers.ts'
import { readSame, readZoneFile, restoreZone, type Attempt } from './loader-zone.ts'
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
  /** Writes updates back into zone files, and reads those again: of one zone, by its name with its final dot, or of all. */
  writeBack(zone: string | undefined, isDry: boolean): { readonly reply: FlushReply; readonly result?: LoadResult }
  /** Those in service. */
  policies(): Policies
  /** Files outside the folder, or in it by other names, that zones include. */
  follows(): Set<string>
  /** Keeps copies of what loads have taken since, for the next start. Returns why it could not. */
  flush(): string | undefined
}

/** Opens what was kept under the state folder, if there is one; the first `load` then reads what is there now. */
export function openCatalogue(options: CatalogueOptions): Catalogue {
  const { stateFolder, over = nothingOver, secondaries = [], folder } = options
  const lastGood = stateFolder === undefined ? keepsNothing : openLastGood(stateFolder, folder.path)
  const texts = lastGood.read(POLICIES)
  const none = noPolicies(options)
  const state: State = {
    options, lastGood, over, store: stateFolder === undefined ? storesNothing : openSecondaryStore(stateFolder), held: holdNothing(),
    zones: new Map(), files: new Map(), secondaries: openSecondaries(secondaries), faulty: new Set(), including: new Set(), routing: new Set(), touched: new Set(),
    policies: texts === undefined ? none : (restorePolicies(options, texts) ?? none), policyFaults: [], policyFollows: NONE, folderFaults: [], hasLoaded: false
  }
  return {
    load: (request) => load(state, request),
    change: (change, by) => changeZone(state, change, by),
    replace: (origin, records) => replaceZone(state, origin, records),
    expire: (origin) => expireZone(state, origin),
    writeBack: (zone, isDry) => {
      const { reply, changed } = writeBack(state, zone, isDry)
      if (changed.size === 0) return { reply }
      const result = load(state, { changed })
      // Beside the copy of before, what updates took away would look like an accident to whoever starts next.
      lastGood.flush()
      return { reply, result }
    },
    policies: () => state.policies,
    follows: () => new Set([...state.policyFollows, ...[...state.including].flatMap((name) => [...followsOf(state.zones.get(name))])]),
    flush: () => {
      const trouble = lastGood.flush()
      return trouble === undefined ? undefined : `no copies of zones could be kept for the next start: ${trouble}`
    }
  }
}

const NONE: ReadonlySet<string> = new Set()
const NO_TEXTS: Texts = new Map()

const followsOf = (entry: Entry | undefined): ReadonlySet<string> => (entry === undefined ? NONE : new Set([...entry.follows, ...(entry.served?.follows ?? [])]))

/** What came of reading files again, and the copies that stand in for those that cannot be read. */
interface Readings {
  readonly attempts: Map<string, Attempt>
  readonly restored: Map<string, NonNullable<ReturnType<typeof restoreZone>>>
}

function load(state: State, request: LoadRequest): LoadResult {
  const { options, policies: before } = state
  const force = request.force === true
  const isPolicyDue = isDue(request, [join(options.folder.path, POLICIES), ...state.policyFollows], state.policyFaults.length > 0)
  const read: PolicyAttempt = isPolicyDue ? readPolicyFile(options, before, force) : { policies: before, faults: state.policyFaults, follows: state.policyFollows }
  state.policyFollows = read.follows
  const due = dueFiles(state, request)
  let readings = readFiles(state, due, (read.policies ?? before).names, force)
  state.policies = read.policies ?? before
  state.policyFaults = read.faults
  if (state.policies !== before) {
    const missing = missingPolicies(state, readings.attempts, state.policies)
    if (missing.length > 0) {
      // What zones still refer to cannot be taken away: the policies stay as they were, and the zones are read beside those.
      state.policies = before
      state.policyFaults = missing
      readings = readFiles(state, due, before.names, force)
    }
  }
  const isFirst = !state.hasLoaded
  options.preread?.forget()
  state.hasLoaded = true
  const batch = beginBatch(state.held)
  // What was restored is told with the first load: nobody has been told of it yet.
  const changes: Change[] = isFirst ? [{ text: '', steps: restoreSecondaries(state, batch) }, ...restore(state, batch, readings)] : []
  changes.push(...commitPolicies(state, before))
  // Zones that go make room for those that come under their names.
  const order = [...readings.attempts].sort(([, a], [, b]) => Number(b.kind === 'gone') - Number(a.kind === 'gone'))
  for (const [name, attempt] of order) changes.push(...commitZone(state, batch, name, attempt))
  return { ...resultOf(state, batch, changes, isFirst), ...(isFirst || state.policies !== before ? { routing: state.policies.image } : {}) }
}

/** Whether files may have something new to say: one has changed, or it has faults that another file may have mended. */
function isDue({ changed, moving }: LoadRequest, files: readonly string[], hasFaults: boolean): boolean {
  if (changed === undefined) return true
  return !files.some((file) => moving?.has(file) === true) && (hasFaults || files.some((file) => changed.has(file)))
}

function dueFiles(state: State, request: LoadRequest): string[] {
  const { zones, options, lastGood, including, faulty } = state
  const { changed } = request
  const folder = options.folder.path
  state.folderFaults = []
  let names: string[] = []
  try {
    if (changed === undefined) names = readdirSync(folder).filter(isZoneFile)
    else statSync(folder)
  } catch (error) {
    // The zones that were in it are served on, as if each of them were gone.
    state.folderFaults = [wholeFault(options.folder.label, `cannot be read: ${whyUnreadable(error)}`)]
  }
  if (changed === undefined) return [...new Set([...names, ...zones.keys(), ...(state.hasLoaded ? [] : [...lastGood.names()].filter(isZoneFile))])].sort()
  const touched = [...changed].filter((path) => dirname(path) === folder && isZoneFile(basename(path))).map((path) => basename(path))
  const mended = [...faulty].filter((name) => zones.get(name)!.faults.length > 0)
  const includes = [...including].filter((name) => [...followsOf(zones.get(name))].some((path) => changed.has(path)))
  return [...new Set([...touched, ...mended, ...includes])].sort().filter((name) => request.moving?.has(join(folder, name)) !== true)
}

function readFiles(state: State, due: readonly string[], policies: PolicyNames, force: boolean): Readings {
  const { zones, lastGood, hasLoaded } = state
  const context = { ...contextOf(state), policies }
  const readings: Readings = { attempts: new Map(), restored: new Map() }
  for (const name of due) {
    let current = zones.get(name)?.served
    let differs = context.differs
    const kept = hasLoaded ? undefined : lastGood.about(name)
    // A file that is not what was served when we ended is read beside that.
    const known = kept === undefined ? undefined : readSame(context.folder, kept)
    if (kept !== undefined && known === undefined) {
      const texts = lastGood.read(name)
      const restored = texts === undefined ? undefined : restoreZone(context, name, texts)
      if (restored !== undefined) {
        readings.restored.set(name, restored)
        current = restored.file
        differs = (zone) => isOther(openZoneImage(buildZoneImage([restored.zone])), zone)
      }
    }
    const attempt = readZoneFile({ ...context, differs }, name, current, force, known)
    // Where nothing is kept for the next start, nobody looks at the texts again.
    readings.attempts.set(name, lastGood === keepsNothing && attempt.kind === 'new' ? { ...attempt, texts: NO_TEXTS } : attempt)
  }
  refuseTwins(state, readings.attempts)
  return readings
}

function restore(state: State, batch: Batch, { attempts, restored }: Readings): Change[] {
  return [...restored].flatMap(([name, { file, zone }]) => {
    if (attempts.get(name)?.kind === 'new' || state.files.has(file.origin.toLowerCase()) || state.secondaries.has(file.origin.toLowerCase())) return []
    putEntry(state, name, { served: file, isRestored: true, faults: [], follows: NONE })
    const step = putZone(batch, zone)
    return [{ text: '', steps: step === undefined ? [] : [step] }]
  })
}

/** Two files for one origin: the one that is served, or else the first, keeps it. */
function refuseTwins({ files, secondaries, options }: State, attempts: Map<string, Attempt>): void {
  const owners = new Map<string, string>()
  const stays = (name: string, origin: string): boolean => {
    const attempt = attempts.get(name)
    return attempt?.kind !== 'gone' && (attempt?.kind !== 'new' || attempt.file.origin.toLowerCase() === origin)
  }
  const refuse = (name: string, follows: ReadonlySet<string>, reason: string, hint?: string): void =>
    void attempts.set(name, { kind: 'faulty', faults: [wholeFault(shownAs(options.folder, name), reason, hint)], follows })
  for (const [name, attempt] of attempts) {
    if (attempt.kind !== 'new') continue
    const { follows } = attempt.file
    const origin = attempt.file.origin.toLowerCase()
    const served = files.get(origin)
    const owner = owners.get(origin) ?? (served !== undefined && stays(served, origin) ? served : name)
    if (secondaries.has(origin)) refuse(name, follows, `${origin} is a secondary zone, which has no file`, 'take the file away, or primaries: out of its zone in nearcast.yaml')
    else if (owner === name) owners.set(origin, name)
    else refuse(name, follows, `${origin} is the zone of ${shownAs(options.folder, owner)} already`)
  }
}

/** A fault for each policy that zones refer to and that would no longer be there, or would answer CNAMEs where none can stand. */
function missingPolicies({ zones, options }: State, attempts: ReadonlyMap<string, Attempt>, policies: Policies): Fault[] {
  const faults = new Map<string, Fault>()
  for (const name of new Set([...zones.keys(), ...attempts.keys()])) {
    const attempt = attempts.get(name)
    const file = attempt?.kind === 'new' ? attempt.file : attempt?.kind === 'gone' ? undefined : zones.get(name)?.served
    for (const [policy, at] of file?.policies ?? []) {
      if (policies.names.has(policy) || faults.has(policy)) continue
      faults.set(policy, wholeFault(shownAs(options.folder, POLICIES), `policy ${policy} is missing, and ${at.file}:${at.line}:${at.column} refers to it`, 'the policies as they were are served on; take it out of the zone first'))
    }
    for (const [policy, at] of file?.crowded ?? []) {
      if (policies.names.renaming?.has(policy) !== true || faults.has(policy)) continue
      faults.set(policy, wholeFault(shownAs(options.folder, POLICIES), `policy ${policy} may answer a CNAME, which cannot stand at ${at.file}:${at.line}:${at.column} beside what is there`, 'the policies as they were are served on'))
    }
  }
  return [...faults.values()]
}

function commitPolicies(state: State, before: Policies): Change[] {
  const { policies, options, lastGood } = state
  if (policies === before) return []
  if (policies.texts.size > 0) lastGood.keep(POLICIES, policies.texts, policies.print)
  else lastGood.drop(POLICIES)
  return [{ text: `${shownAs(options.folder, POLICIES)}: ${policies.names.size} ${policies.names.size === 1 ? 'policy' : 'policies'} in service` }]
}

function commitZone(state: State, batch: Batch, name: string, attempt: Attempt): Change[] {
  const shown = shownAs(state.options.folder, name)
  const entry: Entry = state.zones.get(name) ?? { isRestored: false, faults: [], follows: NONE }
  const { served } = entry
  switch (attempt.kind) {
    case 'gone':
      putEntry(state, name, undefined)
      state.lastGood.drop(name)
      if (served === undefined) return []
      state.over.drop(served.wire)
      return [{ text: `${shown}: is gone, and ${served.origin} is served no more`, steps: dropZone(batch, served.wire) }]
    case 'faulty':
      putEntry(state, name, { ...entry, faults: attempt.faults, follows: attempt.follows })
      return []
    case 'same':
      if (entry.isRestored || entry.faults.length > 0) putEntry(state, name, { ...entry, isRestored: false, faults: [] })
      return []
    case 'new':
      return commitNew(state, batch, name, attempt, served?.wire)
  }
}

function commitNew(state: State, batch: Batch, name: string, { file, zone, texts }: Extract<Attempt, { kind: 'new' }>, before: Uint8Array | undefined): Change[] {
  const { lastGood, options } = state
  // The file may have been taken to be another zone's.
  const gone: ZoneStep[] = before === undefined || nameToText(before) === nameToText(file.wire) ? [] : dropZone(batch, before)
  putEntry(state, name, { served: file, isRestored: false, faults: [], follows: NONE })
  const step = putZone(batch, zone)
  if (lastGood.about(name)?.print !== file.print) lastGood.keep(name, texts, file.print)
  const text = `${shownAs(options.folder, name)}: ${file.origin} serial ${file.serial}, ${file.records} records, in service`
  const line = state.over.taken(file.wire, file.print)
  return [{ text, steps: [...gone, ...(step === undefined ? [] : [step])] }, ...(line === undefined ? [] : [{ text: line }])]
}
