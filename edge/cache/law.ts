import { type FieldList, fieldOf, listMembers, parseHttpDate } from '../message/index.ts'
import { LONGEST, parseSeconds, readControl, type ResponseControl } from './control.ts'

/** When a response stops being fresh; times in milliseconds. */
export interface Freshness {
  /** How long it is fresh from its generation on. */
  readonly lifetime: number
  /** Its age when it was received (RFC 9111 §4.2.3: corrected_initial_age). */
  readonly initialAge: number
  readonly receivedAt: number
  /** For how long past its lifetime it may answer while a newer one is fetched (RFC 5861 §3), and where none can be had (§4). */
  readonly whileRevalidating: number
  readonly ifError: number
}

/** Why a response is not stored. */
export type NoStoreReason = 'status' | 'no-store' | 'private' | 'authorization' | 'set-cookie' | 'vary-any' | 'no-freshness'

export type Verdict =
  | { readonly kind: 'refused'; readonly reason: NoStoreReason; readonly age: number }
  | {
      readonly kind: 'storable'
      readonly freshness: Freshness
      /** Requests that wait for the same fetch may have it: it is fresh, and may be used without asking. */
      readonly sharable: boolean
    }

export interface Received {
  readonly status: number
  readonly fields: FieldList
  /** The request carried Authorization. */
  readonly authorized: boolean
  /** When its request was sent and when its head came. */
  readonly requestedAt: number
  readonly receivedAt: number
  /** Freshness of responses that state none, and how long past it they may stand in for errors where they do not say. */
  readonly defaultTtl: number
  readonly defaultIfError: number
}

/** Statuses that may be stored without explicit freshness (RFC 9110 §15.1), less 206, which is not stored at all. */
const HEURISTIC = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])

/** Statuses whose rules for caching are known and followed here (RFC 9110 §15): those that `must-understand` asks for. */
const UNDERSTOOD = new Set([...HEURISTIC, 201, 202, 205, 302, 303, 307, 400, 401, 402, 403, 406, 407, 408, 409, 411, 412, 413, 415, 416, 417, 421, 422, 426, 500, 502, 503, 504, 505])

/** RFC 9111 §5.2.2.3: who asks to be understood is stored by those who know the status, whatever `no-store` says to the others. */
const forbidsStoring = (status: number, control: ResponseControl): boolean => (control.mustUnderstand ? !UNDERSTOOD.has(status) : control.noStore)

/** What of the time since Last-Modified an answer that states no freshness is fresh for, and the longest (RFC 9111 §4.2.2). */
const HEURISTIC_PART = 0.1
const HEURISTIC_MOST = 24 * 3600 * 1000

/** The age that an Age field states, in milliseconds (RFC 9111 §5.1). */
function statedAge(fields: FieldList): number {
  const value = fieldOf(fields, 'age')
  if (value === undefined) return 0
  // Of a list the first counts (§5.1). But lines that were joined, which leaves a space behind the comma (RFC 9110 §5.3), were
  // written by different hands: they may be hiding any age. What may be old is asked about, which is always allowed.
  const seconds = parseSeconds(/^([^,]*),\S/.exec(value)?.[1] ?? value.trim())
  return (seconds ?? LONGEST) * 1000
}

/** The response's age on arrival, in milliseconds (RFC 9111 §4.2.3). */
export function initialAge(received: Pick<Received, 'fields' | 'requestedAt' | 'receivedAt'>): number {
  const { fields, requestedAt, receivedAt } = received
  const date = parseHttpDate(fieldOf(fields, 'date') ?? '', receivedAt)
  // Date counts in whole seconds; the part below one would make every response look up to a second old.
  const apparent = date === undefined ? 0 : Math.max(0, Math.floor(receivedAt / 1000) * 1000 - date)
  return Math.max(apparent, statedAge(fields) + Math.max(0, receivedAt - requestedAt))
}

/** RFC 9111 §4.2.1: how long it is fresh, and whether it says so itself. */
function lifetimeOf(received: Received, control: ResponseControl): { lifetime: number; explicit: boolean } {
  if (control.sMaxAge !== undefined) return { lifetime: control.sMaxAge, explicit: true }
  if (control.maxAge !== undefined) return { lifetime: control.maxAge, explicit: true }
  const expires = control.targeted ? undefined : fieldOf(received.fields, 'expires')
  if (expires !== undefined) {
    // §5.3: a date that cannot be read, `0` above all, has passed.
    const at = parseHttpDate(expires, received.receivedAt)
    const date = parseHttpDate(fieldOf(received.fields, 'date') ?? '', received.receivedAt) ?? received.receivedAt
    return { lifetime: at === undefined ? 0 : Math.max(0, at - date), explicit: true }
  }
  if (!HEURISTIC.has(received.status) && !control.public) return { lifetime: 0, explicit: false }
  return { lifetime: received.defaultTtl > 0 ? received.defaultTtl : heuristicLifetime(received), explicit: false }
}

