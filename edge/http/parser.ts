import { fieldName, TARGET, TOKEN, VALUE } from './grammar.ts'
import type { Refusal, RequestHead } from './request.ts'
import { absoluteTarget, hostOf } from './target.ts'

export interface ParserLimits {
  /** Octets of a whole head, request line included. */
  readonly headSize: number
  readonly fields: number
  readonly urlLength: number
}

const MAX_METHOD = 32
const MAX_NAME = 256
const CR = 13
const LF = 10
const HOST = fieldName('host').hash
const CONTENT_LENGTH = fieldName('content-length').hash
const TRANSFER_ENCODING = fieldName('transfer-encoding').hash
const CONNECTION = fieldName('connection').hash

/** What a line came to: more octets are needed, it is read, or it was the empty one that ends the head. */
type Line = 'incomplete' | 'read' | 'last' | Refusal

const isDigit = (octet: number): boolean => octet >= 0x30 && octet <= 0x39

/** Whether `HTTP/d.d` stands there. */
const isVersion = (bytes: Buffer, at: number): boolean =>
  bytes[at] === 0x48 && bytes[at + 1] === 0x54 && bytes[at + 2] === 0x54 && bytes[at + 3] === 0x50 && bytes[at + 4] === 0x2f && isDigit(bytes[at + 5]!) && bytes[at + 6] === 0x2e && isDigit(bytes[at + 7]!)

const bad = (reason: string): Refusal => ({ status: 400, reason })

/**
 * Reads request heads (RFC 9112 §2 to §6) from octets that come in pieces cut anywhere; each octet is looked at a bounded number of times.
 * Strict: what another recipient could understand otherwise is refused, and nothing is repaired.
 */
export class RequestParser {
  readonly #limits: ParserLimits
  #bytes: Buffer = Buffer.alloc(0)
  /** `#bytes` is ours and may be appended to, rather than a piece as it came. */
  #own = false
  #end = 0
  /** Where the head under way begins, and its line under way. */
  #start = 0
  #line = 0
  /** The octets of the line under way before this are known to be good, where they are in its target or value. */
  #checked = 0
  #blankLines = 0
  #method = ''
  #target = ''
  #minor: 0 | 1 = 1
  #spans: number[] = []

  constructor(limits: ParserLimits) {
    this.#limits = limits
  }

  /** Octets that are held and not yet part of a request handed out. */
  get pending(): number {
    return this.#end - this.#start
  }

  /** A head has begun and is not complete. */
  get midway(): boolean {
    return this.#end > this.#start
  }

