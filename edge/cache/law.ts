import { type FieldList, fieldOf, listMembers, parseHttpDate } from '../message/index.ts'
import { readContentRange } from './parts.ts'
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
export type NoStoreReason = 'status' | 'part' | 'no-store' | 'private' | 'authorization' | 'set-cookie' | 'vary-any' | 'no-freshness'

export type Verdict =
  | { readonly kind: 'refused'; readonly reason: NoStoreReason; readonly age: number }
  | {
      readonly kind: 'storable'
      readonly freshness: Freshness
      /** Names of fields, in lower case, that are for the one who asked, and not held. */
      readonly withheld: readonly string[]
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
  readonly times: Times
  /** How long past its freshness it may stand in for errors where it does not say. */
  readonly defaultIfError: number
  /** A part was asked for, which is not part of the key. */
  readonly forPart?: boolean
}

/** For how long what comes is held, as the operator has it; milliseconds. */
export interface Times {
  readonly min: number
  /** Where a response states nothing; 0: by Last-Modified. */
  readonly default: number
  readonly max: number
  /** Of errors, at least, by status; those that are not there are held as they say. */
  readonly errors: ReadonlyMap<number, number>
  /** What is at least holds against no-store, no-cache and private too, as CloudFront has it; errors that state nothing have no default. */
  readonly overrules: boolean
}

/** As the RFC has it. */
export const LAWFUL: Times = { min: 0, default: 0, max: Infinity, errors: new Map(), overrules: false }

/** Statuses that may be stored without explicit freshness (RFC 9110 §15.1). */
const HEURISTIC = new Set([200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501])

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
  const { default: preset, overrules } = received.times
  if ((!HEURISTIC.has(received.status) && !control.public) || (overrules && received.status >= 400)) return { lifetime: 0, explicit: false }
  return { lifetime: preset > 0 ? preset : heuristicLifetime(received), explicit: false }
}

/** Errors whose no-store, no-cache and private are heard where those of others are overruled. */
const HEARD = new Set([404, 410, 414, 501])

/** How long it is held at least by the operator's word, whether or not it may be stored by its own; 0: no such word. */
function leastOf({ status, times }: Received): { least: number; overrules: boolean } {
  const least = status < 400 ? times.min : (times.errors.get(status) ?? 0)
  return { least, overrules: times.overrules && least > 0 && !HEARD.has(status) }
}

/** RFC 9111 §4.2.2: what has not changed for long will not change soon. */
function heuristicLifetime({ fields, receivedAt }: Received): number {
  const modified = parseHttpDate(fieldOf(fields, 'last-modified') ?? '', receivedAt)
  if (modified === undefined) return 0
  const date = parseHttpDate(fieldOf(fields, 'date') ?? '', receivedAt) ?? receivedAt
  return Math.min(HEURISTIC_MOST, Math.max(0, date - modified) * HEURISTIC_PART)
}

/** RFC 9111 §3.3: a part can be held that says which one it is, and is as long as it says. */
function isWholePart(fields: FieldList): boolean {
  const part = readContentRange(fieldOf(fields, 'content-range'))
  const length = fieldOf(fields, 'content-length')
  return part !== undefined && (length === undefined || Number(length) === part.last - part.first + 1)
}

/** RFC 9111 §3: whether a shared cache may store this response to a GET. */
export function judge(received: Received): Verdict {
  const { status, fields } = received
  const control = readControl(fields)
  const age = initialAge(received)
  const refused = (reason: NoStoreReason): Verdict => ({ kind: 'refused', reason, age })
  if (status < 200 || status === 304) return refused('status')
  // An error may be of the part that was asked for; it says nothing to those who ask for the whole.
  if (status === 206 ? !isWholePart(fields) : status >= 400 && received.forPart === true) return refused('part')
  const { least, overrules } = leastOf(received)
  if (forbidsStoring(status, control) && !overrules) return refused('no-store')
  if (control.private && !overrules) return refused('private')
  // §3.5
  if (received.authorized && !control.public && !control.mustRevalidate && control.sMaxAge === undefined) return refused('authorization')
  if (varyNames(fields) === 'any') return refused('vary-any')
  const stated = lifetimeOf(received, control)
  const forbidden = forbidsStoring(status, control) || control.private || control.noCache
  const lifetime = forbidden ? (overrules ? least : 0) : Math.min(Math.max(stated.lifetime, least), received.times.max)
  const explicit = stated.explicit || (status >= 400 && least > 0)
  if (!explicit && !control.public && !HEURISTIC.has(status)) return refused('status')
  // Stricter than the RFC (§7.3): one client's cookie must not reach another because an origin said nothing of caching.
  if (!stated.explicit && !control.public && fieldOf(fields, 'set-cookie') !== undefined && !control.withheld.includes('set-cookie')) return refused('set-cookie')
  const freshness = { lifetime, initialAge: age, receivedAt: received.receivedAt, ...staleness(received, control) }
  const fresh = freshness.lifetime > age
  // Stale at once and without a validator it could never be used.
  const mayStandIn = freshness.whileRevalidating > 0 || freshness.ifError > 0
  if (!fresh && !mayStandIn && fieldOf(fields, 'etag') === undefined && fieldOf(fields, 'last-modified') === undefined) return refused('no-freshness')
  return { kind: 'storable', freshness, withheld: control.withheld, sharable: fresh }
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

/** Names in Vary beyond which a response is taken to vary by anything: each is looked for in each request for it. */
const MOST_VARYING = 64

/** The request fields that chose the response, in lower case and sorted (RFC 9110 §12.5.5); `any` for `*`. */
export function varyNames(fields: FieldList): readonly string[] | 'any' {
  const value = fieldOf(fields, 'vary')
  if (value === undefined) return []
  const names = listMembers(value.toLowerCase())
  return names.includes('*') || names.length > MOST_VARYING ? 'any' : [...new Set(names)].sort()
}
