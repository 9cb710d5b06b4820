import { fieldOf, type FieldList } from '../message/index.ts'
import { TOKEN, VALUE } from './grammar.ts'

/** The head of an answer, checked. */
export interface AnswerHead {
  readonly status: number
  readonly fields: FieldList
  /** The connection lives on after it. */
  readonly keepAlive: boolean
  /** For how long the other end says that it keeps the connection, in milliseconds. */
  readonly keepMs: number | undefined
  /** How the end of its content is told: by octets, by chunks, or by the end of the connection (RFC 9112 §6.3); `foreign`: it is in a transfer coding that was not asked for. */
  readonly content: number | 'chunked' | 'close' | 'foreign'
}

/** Why what came is no answer. */
export interface NoAnswer {
  readonly reason: string
}

const MAX_HEAD = 64 * 1024
const [CR, LF, SPACE, TAB, COLON] = [13, 10, 0x20, 9, 0x3a]
const END = Buffer.from('\r\n\r\n')
const VERSION = Buffer.from('HTTP/1.')
/** Transfer codings there are (RFC 9112 §7, IANA). A word that is none of them cannot have been applied: such content is as it came, until the connection closes. */
const CODINGS = new Set(['chunked', 'compress', 'x-compress', 'deflate', 'gzip', 'x-gzip'])

/** It was offered no other (TE), and what we cannot take off we must not pass on as content (RFC 9112 §6.1, §7). */
export const isForeignCoding = (coding: string): boolean => coding.toLowerCase() !== 'chunked' && coding.split(',').some((each) => CODINGS.has(each.trim().toLowerCase()))

const no = (reason: string): NoAnswer => ({ reason })

/** Gathers the head of an answer from octets that come in pieces cut anywhere, and reads it, strictly: nothing is repaired. */
export class AnswerParser {
  /** What has come of a head that is not whole. */
  #held: Buffer | undefined
  #size = 0

  /** Where the content begins in the piece that was taken last, once a head is whole. */
  at = 0

  /** @param isHead it answers HEAD @returns undefined until more octets come */
  take(piece: Buffer, isHead: boolean): AnswerHead | NoAnswer | undefined {
    const before = this.#size
    const bytes = before === 0 ? piece : this.#add(piece)
    const end = bytes.indexOf(END, Math.max(0, before - END.length + 1))
    if (end < 0 || end + END.length > MAX_HEAD) return end < 0 && bytes.length <= MAX_HEAD ? this.#wait(bytes, before) : no(`its head is larger than ${MAX_HEAD} octets`)
    this.at = end + END.length - before
    this.#held = undefined
    this.#size = 0
    return readHead(bytes, end + 2, isHead)
  }

  /** What is wrong already need not be waited for. */
  #wait(bytes: Buffer, before: number): NoAnswer | undefined {
    if (before === 0) this.#add(bytes)
    const known = Math.min(bytes.length, VERSION.length)
    if (bytes.compare(VERSION, 0, known, 0, known) !== 0) return no('it does not begin with an HTTP version')
    for (let at = Math.max(1, before); at < bytes.length; at++) if ((bytes[at] === LF) !== (bytes[at - 1] === CR)) return no('CR and LF stand apart')
    return undefined
  }

  #add(piece: Buffer): Buffer {
    const size = this.#size + piece.length
    if (this.#held === undefined || this.#held.length < size) {
      const grown = Buffer.allocUnsafeSlow(Math.max(1024, size * 2))
      this.#held?.copy(grown, 0, 0, this.#size)
      this.#held = grown
    }
    piece.copy(this.#held, this.#size)
    this.#size = size
    return this.#held.subarray(0, size)
  }
}

/** @param end behind the CRLF of its last field */
function readHead(bytes: Buffer, end: number, isHead: boolean): AnswerHead | NoAnswer {
  const text = bytes.toString('latin1', 0, end)
  const first = /^HTTP\/1\.(\d) ([1-9]\d\d)(?: [\t -~\u0080-\u00ff]*)?\r\n/.exec(text)
  if (first === null) return no('its first line is no status line')
  const status = Number(first[2])
  const fields: string[] = []
  for (let line = first[0].length; line < end; ) {
    let at = line
    while (TOKEN[bytes[at]!] !== 0) at++
    if (at === line || bytes[at] !== COLON) return no('a field has a name that is none')
    const nameEnd = at++
    while (bytes[at] === SPACE || bytes[at] === TAB) at++
    const from = at
    while (VALUE[bytes[at]!] !== 0) at++
    if (bytes[at] !== CR || bytes[at + 1] !== LF) return no('a field value holds a control character')
    const next = at + 2
    while (at > from && (bytes[at - 1] === SPACE || bytes[at - 1] === TAB)) at--
    fields.push(text.slice(line, nameEnd), text.slice(from, at))
    line = next
  }
  return interpret(first[1] !== '0', status, fields, isHead)
}

/** Gives a head its meaning: where its content ends, and whether the connection lives on. */
function interpret(isLate: boolean, status: number, fields: FieldList, isHead: boolean): AnswerHead | NoAnswer {
  let coding: string | undefined
  let length: string | undefined
  let connection: string | undefined
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at]!
    if (name.length !== 10 && name.length !== 14 && name.length !== 17) continue
    switch (name.toLowerCase()) {
      case 'connection':
        connection = connection === undefined ? fields[at + 1]! : `${connection}, ${fields[at + 1]!}`
        break
      case 'transfer-encoding':
        coding = coding === undefined ? fields[at + 1]! : `${coding}, ${fields[at + 1]!}`
        break
      case 'content-length':
        if (length !== undefined) return no('there is more than one Content-Length')
        length = fields[at + 1]!
        if (!/^\d{1,15}$/.test(length)) return no('Content-Length is no number')
    }
  }
  if (coding !== undefined && length !== undefined) return no('Transfer-Encoding and Content-Length stand together')
  const options = connection?.toLowerCase().split(',').map((option) => option.trim())
  const content = contentOf(isHead || status < 200 || status === 204 || status === 304, coding, length)
  const isKept = isLate ? options?.includes('close') !== true : options?.includes('keep-alive') === true
  const hint = options === undefined ? undefined : /^timeout=(\d{1,9})/.exec(fieldOf(fields, 'keep-alive') ?? '')?.[1]
  return { status, fields, content, keepAlive: isKept && content !== 'close', keepMs: hint === undefined ? undefined : Number(hint) * 1000 }
}

function contentOf(isBodiless: boolean, coding: string | undefined, length: string | undefined): AnswerHead['content'] {
  if (coding !== undefined && isForeignCoding(coding)) return 'foreign'
  if (isBodiless) return 0
  if (coding !== undefined) return coding.toLowerCase() === 'chunked' ? 'chunked' : 'close'
  return length === undefined ? 'close' : Number(length)
}
