import type { Viewer } from './asked.ts'
import { isSameRepresentation, mergeFields, missingOf, MOST_PIECES, packParts, partsKey, pieceKey, slicesOf, unpackParts, withPieces, type ContentRange, type Parts, type Range, type StoredObject, type Validators } from './cache/index.ts'
import { fieldOf, flat, fromLines, toLines } from './message/index.ts'
import { settlePurges, type Purges } from './purges.ts'
import type { DiskTier, MemoryStore } from './store/index.ts'
import type { Worker } from './worker.ts'

// Parts of what is not held whole: too large for that, or of an origin that sends nothing else (RFC 9111 §3.3, §3.4).

/** Where parts are held. */
interface Shelf {
  readonly store: MemoryStore
  readonly disk: DiskTier | undefined
  readonly purges: Purges
  readonly largestInMemory: number
  /** Of the next set of parts. */
  nextGeneration: number
}

const CONTENT_RANGE = /^content-range:[^\r]*\r\n/im
/** The field lines of a part, less that which says which one it is. */
export const withoutRange = (lines: string): string => lines.replace(CONTENT_RANGE, '')

/** The list of the parts that are held of a response, its status 206; undefined where there are none. */
export function heldParts(shelf: Pick<Shelf, 'purges' | 'store'>, key: string): StoredObject | undefined {
  const held = shelf.store.get(partsKey(key))
  if (held?.kind !== 'object') return undefined
  return held.generation < shelf.purges.last && settlePurges(shelf, partsKey(key), held) ? heldParts(shelf, key) : held
}

/**
 * Holds a part that has come, joined with those that are held of the same representation; others are forgotten. Where nothing is
 * missing any more the whole is held in their place.
 * @param object the response, its body the part
 */
export function keepPart(shelf: Shelf, key: string, part: ContentRange, object: StoredObject): void {
  const { store, largestInMemory } = shelf
  const list = heldParts(shelf, key)
  const before = list !== undefined && isSameRepresentation(validatorsOf(list), validatorsOf(object), object.receivedAt) ? unpackParts(list.body) : undefined
  const known = before?.length === part.length && before.pieces.length < MOST_PIECES - 1 ? before : undefined
  const base: Parts = known === undefined ? { set: shelf.nextGeneration++, length: part.length, pieces: [] } : { ...known, pieces: known.pieces.filter((piece) => isThere(shelf, pieceKey(key, known, piece))) }
  const missing = missingOf(base, part).slice(0, MOST_PIECES - base.pieces.length)
  for (const run of missing) {
    const octets = Buffer.from(object.body.subarray(run.first - part.first, run.last + 1 - part.first))
    if (!store.put(pieceKey(key, base, run), { ...object, lines: '', body: octets, etag: undefined, lastModified: undefined, tags: '' })) return
  }
  const parts = withPieces(base, missing)
  const own = withoutRange(object.lines)
  const lines = known === undefined ? own : toLines(mergeFields(list!.lines, fromLines(own)))
  const held = (status: number, body: Buffer): StoredObject => ({ ...object, status, lines: flat(lines), body })
  const whole = parts.length <= largestInMemory ? runsOf(shelf, key, parts, { first: 0, last: parts.length - 1 }) : undefined
  if (whole !== undefined && store.put(key, held(200, Buffer.concat(whole)))) {
    store.delete(partsKey(key))
    for (const piece of parts.pieces) store.delete(pieceKey(key, parts, piece))
  } else store.put(partsKey(key), held(206, packParts(parts)))
}

export const validatorsOf = ({ etag, lastModified, lines }: StoredObject): Validators => ({ etag, lastModified, date: fieldOf(fromLines(lines), 'date') })

/** What memory let go of without writing it to disk is held no more, whatever the list says. */
const isThere = ({ store, disk }: Pick<Shelf, 'store' | 'disk'>, key: string): boolean => store.has(key) || disk?.has(key) === true

/** The pieces that a run meets and that are in memory. */
export const piecesOf = ({ store }: Pick<Shelf, 'store'>, key: string, parts: Parts, run: Range): Range[] =>
  parts.pieces.filter((piece) => piece.first <= run.last && piece.last >= run.first && store.has(pieceKey(key, parts, piece)))

/** The octets of a run, from the pieces that they lie in; undefined where not all of them are in memory. */
export function runsOf({ store }: Pick<Shelf, 'store'>, key: string, parts: Parts, run: Range): Buffer[] | undefined {
  const runs: Buffer[] = []
  for (const { piece, from, to } of slicesOf(parts, run) ?? []) {
    const held = store.get(pieceKey(key, parts, piece))
    if (held?.kind !== 'object' || held.body.length !== piece.last - piece.first + 1) return undefined
    runs.push(held.body.subarray(from, to))
  }
  return runs.length > 0 ? runs : undefined
}

/**
 * Brings the pieces that a run meets and that are on disk alone, and then has the request answered again.
 * @returns whether they are on their way; if not, nothing was done
 */
export function bringRun(worker: Worker, { reply }: Viewer, key: string, parts: Parts, run: Range, answer: () => void): boolean {
  const { warm, store } = worker
  if (warm === undefined) return false
  const met = parts.pieces.filter((piece) => piece.first <= run.last && piece.last >= run.first)
  const absent = met.map((piece) => pieceKey(key, parts, piece)).filter((name) => !store.has(name) && warm.has(name))
  if (absent.length === 0) return false
  let left = absent.length
  let isGone = false
  reply.watch({ drained: () => undefined, gone: () => void (isGone = true) })
  for (const name of absent) {
    warm.bring(name, () => {
      if (--left > 0 || isGone) return
      try {
        answer()
      } catch (error) {
        worker.counters.errors++
        worker.complain(`a request could not be served: ${String(error)}`)
        reply.abort()
      }
    })
  }
  return true
}
