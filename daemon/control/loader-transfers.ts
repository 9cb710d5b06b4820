import type { Fault } from '../../core/trouble.ts'
import { nameFromText, nameToText } from '../wire/index.ts'
import { lowerName, readRecords, serialIn, type PlainRecord, type Zone, type ZoneStep } from '../zone/index.ts'
import type { ZoneStatus } from './api.ts'
import { putZone, type Batch } from './loader-contents.ts'

// Secondary zones: they have no file, and what they hold came from a primary.

/** A secondary zone, and what is served of it. */
export interface Secondary {
  /** Wire form, lower case, and text with its final dot. */
  readonly origin: Uint8Array
  readonly name: string
  serial: number
  records: number
  /** `awaited`: nothing has come from a primary yet; `expired`: it has not been refreshed for too long, and is not answered for. */
  state: 'transferred' | 'awaited' | 'expired'
  warnings: readonly Fault[]
}

export type Secondaries = Map<string, Secondary>

/** The secondary zones of the configuration, as yet empty. @param names without final dot, the root as `.` */
export function openSecondaries(names: readonly string[]): Secondaries {
  const all: Secondaries = new Map()
  for (const text of names) {
    const wire = nameFromText(text)
    if (typeof wire === 'string') continue
    const origin = lowerName(wire)
    const name = nameToText(origin)
    all.set(name, { origin, name, serial: 0, records: 0, state: 'awaited', warnings: [] })
  }
  return all
}

/** Takes records as what the zone holds from now on, when they pass. */
export function take(batch: Batch, secondary: Secondary, records: Iterable<PlainRecord>): { readonly zone: Zone; readonly step?: ZoneStep } | { readonly faults: readonly Fault[] } {
  const { name, origin } = secondary
  const { zone, faults } = readRecords({ from: `transfer of ${name}`, origin, records })
  if (zone === undefined) return { faults }
  const step = putZone(batch, zone)
  Object.assign(secondary, { serial: serialIn(zone), records: zone.records.length, state: 'transferred', warnings: faults })
  return step === undefined ? { zone } : { zone, step }
}

export const PRIMARIES = 'its primaries'

export function statusOf({ name, serial, records, state }: Secondary): ZoneStatus {
  return { origin: name, serial, records, file: PRIMARIES, state }
}
