import { TOKEN, VALUE } from './grammar.ts'
import type { Refusal } from './request.ts'

/** Takes in the content of a request. Pieces must be copied if they are to be kept. */
export interface BodySink {
  data(piece: Buffer): void
  end(): void
  /** The content is not what its framing says: the request cannot be answered, and the connection ends. */
  broken(refusal: Refusal): void
}

const CR = 13
const LF = 10
/** Octets of a chunk's size line, extensions included, and of all trailers together. */
const LONGEST_LINE = 256
const LONGEST_TRAILERS = 4096
const HEX_DIGITS = 12

type Where = 'size' | 'data' | 'data end' | 'trailers' | 'over'

/**
 * Reads the content of one request (RFC 9112 §6, §7.1) from octets that come in pieces cut anywhere, strictly: a bare LF, a size that
 * is no number or what follows a chunk and is not its end is refused. Chunk extensions and trailers are checked and left out.
 */
export class BodyReader {
  readonly #sink: BodySink
  readonly #limit: number
  #where: Where
  /** Octets of the content, or of the chunk, that are still to come. */
  #left: number
  #taken = 0
  /** The line under way, where a size or a trailer is read. */
  #line = ''
  #trailers = 0
  readonly #isChunked: boolean

  /**
   * @param length octets, or `chunked`
   * @param limit octets; more are refused with 413
   */
  constructor(length: number | 'chunked', limit: number, sink: BodySink) {
    this.#sink = sink
    this.#limit = limit
    this.#isChunked = length === 'chunked'
    this.#where = length === 'chunked' ? 'size' : 'data'
    this.#left = length === 'chunked' ? 0 : length
  }

  get isOver(): boolean {
    return this.#where === 'over'
  }

  /** Takes what belongs to the content. @returns octets taken; the rest belongs to the next request */
  take(bytes: Buffer): number {
    let at = 0
    while (at < bytes.length && this.#where !== 'over') at = this.#where === 'data' ? this.#data(bytes, at) : this.#octets(bytes, at)
    return at
  }

  #data(bytes: Buffer, at: number): number {
    const size = Math.min(this.#left, bytes.length - at)
    this.#left -= size
    this.#taken += size
    if (this.#taken > this.#limit) return this.#refuse({ status: 413, reason: `the content is larger than ${this.#limit} octets` }, bytes)
    this.#sink.data(bytes.subarray(at, at + size))
    if (this.#left === 0) {
      if (this.#isChunked) this.#where = 'data end'
      else this.#finish()
    }
    return at + size
  }

  /** Reads a line that ends in CRLF, then says what it means. */
  #octets(bytes: Buffer, from: number): number {
    for (let at = from; at < bytes.length; at++) {
      const octet = bytes[at]!
      const afterCr = this.#line.endsWith('\r')
      if (octet === LF && afterCr) {
        const refusal = this.#readLine(this.#line.slice(0, -1))
        this.#line = ''
        return refusal === undefined ? at + 1 : this.#refuse(refusal, bytes)
      }
      if (afterCr || (octet !== CR && VALUE[octet] === 0)) return this.#refuse(bad('a line of the chunked content holds a control character, or CR and LF apart'), bytes)
      this.#line += String.fromCharCode(octet)
      const longest = this.#where === 'trailers' ? LONGEST_TRAILERS - this.#trailers : this.#where === 'data end' ? 1 : LONGEST_LINE
      if (this.#line.length > longest + 1) return this.#refuse(bad('a line of the chunked content is too long'), bytes)
    }
    return bytes.length
  }

  #readLine(line: string): Refusal | undefined {
    switch (this.#where) {
      case 'size': {
        const match = /^([0-9a-f]+)(?:[ \t]*;.*)?$/i.exec(line)
        if (match === null || match[1]!.length > HEX_DIGITS) return bad('a chunk does not begin with its size')
        this.#left = Number.parseInt(match[1]!, 16)
        this.#where = this.#left === 0 ? 'trailers' : 'data'
        return undefined
      }
      case 'data end':
        this.#where = 'size'
        return line === '' ? undefined : bad('a chunk is longer than its size')
      case 'trailers':
        this.#trailers += line.length
        if (line === '') this.#finish()
        else if (!isField(line)) return bad('a trailer is no field')
        return undefined
      default:
        return undefined
    }
  }

  #finish(): void {
    this.#where = 'over'
    this.#sink.end()
  }

  #refuse(refusal: Refusal, bytes: Buffer): number {
    this.#where = 'over'
    this.#sink.broken(refusal)
    return bytes.length
  }
}

const bad = (reason: string): Refusal => ({ status: 400, reason })

function isField(line: string): boolean {
  const colon = line.indexOf(':')
  if (colon <= 0) return false
  for (let at = 0; at < colon; at++) if (TOKEN[line.charCodeAt(at)] === 0) return false
  return true
}
