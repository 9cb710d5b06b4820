import { formatFault, type Fault } from '../../core/trouble.ts'
import type { RoutingImage } from '../routing/index.ts'
import { TYPE } from '../wire/index.ts'
import { diffSource, sourceOfZone, type SharedZones, type Zone, type ZoneImage, type ZoneStep } from '../zone/index.ts'
import type { ZoneStatus } from './api.ts'
import type { LastGood } from './last-good.ts'
import { settleBatch, type Batch, type Held } from './loader-contents.ts'
import { shownAs } from './loader-files.ts'
import type { ZoneOver } from './loader-over.ts'
import type { Policies, PolicyOptions } from './loader-policies.ts'
import { PRIMARIES, statusOf, type Secondaries } from './loader-transfers.ts'
import type { ZoneContext, ZoneFile } from './loader-zone.ts'
import type { Preread } from './preread.ts'
import type { SecondaryStore } from './secondary-store.ts'

// What the loader knows of the zones and of what is wrong with them, and how it tells it.

export interface CatalogueOptions extends PolicyOptions {
  readonly stateFolder?: string
  /** Names of the zones that have primaries, without final dot. */
  readonly secondaries?: readonly string[]
  readonly over?: ZoneOver
  /** For the first load. */
  readonly preread?: Preread
}

/** Lines that one load may log of what it changed: a folder may have very many zones. */
const MOST_CHANGES = 100

/** What a load came to. Images are there when they differ from the last ones. */
export interface LoadResult {
  readonly zoneImage?: SharedZones
  readonly routing?: RoutingImage
  /** Some policy is there: places have a say. */
  readonly usesPolicies: boolean
  /**
   * What became of every zone whose contents changed in this load, from whatever source. The first load of a thread tells a
   * reset for each zone that is served. Steps of one zone stand in their order.
   */
  readonly zoneChanges: readonly ZoneStep[]
  readonly report: LoadReport
}

/** What is in service, and what is wrong with the files. */
export interface LoadReport {
  /** Of zones that this load was concerned with; of all of them in the first load of a thread (`isFirst`). */
  readonly zones: readonly ZoneStatus[]
  readonly isFirst: boolean
  /** Keys, as `statusKey` makes them, of zones that are no more. */
  readonly gone: readonly string[]
  readonly faults: readonly Fault[]
  /** Names that are answered by a policy. */
  readonly names: readonly string[]
  /** Seconds. */
  readonly routedTtl: number
  /** What this load changed, a line each, and how many there are beyond the first of them. */
  readonly changes: readonly string[]
}

/** Tells the status of a zone from those of others. */
export const statusKey = ({ file, origin }: Pick<ZoneStatus, 'file' | 'origin'>): string => (file === PRIMARIES ? origin : file)

/** Brings statuses up to date with a load. */
export function takeReport(zones: Map<string, ZoneStatus>, report: LoadReport): void {
  if (report.isFirst) zones.clear()
  for (const key of report.gone) zones.delete(key)
  for (const status of report.zones) zones.set(statusKey(status), status)
}

/** In the order of the files, secondary zones behind them. */
export function sortedStatuses(zones: ReadonlyMap<string, ZoneStatus>): ZoneStatus[] {
  const rank = ({ file }: ZoneStatus): number => (file === PRIMARIES ? 1 : 0)
  return [...zones].sort(([a, one], [b, other]) => rank(one) - rank(other) || (a < b ? -1 : 1)).map(([, status]) => status)
}

/** The state of one file of the folder: what is served of it, and what is wrong with it now. */
export interface Entry {
  served?: ZoneFile
  /** What is served came from its copy, and the file has not been taken since. */
  isRestored: boolean
  faults: readonly Fault[]
  follows: ReadonlySet<string>
}

export interface State {
  readonly options: CatalogueOptions
  readonly lastGood: LastGood
  readonly store: SecondaryStore
  readonly over: ZoneOver
  readonly held: Held
  readonly zones: Map<string, Entry>
  /** Files by the origin that is served of them, as text in lower case. */
  readonly files: Map<string, string>
  readonly secondaries: Secondaries
  /** Files of which there is more to say than that they are served: faults, includes, routed names. */
  readonly faulty: Set<string>
  readonly including: Set<string>
  readonly routing: Set<string>
  /** What this load was concerned with: names of files, and of secondary zones. */
  readonly touched: Set<string>
  policies: Policies
  policyFaults: readonly Fault[]
  /** Files that the policies name, or that they would if they were taken. */
  policyFollows: ReadonlySet<string>
  folderFaults: readonly Fault[]
  hasLoaded: boolean
}

