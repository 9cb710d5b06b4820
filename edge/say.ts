import { STATUS_CODES } from 'node:http'
import { makeId } from './head.ts'
import { formatHttpDate } from './message/index.ts'
import type { Connection, RequestHead, UpstreamTrouble } from './http/index.ts'
import type { Parent } from './tiers/index.ts'
import type { Worker } from './worker.ts'

/** An answer of the worker's own. */
export interface Words {
  readonly status: number
  readonly text: string
  /** Further field lines, each with its CRLF. */
  readonly lines?: string
}

/** There is no room for another fetch. */
export const BUSY: Words = { status: 503, text: 'too much is being fetched', lines: 'Retry-After: 1\r\n' }

/** No parent answered. */
export function noAnswer(trouble: UpstreamTrouble, parent: Parent): Words {
  const isLate = trouble.kind === 'timeout'
  const text = `the ${parent.kind === 'origin' ? 'origin' : 'cache above'} ${isLate ? 'did not answer in time' : 'cannot be reached'}`
  return { status: isLate ? 504 : 502, text }
}

/** The line of text. */
export const bodyOf = ({ status, text }: Words): string => (status === 200 ? `${text}\n` : `${status} ${STATUS_CODES[status] ?? 'Unknown'}: ${text}\n`)

/**
 * Answers in the worker's own words: never stored, one line of text.
 * @param nonce of the tier that asked
 * @param id of the request, when it has one already
 */
export function say(worker: Worker, request: RequestHead, reply: Connection, words: Words, nonce?: string, id?: string): void {
  const { status } = words
  const body = bodyOf(words)
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\nDate: ${formatHttpDate(worker.clock.now())}\r\nContent-Type: text/plain; charset=utf-8\r\n`
  head += `Content-Length: ${Buffer.byteLength(body)}\r\nCache-Control: no-store\r\n${words.lines ?? ''}`
  if (worker.role === 'edge') head += `${status >= 500 ? 'X-Cache: Error from nearcast\r\n' : ''}X-Nearcast-Pop: ${worker.name}\r\n`
  if (nonce !== undefined) head += `X-Nearcast-Tier: ${worker.auth.answer(nonce, status)}\r\n`
  if (reply.closesAfter) head += 'Connection: close\r\n'
  else if (request.minor === 0) head += 'Connection: keep-alive\r\n'
  head += `Via: 1.1 ${worker.node}\r\nX-Nearcast-Request-Id: ${id ?? makeId(worker)}\r\n\r\n`
  reply.whole(head, request.method === 'HEAD' ? undefined : Buffer.from(body))
}
