import { mergeFields, type StoredObject, type Verdict } from './cache/index.ts'
import type { Kin } from './kin.ts'
import { held, makeObject, validatorsOf } from './make-object.ts'
import { fieldOf, filterFields, type FieldList } from './message/index.ts'
import { passedOn } from './passed.ts'
import type { Purges } from './purges.ts'
import type { MemoryStore } from './store/index.ts'

/** A 304, and how what it speaks of is judged and held. */
export interface Renewal {
  readonly shelf: { readonly node: string; readonly store: MemoryStore; readonly kin: Kin; readonly purges: Purges }
  readonly fields: FieldList
  readonly receivedAt: number
  readonly generation: number
  readonly mayHold: boolean
  judge(status: number, fields: FieldList): Verdict
  linesOf(status: number, fields: FieldList): string
}

/** Brings what is held up to date with a 304, and holds it if it may be (RFC 9111 §4.3.4). */
export function renew({ shelf: { node, store }, fields, receivedAt, generation, mayHold, judge, linesOf }: Renewal, place: string, object: StoredObject): { renewed: StoredObject; verdict: Verdict } {
  const { body, onDisk, status } = object
  const whole = mergeFields(object.lines, passedOn(node, fields, receivedAt))
  const age = filterFields(fields, (name) => name === 'age')
  const verdict = judge(status === 206 ? 200 : status, [...whole, ...age])
  const merged = held(whole, verdict)
  const freshness = verdict.kind === 'storable' ? verdict.freshness : { lifetime: 0, initialAge: verdict.age, receivedAt, whileRevalidating: 0, ifError: 0 }
  const renewed = { ...makeObject(status, linesOf(status, merged), body, validatorsOf({ etag: fieldOf(merged, 'etag'), lastModified: fieldOf(merged, 'last-modified') }), freshness, { tags: fieldOf(fields, 'cache-tag') ?? object.tags, generation }), onDisk }
  if (verdict.kind === 'storable' && mayHold) store.put(place, renewed)
  else if (verdict.kind === 'storable' || verdict.reason !== 'authorization') store.delete(place)
  return { renewed, verdict }
}

/** Likewise the other variants that have the same strong tag. */
export function renewOthers(renewal: Renewal, primary: string, key: string, { etag }: StoredObject): void {
  const { store, kin, purges } = renewal.shelf
  const said = fieldOf(renewal.fields, 'etag')
  if (etag?.startsWith('"') !== true || (said !== undefined && said !== etag)) return
  for (const place of kin.others(primary, key, etag)) {
    const other = store.get(place)
    // What is subject to a purge is held against it when it is next asked for.
    if (other?.kind === 'object' && other.etag === etag && other.generation >= purges.last) renew(renewal, place, other)
  }
}
