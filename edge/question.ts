import type { Viewer } from './asked.ts'
import { POLICY_PARTS } from './cache/index.ts'
import { fieldName, requestField, requestFields } from './http/index.ts'
import { fieldOf, filterFields, hopByHop, normalEncoding } from './message/index.ts'
import { BEHAVIOUR_FIELD, countryOf, deviceFor, EVERYTHING, mayReach, readCookies, VIEWER_COUNTRY, VIEWER_DEVICE, type Policy } from './policies/index.ts'
import { withNode } from './tiers/index.ts'
import type { Worker } from './worker.ts'

/** Made anew for each request that is sent on. */
const OURS = new Set(['host', 'content-length', 'expect', 'via', 'cdn-loop', 'x-forwarded-for', 'x-nearcast-request-id'])
/** What of a request is sent on beside its fields of every day. */
export type Sending = 'cache' | 'whole' | 'part'

const PART = new Set(['if-range', 'range'])
/** Meant for us: answered from the whole response. */
const CONDITIONS = new Set(['if-none-match', 'if-modified-since', 'if-match', 'if-unmodified-since', 'if-range', 'range'])

/** Fields by which some origins let a request change what they answer: not part of any key, so a viewer must not choose them. */
const UNKEYED = new Set(['forwarded', 'front-end-https', 'x-forwarded-host', 'x-forwarded-path', 'x-forwarded-port', 'x-forwarded-prefix', 'x-forwarded-proto', 'x-forwarded-protocol', 'x-forwarded-scheme', 'x-forwarded-server', 'x-forwarded-ssl', 'x-forwarded-uri', 'x-host', 'x-http-host-override', 'x-original-host', 'x-original-uri', 'x-original-url', 'x-rewrite-url', 'x-url-scheme', 'x-http-method', 'x-http-method-override', 'x-method-override', 'base-url', 'destination', 'proxy', 'request-uri', 'x-forwarded-method', 'x-http-destinationurl', 'x-invoke-path', 'x-invoke-query', 'x-matched-path', 'x-middleware-subrequest', 'x-now-route-matches', 'x-original-method', 'x-proxy-host', 'x-proxy-url'])

const CONNECTION = fieldName('connection')

/** What of a worker and of a request counts for what is sent on. */
type Desk = Pick<Worker, 'node' | 'countryOf'>
export type Asking = Pick<Viewer, 'request' | 'behaviour' | 'parts' | 'nonce' | 'id'> & { readonly reply: { readonly remoteAddress: string } }

const isInternal = (name: string): boolean => name.startsWith('x-nearcast-')

/** Sent on as it came: what is ours is made anew, and what a viewer must not choose is sent only where the policy makes it part of the key. */
const isSentAsItIs = (policy: Policy, name: string, fromTier: boolean): boolean =>
  !OURS.has(name) && !isInternal(name) && (fromTier || !UNKEYED.has(name) || policy.headers?.(name) === true) && (policy.headers === undefined || mayReach(policy, name))

/** A viewer's X-Forwarded-For with its address added; a tier has done so already. */
const forwardedFor = (received: string | undefined, remoteAddress: string, fromTier: boolean): string | undefined =>
  fromTier ? received : received === undefined ? remoteAddress : `${received}, ${remoteAddress}`

/**
 * The value of a field, named in lower case, in the request that would be sent on: what a response that varies by it was
 * chosen by; under the name POLICY_PARTS what its policy makes of the key. A viewer that has a field dropped on the way must not be answered, or answer others, as if it had been sent.
 */
export function sentField(worker: Worker, viewer: Viewer, name: string): string | undefined {
  const { request, reply, nonce, behaviour: { policy } } = viewer
  if (name === POLICY_PARTS) return viewer.parts
  const fromTier = nonce !== undefined
  if (name === VIEWER_COUNTRY || name === VIEWER_DEVICE) return factOf(worker, viewer, name)
  const received = requestField(request, fieldName(name))
  if (name === 'x-forwarded-for') return forwardedFor(received, reply.remoteAddress, fromTier)
  if (received === undefined || CONDITIONS.has(name) || !isSentAsItIs(policy, name, fromTier)) return undefined
  const connection = requestField(request, CONNECTION)
  if (hopByHop(connection === undefined ? [] : ['connection', connection])(name)) return undefined
  if (name === 'accept-encoding') return normalEncoding(received)
  return name === 'cookie' ? readCookies(policy, request) : received
}

/** What the origin is told of the viewer where the policy asks for it. */
function factOf(worker: Desk, { request, reply, nonce, behaviour: { policy } }: Asking, name: typeof VIEWER_COUNTRY | typeof VIEWER_DEVICE): string | undefined {
  const facts = { fromTier: nonce !== undefined, country: () => worker.countryOf(reply.remoteAddress) }
  if (name === VIEWER_COUNTRY) return policy.country ? countryOf(request, facts) : undefined
  return policy.device ? deviceFor(request, facts) : undefined
}

/**
 * The fields of the request that is sent on, less Host. The viewer's request has its id.
 * @param how `cache`: without its conditions, for an answer that may be held; `whole`: with them and with all else, for one that may
 * not; `part`: with those conditions alone that ask for a part
 */
export function upstreamFields(worker: Desk, viewer: Asking, how: Sending): string[] {
  const { request, reply, nonce, behaviour: { policy, index } } = viewer
  const fromTier = nonce !== undefined
  const fields = requestFields(request)
  const hop = hopByHop(fields)
  // What is never held can be chosen by nobody for others.
  const chosenBy = how === 'whole' ? EVERYTHING : policy
  const isCookieMade = chosenBy.cookies !== undefined
  const sent = filterFields(fields, (name) => !hop(name) && isSentAsItIs(chosenBy, name, fromTier) && (how === 'whole' || !CONDITIONS.has(name) || (how === 'part' && PART.has(name))) && !(isCookieMade && name === 'cookie') && (how === 'whole' || name !== 'accept-encoding'))
  const cookies = isCookieMade && !hop('cookie') ? readCookies(chosenBy, request) : undefined
  if (cookies !== undefined) sent.push('Cookie', cookies)
  const encoding = how === 'whole' || hop('accept-encoding') || !mayReach(chosenBy, 'accept-encoding') ? undefined : normalEncoding(fieldOf(fields, 'accept-encoding'))
  if (encoding !== undefined) sent.push('Accept-Encoding', encoding)
  const via = fieldOf(fields, 'via')
  const forwarded = forwardedFor(fieldOf(fields, 'x-forwarded-for'), reply.remoteAddress, fromTier)
  if (forwarded !== undefined) sent.push('X-Forwarded-For', forwarded)
  for (const [name, field] of FACTS) {
    const fact = factOf(worker, viewer, name)
    if (fact !== undefined) sent.push(field, fact)
  }
  if (viewer.parts !== '') sent.push(BEHAVIOUR_FIELD, String(index))
  sent.push('Via', via === undefined ? `1.1 ${worker.node}` : `${via}, 1.1 ${worker.node}`)
  sent.push('CDN-Loop', withNode(fieldOf(fields, 'cdn-loop'), worker.node))
  sent.push('X-Nearcast-Request-Id', viewer.id!)
  return sent
}

const FACTS = [[VIEWER_COUNTRY, 'X-Nearcast-Viewer-Country'], [VIEWER_DEVICE, 'X-Nearcast-Viewer-Device']] as const
