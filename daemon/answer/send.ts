import { CLASS, RCODE, TYPE, type Query } from '../wire/index.ts'
import { COOKIE_OCTETS, type CookieJar } from './cookie.ts'
import { COUNT, RCODE_SLOTS } from './counters.ts'

/** `tls`: a connection that nobody reads along. */
export type Transport = 'udp' | 'tcp' | 'tls'

/** A query at hand and where its reply goes. */
export interface Exchange {
  readonly query: Query
  readonly counters: Float64Array
  /** Octets told to whoever asks for NSID (RFC 5001). */
  readonly serverId: Uint8Array
  /** Octets we say we take over UDP (RFC 6891 §6.2.5). */
  readonly payload: number
  readonly cookies: CookieJar
  /** How long a connection may be idle, in tenths of a second (RFC 7828 §3.1): told to whoever asks over `transport` tcp and tls. */
  readonly idleTime: number
  transport: Transport
  /** The array the query stands in, and a view of the same octets. */
  bytes: Uint8Array
  view: DataView
  out: Uint8Array
  outView: DataView
  outStart: number
  /** Octets the reply may have. */
  room: number
  /** A client subnet's address, filled up with zeros. */
  readonly address: Uint8Array
  /** ECS scope: how long a prefix the answer holds for. */
  scope: number
  /** Where the client is, once a policy has asked for that; -1 before. */
  place: number
  failOpen: boolean
  /** The zone is ours, and what we had of it is too old, or has not come yet. */
  isWithheld: boolean
}

/** Octets of a message's header. */
export const HEADER = 12

const OPTION = { NSID: 3, CLIENT_SUBNET: 8, COOKIE: 10, KEEPALIVE: 11, PADDING: 12, EXTENDED_ERROR: 15 } as const
/** Padded answers are so many octets, or a multiple of it (RFC 8467 §4.1). */
const PADDED = 468
/** Extended errors (RFC 8914 §4): INFO-CODE and EXTRA-TEXT. */
const NOT_AUTHORITATIVE = Buffer.from([0, 20])
const INVALID_DATA = Buffer.from('\0\x18no current copy of the zone', 'latin1')
const ALL_DOWN = Buffer.from('\0\0every target is down; answered as if all were up', 'latin1')

/** Copies the question, in the case it was asked, and the sections behind it. @returns where the OPT goes */
export function putBody(exchange: Exchange, body: Uint8Array, bodyAt: number, length: number): number {
  const { out } = exchange
  let at = putQuestion(exchange)
  for (let from = bodyAt; from < bodyAt + length; from++) out[at++] = body[from]!
  return at
}

/** `putBody` for a body that begins at a whole word. */
export function putWords(exchange: Exchange, words: Int32Array, bodyAt: number, length: number): number {
  const { outView } = exchange
  const at = putQuestion(exchange)
  const end = at + length
  const whole = end - (length & 3)
  let word = bodyAt >>> 2
  let to = at
  for (; to < whole; to += 4) outView.setInt32(to, words[word++]!, true)
  if (to < end) for (let rest = words[word]!; to < end; to++, rest >>>= 8) outView.setUint8(to, rest)
  return end
}

/** Four octets at a time: half of what a prepared answer costs is copying. */
function putQuestion(exchange: Exchange): number {
  const { out, bytes, query, view, outView } = exchange
  let from = query.at + HEADER
  const end = query.questionEnd
  let to = exchange.outStart + HEADER
  for (; from + 4 <= end; from += 4, to += 4) outView.setInt32(to, view.getInt32(from, true), true)
  for (; from < end; from++, to++) out[to] = bytes[from]!
  return to
}

/** The question has another length than when the answer was prepared: what points behind its first label moves. */
export function movePointers(exchange: Exchange, list: Uint8Array, listAt: number, count: number, moved: number): void {
  const { out, query } = exchange
  const bodyAt = exchange.outStart + HEADER + query.name.length + 4
  for (let pointer = 0; pointer < count; pointer++) {
    const at = bodyAt + ((list[listAt + pointer * 2]! << 8) | list[listAt + pointer * 2 + 1]!)
    const target = ((out[at]! << 8) | out[at + 1]!) + moved
    out[at] = target >>> 8
    out[at + 1] = target
  }
}

/** Octets of the OPT that goes with the reply; an extended error and padding are added where there is room. */
export function optLength(exchange: Exchange): number {
  const { query } = exchange
  if (!query.edns) return 0
  return 11 + (query.subnetAt !== 0 ? 8 + query.subnetOctets : 0) + (query.wantsServerId ? 4 + exchange.serverId.length : 0) +
    (query.cookieAt !== 0 ? 4 + COOKIE_OCTETS : 0) + (query.wantsKeepalive && exchange.transport !== 'udp' ? 6 : 0)
}

