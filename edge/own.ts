import { STATUS_CODES } from 'node:http'
import { LATENCY_PATH, OWN_PATHS } from '../core/latency-report.ts'
import { makeId } from './head.ts'
import { fieldName, requestField, type Connection, type RequestHead } from './http/index.ts'
import { formatHttpDate } from './message/index.ts'
import { say } from './say.ts'
import { TIER_FIELD } from './tiers/index.ts'
import { BEACON, LONGEST_REPORT, type Viewers } from './viewers/index.ts'
import type { Worker } from './worker.ts'

// What an edge answers itself under `/.nearcast/` of every host: the means by which viewers' round trips are measured.

const EXPECT = fieldName('expect')
const TIER = fieldName(TIER_FIELD)
/** Pages of any host may measure here (Resource Timing §4.5) and report; there is nothing in it for one of them alone. */
const FOR_ALL = 'Access-Control-Allow-Origin: *\r\nTiming-Allow-Origin: *\r\nCross-Origin-Resource-Policy: cross-origin\r\n'
const UNSTORED = 'Cache-Control: no-store\r\n'

/** Answers a request for a path of the edge's own. */
export function answerOwn(worker: Worker, viewers: Viewers, request: RequestHead, reply: Connection): void {
  const { target, method } = request
  const query = target.indexOf('?')
  const path = query < 0 ? target : target.slice(0, query)
  const isRead = method === 'GET' || method === 'HEAD'
  const { script } = viewers
  if (isRead && request.content !== 0) return say(worker, request, reply, { status: 400, text: `a ${method} request with a body is not taken` })
  if (path === LATENCY_PATH && isRead) return worker.crew?.carryToFirst(request, reply) === true ? undefined : tellRows(worker, viewers, request, reply, query < 0 ? undefined : target.slice(query + 1))
  if (script === undefined || (path !== LATENCY_PATH && path !== `${OWN_PATHS}beacon.gif` && path !== `${OWN_PATHS}latency.js`)) return say(worker, request, reply, { status: 404, text: 'there is nothing of this name' })
  if (method === 'OPTIONS') return put(worker, request, reply, 204, `${FOR_ALL}Access-Control-Allow-Methods: GET, POST\r\nAccess-Control-Allow-Headers: content-type\r\nAccess-Control-Max-Age: 86400\r\n`)
  if (path === LATENCY_PATH) return method === 'POST' ? takeReport(worker, viewers, request, reply) : refuseMethod(worker, request, reply, 'POST')
  if (!isRead) return refuseMethod(worker, request, reply, 'GET, HEAD')
  if (path.endsWith('.gif')) return put(worker, request, reply, 200, `${FOR_ALL}${UNSTORED}Content-Type: image/gif\r\n`, BEACON)
  put(worker, request, reply, 200, `${FOR_ALL}Cache-Control: public, max-age=300\r\nContent-Type: text/javascript; charset=utf-8\r\n`, Buffer.from(script))
}

/** To the daemon of this fleet alone; its proof covers the query and ours the rows. */
function tellRows(worker: Worker, viewers: Viewers, request: RequestHead, reply: Connection, since: string | undefined): void {
  const nonce = worker.auth.accept(requestField(request, TIER), request, worker.clock.now())
  if (nonce === undefined) return say(worker, request, reply, { status: 403, text: 'this is for the daemon of the fleet only' })
  const body = JSON.stringify(viewers.rows(since))
  put(worker, request, reply, 200, `${UNSTORED}Content-Type: application/json\r\nX-Nearcast-Tier: ${worker.auth.answer(nonce, 200, body)}\r\n`, Buffer.from(body))
}

function takeReport(worker: Worker, viewers: Viewers, request: RequestHead, reply: Connection): void {
  const pieces: Buffer[] = []
  let size = 0
  const end = (): void => {
    const taken = viewers.report(reply.remoteAddress, Buffer.concat(pieces).toString('latin1'))
    if (taken === 'taken') return put(worker, request, reply, 204, FOR_ALL)
    if (taken === 'too soon') return say(worker, request, reply, { status: 429, text: 'one report every few seconds is enough', lines: `${FOR_ALL}Retry-After: 2\r\n` })
    say(worker, request, reply, { status: 400, text: taken.wrong, lines: FOR_ALL })
  }
  if (request.content === 0) return end()
  if (typeof request.content === 'number' && request.content > LONGEST_REPORT) return say(worker, request, reply, { status: 413, text: `a report has at most ${LONGEST_REPORT} octets`, lines: FOR_ALL })
  reply.readBody(
    {
      data: (piece) => {
        size += piece.length
        // Whoever did not say how long it would be is not listened to for longer.
        if (size > LONGEST_REPORT) reply.abort()
        else pieces.push(Buffer.from(piece))
      },
      end,
      broken: () => undefined
    },
    requestField(request, EXPECT)?.toLowerCase() === '100-continue'
  )
}

const refuseMethod = (worker: Worker, request: RequestHead, reply: Connection, allowed: string): void =>
  say(worker, request, reply, { status: 405, text: `${request.method} is not taken here`, lines: `Allow: ${allowed}\r\n${FOR_ALL}` })

function put(worker: Worker, request: RequestHead, reply: Connection, status: number, lines: string, body?: Buffer): void {
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status]!}\r\nDate: ${formatHttpDate(worker.clock.now())}\r\n${lines}`
  if (status !== 204) head += `Content-Length: ${body?.length ?? 0}\r\n`
  head += `X-Content-Type-Options: nosniff\r\nX-Nearcast-Pop: ${worker.name}\r\n`
  if (reply.closesAfter) head += 'Connection: close\r\n'
  else if (request.minor === 0) head += 'Connection: keep-alive\r\n'
  head += `X-Nearcast-Request-Id: ${makeId(worker)}\r\n\r\n`
  reply.whole(head, request.method === 'HEAD' ? undefined : body)
}
