import { fieldName, requestField, requestFields, type RequestHead } from '../http/index.ts'
import { hopByHop, normalEncoding } from '../message/index.ts'
import type { Policy } from './policy.ts'
import { deviceOf } from './device.ts'
import { pick, type Selection } from './selection.ts'

/** By which the origin, and the tiers on the way, are told what only an edge knows of its viewer. */
export const VIEWER_COUNTRY = 'x-nearcast-viewer-country'
export const VIEWER_DEVICE = 'x-nearcast-viewer-device'

/** By which a tier tells the next one under which behaviour it has put a request: what decided that may not be sent on. */
export const BEHAVIOUR_FIELD = 'x-nearcast-behaviour'

/** What is known of a request beside what it says. */
export interface Facts {
  /** A tier of this fleet asks: what it says of its viewer holds. */
  readonly fromTier: boolean
  /** ISO 3166-1 alpha-2, or ZZ; undefined where no policy asks for it. */
  country(): string
}

const COOKIE = fieldName('cookie')
const USER_AGENT = fieldName('user-agent')
const COUNTRY = fieldName(VIEWER_COUNTRY)
const DEVICE = fieldName(VIEWER_DEVICE)

/**
 * Fields that reach the origin whatever a policy selects: they frame the message, or are made anew or answered by us. None of
 * them may choose what a response says.
 */
const NEEDED = new Set(['cdn-loop', 'content-length', 'expect', 'host', 'transfer-encoding', 'via', 'x-forwarded-for', VIEWER_COUNTRY, VIEWER_DEVICE])
/** Conditions and ranges: sent or not by what is asked for, and answered from the whole. */
const CONDITIONS = new Set(['if-match', 'if-modified-since', 'if-none-match', 'if-range', 'if-unmodified-since', 'range'])

export const parametersOf = (target: string): string[] => {
  const question = target.indexOf('?')
  return question < 0 ? [] : target.slice(question + 1).split('&')
}

/** The pairs of the Cookie fields, `a=1` each. */
export const cookiesOf = (request: RequestHead): string[] => (requestField(request, COOKIE) ?? '').split(/[;,]/).map((pair) => pair.trim()).filter((pair) => pair !== '')

const withQuery = (target: string, meant: Selection): string => {
  const question = target.indexOf('?')
  if (question < 0) return target
  const kept = pick(target.slice(question + 1).split('&'), meant)
  return kept.length === 0 ? target.slice(0, question) : `${target.slice(0, question)}?${kept.join('&')}`
}

/** The target by which the response is held, and the one that is sent: less the parameters that are not meant. */
export function readTarget({ query, forward }: Policy, target: string): { readonly held: string; readonly sent: string } {
  if (query === undefined) return { held: target, sent: target }
  return { held: withQuery(target, query), sent: withQuery(target, (name) => query(name) || forward.query(name)) }
}

/** The Cookie field that is sent; undefined for none. */
export function readCookies({ cookies, forward }: Policy, request: RequestHead): string | undefined {
  if (cookies === undefined) return requestField(request, COOKIE)
  const kept = pick(cookiesOf(request), (name) => cookies(name) || forward.cookies(name))
  return kept.length === 0 ? undefined : kept.join('; ')
}

/** Whether a field, named in lower case, may reach the origin. */
export function mayReach({ headers, forward }: Policy, name: string): boolean {
  return headers === undefined || NEEDED.has(name) || CONDITIONS.has(name) || name === 'cookie' || headers(name) || forward.headers(name)
}

/** The parts of the key beside host and target, a line each: `cookie a=1`. Empty for a policy that makes none. */
export function readParts(policy: Policy, request: RequestHead, facts: Facts): readonly string[] {
  const parts: string[] = []
  if (policy.country) parts.push(`country ${countryOf(request, facts)}`)
  if (policy.device) parts.push(`device ${deviceFor(request, facts)}`)
  if (policy.cookies !== undefined) for (const pair of pick(cookiesOf(request), policy.cookies)) parts.push(`cookie ${pair}`)
  if (policy.headers !== undefined) parts.push(...headerParts(policy.headers, request))
  return parts
}

export const countryOf = (request: RequestHead, facts: Facts): string => (facts.fromTier ? requestField(request, COUNTRY) : undefined) ?? facts.country()

export const deviceFor = (request: RequestHead, facts: Facts): string => (facts.fromTier ? requestField(request, DEVICE) : undefined) ?? deviceOf(requestField(request, USER_AGENT))

/** A field whose lines are several is one list of them (RFC 9110 §5.3). */
function headerParts(meant: Selection, request: RequestHead): string[] {
  const fields = requestFields(request)
  const hop = hopByHop(fields)
  const named = new Set<string>()
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at]!.toLowerCase()
    if (name !== 'cookie' && !hop(name) && !NEEDED.has(name) && !CONDITIONS.has(name) && !name.startsWith('x-nearcast-') && meant(name)) named.add(name)
  }
  return [...named].sort().flatMap((name) => {
    const value = requestField(request, fieldName(name))
    const told = name === 'accept-encoding' ? normalEncoding(value) : value
    return told === undefined ? [] : [`header ${name}=${told}`]
  })
}
