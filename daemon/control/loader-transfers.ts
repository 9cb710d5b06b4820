import { nameFromText, nameToText } from '../wire/index.ts'
import { applyChange, diffZones, lowerName, readRecords, serialIn, type PlainRecord, type Zone, type ZoneChange, type ZoneStep } from '../zone/index.ts'
import type { Fault } from '../../core/trouble.ts'
import type { ZoneStatus } from './api.ts'
import type { SecondaryStore } from './secondary-store.ts'

// Secondary zones: they have no file, and what they hold came from a primary.

/** A secondary zone, and what is served of it. */
export interface Secondary {
  /** Wire form, lower case, and text with its final dot. */
  readonly origin: Uint8Array
  readonly name: string
  zone?: Zone
  /** `awaited`: nothing has come from a primary yet; `expired`: it has not been refreshed for too long, and is not answered for. */
  state: 'transferred' | 'awaited' | 'expired'
  warnings: readonly Fault[]
}

export type Secondaries = Map<string, Secondary>

/** The secondary zones of the configuration, with what was stored of them. @param names without final dot, the root as `.` */
export function openSecondaries(names: readonly string[], store: SecondaryStore): Secondaries {
  const all: Secondaries = new Map()
  for (const text of names) {
    const origin = nameFromText(text)
    if (typeof origin === 'string') continue
    const secondary: Secondary = { origin: lowerName(origin), name: nameToText(lowerName(origin)), state: 'awaited', warnings: [] }
    const records = store.read(secondary.name)
    if (records !== undefined) take(secondary, records)
    all.set(secondary.name, secondary)
  }
  return all
}

/** Takes records as what the zone holds from now on, when they pass; returns what changed, or the faults. */
export function take(secondary: Secondary, records: Iterable<PlainRecord>): { readonly step?: ZoneStep } | { readonly faults: readonly Fault[] } {
  const { name, origin } = secondary
  const read = readRecords({ from: `transfer of ${name}`, origin, records })
  if (read.zone === undefined) return { faults: read.faults }
  const before = secondary.state === 'transferred' ? secondary.zone : undefined
  const step = diffZones(before, read.zone)
  secondary.zone = read.zone
  secondary.state = 'transferred'
  secondary.warnings = read.faults
  return step === undefined ? {} : { step }
}

/** As `take`, for a step from the serial that is served. */
export function takeChange(secondary: Secondary, change: ZoneChange): { readonly step?: ZoneStep } | { readonly missing: PlainRecord } | { readonly faults: readonly Fault[] } {
  const records = applyChange(secondary.zone!, change)
  return 'missing' in records ? records : take(secondary, records)
}

export function statusOf({ name, zone, state }: Secondary): ZoneStatus {
  return { origin: name, serial: zone === undefined ? 0 : serialIn(zone), records: zone?.records.length ?? 0, file: 'its primaries', state }
}
