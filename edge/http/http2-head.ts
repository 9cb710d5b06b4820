import { TARGET, TOKEN, VALUE } from './grammar.ts'
import { nameOctets, statusOctets, valueOctets } from './hpack.ts'
import type { ParserLimits } from './parser.ts'
import type { Refusal, RequestHead } from './request.ts'
import { hostOf } from './target.ts'

// Heads of HTTP/2 (RFC 9113 §8.2, §8.3) as those of HTTP/1.1 that all other parts work with, and back.

/** Of what a browser sends, each connection: they come again with every request. */
const REMEMBERED = 4096
const LONGEST_REMEMBERED = 64
/** By name; undefined for what is no field's name here. */
const hashes = new Map<string, number | undefined>()

/** Fields of a connection have no place in HTTP/2 (§8.2.2). */
const LEFT_OUT = new Set(['connection', 'http2-settings', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade'])
const REFUSED = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'])

function hashOf(name: string): number | undefined {
  if (hashes.has(name)) return hashes.get(name)
  let hash: number | undefined = 0
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at)
    // Upper case is malformed too (§8.2.1).
    if (TOKEN[code] !== code) {
      hash = undefined
      break
    }
    hash = (Math.imul(hash, 31) + code) | 0
  }
  if (name === '' || REFUSED.has(name)) hash = undefined
  if (hashes.size >= REMEMBERED) hashes.clear()
  if (name.length <= LONGEST_REMEMBERED) hashes.set(name, hash)
  return hash
}

const bad = (reason: string): Refusal => ({ status: 400, reason })

function isOf(table: Uint8Array, text: string): boolean {
  for (let at = 0; at < text.length; at++) if (table[text.charCodeAt(at)] !== 1) return false
  return true
}

const isSpace = (code: number): boolean => code === 0x20 || code === 9

/** Without white space around it (§8.2.1). */
const isValue = (text: string): boolean => isOf(VALUE, text) && !isSpace(text.charCodeAt(0)) && !isSpace(text.charCodeAt(text.length - 1))

/** The fields of one head, as they come. */
export interface RawHead {
  /** Names and values in turn, those of requests' own beginning with `:` left out. */
  readonly fields: string[]
  /** `:method` and so on. */
  readonly own: Map<string, string>
  /** The head is no head at all: its stream ends (§8.1.1). */
  isMalformed: boolean
  /** Octets, as `SETTINGS_MAX_HEADER_LIST_SIZE` counts them. */
  size: number
}

export const makeRawHead = (): RawHead => ({ fields: [], own: new Map(), isMalformed: false, size: 0 })

/** Whether it may follow content: fields alone, each as in a head (§8.1). */
export function areTrailers({ own, fields, isMalformed }: RawHead): boolean {
  return !isMalformed && own.size === 0 && fields.every((text, at) => (at % 2 === 0 ? hashOf(text) !== undefined : isValue(text)))
}

const OWN = new Set([':method', ':scheme', ':authority', ':path'])
/** What each field counts beside its octets (RFC 7541 §4.1). */
export const FIELD_OVERHEAD = 32

/** Takes one field in. @param most octets that are kept: what is beyond is counted alone */
export function addField(head: RawHead, name: string, value: string, most: number): void {
  head.size += name.length + value.length + FIELD_OVERHEAD
  if (head.size > most) return
  if (name.charCodeAt(0) !== 0x3a) return void head.fields.push(name, value)
  if (!OWN.has(name) || head.own.has(name) || head.fields.length > 0) head.isMalformed = true
  head.own.set(name, value)
}

const SCHEME = /^[a-z][a-z\d+.-]*$/i

/**
 * Gives a head of HTTP/2 its meaning.
 * @param isAll no content follows
 * @returns undefined when it is malformed: the stream ends, with no answer
 */
