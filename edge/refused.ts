import { fieldName, requestField, type RequestHead } from './http/index.ts'
import type { Words } from './say.ts'
import type { Behaviour, Site } from './sites.ts'
import { hasPassed } from './tiers/index.ts'
import type { Worker } from './worker.ts'

const CDN_LOOP = fieldName('cdn-loop')
/** Not for us: a tunnel, and an echo of what may be secret. */
const REFUSED_METHODS = new Set(['CONNECT', 'TRACE'])

/** What is refused out of hand, and in which words. */
export function refusalOf(worker: Worker, request: RequestHead, site: Site | undefined, behaviour: Behaviour | undefined): Words | undefined {
  const { method, host } = request
  if (REFUSED_METHODS.has(method)) return { status: 405, text: `${method} is not taken here`, lines: 'Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n' }
  if (request.content !== 0 && (method === 'GET' || method === 'HEAD')) return { status: 400, text: `a ${method} request with a body is not taken` }
  if (site === undefined) return { status: 421, text: host === '' ? 'no host was named' : `no distribution has the name ${host}` }
  if (behaviour === undefined) return { status: 404, text: `distribution ${site.distribution} has no behaviour for this path` }
  if (hasPassed(requestField(request, CDN_LOOP), worker.node)) {
    worker.counters.errors++
    return { status: 508, text: `the request has passed ${worker.node} before: the origin leads back to the CDN` }
  }
  return undefined
}
