import { viewerOf, type Viewer } from './asked.ts'
import { renderHead } from './head.ts'
import { formatHttpDate } from './message/index.ts'
import type { Page } from './pages.ts'
import { behaviourFor } from './sites.ts'
import type { Worker } from './worker.ts'

/** The page that a viewer gets in place of an error; a tier gets the error itself. */
export const pageFor = ({ site, nonce, page }: Viewer, status: number): Page | undefined =>
  status < 400 || nonce !== undefined || page !== undefined ? undefined : site.pages.get(status)

/**
 * Answers with a page in place of an error.
 * @param forward what Cache-Status says of the error: `nearcast-icn; fwd=uri-miss; fwd-status=503`
 * @param ask answers a request for the page, from what is held or by a fetch
 * @param instead answers with the error where the page cannot be had
 */
export function answerPage(worker: Worker, viewer: Viewer, page: Page, forward: string, ask: (viewer: Viewer) => void, instead: () => void): void {
  const { request, reply, site, nonce } = viewer
  if (page.kind === 'file') {
    const lines = `Date: ${formatHttpDate(worker.clock.now())}\r\nContent-Type: ${page.type}\r\nCache-Control: no-store\r\nVia: 1.1 ${worker.node}\r\n`
    const head = renderHead(worker, page.status, lines, { length: page.body.length }, { cache: 'Error', status: forward, id: viewer.id!, close: reply.closesAfter, keepAlive: request.minor === 0 && !reply.closesAfter })
    return reply.whole(head, request.method === 'HEAD' ? undefined : page.body)
  }
  // It is ours who ask: what the viewer says of what it has, wants a part of, or is, was said of something else.
  const own = { ...request, target: page.target, text: '', spans: [] }
  const behaviour = behaviourFor(site, own)
  if (behaviour === undefined || behaviour.bypass) return instead()
  ask({ ...viewerOf(worker, site, behaviour, { request: own, reply, nonce }), id: viewer.id, page: { status: page.status, instead } })
}