export function readHttp2Head(raw: RawHead, isAll: boolean, limits: ParserLimits): RequestHead | Refusal | undefined {
  const { own, fields } = raw
  const method = own.get(':method')
  const target = method === 'CONNECT' ? (own.get(':authority') ?? '') : own.get(':path')
  if (raw.isMalformed || method === undefined || target === undefined) return undefined
  // CONNECT has neither (§8.5), all others both.
  if (method === 'CONNECT' ? own.has(':scheme') || own.has(':path') : target === '' || !SCHEME.test(own.get(':scheme') ?? '')) return undefined
  if (target.length > limits.urlLength) return { status: 414, reason: `the request target is longer than ${limits.urlLength} octets` }
  let text = `${method} ${target} HTTP/2\r\n`
  const spans: number[] = []
  let [cookies, host, length]: (string | undefined)[] = []
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at]!
    const value = fields[at + 1]!
    const hash = hashOf(name)
    if (hash === undefined || (name === 'te' && value !== 'trailers')) return undefined
    if (!isValue(value)) return bad('a field value holds a control character, or white space at an end')
    if (name === 'host' && host !== undefined) return bad('there is more than one Host')
    if (name === 'host') host = value
    if (name === 'content-length') length = length === undefined ? value : 'more than one'
    // RFC 9113 §8.2.3: crumbs of a cookie are put together again.
    if (name === 'cookie') cookies = cookies === undefined ? value : `${cookies}; ${value}`
    else {
      spans.push(hash, text.length, text.length + name.length, text.length + name.length + 2, text.length + name.length + 2 + value.length)
      text += `${name}: ${value}\r\n`
    }
  }
  if (cookies !== undefined) {
    spans.push(hashOf('cookie')!, text.length, text.length + 6, text.length + 8, text.length + 8 + cookies.length)
    text += `cookie: ${cookies}\r\n`
  }
  if (raw.size > limits.headSize + limits.fields * FIELD_OVERHEAD || text.length > limits.headSize) return { status: 431, reason: `the request head is larger than ${limits.headSize} octets` }
  if (spans.length > limits.fields * 5) return { status: 431, reason: `the request has more than ${limits.fields} fields` }
  return meaningOf({ method, target, authority: own.get(':authority'), host, length }, isAll, text, spans)
}

interface Parts {
  readonly method: string
  readonly target: string
  readonly authority: string | undefined
  readonly host: string | undefined
  readonly length: string | undefined
}

function meaningOf({ method, target, authority, host: field, length }: Parts, isAll: boolean, text: string, spans: number[]): RequestHead | Refusal | undefined {
  // RFC 9113 §8.3.1: what :authority names; Host may say the same, or stand alone.
  const host = hostOf(authority ?? field ?? '')
  if (host === undefined || (authority !== undefined && field !== undefined && hostOf(field) !== host)) return bad('there is no :authority, it is no host name or address, or Host says another')
  if (method === '') return bad('the method is no token')
  for (let at = 0; at < method.length; at++) if (TOKEN[method.charCodeAt(at)] === 0) return bad('the method is no token')
  if (!(method === 'CONNECT' || target.charCodeAt(0) === 0x2f || (method === 'OPTIONS' && target === '*')) || !isOf(TARGET, target)) return bad('the request target is no path')
  if (length !== undefined && !/^\d{1,15}$/.test(length)) return bad('Content-Length is not a number')
  if (isAll && Number(length ?? 0) > 0) return undefined
  const content = isAll ? 0 : length === undefined ? 'chunked' : Number(length)
  return { method, target, host, minor: 1, keepAlive: true, content, upgrades: false, text, spans }
}

/** A head as it is sent, less the end of its last field. */
interface Prepared {
  readonly octets: Buffer
  /** Undefined where there are no fields. */
  readonly value: string | undefined
}

const NOTHING = Buffer.alloc(0)
const MOST_PREPARED = 256
/** White space of HTTP alone: 0xa0 is part of a letter in UTF-8. */
const AROUND = /^[ \t]+|[ \t]+$/g
const prepared = new Map<string, Prepared>()

/**
 * The fields of an answer's head in HPACK.
 * @param head as for HTTP/1.1; what is before the end of its last field may be asked for again and again
 * @param end what is left of the last field, and the empty line
 */
export function http2Octets(head: string, end: string): readonly [Buffer, Buffer] {
  let known = end === '' ? prepare(head.slice(0, -4)) : prepared.get(head)
  if (known === undefined) {
    known = prepare(head)
    if (prepared.size >= MOST_PREPARED) prepared.clear()
    prepared.set(head, known)
  }
  return [known.octets, known.value === undefined ? NOTHING : valueOctets(known.value + end.slice(0, -4))]
}

function prepare(head: string): Prepared {
  const [first, ...lines] = head.split('\r\n')
  const fields = new Map<string, string[]>()
  let last = ''
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    if (LEFT_OUT.has(name)) continue
    last = name
    const value = line.slice(colon + 1).replace(AROUND, '')
    const before = fields.get(name)
    // Lines of the same name are one list, but for Set-Cookie, whose lines cannot be joined (RFC 9110 §5.3).
    fields.set(name, before === undefined ? [value] : name === 'set-cookie' ? [...before, value] : [`${before[0]!}, ${value}`])
  }
  const parts = [statusOctets(first!.slice(9, 12))]
  let value: string | undefined
  for (const [name, values] of [...fields].sort(([a], [b]) => Number(a === last) - Number(b === last))) {
    for (const each of values) parts.push(nameOctets(name), valueOctets(each))
    value = values.at(-1)
  }
  // The last value is told apart.
  if (parts.length > 1) parts.pop()
  return { octets: Buffer.concat(parts), value }
}
