import type { Viewer } from './asked.ts'
import { isSameRepresentation, mergeFields, missingOf, MOST_PIECES, packParts, partsKey, pieceKey, slicesOf, unpackParts, withPieces, type BodyOnDisk, type ContentRange, type Parts, type Piece, type Range, type StoredObject, type Validators } from './cache/index.ts'
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
}

/** Octets of a piece that lies on disk alone: from one place to another, which is not included. */
export interface RunOnDisk {
  readonly key: string
  readonly body: BodyOnDisk
  readonly from: number
  readonly to: number
}

/** Octets that are held, one after the other. */
export type Run = Buffer | RunOnDisk

const CONTENT_RANGE = /^content-range:[^\r]*\r\n/im
/** The field lines of a part, less that which says which one it is. */
export const withoutRange = (lines: string): string => lines.replace(CONTENT_RANGE, '')

const meets = (run: Range, { first, last }: Range): boolean => first <= run.last && last >= run.first

/** The list of the parts that are held of a response, its status 206; undefined where there are none. */
export function heldParts(shelf: Pick<Shelf, 'purges' | 'store'>, key: string): StoredObject | undefined {
  const held = shelf.store.get(partsKey(key))
  if (held?.kind !== 'object') return undefined
  return held.generation < shelf.purges.last && settlePurges(shelf, partsKey(key), held) ? heldParts(shelf, key) : held
}

/**
 * Holds a part that has come, joined with those that are held of the same representation; others are forgotten. Where nothing is
 * missing any more the whole is held in their place.
 * @param object the response, its body the part; one that lies on disk lies under the key of its piece
 */
export function keepPart(shelf: Shelf, key: string, part: ContentRange & Piece, object: StoredObject): void {
  const { store } = shelf
  const list = heldParts(shelf, key)
  const before = list === undefined ? undefined : unpackParts(list.body)
  const isSame = list !== undefined && isSameRepresentation(validatorsOf(list), validatorsOf(object), object.receivedAt)
  const isJoined = isSame && before?.length === part.length && before.pieces.length < MOST_PIECES - 1
  const there = isJoined ? before.pieces.filter((piece) => isThere(shelf, pieceKey(key, piece))) : []
  const base: Parts = { length: part.length, pieces: there }
  for (const piece of before?.pieces ?? []) if (!there.includes(piece)) store.delete(pieceKey(key, piece))
  const parts = object.onDisk === undefined ? putMissing(store, key, base, part, object) : putOnDisk(shelf, key, base, part, object)
  if (parts === undefined) return
  const own = withoutRange(object.lines)
  const lines = isJoined ? toLines(mergeFields(list!.lines, fromLines(own))) : own
  const held = (status: number, body: Buffer): StoredObject => ({ ...object, status, lines: flat(lines), body, onDisk: undefined })
  const whole = parts.length <= shelf.largestInMemory ? runsOf(shelf, key, parts, { first: 0, last: parts.length - 1 }) : undefined
  if (whole?.every(isInMemory) === true && store.put(key, held(200, Buffer.concat(whole)))) {
    store.delete(partsKey(key))
    for (const piece of parts.pieces) store.delete(pieceKey(key, piece))
    return
  }
  store.put(partsKey(key), held(206, packParts(parts)))
  // A use, by which the list is written to disk as well: what it lists is there already.
  if (object.onDisk !== undefined) store.get(partsKey(key))
}

const headOf = (object: StoredObject): StoredObject => ({ ...object, lines: '', etag: undefined, lastModified: undefined, tags: '' })

/** Puts what is not held yet of a part that has come into memory; undefined where there is no room. */
function putMissing(store: MemoryStore, key: string, base: Parts, part: ContentRange & Piece, object: StoredObject): Parts | undefined {
  const runs = missingOf(base.pieces, part).slice(0, MOST_PIECES - base.pieces.length)
  const missing = runs.map(({ first, last }): Piece => ({ id: part.id, first, last }))
  for (const run of missing) {
    const body = Buffer.from(object.body.subarray(run.first - part.first, run.last + 1 - part.first))
    if (!store.put(pieceKey(key, run), { ...headOf(object), body })) return undefined
  }
  return withPieces(base, missing)
}

/** Holds a part that lies on disk in place of what it meets, unless all of it was held before. */
function putOnDisk({ store, disk }: Shelf, key: string, base: Parts, { id, first, last }: Piece, object: StoredObject): Parts | undefined {
  const piece: Piece = { id, first, last }
  if (missingOf(base.pieces, piece).length === 0) {
    disk?.dropBody(pieceKey(key, piece), object.onDisk!)
    return base
  }
  if (!store.put(pieceKey(key, piece), headOf(object))) return undefined
  for (const met of base.pieces) if (meets(piece, met)) store.delete(pieceKey(key, met))
  return withPieces({ ...base, pieces: base.pieces.filter((other) => !meets(piece, other)) }, [piece])
}

export const isInMemory = (run: Run): run is Buffer => Buffer.isBuffer(run)

export const validatorsOf = ({ etag, lastModified, lines }: StoredObject): Validators => ({ etag, lastModified, date: fieldOf(fromLines(lines), 'date') })

/** What memory let go of without writing it to disk is held no more, whatever the list says. */
const isThere = ({ store, disk }: Pick<Shelf, 'store' | 'disk'>, key: string): boolean => store.has(key) || disk?.has(key) === true

/** The pieces that a run meets, those that are on disk alone left out. */
export const piecesOf = ({ store }: Pick<Shelf, 'store'>, key: string, parts: Parts, run: Range): Piece[] => parts.pieces.filter((piece) => meets(run, piece) && store.has(pieceKey(key, piece)))

/** The octets of a run, from the pieces that they lie in; undefined where not all of them are held, or some are to be brought from disk first. */
export function runsOf({ store }: Pick<Shelf, 'store'>, key: string, parts: Parts, run: Range): Run[] | undefined {
  const runs: Run[] = []
  for (const { piece, from, to } of slicesOf(parts, run) ?? []) {
    const name = pieceKey(key, piece)
    const held = store.get(name)
    if (held?.kind !== 'object' || (held.onDisk ?? held.body).length !== piece.last - piece.first + 1) return undefined
    runs.push(held.onDisk === undefined ? held.body.subarray(from, to) : { key: name, body: held.onDisk, from, to })
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
  const absent = parts.pieces.filter((piece) => meets(run, piece)).map((piece) => pieceKey(key, piece)).filter((name) => !store.has(name) && warm.has(name))
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
