import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { formatFault, messageOf, type Fault } from '../../core/trouble.ts'
import type { RoutingImage } from '../routing/index.ts'
import { buildZoneImage } from '../zone/index.ts'
import type { ZoneStatus } from './api.ts'
import { keepsNothing, openLastGood, type LastGood, type Texts } from './last-good.ts'
import { shownAs, wholeFault } from './loader-files.ts'
import { noPolicies, POLICIES, readPolicyFile, restorePolicies, type Policies, type PolicyOptions } from './loader-policies.ts'
import { readZoneFile, restoreZone, type Attempt, type ZoneFile } from './loader-zone.ts'

/** What a load came to. Images are there when they differ from the last ones. */
export interface LoadResult {
  readonly zoneImage?: SharedArrayBuffer
  readonly routing?: RoutingImage
  /** Some policy is there: places have a say. */
  readonly usesPolicies: boolean
  readonly report: LoadReport
}

/** What is in service, and what is wrong with the files. */
export interface LoadReport {
  readonly zones: readonly ZoneStatus[]
  readonly faults: readonly Fault[]
  /** Names that are answered by a policy. */
  readonly names: readonly string[]
  /** Seconds. */
  readonly routedTtl: number
  /** What this load changed, a line each. */
  readonly changes: readonly string[]
}

/** The state of one file of the folder: what is served of it, and what is wrong with it now. */
interface Entry {
  served?: ZoneFile
  /** What is served came from its copy, and the file has not been taken since. */
  isRestored: boolean
  faults: readonly Fault[]
  follows: ReadonlySet<string>
}

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
  /** Files outside the folder, or in it by other names, that zones include. */
  follows(): Set<string>
}

export const isZoneFile = (name: string): boolean => /^[^.].*\.zone$/.test(name)

interface State {
  readonly options: PolicyOptions
  readonly lastGood: LastGood
  readonly zones: Map<string, Entry>
  policies: Policies
  policyFaults: readonly Fault[]
  folderFaults: readonly Fault[]
  hasLoaded: boolean
}

/** Opens what was kept under the state folder, if there is one; the first `load` then reads what is there now. */
export function openCatalogue(options: PolicyOptions & { readonly stateFolder?: string }): Catalogue {
  const lastGood = options.stateFolder === undefined ? keepsNothing : openLastGood(options.stateFolder, options.folder.path)
  const state: State = { options, lastGood, zones: new Map(), policies: noPolicies(options), policyFaults: [], folderFaults: [], hasLoaded: false }
  restore(state, lastGood.all())
  return {
    load: (request) => load(state, request),
    follows: () => new Set([...state.zones.values()].flatMap(({ served, follows }) => [...follows, ...(served?.follows ?? [])]))
  }
}

function restore(state: State, kept: ReadonlyMap<string, Texts>): void {
  const texts = kept.get(POLICIES)
  if (texts !== undefined) state.policies = restorePolicies(state.options, texts) ?? state.policies
  const { names } = state.policies
  for (const [name, texts] of kept) {
    if (!isZoneFile(name)) continue
    const served = restoreZone(state.options.folder, name, texts, names)
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
    refuseTwins(state, new Map(due.map((name) => [name, readZoneFile(options.folder, name, zones.get(name)?.served, names, force)])))
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
  state.hasLoaded = true
  return {
    ...(isFirst || changes.some((change) => change.isZone) ? { zoneImage: buildZoneImage(served(state).map(({ zone }) => zone)) } : {}),
    ...(isFirst || state.policies !== before ? { routing: state.policies.image } : {}),
    usesPolicies: state.policies.names.size > 0,
    report: report(state, changes.map(({ text }) => text))
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
function refuseTwins({ zones, options }: State, attempts: Map<string, Attempt>): Map<string, Attempt> {
  const owners = new Map<string, string>()
  for (const [name, { served }] of zones) if (served !== undefined && attempts.get(name)?.kind !== 'gone') owners.set(served.origin.toLowerCase(), name)
  for (const [name, attempt] of attempts) {
    if (attempt.kind !== 'new') continue
    const origin = attempt.file.origin.toLowerCase()
    const owner = owners.get(origin)
    if (owner === undefined || owner === name) owners.set(origin, name)
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

interface Change {
  readonly text: string
  readonly isZone: boolean
}

function commitPolicies(state: State, before: Policies): Change[] {
  const { policies, options } = state
  if (policies === before) return []
  const text = `${shownAs(options.folder, POLICIES)}: ${policies.names.size} policies in service`
  return [{ text, isZone: false }, ...keep(state, POLICIES, policies.texts)]
}

function commitZone(state: State, name: string, attempt: Attempt): Change[] {
  const { zones, options } = state
  const shown = shownAs(options.folder, name)
  const entry: Entry = zones.get(name) ?? { isRestored: false, faults: [], follows: NONE }
  switch (attempt.kind) {
    case 'gone':
      zones.delete(name)
      state.lastGood.drop(name)
      return entry.served === undefined ? [] : [{ text: `${shown}: is gone, and ${entry.served.origin} is served no more`, isZone: true }]
    case 'faulty':
      zones.set(name, { ...entry, faults: attempt.faults, follows: attempt.follows })
      return []
    case 'same':
      zones.set(name, { ...entry, isRestored: false, faults: [] })
      return []
    case 'new': {
      const { file } = attempt
      zones.set(name, { served: file, isRestored: false, faults: [], follows: file.follows })
      const text = `${shown}: ${file.origin} serial ${file.serial}, ${file.zone.records.length} records, in service`
      return [{ text, isZone: true }, ...keep(state, name, attempt.texts)]
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
    return [{ text: `${name}: no copy could be kept for the next start: ${messageOf(error)}`, isZone: false }]
  }
}

const served = ({ zones }: State): ZoneFile[] => [...zones.values()].flatMap(({ served }) => (served === undefined ? [] : [served]))

function report(state: State, changes: readonly string[]): LoadReport {
  const { zones, options, policies, policyFaults, folderFaults } = state
  const entries = [...zones].sort(([a], [b]) => (a < b ? -1 : 1))
  const files = served(state)
  return {
    zones: entries.flatMap(([name, { served, faults, isRestored }]) => {
      if (served === undefined) return []
      const state = faults.length === 0 ? 'current' : isRestored ? 'last-good' : 'old'
      return [{ origin: served.origin, serial: served.serial, records: served.zone.records.length, file: shownAs(options.folder, name), state }]
    }),
    faults: [...folderFaults, ...policyFaults, ...policies.warnings, ...entries.flatMap(([, { faults, served }]) => (faults.length > 0 ? faults : (served?.warnings ?? [])))],
    names: files.flatMap(({ routed }) => routed),
    routedTtl: Math.max(0, ...files.map(({ routedTtl }) => routedTtl)),
    changes
  }
}

/** The faults that keep something out of service, each in its line. */
export const errorLines = ({ faults }: LoadReport): string[] => faults.filter(({ severity }) => severity === 'error').map(formatFault)
