import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2'
import { TARGET, VALUE } from './grammar.ts'
import type { ParserLimits } from './parser.ts'
import type { Refusal, RequestHead } from './request.ts'
import { hostOf } from './target.ts'

// Heads of HTTP/2 (RFC 9113 §8.2, §8.3) as those of HTTP/1.1 that all other parts work with, and back.

/** Of what a browser sends, each connection: they come again with every request. */
const REMEMBERED = 4096
const hashes = new Map<string, number>()

function hashOf(name: string): number {
  const known = hashes.get(name)
  if (known !== undefined) return known
  let hash = 0
  for (let at = 0; at < name.length; at++) hash = (Math.imul(hash, 31) + name.charCodeAt(at)) | 0
  if (hashes.size >= REMEMBERED) hashes.clear()
  hashes.set(name, hash)
  return hash
}

const bad = (reason: string): Refusal => ({ status: 400, reason })

function isOf(table: Uint8Array, text: string): boolean {
  for (let at = 0; at < text.length; at++) if (table[text.charCodeAt(at)] !== 1) return false
  return true
}

/**
 * Gives a head of HTTP/2 its meaning. Names are tokens in lower case, and fields of one connection are not among them: node:http2
 * sees to that.
 * @param raw name and value in turn, the pseudo fields among them
 * @param isAll no content follows
 */
export function readHttp2Head(fields: IncomingHttpHeaders, raw: readonly string[], isAll: boolean, limits: ParserLimits): RequestHead | Refusal {
  const method = fields[':method'] ?? ''
  const target = method === 'CONNECT' ? (fields[':authority'] ?? '') : (fields[':path'] ?? '')
  if (target.length > limits.urlLength) return { status: 414, reason: `the request target is longer than ${limits.urlLength} octets` }
  let text = `${method} ${target} HTTP/2\r\n`
  const spans: number[] = []
  let cookies: string | undefined
  let hosts = 0
  const add = (name: string, value: string): void => {
    const start = text.length
    text += `${name}: ${value}\r\n`
    spans.push(hashOf(name), start, start + name.length, start + name.length + 2, text.length - 2)
  }
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!
    const value = raw[at + 1]!
    if (!isOf(VALUE, value)) return bad('a field value holds a control character')
    if (name === 'host') hosts++
    // RFC 9113 §8.2.3: crumbs of a cookie are put together again.
    if (name === 'cookie') cookies = cookies === undefined ? value : `${cookies}; ${value}`
    else if (name.charCodeAt(0) !== 0x3a) add(name, value)
    if (text.length > limits.headSize) break
  }
  if (cookies !== undefined) add('cookie', cookies)
  if (text.length > limits.headSize) return { status: 431, reason: `the request head is larger than ${limits.headSize} octets` }
  if (spans.length > limits.fields * 5) return { status: 431, reason: `the request has more than ${limits.fields} fields` }
  if (hosts > 1) return bad('there is more than one Host')
  const host = nameOf(fields)
  if (host === undefined) return bad('there is no :authority, it is no host name or address, or Host says another')
  if (!(method === 'CONNECT' || target.charCodeAt(0) === 0x2f || (method === 'OPTIONS' && target === '*')) || !isOf(TARGET, target)) return bad('the request target is no path')
  const content = contentOf(fields['content-length'], isAll)
  return content === undefined ? bad('Content-Length is not a number') : { method, target, host, minor: 1, keepAlive: true, content, upgrades: false, text, spans }
}

/** RFC 9113 §8.3.1: what :authority names; Host may say the same, or stand alone. */
function nameOf(fields: IncomingHttpHeaders): string | undefined {
  const { host } = fields
  const authority = fields[':authority']
  const name = hostOf(authority ?? host ?? '')
  return authority !== undefined && host !== undefined && hostOf(host) !== name ? undefined : name
}

function contentOf(length: string | undefined, isAll: boolean): number | 'chunked' | undefined {
  if (isAll) return 0
  if (length === undefined) return 'chunked'
  return /^\d{1,15}$/.test(length) ? Number(length) : undefined
}

/** A head as it is sent, less the end of its last field. */
interface Prepared {
  readonly fields: OutgoingHttpHeaders
  readonly last: string
  readonly value: string
}

const MOST_PREPARED = 256
const prepared = new Map<string, Prepared>()

/** Fields of a connection have no place in HTTP/2 (RFC 9113 §8.2.2). */
const LEFT_OUT = new Set(['connection', 'http2-settings', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade'])

/**
 * The fields of an answer's head.
 * @param head as for HTTP/1.1; what is before the end of its last field may be asked for again and again
 * @param end what is left of the last field, and the empty line
 */
export function http2Fields(head: string, end: string): OutgoingHttpHeaders {
  if (end === '') return prepare(head.slice(0, -4)).fields
  let known = prepared.get(head)
  if (known === undefined) {
    known = prepare(head)
    if (prepared.size >= MOST_PREPARED) prepared.clear()
    prepared.set(head, known)
  }
  return { ...known.fields, [known.last]: known.value + end.slice(0, -4) }
}

function prepare(head: string): Prepared {
  const [first, ...lines] = head.split('\r\n')
  const fields: OutgoingHttpHeaders = { ':status': Number(first!.slice(9, 12)) }
  let last = ''
  let value = ''
  for (const line of lines) {
    const colon = line.indexOf(':')
    last = line.slice(0, colon).toLowerCase()
    if (LEFT_OUT.has(last)) continue
    value = line.slice(colon + 1).trim()
    const before = Object.hasOwn(fields, last) ? fields[last] : undefined
    // Lines of the same name are one list, but for Set-Cookie, whose lines cannot be joined (RFC 9110 §5.3).
    if (last === 'set-cookie') fields[last] = Array.isArray(before) ? [...before, value] : [value]
    else fields[last] = before === undefined ? value : `${String(before)}, ${value}`
  }
  return { fields, last, value }
}
