import { Fill, isNotModified, rangeHolds, wantedRange, type Range, type StoredObject } from './cache/index.ts'
import type { Viewer } from './asked.ts'
import { hitEnd, hitFrame, hitFrame304, linesOf304, makeId, renderHead, type Way } from './head.ts'
import { fieldName, requestField, type Connection } from './http/index.ts'
import { fieldOf, fromLines } from './message/index.ts'
import { relay } from './relay.ts'
import { say } from './say.ts'
import type { Worker } from './worker.ts'

// What of a response a request is shown: a part, that it has not changed, and what its head says of its way.

const IF_MODIFIED_SINCE = fieldName('if-modified-since')
const IF_NONE_MATCH = fieldName('if-none-match')
const IF_RANGE = fieldName('if-range')
const RANGE = fieldName('range')

/** Bodies up to this are sent in one go; larger ones as the client takes them, so that its pace can be seen. */
const ONE_GO = 128 * 1024
export const mayGoWhole = (reply: Connection, body: Buffer): boolean => body.length <= ONE_GO || reply.lends(body)

/** Answers who wants all of it, or to know that it has it already; false where that cannot be done in one go. */
export function answerPlain(worker: Worker, { request, reply }: Viewer, object: StoredObject, now: number): boolean {
  const noneMatch = object.status === 200 ? requestField(request, IF_NONE_MATCH) : undefined
  const isKnown = noneMatch !== undefined && isNotModified(object, noneMatch, undefined, now)
  if (!isKnown && (object.onDisk !== undefined || !mayGoWhole(reply, object.body))) return false
  worker.counters.hits++
  if (isKnown) reply.whole(hitFrame304(worker, object, now), undefined, hitEnd(worker))
  else reply.whole(hitFrame(worker, object, now), object.body, hitEnd(worker))
  return true
}

/** The part of a response that is asked for, if it is one that can be had (RFC 9110 §14.2). @param length of the whole */
export function rangeOf(worker: Worker, viewer: Viewer, response: Pick<StoredObject, 'status' | 'etag' | 'lastModified' | 'lines'>, length: number): Range | 'unsatisfiable' | undefined {
  const { request } = viewer
  const value = requestField(request, RANGE)
  if (value === undefined || request.method !== 'GET' || response.status !== 200) return undefined
  const condition = requestField(request, IF_RANGE)
  if (condition !== undefined && !rangeHolds({ etag: response.etag, lastModified: response.lastModified, date: fieldOf(fromLines(response.lines), 'date') }, condition, worker.clock.now())) return undefined
  return wantedRange(value, length)
}

/**
 * Answers with a part of a stored response (RFC 9110 §15.3.7).
 * @param runs the octets of the part
 * @param length of the whole
 */
export function answerPart(worker: Worker, viewer: Viewer, lines: string, range: Range, runs: readonly Buffer[], length: number, way: Way): void {
  const head = partHead(worker, viewer, lines, range, length, way)
  if (runs.length === 1 && mayGoWhole(viewer.reply, runs[0]!)) viewer.reply.whole(head, runs[0])
  else if (range.last - range.first < ONE_GO) viewer.reply.whole(head, Buffer.concat(runs))
  else relay(worker, viewer.reply, head, 'length', Fill.of(...runs), () => undefined)
}

/** The head of a part (RFC 9110 §15.3.7). @param length of the whole */
export function partHead(worker: Worker, viewer: Viewer, lines: string, { first, last }: Range, length: number, way: Way): string {
  return renderHead(worker, 206, `${lines}Content-Range: bytes ${first}-${last}/${length}\r\n`, { length: last - first + 1 }, { ...way, proof: proofOf(worker, viewer, 206) })
}

export function answerUnsatisfiable(worker: Worker, viewer: Viewer, length: number, id: string): void {
  say(worker, viewer.request, viewer.reply, { status: 416, text: 'there is no such part', lines: `Content-Range: bytes */${length}\r\n` }, viewer.nonce, id)
}

/** RFC 9110 §13.2.1: conditions count for what would be answered with 200, or with a part of it. */
export function mayAnswer304(worker: Worker, viewer: Viewer, response: Pick<StoredObject, 'status' | 'etag' | 'lastModified' | 'lines'>): boolean {
  const { request } = viewer
  const noneMatch = requestField(request, IF_NONE_MATCH)
  const modifiedSince = requestField(request, IF_MODIFIED_SINCE)
  if ((response.status !== 200 && response.status !== 206) || (noneMatch === undefined && modifiedSince === undefined)) return false
  const { etag, lastModified, lines } = response
  const date = lastModified === undefined && noneMatch === undefined ? fieldOf(fromLines(lines), 'date') : undefined
  return isNotModified({ etag, lastModified, date }, noneMatch, modifiedSince, worker.clock.now())
}

export function answer304(worker: Worker, viewer: Viewer, lines: string, way: Way): void {
  viewer.reply.whole(renderHead(worker, 304, linesOf304(lines, viewer.nonce !== undefined), {}, { ...way, proof: proofOf(worker, viewer, 304) }))
}

export const proofOf = (worker: Worker, viewer: Viewer, status: number): string | undefined => (viewer.nonce === undefined ? undefined : worker.auth.answer(viewer.nonce, status))

/** @param tags of the response: an equal has to know them, by which what it holds is purged */
export function wayOf(worker: Worker, viewer: Viewer, cache: Way['cache'], status: string, age: number | undefined, tags: string): Way {
  const { request, reply } = viewer
  const id = viewer.id ?? makeId(worker)
  const close = reply.closesAfter
  return { cache, status, ...(age === undefined ? {} : { age }), ...(worker.hidesTags && viewer.nonce !== undefined && tags !== '' && { tags }), id, close, keepAlive: request.minor === 0 && !close }
}
