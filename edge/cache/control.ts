import { parseDictionary, type Dictionary } from 'structured-headers'
import { fieldOf, listMembers, type FieldList } from '../message/index.ts'

/** What a response says of its caching (RFC 9111 §5.2.2), as a shared cache hears it. Times in milliseconds. */
export interface ResponseControl {
  /** It was said to caches like this one (RFC 9213): Cache-Control and Expires are for the others. */
  readonly targeted: boolean
  readonly noStore: boolean
  readonly noCache: boolean
  readonly private: boolean
  /** Fields, in lower case, that a qualified `no-cache` or `private` keeps from being held (RFC 9111 §5.2.2.4, §5.2.2.7). */
  readonly withheld: readonly string[]
  readonly public: boolean
  readonly mustRevalidate: boolean
  readonly mustUnderstand: boolean
  readonly maxAge?: number
  readonly sMaxAge?: number
  /** RFC 5861 */
  readonly staleWhileRevalidate?: number
  readonly staleIfError?: number
}

/** What a request says of the caching of its answer (RFC 9111 §5.2.1), as far as it is heard. Times in milliseconds. */
export interface RequestControl {
  readonly onlyIfCached: boolean
  readonly minFresh: number
  /** How long past its freshness an answer is welcome; negative: not at all. */
  readonly maxStale: number
}

/** The largest delta-seconds that is kept apart from others, in seconds (RFC 9111 §1.2.2). */
export const LONGEST = 2 ** 31

/** By what caches like this one are spoken to, the most particular first (RFC 9213 §2.2, §3.1). */
const TARGETED = ['nearcast-cache-control', 'cdn-cache-control'] as const

/** Directives by their names in lower case: `true` without an argument, else the seconds, `invalid`, or another argument's text. */
type Directives = ReadonlyMap<string, string | number | true>

/** The directives that count for this cache: those of the most particular field that can be read. */
export function readControl(fields: FieldList): ResponseControl {
  for (const name of TARGETED) {
    const value = fieldOf(fields, name)
    const directives = value === undefined ? undefined : readTargeted(value)
    if (directives !== undefined) return controlOf(directives, true)
  }
  const value = fieldOf(fields, 'cache-control')
  return value === undefined ? SILENT : controlOf(readDirectives(value), false)
}

const SILENT: ResponseControl = { targeted: false, noStore: false, noCache: false, private: false, withheld: [], public: false, mustRevalidate: false, mustUnderstand: false }

/**
 * A qualified `private` or `no-cache` whose names cannot be read is taken as the unqualified one, which is always allowed. A lifetime that is malformed or stated
 * differently twice is 0: stale (RFC 9111 §4.2.1).
 */
function controlOf(said: Directives, targeted: boolean): ResponseControl {
  const time = (name: string): number => secondsOf(said.get(name)) * 1000
  const [noCacheOf, privateOf] = [namesOf(said.get('no-cache')), namesOf(said.get('private'))]
  return {
    targeted,
    noStore: said.has('no-store'),
    noCache: said.has('no-cache') && noCacheOf === undefined,
    private: said.has('private') && privateOf === undefined,
    withheld: [...(noCacheOf ?? []), ...(privateOf ?? [])],
    public: said.has('public'),
    mustRevalidate: said.has('must-revalidate') || said.has('proxy-revalidate'),
    mustUnderstand: said.has('must-understand'),
    ...(said.has('max-age') ? { maxAge: time('max-age') } : {}),
    ...(said.has('s-maxage') ? { sMaxAge: time('s-maxage') } : {}),
    ...(said.has('stale-while-revalidate') ? { staleWhileRevalidate: time('stale-while-revalidate') } : {}),
    ...(said.has('stale-if-error') ? { staleIfError: time('stale-if-error') } : {})
  }
}

/** The names of fields in the argument of a qualified directive; undefined where it is none, or holds something else. */
function namesOf(argument: string | number | true | undefined): string[] | undefined {
  if (typeof argument !== 'string' || !/^".*"$/.test(argument)) return undefined
  const names = listMembers(argument.slice(1, -1).toLowerCase())
  return names.length > 0 && names.every((name) => /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) ? names : undefined
}

const secondsOf = (argument: string | number | true | undefined): number => (typeof argument === 'number' ? argument : 0)

/** Reads a request's Cache-Control. `no-cache` and `max-age` are not heard: a viewer does not decide how often the origin is asked. */
export function readRequestControl(value: string): RequestControl {
  const said = readDirectives(value)
  const maxStale = said.get('max-stale')
  return { onlyIfCached: said.has('only-if-cached'), minFresh: secondsOf(said.get('min-fresh')) * 1000, maxStale: maxStale === undefined ? -1 : maxStale === true ? Infinity : secondsOf(maxStale) * 1000 }
}

/** The directives of Cache-Control (RFC 9111 §5.2). */
function readDirectives(value: string): Directives {
  const said = new Map<string, string | number | true>()
  for (const member of listMembers(value)) {
    const equals = member.indexOf('=')
    const name = (equals < 0 ? member : member.slice(0, equals)).toLowerCase()
    const text = equals < 0 ? undefined : member.slice(equals + 1).replace(/^"(\d+)"$/, '$1')
    const argument = text === undefined ? true : (parseSeconds(text) ?? text)
    said.set(name, said.has(name) && said.get(name) !== argument ? 'conflict' : argument)
  }
  return said
}

/** The directives of a targeted field: a dictionary (RFC 9213 §2.1). Undefined for one that is empty or cannot be read, which counts for nothing. */
function readTargeted(value: string): Directives | undefined {
  let dictionary: Dictionary
  try {
    dictionary = parseDictionary(value)
  } catch {
    return undefined
  }
  if (dictionary.size === 0) return undefined
  const said = new Map<string, string | number | true>()
  for (const [name, [item]] of dictionary) {
    // `no-store=?0` is not said; a lifetime is an integer and nothing else.
    if (item === false) continue
    if (item === true) said.set(name, true)
    else if (typeof item === 'string') said.set(name, `"${item}"`)
    else said.set(name, typeof item === 'number' && Number.isInteger(item) && item >= 0 ? Math.min(item, LONGEST) : 'invalid')
  }
  return said
}

/** Reads delta-seconds (RFC 9111 §1.2.2); undefined for anything else. */
export function parseSeconds(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Math.min(Number(text), LONGEST) : undefined
}
