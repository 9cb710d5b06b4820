import type { Freshness, StoredObject, Verdict } from './cache/index.ts'
import { filterFields, flat } from './message/index.ts'

/** What of a response's fields may be held, and given to others than the one who asked. */
export const held = (fields: readonly string[], verdict: Verdict): readonly string[] =>
  verdict.kind === 'refused' || verdict.withheld.length === 0 ? fields : filterFields(fields, (name) => !verdict.withheld.includes(name))

/** A response to be held, in memory of its own. */
export function makeObject(status: number, lines: string, body: Buffer, { etag, lastModified }: { etag?: string | undefined; lastModified?: string | undefined }, freshness: Freshness, { tags, generation }: Pick<StoredObject, 'tags' | 'generation'>): StoredObject {
  return { kind: 'object', status, lines: flat(lines), body, onDisk: undefined, etag, lastModified, tags: flat(tags), generation, ...freshness, frame: '', frameAge: -1, askedAt: -Infinity }
}

export function validatorsOf({ etag, lastModified }: Pick<StoredObject, 'etag' | 'lastModified'>): Pick<StoredObject, 'etag' | 'lastModified'> {
  return { etag: etag === undefined ? undefined : flat(etag), lastModified: lastModified === undefined ? undefined : flat(lastModified) }
}