/** Header and OPT. @param counts answers | authorities << 16 @returns octets of the reply */
export function finish(exchange: Exchange, rcode: number, isAuthoritative: boolean, isTruncated: boolean, counts: number, additionals: number, end: number): number {
  const { out, outStart, bytes, query, counters } = exchange
  const at = outStart
  out[at] = bytes[query.at]!
  out[at + 1] = bytes[query.at + 1]!
  // QR, the opcode and RD as asked, AA, TC; RA, AD and CD stay clear.
  out[at + 2] = 0x80 | (bytes[query.at + 2]! & 0x79) | (isAuthoritative ? 4 : 0) | (isTruncated ? 2 : 0)
  out[at + 3] = rcode & 15
  out[at + 4] = 0
  out[at + 5] = query.questionEnd === 0 ? 0 : 1
  out[at + 6] = counts >>> 8
  out[at + 7] = counts
  out[at + 8] = counts >>> 24
  out[at + 9] = counts >>> 16
  const additional = query.edns ? additionals + 1 : additionals
  out[at + 10] = additional >>> 8
  out[at + 11] = additional
  counters[RCODE_SLOTS[rcode]!]!++
  if (isTruncated) counters[COUNT.TRUNCATED]!++
  if (exchange.failOpen) counters[COUNT.FAIL_OPEN]!++
  return (query.edns ? putOpt(exchange, rcode, end) : end) - outStart
}

/** The OPT (RFC 6891 §6.1): our payload size, DO as asked, and the options that were asked for. @returns the end of the reply */
function putOpt(exchange: Exchange, rcode: number, start: number): number {
  const { out, query, bytes } = exchange
  out[start] = 0
  out[start + 1] = 0
  out[start + 2] = TYPE.OPT
  out[start + 3] = exchange.payload >>> 8
  out[start + 4] = exchange.payload
  out[start + 5] = rcode >>> 4
  out[start + 6] = 0
  out[start + 7] = query.dnssecOk ? 0x80 : 0
  out[start + 8] = 0
  let at = start + 11
  if (query.subnetAt !== 0) {
    const length = 4 + query.subnetOctets
    at = putOptionHead(out, at, OPTION.CLIENT_SUBNET, length)
    for (let octet = 0; octet < length; octet++) out[at + octet] = bytes[query.subnetAt + octet]!
    out[at + 3] = exchange.scope
    at += length
  }
  if (query.wantsServerId) at = putOption(out, at, OPTION.NSID, exchange.serverId)
  if (query.cookieAt !== 0) at = putOption(out, at, OPTION.COOKIE, exchange.cookies.sent)
  if (query.wantsKeepalive && exchange.transport !== 'udp') {
    at = putOptionHead(out, at, OPTION.KEEPALIVE, 2)
    out[at++] = exchange.idleTime >>> 8
    out[at++] = exchange.idleTime
  }
  const error = exchange.failOpen ? ALL_DOWN : exchange.isWithheld ? INVALID_DATA : rcode === RCODE.REFUSED && query.class === CLASS.IN ? NOT_AUTHORITATIVE : undefined
  if (error !== undefined && at + 4 + error.length <= exchange.outStart + exchange.room) at = putOption(out, at, OPTION.EXTENDED_ERROR, error)
  if (query.wantsPadding && exchange.transport === 'tls') at = putPadding(exchange, at)
  out[start + 9] = (at - start - 11) >>> 8
  out[start + 10] = at - start - 11
  return at
}

/** Zeros up to a length that many answers have, so that an encrypted one is not known by its own; the last option of a reply. */
function putPadding({ out, outStart, room }: Exchange, start: number): number {
  const length = start + 4 - outStart
  const whole = Math.min(room, Math.ceil(length / PADDED) * PADDED)
  if (whole < length) return start
  const at = putOptionHead(out, start, OPTION.PADDING, whole - length)
  out.fill(0, at, outStart + whole)
  return outStart + whole
}

function putOptionHead(out: Uint8Array, at: number, code: number, length: number): number {
  out[at] = 0
  out[at + 1] = code
  out[at + 2] = length >>> 8
  out[at + 3] = length
  return at + 4
}

function putOption(out: Uint8Array, at: number, code: number, data: Uint8Array): number {
  const start = putOptionHead(out, at, code, data.length)
  for (let octet = 0; octet < data.length; octet++) out[start + octet] = data[octet]!
  return start + data.length
}
