import { randomBytes } from 'node:crypto'
import type { Viewer } from '../asked.ts'
import { lookup, type StoredObject } from '../cache/index.ts'
import { fieldName, mayHaveField } from '../http/index.ts'
import { settlePurges } from '../purges.ts'
import { sentField } from '../question.ts'
import { MemoryStore } from '../store/index.ts'
import type { Worker } from '../worker.ts'
import type { MateWord } from './messages.ts'
import type { Shares } from './shared.ts'

/** What a worker may answer with of what is another's. */
export interface LentObject {
  /** As the worker itself, with what is lent for its store. */
  readonly desk: Worker
  readonly key: string
  readonly object: StoredObject
}

export interface Lent {
  readonly size: number
  /** What is lent for a request, if it is fresh and nothing was changed since. @param hash of its primary key */
  find(viewer: Viewer, hash: number): LentObject | undefined
  /** Whether it should be lent when it is asked for: it was before, or is asked for the second time of late. */
  isWanted(hash: number): boolean
  take(word: Extract<MateWord, { kind: 'lent' }>, hash: number): void
}

/** How long something is lent: so long its owner may not know that it is in use, and hold something newer. Milliseconds. */
const LENT_MS = 1000
/** Bodies that are lent are those of plain hits. */
export const LARGEST_LENT = 128 * 1024
/** Names kept of what is lent, and of what was asked for of late. */
const MOST = 8192
/** Requests with wishes of their own are for the owner. */
const WISHES = new Set([fieldName('cache-control').hash])

/** @param octets of memory for it */
export function makeLent(worker: Worker, shares: Shares, octets: number): Lent {
  const store = new MemoryStore(octets, 'lru')
  const desk: Worker = { ...worker, store, disk: undefined, warm: undefined, crew: undefined, coding: new Map(), idPrefix: randomBytes(5).toString('hex'), nextId: 1 }
  /** By hash: until when, and as of which change. */
  const lent = new Map<number, { readonly until: number; readonly changes: number }>()
  let asked = new Set<number>()
  let since = 0
  return {
    get size() {
      return store.size
    },
    find(viewer, hash) {
      const loan = lent.get(hash)
      if (loan === undefined || worker.clock.elapsed() >= loan.until || shares.changesOf(hash) !== loan.changes) return undefined
      if (viewer.nonce !== undefined || mayHaveField(viewer.request, WISHES)) return undefined
      const found = lookup(store, viewer.primary, (name) => sentField(desk, viewer, name), worker.clock.now())
      if (found.kind !== 'fresh') return undefined
      const { key, object } = found
      if (object.generation < worker.purges.last && settlePurges(desk, key, object)) return undefined
      viewer.key = key
      return { desk, key, object }
    },
    isWanted(hash) {
      const now = worker.clock.elapsed()
      if (now - since >= LENT_MS || asked.size >= MOST) {
        asked = new Set()
        since = now
      }
      const again = asked.has(hash)
      asked.add(hash)
      return again || lent.has(hash)
    },
    take({ primary, changes, vary, key, object, body }, hash) {
      if (lent.size >= MOST) lent.clear()
      if (vary !== undefined) store.put(primary, vary)
      const { buffer, byteOffset, length } = body
      if (store.put(key, { ...object, body: Buffer.from(buffer, byteOffset, length) })) lent.set(hash, { until: worker.clock.elapsed() + LENT_MS, changes })
    }
  }
}