/** RFC 9111 §4.2.2: what has not changed for long will not change soon. */
function heuristicLifetime({ fields, receivedAt }: Received): number {
  const modified = parseHttpDate(fieldOf(fields, 'last-modified') ?? '', receivedAt)
  if (modified === undefined) return 0
  const date = parseHttpDate(fieldOf(fields, 'date') ?? '', receivedAt) ?? receivedAt
  return Math.min(HEURISTIC_MOST, Math.max(0, date - modified) * HEURISTIC_PART)
}

/** RFC 9111 §3: whether a shared cache may store this response to a GET. */
export function judge(received: Received): Verdict {
  const { status, fields } = received
  const control = readControl(fields)
  const age = initialAge(received)
  const refused = (reason: NoStoreReason): Verdict => ({ kind: 'refused', reason, age })
  if (status < 200 || status === 206 || status === 304) return refused('status')
  if (forbidsStoring(status, control)) return refused('no-store')
  if (control.private) return refused('private')
  // §3.5
  if (received.authorized && !control.public && !control.mustRevalidate && control.sMaxAge === undefined) return refused('authorization')
  if (varyNames(fields) === 'any') return refused('vary-any')
  const { lifetime, explicit } = lifetimeOf(received, control)
  if (!explicit && !control.public && !HEURISTIC.has(status)) return refused('status')
  // Stricter than the RFC (§7.3): one client's cookie must not reach another because an origin said nothing of caching.
  if (!explicit && !control.public && fieldOf(fields, 'set-cookie') !== undefined) return refused('set-cookie')
  const freshness = { lifetime: control.noCache ? 0 : lifetime, initialAge: age, receivedAt: received.receivedAt, ...staleness(received, control) }
  const fresh = freshness.lifetime > age
  // Stale at once and without a validator it could never be used.
  const mayStandIn = freshness.whileRevalidating > 0 || freshness.ifError > 0
  if (!fresh && !mayStandIn && fieldOf(fields, 'etag') === undefined && fieldOf(fields, 'last-modified') === undefined) return refused('no-freshness')
  return { kind: 'storable', freshness, sharable: fresh }
}

/**
 * What may be done with a response that is fresh no more (RFC 9111 §4.2.4). s-maxage forbids it as proxy-revalidate does (§5.2.2.10),
 * but for a response that allows it in so many words.
 */
function staleness({ defaultIfError }: Received, control: ResponseControl): Pick<Freshness, 'whileRevalidating' | 'ifError'> {
  if (control.noCache || control.mustRevalidate) return { whileRevalidating: 0, ifError: 0 }
  return { whileRevalidating: control.staleWhileRevalidate ?? 0, ifError: control.staleIfError ?? (control.sMaxAge === undefined ? defaultIfError : 0) }
}

/** How long it has been stale; negative while it is fresh. */
export const staleFor = (freshness: Freshness, now: number): number => ageAt(freshness, now) - freshness.lifetime

/** Whether it may answer, fresh no more, a client that takes what has been stale for `maxStale` (RFC 9111 §5.2.1.2). */
export function mayBeStale(freshness: Freshness, fields: FieldList, maxStale: number, now: number): boolean {
  const { noCache, mustRevalidate, sMaxAge } = readControl(fields)
  return !noCache && !mustRevalidate && sMaxAge === undefined && staleFor(freshness, now) <= maxStale
}

/** The age of what was received so, in milliseconds. */
export const ageAt = (freshness: Freshness, now: number): number => freshness.initialAge + Math.max(0, now - freshness.receivedAt)

export const isFresh = (freshness: Freshness, now: number): boolean => ageAt(freshness, now) < freshness.lifetime

/** The request fields that chose the response, in lower case and sorted (RFC 9110 §12.5.5); `any` for `*`. */
export function varyNames(fields: FieldList): readonly string[] | 'any' {
  const value = fieldOf(fields, 'vary')
  if (value === undefined) return []
  const names = listMembers(value.toLowerCase())
  return names.includes('*') ? 'any' : [...new Set(names)].sort()
}
