import { TYPE, nameToText } from '../wire/index.ts'
import { conflictAmong, recordTypeToText } from '../zone/index.ts'
import type { Touched } from './draft.ts'
import { isAsFiled, layerKey, type Layer } from './layer.ts'
import { keyOf, setOf, without, type RRset, type ZoneView } from './rrset.ts'

/** A layer brought over an edited file. */
export interface Rebased {
  /** Its serial is still the one it had: what becomes of it depends on whether anything differs. */
  readonly layer: Layer
  /** What file and updates both changed, and what was made of it. */
  readonly conflicts: readonly Conflict[]
}

export interface Conflict {
  readonly owner: Uint8Array
  readonly type: number
  readonly reason: string
}

/** Types of which a name has one record, so that two changes of it cannot be joined. */
const SINGLE = new Set<number>([TYPE.CNAME, TYPE.DNAME, TYPE.SOA])

/**
 * Brings updates over a file that has been edited since. What only one of them changed is as that one has it; what the file already
 * says needs no layer. Of an RRset that both changed, records are joined; where two things cannot stand together, the file wins.
 */
export function rebase(layer: Layer, file: ZoneView): Rebased {
  const sets = new Map<string, Touched>()
  const conflicts: Conflict[] = []
  for (const touched of layer.sets.values()) {
    const { owner, type, was, now } = touched
    const filed = setOf(file.setsOf(owner), type)
    if (isAsFiled(type, filed, now)) continue
    if (isAsFiled(type, filed, was)) {
      sets.set(layerKey(owner, type), { owner, type, ...(filed !== undefined && { was: filed }), ...(now !== undefined && { now }) })
      continue
    }
    const joined = SINGLE.has(type) ? filed : join(filed, was, now)
    const shown = `${nameToText(owner)} ${recordTypeToText(type)} was edited here and changed by an update`
    if (!isAsFiled(type, filed, joined)) sets.set(layerKey(owner, type), { owner, type, ...(filed !== undefined && { was: filed }), ...(joined !== undefined && { now: joined }) })
    conflicts.push({ owner, type, reason: isAsFiled(type, filed, joined) ? `${shown}: what the file says is served` : `${shown}: both are served` })
  }
  conflicts.push(...dropContradictions(file, sets))
  return { layer: { serial: layer.serial, sets }, conflicts }
}

/** The file's records without those that updates deleted, and with those they added. */
function join(filed: RRset | undefined, was: RRset | undefined, now: RRset | undefined): RRset | undefined {
  if (filed === undefined) return now === undefined || was === undefined ? now : withData(now, without(now, was))
  const deleted = was === undefined ? undefined : withData(was, without(was, now))
  const kept = without(filed, deleted)
  const added = now === undefined ? [] : without(withData(now, without(now, was)) ?? { ...now, data: [] }, withData(filed, kept))
  return withData(filed, [...kept, ...added])
}

const withData = (set: RRset, data: readonly Uint8Array[]): RRset | undefined => (data.length === 0 ? undefined : { ...set, data })

/** Takes out of the layer whatever would stand beside something of the file that suffers no company. */
function dropContradictions(file: ZoneView, sets: Map<string, Touched>): Conflict[] {
  const conflicts: Conflict[] = []
  const names = new Map([...sets.values()].map(({ owner }) => [keyOf(owner), owner]))
  for (const [name, owner] of names) {
    const touched = [...sets].filter(([, each]) => keyOf(each.owner) === name)
    // One after the other on top of the file, deletions first: what fits is kept.
    const types = new Set(file.setsOf(owner).map((set) => set.type))
    for (const [, { type, now }] of touched) if (now === undefined) types.delete(type)
    for (const [key, { type, now }] of touched) {
      if (now === undefined) continue
      const because = conflictAmong([...types, type], owner.length === file.origin.length)
      if (because === undefined) types.add(type)
      else {
        sets.delete(key)
        conflicts.push({ owner, type, reason: `${nameToText(owner)} ${recordTypeToText(type)} of an update is left out, as the file has it now: ${because}` })
      }
    }
  }
  return conflicts
}
