import { nameLength, nameToText, TYPE } from '../wire/index.ts'
import type { World } from '../world.ts'
import { isReset, TYPE_ALIAS, TYPE_ROUTE, zoneRecords, type PlainRecord, type ZoneStep } from '../zone/index.ts'

/** What of a zone bears on how it is transferred. */
export interface ZoneFacts {
  /** Octets of its records, about. */
  octets: number
  /** Records that are answered by a policy, and records that say what other names say: ALIAS, and hints that are filled in. */
  routed: number
  borrowed: number
}

/** Facts of zones: counted once, when first asked for, and kept in step with what changes. */
export interface FactBook {
  of(zone: string, origin: Uint8Array, world: World): ZoneFacts
  note(step: ZoneStep): void
}

export function makeFactBook(): FactBook {
  const known = new Map<string, ZoneFacts>()
  return {
    of: (zone, origin, { zones }) => {
      const found = known.get(zone)
      if (found !== undefined) return found
      const facts: ZoneFacts = { octets: 0, routed: 0, borrowed: 0 }
      for (const record of zoneRecords(zones, origin) ?? []) count(facts, record, 1)
      known.set(zone, facts)
      return facts
    },
    note: (step) => {
      const zone = nameToText(step.origin)
      const facts = known.get(zone)
      if (facts === undefined) return
      if (isReset(step)) {
        known.delete(zone)
        return
      }
      for (const record of step.deleted) count(facts, record, -1)
      for (const record of step.added) count(facts, record, 1)
    }
  }
}

function count(facts: ZoneFacts, record: PlainRecord, by: 1 | -1): void {
  facts.octets += by * (record.rdata.length + 16)
  if (record.type === TYPE_ROUTE) facts.routed += by
  else if (isBorrowed(record)) facts.borrowed += by
}

/** Whether a record leaves as it stands in the zone. */
export function isPlain(record: PlainRecord): boolean {
  return record.type !== TYPE_ROUTE && !isBorrowed(record)
}

function isBorrowed({ type, rdata }: PlainRecord): boolean {
  return type === TYPE_ALIAS || ((type === TYPE.SVCB || type === TYPE.HTTPS) && hasOpenHint(rdata))
}

/** A hint without addresses is one that is filled in (daemon/answer/hints.ts). */
export function hasOpenHint(rdata: Uint8Array): boolean {
  for (let at = 2 + nameLength(rdata, 2); at + 4 <= rdata.length; ) {
    const key = (rdata[at]! << 8) | rdata[at + 1]!
    const size = (rdata[at + 2]! << 8) | rdata[at + 3]!
    if (size === 0 && (key === 4 || key === 6)) return true
    at += 4 + size
  }
  return false
}
