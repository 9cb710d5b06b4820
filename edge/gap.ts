import type { Viewer } from './asked.ts'
import { isSameRepresentation, mergeFields, missingOf, type Parts, type Range, type StoredObject } from './cache/index.ts'
import type { Coming } from './coming.ts'
import { joinSlices, type Slice } from './joined.ts'
import { fieldOf, fromLines, toLines } from './message/index.ts'
import { piecesOf, runsOf, validatorsOf, withoutRange, type Run } from './parts.ts'
import { relay } from './relay.ts'
import { sliceOf } from './runs.ts'
import { partHead, wayOf } from './shown.ts'
import type { Worker } from './worker.ts'

// What is missing of a range that is held in part: that alone is fetched, and the answer joined of both (RFC 9111 §3.4).

/** A range of which some is held, and what has to be fetched for it. */
export interface Gap {
  readonly key: string
  readonly list: StoredObject
  readonly parts: Parts
  readonly range: Range
  /** From the first octet that is missing to the last. */
  readonly missing: Range
  /** The strong validator of what is held: who answers with another representation answers with all of it. */
  readonly ifRange: string
}

/** What is missing of a range; undefined where nothing of it is held, or no validator says that more may be joined to it. */
export function gapOf(worker: Worker, key: string, list: StoredObject, parts: Parts, range: Range): Gap | undefined {
  const own = validatorsOf(list)
  if (!isSameRepresentation(own, own, worker.clock.now())) return undefined
  const missing = missingOf(piecesOf(worker, key, parts, range), range)
  const [first, last] = [missing[0]?.first, missing.at(-1)?.last]
  if (first === undefined || last === undefined || (first === range.first && last === range.last)) return undefined
  return { key, list, parts, range, missing: { first, last }, ifRange: (list.etag ?? list.lastModified)! }
}

/** The fields that ask for it. */
export const askingFor = ({ missing: { first, last }, ifRange }: Gap): string[] => ['Range', `bytes=${first}-${last}`, 'If-Range', ifRange]

/**
 * Answers with what is held of a range and what comes of it, as one.
 * @returns false where what comes is not what is missing, or what was held has left; nothing was done then
 */
export function answerJoined(worker: Worker, viewer: Viewer, gap: Gap, coming: Coming, status: string, leave: () => void): boolean {
  const { key, list, parts, range, missing } = gap
  const { part } = coming
  if (coming.status !== 206 || part === undefined || coming.key !== key || part.length !== parts.length || part.first > missing.first || part.last < missing.last) return false
  const date = fieldOf(fromLines(coming.lines), 'date')
  if (!isSameRepresentation(validatorsOf(list), { etag: coming.etag, lastModified: coming.lastModified, date }, worker.clock.now())) return false
  const before = range.first < missing.first ? runsOf(worker, key, parts, { first: range.first, last: missing.first - 1 }) : []
  const after = missing.last < range.last ? runsOf(worker, key, parts, { first: missing.last + 1, last: range.last }) : []
  if (before === undefined || after === undefined) return false
  const lines = toLines(mergeFields(list.lines, fromLines(withoutRange(coming.lines)))) + coming.alone
  const head = partHead(worker, viewer, lines, range, parts.length, wayOf(worker, viewer, 'Miss', status, coming.age, coming.tags))
  const held = (run: Run): Slice => sliceOf(worker, run)
  const fetched: Slice = { fill: coming.fill, first: missing.first - part.first, last: missing.last - part.first }
  const joined = joinSlices([...before.map(held), fetched, ...after.map(held)], (error) => worker.fault(error))
  relay(worker, viewer.reply, head, 'length', joined.fill, () => {
    joined.stop()
    leave()
  })
  joined.start()
  return true
}
