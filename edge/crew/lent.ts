import { randomBytes } from 'node:crypto'
import type { Viewer } from '../asked.ts'
import { bodyFileOf, fileOf } from '../bodies/index.ts'
import { lookup, type StoredObject } from '../cache/index.ts'
import { fieldName, mayHaveField } from '../http/index.ts'
import { settlePurges } from '../purges.ts'
import { sentField } from '../question.ts'
import { MemoryStore } from '../store/index.ts'
import type { LentObject, Worker } from '../worker.ts'
import type { LentWord, MateWord } from './messages.ts'
import type { Shares } from './shared.ts'

/** What is lent to a worker: the owner is asked for it again after a while, and where something was changed or purged. */
export interface Lent {
  readonly size: number
  /** What is lent for a request, if it is fresh and nothing was changed since. @param hash of its primary key */
  find(viewer: Viewer, hash: number): LentObject | undefined
  /** Whether it should be lent when it is asked for: it is asked for again. */
  isWanted(hash: number): boolean
  take(word: Extract<MateWord, { kind: 'lent' }>, hash: number): void
  /** Whether another worker would take this body. */
  mayLend(body: Buffer): boolean
}

/** How long something is lent, in milliseconds: so often its owner hears that it is asked for. */
const LENT_MS = 60_000
/** Bodies up to this are copied for whoever they are lent to; larger ones are lent where they lie in files. */
const LARGEST_COPIED = 128 * 1024
/** Of what is lent, the largest may take so much. */
const LARGEST_PART = 1 / 2
/** Of each place: what was asked for last; what is lent, as of which change, and until when. */
const PLACE_OCTETS = 20
const MOST_PLACES = 2 ** 16
/** A place to so many octets of what is lent. */
const OCTETS_PER_PLACE = 256
/** Requests with wishes of their own are for the owner. */
const WISHES = new Set([fieldName('cache-control').hash])

/** @param octets of memory for it @param leaveToOwner has the owner answer */
export function makeLent(worker: Worker, shares: Shares, octets: number, leaveToOwner: (viewer: Viewer) => void): Lent {
  const places = Math.max(1, Math.min(MOST_PLACES, 2 ** Math.floor(Math.log2(octets / OCTETS_PER_PLACE))))
  const store = new MemoryStore(octets - places * PLACE_OCTETS, 'lru')
  const desk: Worker = { ...worker, store, disk: undefined, warm: undefined, crew: undefined, leaveToOwner, idPrefix: randomBytes(5).toString('hex'), nextId: 1 }
  // By hash, each in the one place that it can have. What was asked for but once drives out nothing that is lent.
  const asked = new Uint32Array(places)
  const hashes = new Uint32Array(places)
  const changes = new Uint32Array(places)
  const untils = new Float64Array(places)
  const objectOf = ({ body, ...object }: LentWord): StoredObject | undefined => {
    const octets = 'file' in body ? worker.bodies?.borrow(body) : Buffer.from(body.buffer, body.byteOffset, body.length)
    return octets && { ...object, body: octets }
  }
  return {
    get size() {
      return store.size + places * PLACE_OCTETS
    },
    find(viewer, hash) {
      const place = hash % places
      if (hashes[place] !== hash || worker.clock.elapsed() >= untils[place]! || shares.changesOf(hash) !== changes[place]) return undefined
      if (viewer.nonce !== undefined || mayHaveField(viewer.request, WISHES)) return undefined
      const found = lookup(store, viewer.primary, (name) => sentField(desk, viewer, name), worker.clock.now())
      if (found.kind !== 'fresh') return undefined
      const { key, object } = found
      if (object.generation < worker.purges.last && settlePurges(desk, key, object)) return undefined
      viewer.key = key
      return { desk, key, object }
    },
    mayLend: (body) => body.length <= (fileOf(body) === undefined ? LARGEST_COPIED : octets * LARGEST_PART),
    isWanted(hash) {
      const place = hash % places
      if (hashes[place] === hash || asked[place] === hash) return true
      asked[place] = hash
      return false
    },
    take({ primary, changes: then, vary, key, object, made }, hash) {
      const lent = objectOf(object)
      if (vary !== undefined) store.put(primary, vary)
      if (lent === undefined || !store.put(key, lent)) return
      if (made?.held.kind === 'pass') store.put(made.name, made.held)
      else if (made !== undefined) store.put(made.name, objectOf(made.held)!)
      const place = hash % places
      hashes[place] = hash
      changes[place] = then
      untils[place] = worker.clock.elapsed() + LENT_MS
    }
  }
}

/** An object as it goes into a message: with its octets, unless they lie in a file. */
export function wordOf({ body, ...object }: StoredObject): LentWord {
  return { ...object, body: bodyFileOf(body) ?? Uint8Array.prototype.slice.call(body), frame: '', frameAge: -1 }
}
