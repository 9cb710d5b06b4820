import type { Viewer } from './asked.ts'
import type { Coming } from './coming.ts'
import { renderHead } from './head.ts'
import { fieldName, mayHaveField } from './http/index.ts'
import { fieldOf, fromLines } from './message/index.ts'
import type { Worker } from './worker.ts'

// What many who wait for one response have in common. A thousand heads that differ in the request id alone are rendered once.

/** Fields by which a viewer may get something else than the whole. */
const NOT_PLAIN = new Set(['if-none-match', 'if-modified-since', 'range'].map((name) => fieldName(name).hash))

/** Cache-Status of a response that is coming: the tiers above, and what was done here. */
export function statusOf({ node }: Worker, { stored, statusAbove }: Coming, forward: string): string {
  const kept = 'freshness' in stored ? `; ttl=${Math.ceil((stored.freshness.lifetime - stored.freshness.initialAge) / 1000)}; stored` : `; detail=${stored.not}`
  const own = `${node}; ${forward}${kept}`
  return statusAbove === undefined ? own : `${statusAbove}, ${own}`
}

/**
 * The head of a response for a viewer who wants nothing of its own: all of it, over HTTP/1.1, as it comes.
 * @param forward why it was fetched, in the words of Cache-Status
 * @returns undefined where it is to be rendered for that viewer alone
 */
export function sharedHead(worker: Worker, viewer: Viewer, coming: Coming, forward: string): string | undefined {
  const { request, reply, nonce, page, id } = viewer
  if (request.method !== 'GET' || request.minor !== 1 || nonce !== undefined || page !== undefined || id === undefined || reply.closesAfter || mayHaveField(request, NOT_PLAIN)) return undefined
  if (coming.status !== 200 || coming.alone !== '') return undefined
  let { shared } = coming
  if (shared?.forward !== forward) {
    const framing = coming.length === undefined ? { chunked: true } : { length: coming.length }
    const head = renderHead(worker, 200, coming.lines, framing, { cache: 'Miss', status: statusOf(worker, coming, forward), ...(coming.age !== undefined && { age: coming.age }), id: '', close: false })
    shared = { forward, text: head.slice(0, -END.length), coded: fieldOf(fromLines(coming.lines), 'content-encoding') !== undefined }
    coming.shared = shared
  }
  return shared.coded ? undefined : shared.text + id + END
}

const END = '\r\n\r\n'
