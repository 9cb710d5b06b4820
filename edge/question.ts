import { fieldName, requestField, requestFields, type RequestHead } from './http/index.ts'
import { fieldOf, filterFields, hopByHop } from './message/index.ts'
import { withNode } from './tiers/index.ts'

/** Made anew for each request that is sent on. */
const OURS = new Set(['host', 'content-length', 'expect', 'via', 'cdn-loop', 'x-forwarded-for', 'x-nearcast-request-id'])
/** What of a request is sent on beside its fields of every day. */
export type Sending = 'cache' | 'whole' | 'part'

const PART = new Set(['if-range', 'range'])
/** Meant for us: answered from the whole response. */
const CONDITIONS = new Set(['if-none-match', 'if-modified-since', 'if-match', 'if-unmodified-since', 'if-range', 'range'])

/** Fields by which some origins let a request change what they answer: not part of any key, so a viewer must not choose them. */
const UNKEYED = new Set(['forwarded', 'x-forwarded-host', 'x-forwarded-port', 'x-forwarded-prefix', 'x-forwarded-proto', 'x-forwarded-scheme', 'x-forwarded-server', 'x-host', 'x-original-host', 'x-original-url', 'x-rewrite-url', 'x-http-method', 'x-http-method-override', 'x-method-override'])

const CONNECTION = fieldName('connection')

const isInternal = (name: string): boolean => name.startsWith('x-nearcast-')

const isSentAsItIs = (name: string, fromTier: boolean): boolean => !OURS.has(name) && !isInternal(name) && (fromTier || !UNKEYED.has(name))

/** A viewer's X-Forwarded-For with its address added; a tier has done so already. */
const forwardedFor = (received: string | undefined, remoteAddress: string, fromTier: boolean): string | undefined =>
  fromTier ? received : received === undefined ? remoteAddress : `${received}, ${remoteAddress}`

/**
 * The value of a field, named in lower case, in the request that would be sent on: what a response that varies by it was
 * chosen by. A viewer that has a field dropped on the way must not be answered, or answer others, as if it had been sent.
 */
export function sentField(request: RequestHead, remoteAddress: string, fromTier: boolean, name: string): string | undefined {
  const received = requestField(request, fieldName(name))
  if (name === 'x-forwarded-for') return forwardedFor(received, remoteAddress, fromTier)
  if (received === undefined || CONDITIONS.has(name) || !isSentAsItIs(name, fromTier)) return undefined
  const connection = requestField(request, CONNECTION)
  return hopByHop(connection === undefined ? [] : ['connection', connection])(name) ? undefined : received
}

/**
 * The fields of the request that is sent on, less Host.
 * @param fromTier a tier of this fleet asks: what it says of its viewer holds
 * @param how `cache`: without its conditions, for an answer that may be held; `whole`: with them, for one that may not; `part`: with
 * those alone that ask for a part
 */
export function upstreamFields(node: string, id: string, request: RequestHead, remoteAddress: string, fromTier: boolean, how: Sending): string[] {
  const fields = requestFields(request)
  const hop = hopByHop(fields)
  const sent = filterFields(fields, (name) => !hop(name) && isSentAsItIs(name, fromTier) && (how === 'whole' || !CONDITIONS.has(name) || (how === 'part' && PART.has(name))))
  const via = fieldOf(fields, 'via')
  const forwarded = forwardedFor(fieldOf(fields, 'x-forwarded-for'), remoteAddress, fromTier)
  if (forwarded !== undefined) sent.push('X-Forwarded-For', forwarded)
  sent.push('Via', via === undefined ? `1.1 ${node}` : `${via}, 1.1 ${node}`)
  sent.push('CDN-Loop', withNode(fieldOf(fields, 'cdn-loop'), node))
  sent.push('X-Nearcast-Request-Id', id)
  return sent
}