/** Something that a load changed. */
export interface Change {
  readonly text: string
  /** What became of the contents of zones; absent when nothing did. */
  readonly steps?: readonly ZoneStep[]
}

export const contextOf = ({ options, policies, over, held }: State): ZoneContext => ({
  folder: options.folder, ...(options.preread !== undefined && { preread: options.preread }), policies: policies.names, over, image: () => held.contents.image, differs: (zone) => isOther(held.contents.image, zone)
})

/** Whether a zone holds other records than an image has under its name, the SOA apart. */
export function isOther(image: ZoneImage, zone: Zone): boolean {
  const difference = zone.difference ?? diffSource(image, sourceOfZone(zone), MOST_SOA)
  return difference === undefined || [...difference.deleted, ...difference.added].some(({ type }) => type !== TYPE.SOA)
}

/** Records that a difference of SOAs alone has. */
const MOST_SOA = 2

/** Sets what is known of a file. */
export function putEntry(state: State, name: string, entry: Entry | undefined): void {
  const before = state.zones.get(name)?.served?.origin.toLowerCase()
  if (before !== undefined && state.files.get(before) === name) state.files.delete(before)
  state.touched.add(name)
  const served = entry?.served
  if (entry === undefined) state.zones.delete(name)
  else state.zones.set(name, entry)
  if (served !== undefined) state.files.set(served.origin.toLowerCase(), name)
  mark(state.faulty, name, entry !== undefined && (entry.faults.length > 0 || (served?.warnings.length ?? 0) > 0))
  mark(state.including, name, entry !== undefined && (entry.follows.size > 0 || (served?.follows.size ?? 0) > 0))
  mark(state.routing, name, (served?.routed.length ?? 0) > 0)
}

function mark(names: Set<string>, name: string, isIn: boolean): void {
  if (isIn) names.add(name)
  else names.delete(name)
}

/** Puts the batch in place, and tells of it. @param isFirst of all that is there, and there is an image even when nothing changed */
export function resultOf(state: State, batch: Batch, changes: readonly Change[], isFirst = false): LoadResult {
  const isChanged = batch.zones.size > 0
  if (isChanged) settleBatch(batch)
  const result = {
    ...(isFirst || isChanged ? { zoneImage: state.held.contents.shared } : {}),
    usesPolicies: state.policies.names.size > 0,
    zoneChanges: changes.flatMap(({ steps = [] }) => steps),
    report: report(state, changes.flatMap(({ text }) => (text === '' ? [] : [text])), isFirst)
  }
  state.touched.clear()
  return result
}

function report(state: State, changes: readonly string[], isFirst: boolean): LoadReport {
  const { zones, options, policies, policyFaults, folderFaults, secondaries } = state
  const told = isFirst ? [...zones.keys(), ...secondaries.keys()] : [...state.touched]
  const statuses = told.map((name) => [name, statusIn(state, name)] as const)
  const files = [...state.routing].flatMap((name) => zones.get(name)?.served ?? [])
  return {
    zones: statuses.flatMap(([, status]) => status ?? []),
    isFirst,
    gone: statuses.flatMap(([name, status]) => (status === undefined ? [shownAs(options.folder, name)] : [])),
    faults: [
      ...folderFaults, ...policyFaults, ...policies.warnings,
      ...[...state.faulty].sort().flatMap((name) => {
        const { faults, served } = zones.get(name)!
        return faults.length > 0 ? faults : (served?.warnings ?? [])
      }),
      ...[...secondaries.values()].flatMap(({ warnings }) => warnings)
    ],
    names: files.flatMap(({ routed }) => routed),
    routedTtl: Math.max(0, ...files.map(({ routedTtl }) => routedTtl)),
    changes: changes.length > MOST_CHANGES ? [...changes.slice(0, MOST_CHANGES), `… and ${changes.length - MOST_CHANGES} more`] : changes
  }
}

function statusIn({ zones, secondaries, options }: State, name: string): ZoneStatus | undefined {
  const secondary = secondaries.get(name)
  if (secondary !== undefined) return statusOf(secondary)
  const entry = zones.get(name)
  if (entry?.served === undefined) return undefined
  const { served, faults, isRestored } = entry
  const state = faults.length === 0 ? 'current' : isRestored ? 'last-good' : 'old'
  return { origin: served.origin, serial: served.serial, records: served.records, file: shownAs(options.folder, name), state }
}

/** The faults that keep something out of service, each in its line. */
export const errorLines = ({ faults }: LoadReport): string[] => faults.filter(({ severity }) => severity === 'error').map(formatFault)
