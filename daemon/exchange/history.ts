import { nameToText } from '../wire/index.ts'
import { isReset, type PlainRecord, type ZoneChange, type ZoneStep } from '../zone/index.ts'

// How zones came to what they are, for those who have an older version (RFC 1995). Bounded: the oldest steps of all zones go first.

export interface History {
  note(step: ZoneStep): void
  /**
   * The contents of these zones have changed without a step. What is known of them is forgotten, and so is the next step of each:
   * it leads from what nobody has.
   */
  doubt(which: (zone: string, origin: Uint8Array) => boolean): void
  /** The steps from a serial to another, one behind the other; undefined when they are not all known. */
  between(zone: string, from: number, to: number): readonly ZoneChange[] | undefined
}

interface Entry {
  readonly zone: string
  readonly change: ZoneChange
  readonly octets: number
  isGone: boolean
}

/** @param most octets of records that are kept */
export function makeHistory(most: number): History {
  const zones = new Map<string, Entry[]>()
  // Oldest first; those of zones that began anew are passed over.
  let all: Entry[] = []
  let octets = 0
  let noted = 0
  let isDoubtful: ((zone: string, origin: Uint8Array) => boolean) | undefined
  /** Zones that have had a step since there was a doubt. */
  const certain = new Set<string>()
  const forget = (zone: string): void => {
    for (const entry of zones.get(zone) ?? []) drop(entry)
    zones.delete(zone)
  }
  const drop = (entry: Entry): void => {
    entry.isGone = true
    octets -= entry.octets
  }
  const dropOldest = (): void => {
    for (const entry of all) {
      if (octets <= most) break
      if (entry.isGone) continue
      drop(entry)
      zones.get(entry.zone)?.shift()
    }
    // Now and then, so that noting a step stays cheap.
    if (++noted % 1024 === 0 || all[0]?.isGone === true) all = all.filter(({ isGone }) => !isGone)
  }
  return {
    doubt: (which) => {
      for (const [zone, [first]] of zones) if (first !== undefined && which(zone, first.change.origin)) forget(zone)
      isDoubtful = which
      certain.clear()
    },
    note: (step) => {
      const zone = nameToText(step.origin)
      const isFirst = isDoubtful !== undefined && !certain.has(zone)
      if (isFirst) certain.add(zone)
      if (isReset(step) || (isFirst && isDoubtful!(zone, step.origin))) return forget(zone)
      // What does not go on from the last step is the beginning of another history.
      const last = zones.get(zone)?.at(-1)
      if (last !== undefined && last.change.to !== step.from) forget(zone)
      const entry = { zone, change: step, octets: octetsOf(step), isGone: false }
      const entries = zones.get(zone)
      if (entries === undefined) zones.set(zone, [entry])
      else entries.push(entry)
      all.push(entry)
      octets += entry.octets
      dropOldest()
    },
    between: (zone, from, to) => {
      const entries = zones.get(zone) ?? []
      const first = entries.findIndex(({ change }) => change.from === from)
      if (first < 0 || entries.at(-1)!.change.to !== to) return undefined
      return entries.slice(first).map(({ change }) => change)
    }
  }
}

/** Octets of the records of a step, and about what it takes to hold them. */
export function octetsOf({ deleted, added }: ZoneChange): number {
  const sum = (records: readonly PlainRecord[]): number => records.reduce((total, { owner, rdata }) => total + owner.length + rdata.length + 64, 0)
  return sum(deleted) + sum(added)
}