  /** Takes the next `length` octets. They must stay as they are until `keep` is called. */
  push(piece: Buffer, length: number): void {
    if (this.#start === this.#end) {
      this.#bytes = piece
      this.#own = false
      this.#start = this.#line = this.#checked = 0
      this.#end = length
      return
    }
    this.#grow(length)
    piece.copy(this.#bytes, this.#end, 0, length)
    this.#end += length
  }

  /** Copies what has not been handed out, so that the piece it came in may be used again. */
  keep(): void {
    if (!this.#own && this.#end > this.#start) this.#grow(0)
  }

  /** Between two requests: what is held of the octets after the last head, to be read as its content. `skip` what was taken. */
  rest(): Buffer {
    return this.#bytes.subarray(this.#start, this.#end)
  }

  skip(length: number): void {
    this.#start = this.#line = this.#checked = this.#start + length
  }

  #grow(by: number): void {
    const needed = this.pending + by
    if (this.#own && this.#start + needed <= this.#bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(1024, needed * 2))
    this.#bytes.copy(grown, 0, this.#start, this.#end)
    this.#bytes = grown
    this.#own = true
    this.#shift(this.#start)
  }

  /** The next request, or why it is refused (after which nothing may be asked), or undefined until more octets come. */
  next(): RequestHead | Refusal | undefined {
    for (;;) {
      const line = this.#readLine()
      if (line === 'read') continue
      if (line === 'last') return this.#finish()
      if (line !== 'incomplete') return line
      return this.#overlong()
    }
  }

  #shift(by: number): void {
    this.#start -= by
    this.#end -= by
    this.#line -= by
    this.#checked -= by
    for (let at = 0; at < this.#spans.length; at++) if (at % 5 !== 0) this.#spans[at]! -= by
  }

  #readLine(): Line {
    // Nothing past the largest head is looked at, so that what is refused does not depend on how much has come.
    const end = Math.min(this.#end, this.#start + this.#limits.headSize)
    if (this.#line >= end) return 'incomplete'
    return this.#method === '' ? this.#requestLine(end) : this.#fieldLine(end)
  }

  /** The long part of a line has been read up to here: the next try goes on from there. */
  #waitFrom(end: number): Line {
    this.#checked = end
    return 'incomplete'
  }

  #overlong(): Refusal | undefined {
    if (this.#end - this.#start <= this.#limits.headSize) return undefined
    return { status: 431, reason: `the request head is larger than ${this.#limits.headSize} octets` }
  }

  /** Ends a line at the CR that stands at `at`. */
  #lineEnd(at: number, end: number, result: 'read' | 'last'): Line {
    if (at + 1 >= end) return 'incomplete'
    if (this.#bytes[at + 1] !== LF) return bad('a CR stands without LF')
    this.#line = this.#checked = at + 2
    return result
  }

  #requestLine(end: number): Line {
    const bytes = this.#bytes
    const line = this.#line
    if (bytes[line] === CR) {
      // RFC 9112 §2.2: an empty line before the request line is ignored, as is a second one; more are not.
      if (++this.#blankLines > 2) return bad('empty lines stand before the request line')
      const blank = this.#lineEnd(line, end, 'read')
      if (blank === 'incomplete') this.#blankLines--
      else this.#start = this.#line
      return blank
    }
    let at = line
    while (at < end && TOKEN[bytes[at]!] !== 0) at++
    if (at - line > MAX_METHOD) return { status: 501, reason: 'the method is not known' }
    if (at === end) return 'incomplete'
    if (at === line || bytes[at] !== 0x20) return bad('the request line does not begin with a method and one space')
    const targetStart = at + 1
    at = Math.max(targetStart, this.#checked)
    while (at < end && TARGET[bytes[at]!] !== 0) at++
    if (at - targetStart > this.#limits.urlLength) return { status: 414, reason: `the request target is longer than ${this.#limits.urlLength} octets` }
    if (at === end) return this.#waitFrom(end)
    if (at === targetStart || bytes[at] !== 0x20) return bad('the request target is not one, or is not followed by one space and the version')
    const versionStart = at + 1
    at = versionStart
    while (at < end && VALUE[bytes[at]!] !== 0 && at - versionStart < 9) at++
    if (at === end) return 'incomplete'
    if (at - versionStart !== 8 || !isVersion(bytes, versionStart) || bytes[at] !== CR) return bad('the request line does not end in an HTTP version')
    const result = this.#lineEnd(at, end, 'read')
    if (result !== 'read') return result
    if (bytes[versionStart + 5] !== 0x31) return { status: 505, reason: 'only HTTP/1.1 and HTTP/1.0 are spoken here' }
    this.#minor = bytes[versionStart + 7] === 0x30 ? 0 : 1
    this.#method = bytes.toString('latin1', line, targetStart - 1)
    this.#target = bytes.toString('latin1', targetStart, versionStart - 1)
    return result
  }

  #fieldLine(end: number): Line {
    const bytes = this.#bytes
    const line = this.#line
    if (bytes[line] === CR) return this.#lineEnd(line, end, 'last')
    if (bytes[line] === 0x20 || bytes[line] === 9) return bad('a field is continued on a line of its own (obs-fold)')
    let hash = 0
    let at = line
    for (; at < end; at++) {
      const lower = TOKEN[bytes[at]!]!
      if (lower === 0) break
      hash = (Math.imul(hash, 31) + lower) | 0
    }
    if (at - line > MAX_NAME) return { status: 431, reason: `a field name is longer than ${MAX_NAME} octets` }
    if (at === end) return 'incomplete'
    if (bytes[at] !== 0x3a || at === line) return bad(bytes[at] === LF ? 'an LF stands without CR' : 'a field name holds what it may not, or a space before its colon')
    const nameEnd = at
    at++
    while (at < end && (bytes[at] === 0x20 || bytes[at] === 9)) at++
    const valueStart = at
    at = Math.max(at, this.#checked)
    while (at < end && VALUE[bytes[at]!] !== 0) at++
    if (at === end) return this.#waitFrom(end)
    if (bytes[at] !== CR) return bad(bytes[at] === LF ? 'an LF stands without CR' : 'a field value holds a control character')
    const result = this.#lineEnd(at, end, 'read')
    if (result !== 'read') return result
    while (at > valueStart && (bytes[at - 1] === 0x20 || bytes[at - 1] === 9)) at--
    this.#spans.push(hash, line, nameEnd, valueStart, at)
    const { fields } = this.#limits
    return this.#spans.length > fields * 5 ? { status: 431, reason: `the request has more than ${fields} fields` } : result
  }

  #finish(): RequestHead | Refusal {
    const spans = this.#spans
    const start = this.#start
    const text = this.#bytes.toString('latin1', start, this.#line)
    for (let at = 0; at < spans.length; at += 5) {
      spans[at + 1]! -= start
      spans[at + 2]! -= start
      spans[at + 3]! -= start
      spans[at + 4]! -= start
    }
    const head = interpret(this.#method, this.#target, this.#minor, text, spans)
    this.#start = this.#checked = this.#line
    this.#method = ''
    this.#blankLines = 0
    this.#spans = []
    return head
  }
}

/** Gives a complete head its meaning: whom it is for, whether a body follows, whether the connection lives on. */
function interpret(method: string, target: string, minor: 0 | 1, text: string, spans: readonly number[]): RequestHead | Refusal {
  let host: string | undefined
  let length: string | undefined
  let coding: string | undefined
  let keepAlive = minor === 1
  let upgrades = false
  for (let at = 0; at < spans.length; at += 5) {
    const hash = spans[at]
    if (hash !== HOST && hash !== CONTENT_LENGTH && hash !== TRANSFER_ENCODING && hash !== CONNECTION) continue
    const value = text.slice(spans[at + 3], spans[at + 4])
    switch (text.slice(spans[at + 1], spans[at + 2]).toLowerCase()) {
      case 'host':
        if (host !== undefined) return bad('there is more than one Host')
        host = value
        break
      case 'content-length':
        if (length !== undefined) return bad('there is more than one Content-Length')
        if (!/^\d{1,15}$/.test(value)) return bad('Content-Length is not a number')
        length = value
        break
      case 'transfer-encoding':
        if (coding !== undefined) return bad('there is more than one Transfer-Encoding')
        coding = value.toLowerCase()
        break
      case 'connection': {
        const options = value.toLowerCase().split(',').map((option) => option.trim())
        if (options.includes('upgrade')) upgrades = minor === 1
        if (options.includes('close')) keepAlive = false
        else if (minor === 0 && options.includes('keep-alive')) keepAlive = true
      }
    }
  }
  const refusal = ambiguousBody(length, coding, minor)
  if (refusal !== undefined) return refusal
  if (host === undefined && minor === 1) return bad('Host is missing')
  let name = host === undefined ? '' : hostOf(host)
  if (name === undefined) return bad('Host is not a host name or address')
  if (target.charCodeAt(0) !== 0x2f) {
    const special = (method === 'OPTIONS' && target === '*') || (method === 'CONNECT' && hostOf(target) !== undefined)
    const absolute = special ? { host: name, target } : absoluteTarget(target)
    if (absolute === undefined) return bad('the request target is neither a path nor an http address')
    name = absolute.host
    target = absolute.target
  }
  return { method, target, host: name, minor, keepAlive, content: coding === undefined ? Number(length ?? 0) : 'chunked', upgrades, text, spans }
}

/** RFC 9112 §6.1 to §6.3: the ways in which the end of a body is told twice, or not at all. */
function ambiguousBody(length: string | undefined, coding: string | undefined, minor: 0 | 1): Refusal | undefined {
  if (coding === undefined) return undefined
  if (length !== undefined) return bad('Transfer-Encoding and Content-Length stand together')
  if (minor === 0) return bad('Transfer-Encoding stands in an HTTP/1.0 request')
  if (coding === 'chunked') return undefined
  return /(^|,)[ \t]*chunked$/.test(coding) && !/chunked[ \t]*,/.test(coding) ? { status: 501, reason: 'the transfer coding is not known' } : bad('the last transfer coding is not chunked, or is so twice')
}
