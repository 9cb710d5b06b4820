import { STATUS_CODES } from 'node:http'
import { ageAt, lengthOf, type StoredObject } from './cache/index.ts'
import { filterFields, flat, hopByHop, toLines, type FieldList } from './message/index.ts'
import type { Worker } from './worker.ts'

// Renders the heads of responses.

/** Digits of the second half of a request id. */
const ID_DIGITS = 12
const END = '\r\n\r\n'

/** What a head says about the way of the response, and how it is sent. */
export interface Way {
  /** `Miss from nearcast`; the words before ` from nearcast`. */
  readonly cache: 'Hit' | 'RefreshHit' | 'Miss' | 'Error'
  /** Cache-Status, the members of the tiers above first (RFC 9211). */
  readonly status: string
  /** In whole seconds; absent when the response came straight from its origin. */
  readonly age?: number
  readonly id: string
  readonly close: boolean
  /** An HTTP/1.0 client wants the connection kept. */
  readonly keepAlive?: boolean
  /** Proof for the tier that asked. */
  readonly proof?: string | undefined
  /** Cache-Tag for the tier that asked, where it is hidden from viewers. */
  readonly tags?: string | undefined
}

/** The whole head, the empty line included; the request id stands last. `lines` and `length` are of the response itself. */
export function renderHead(worker: Worker, status: number, lines: string, framing: { length?: number; chunked?: boolean }, way: Way): string {
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n${lines}`
  if (framing.length !== undefined) head += `Content-Length: ${framing.length}\r\n`
  if (framing.chunked === true) head += 'Transfer-Encoding: chunked\r\n'
  if (way.age !== undefined) head += `Age: ${way.age}\r\n`
  head += `Cache-Status: ${way.status}\r\n`
  if (worker.role === 'edge') head += `X-Cache: ${way.cache} from nearcast\r\nX-Nearcast-Pop: ${worker.name}\r\n`
  if (way.tags !== undefined) head += `Cache-Tag: ${way.tags}\r\n`
  if (way.proof !== undefined) head += `X-Nearcast-Tier: ${way.proof}\r\n`
  if (way.close) head += 'Connection: close\r\n'
  else if (way.keepAlive === true) head += 'Connection: keep-alive\r\n'
  return `${head}X-Nearcast-Request-Id: ${way.id}${END}`
}

/** The head of an interim response from above (RFC 9110 §15.2), its end-to-end fields alone. */
export function interimHead(status: number, fields: FieldList): string {
  const hop = hopByHop(fields)
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n${toLines(filterFields(fields, (name) => !hop(name) && !name.startsWith('x-nearcast-')))}\r\n`
}

const countText = (count: number): string => count.toString(16).padStart(ID_DIGITS, '0')

/** A new request id: 10 digits of this process, then a count. */
export const makeId = (worker: Worker): string => worker.idPrefix + countText(worker.nextId++)

/** Our member of Cache-Status for a hit. */
export const hitStatus = (worker: Worker, object: StoredObject, now: number): string =>
  `${worker.node}; hit; ttl=${Math.ceil((object.lifetime - ageAt(object, now)) / 1000)}`

/** The head of a plain hit but for `hitEnd`: kept with the object, and rendered anew when a second has passed. */
export function hitFrame(worker: Worker, object: StoredObject, now: number): string {
  const age = Math.floor(ageAt(object, now) / 1000)
  if (object.frameAge !== age) {
    const way: Way = { cache: 'Hit', status: hitStatus(worker, object, now), age, id: '', close: false }
    const head = renderHead(worker, object.status, object.lines, object.status === 204 ? {} : { length: lengthOf(object) }, way)
    object.frame = flat(head.slice(0, -END.length) + worker.idPrefix)
    object.frameAge = age
  }
  return object.frame
}

const OF_THE_BODY = /^content-(?:type|language|encoding|length|range|md5|digest):[^\r]*\r\n/gim
const OF_ITS_OCTETS = /^content-(?:encoding|length|range|md5|digest):[^\r]*\r\n/gim

/** The lines of a 304 (RFC 9110 §15.4.5): what describes a body is left out, but for a tier, which brings its copy up to date with it (RFC 9111 §4.3.4). */
export const linesOf304 = (lines: string, toTier: boolean): string => lines.replaceAll(toTier ? OF_ITS_OCTETS : OF_THE_BODY, '')

interface Frame {
  readonly age: number
  readonly text: string
}

/** Frames of 304s are kept beside the objects, for so many of them: few are asked about again and again. */
const MOST_FRAMES = 1024
let frames304 = new WeakMap<StoredObject, Frame>()
let count304 = 0

/** The same for a plain 304. */
export function hitFrame304(worker: Worker, object: StoredObject, now: number): string {
  const age = Math.floor(ageAt(object, now) / 1000)
  const known = frames304.get(object)
  if (known?.age === age) return known.text
  const way: Way = { cache: 'Hit', status: hitStatus(worker, object, now), age, id: '', close: false }
  const head = renderHead(worker, 304, linesOf304(object.lines, false), {}, way)
  const text = flat(head.slice(0, -END.length) + worker.idPrefix)
  if (known === undefined && ++count304 > MOST_FRAMES) {
    frames304 = new WeakMap()
    count304 = 1
  }
  frames304.set(object, { age, text })
  return text
}

/** The second half of a new request id, and the end of the head. */
export const hitEnd = (worker: Worker): string => countText(worker.nextId++) + END
