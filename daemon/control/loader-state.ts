import { formatFault, type Fault } from '../../core/trouble.ts'
import type { RoutingImage } from '../routing/index.ts'
import { buildZoneImage, lowerName, type SharedZones, type ZoneStep } from '../zone/index.ts'
import type { ZoneStatus } from './api.ts'
import type { LastGood } from './last-good.ts'
import { shownAs } from './loader-files.ts'
import type { ZoneOver } from './loader-over.ts'
import type { Policies, PolicyOptions } from './loader-policies.ts'
import { statusOf, type Secondaries } from './loader-transfers.ts'
import type { ZoneContext, ZoneFile } from './loader-zone.ts'
import type { SecondaryStore } from './secondary-store.ts'

// What the loader knows of the zones and of what is wrong with them, and how it tells it.

export interface CatalogueOptions extends PolicyOptions {
  readonly stateFolder?: string
  /** Names of the zones that have primaries, without final dot. */
  readonly secondaries?: readonly string[]
  readonly over?: ZoneOver
}

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
  readonly zones: Map<string, Entry>
  readonly secondaries: Secondaries
  policies: Policies
  policyFaults: readonly Fault[]
  folderFaults: readonly Fault[]
  hasLoaded: boolean
}

/** Something that a load changed. */
export interface Change {
  readonly text: string
  /** What became of the contents of zones; absent when nothing did. */
  readonly steps?: readonly ZoneStep[]
}

export const contextOf = ({ options, policies, over }: State): ZoneContext => ({ folder: options.folder, policies: policies.names, over })

/** @param isWhole there is an image even when nothing changed */
export function resultOf(state: State, changes: readonly Change[], isWhole: boolean): LoadResult {
  const zoneChanges = changes.flatMap(({ steps = [] }) => steps)
  const zones = [...servedFiles(state).map(({ zone }) => zone), ...[...state.secondaries.values()].flatMap(({ zone, state: now }) => (zone === undefined || now !== 'transferred' ? [] : [zone]))]
  return {
    ...(isWhole || changes.some(({ steps }) => steps !== undefined) ? { zoneImage: buildZoneImage(zones) } : {}),
    usesPolicies: state.policies.names.size > 0,
    zoneChanges,
    report: report(state, changes.map(({ text }) => text))
  }
}

/** For every zone that is served: its history begins here. */
export function resetsOf(state: State): ZoneStep[] {
  const files = servedFiles(state).map(({ zone, serial }): ZoneStep => ({ origin: lowerName(zone.origin), reset: true, serial }))
  const transferred = [...state.secondaries.values()].filter((secondary) => secondary.state === 'transferred')
  return [...files, ...transferred.map((secondary): ZoneStep => ({ origin: secondary.origin, reset: true, serial: statusOf(secondary).serial }))]
}

const servedFiles = ({ zones }: State): ZoneFile[] => [...zones.values()].flatMap(({ served }) => (served === undefined ? [] : [served]))

function report(state: State, changes: readonly string[]): LoadReport {
  const { zones, options, policies, policyFaults, folderFaults } = state
  const entries = [...zones].sort(([a], [b]) => (a < b ? -1 : 1))
  const secondaries = [...state.secondaries.values()]
  const files = servedFiles(state)
  return {
    zones: [
      ...entries.flatMap(([name, { served, faults, isRestored }]) => {
        if (served === undefined) return []
        const state = faults.length === 0 ? ('current' as const) : isRestored ? ('last-good' as const) : ('old' as const)
        return [{ origin: served.origin, serial: served.serial, records: served.zone.records.length, file: shownAs(options.folder, name), state }]
      }),
      ...secondaries.map(statusOf)
    ],
    faults: [
      ...folderFaults, ...policyFaults, ...policies.warnings,
      ...entries.flatMap(([, { faults, served }]) => (faults.length > 0 ? faults : (served?.warnings ?? []))),
      ...secondaries.flatMap(({ warnings }) => warnings)
    ],
    names: files.flatMap(({ routed }) => routed),
    routedTtl: Math.max(0, ...files.map(({ routedTtl }) => routedTtl)),
    changes
  }
}

/** The faults that keep something out of service, each in its line. */
export const errorLines = ({ faults }: LoadReport): string[] => faults.filter(({ severity }) => severity === 'error').map(formatFault)
