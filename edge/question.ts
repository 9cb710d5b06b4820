import { requestFields, type RequestHead } from './http/index.ts'
import { fieldOf, filterFields, hopByHop } from './message/index.ts'
import { withNode } from './tiers/index.ts'

/** Made anew for each fetch, or meant for us: conditions and ranges are answered from the whole response. */
const NOT_SENT = new Set(['host', 'content-length', 'expect', 'if-none-match', 'if-modified-since', 'if-match', 'if-unmodified-since', 'if-range', 'range', 'via', 'cdn-loop', 'x-forwarded-for', 'x-nearcast-request-id'])

/** Fields by which some origins let a request change what they answer: not part of any key, so a viewer must not choose them. */
const UNKEYED = new Set(['forwarded', 'x-forwarded-host', 'x-forwarded-port', 'x-forwarded-proto', 'x-forwarded-scheme', 'x-forwarded-server', 'x-host', 'x-original-url', 'x-rewrite-url', 'x-http-method-override'])

const isInternal = (name: string): boolean => name.startsWith('x-nearcast-')

/**
 * The fields of the request that is sent on, less Host and conditions.
 * @param fromTier a tier of this fleet asks: what it says of its viewer holds
 */
export function upstreamFields(node: string, id: string, request: RequestHead, remoteAddress: string, fromTier: boolean): string[] {
  const fields = requestFields(request)
  const hop = hopByHop(fields)
  const sent = filterFields(fields, (name) => !hop(name) && !NOT_SENT.has(name) && !isInternal(name) && (fromTier || !UNKEYED.has(name)))
  const via = fieldOf(fields, 'via')
  const forwardedFor = fieldOf(fields, 'x-forwarded-for')
  const ours = fromTier ? forwardedFor : forwardedFor === undefined ? remoteAddress : `${forwardedFor}, ${remoteAddress}`
  if (ours !== undefined) sent.push('X-Forwarded-For', ours)
  sent.push('Via', via === undefined ? `1.1 ${node}` : `${via}, 1.1 ${node}`)
  sent.push('CDN-Loop', withNode(fieldOf(fields, 'cdn-loop'), node))
  sent.push('X-Nearcast-Request-Id', id)
  return sent
}
