import { STATUS_CODES } from 'node:http'
import { ageAt, type StoredObject } from './cache/index.ts'
import type { Worker } from './worker.ts'

// Renders the heads of responses.

/** Digits of the second half of a request id. */
const ID_DIGITS = 12

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
}

/** The whole head, the empty line included. `lines` and `length` are of the response itself. */
export function renderHead(worker: Worker, status: number, lines: string, framing: { length?: number; chunked?: boolean }, way: Way): string {
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n${lines}`
  if (framing.length !== undefined) head += `Content-Length: ${framing.length}\r\n`
  if (framing.chunked === true) head += 'Transfer-Encoding: chunked\r\n'
  if (way.age !== undefined) head += `Age: ${way.age}\r\n`
  head += `Cache-Status: ${way.status}\r\n`
  if (worker.role === 'edge') head += `X-Cache: ${way.cache} from nearcast\r\nX-Nearcast-Pop: ${worker.name}\r\n`
  if (way.proof !== undefined) head += `X-Nearcast-Tier: ${way.proof}\r\n`
  if (way.close) head += 'Connection: close\r\n'
  else if (way.keepAlive === true) head += 'Connection: keep-alive\r\n'
  return `${head}X-Nearcast-Request-Id: ${way.id}\r\n\r\n`
}

/** A new request id: 10 digits of this process, then a count. */
export function makeId(worker: Worker): string {
  return worker.idPrefix + (worker.nextId++).toString(16).padStart(ID_DIGITS, '0')
}

/** Our member of Cache-Status for a hit. */
export const hitStatus = (worker: Worker, object: StoredObject, now: number): string =>
  `${worker.node}; hit; ttl=${Math.ceil((object.lifetime - ageAt(object, now)) / 1000)}`

/**
 * The head of a plain 200-style hit, kept with the object: rendered anew when a second has passed, and otherwise only given
 * its request id in place. It must be copied before the next hit.
 */
export function hitFrame(worker: Worker, object: StoredObject, now: number): Buffer {
  const age = Math.floor(ageAt(object, now) / 1000)
  let { frame } = object
  if (frame === undefined || object.frameAge !== age) {
    const way: Way = { cache: 'Hit', status: hitStatus(worker, object, now), age, id: worker.idPrefix + '0'.repeat(ID_DIGITS), close: false }
    frame = Buffer.from(renderHead(worker, object.status, object.lines, { length: object.body.length }, way), 'latin1')
    object.frame = frame
    object.frameAge = age
  }
  let count = worker.nextId++
  // Over 32 bits the digits have to be taken by division.
  for (let at = frame.length - 5; at >= frame.length - 4 - ID_DIGITS; at--) {
    const digit = count % 16
    frame[at] = digit < 10 ? 48 + digit : 87 + digit
    count = (count - digit) / 16
    if (count === 0) {
      frame.fill(48, frame.length - 4 - ID_DIGITS, at)
      break
    }
  }
  return frame
}
