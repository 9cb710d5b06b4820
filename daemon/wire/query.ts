import { makeScannedName, scanName, type ScannedName } from './scan.ts'

/** Response codes; 16 and up need an OPT record for their upper bits (RFC 6891 §6.1.3). */
export const RCODE = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5, YXDOMAIN: 6, YXRRSET: 7, NXRRSET: 8, NOTAUTH: 9, NOTZONE: 10, BADVERS: 16, BADKEY: 17, BADCOOKIE: 23 } as const

/** What a message is for (RFC 1035 §4.1.1, 1996, 2136). */
export const OPCODE = { QUERY: 0, NOTIFY: 4, UPDATE: 5 } as const

/** Told by `parseQuery`: nothing is to be said. */
export const SILENCE = -1
/** Told by `parseQuery`: no question, but a COOKIE option that asks for a server cookie (RFC 7873 §5.4). */
export const COOKIE_ALONE = -2

const TYPE_OPT = 41
const TYPE_TSIG = 250
const TYPE_IXFR = 251

const OPTION_NSID = 3
const OPTION_CLIENT_SUBNET = 8
const OPTION_COOKIE = 10
const OPTION_KEEPALIVE = 11
const OPTION_PADDING = 12

/** A query read from its packet. One is filled again and again; positions count in the packet's array. */
export interface Query {
  readonly name: ScannedName
  /** Where the message begins and ends. */
  at: number
  end: number
  /** Just past the question; 0 when there is none that can be sent back. */
  questionEnd: number
  opcode: number
  type: number
  class: number
  /** Where a TSIG record begins (RFC 8945 §4.2), which is then the last of the message; 0: it is not signed. */
  tsigAt: number
  edns: boolean
  dnssecOk: boolean
  /** The payload size the client offers; 512 without EDNS, never less. */
  payload: number
  wantsServerId: boolean
  /** How long it may keep its connection (RFC 7828), and an answer whose length tells little (RFC 7830). */
  wantsKeepalive: boolean
  wantsPadding: boolean
  /** Where the COOKIE option's data stands, 0 without, and its octets: 8, or 16 to 40 (RFC 7873 §4). */
  cookieAt: number
  cookieLength: number
  /** Where the client subnet's option data stands, 0 without; its family, prefix length and count of address octets (RFC 7871 §6). */
  subnetAt: number
  subnetFamily: number
  subnetSource: number
  subnetOctets: number
}

export function makeQuery(): Query {
  return {
    name: makeScannedName(), at: 0, end: 0, questionEnd: 0, opcode: 0, type: 0, class: 0, tsigAt: 0, edns: false, dnssecOk: false, payload: 512,
    wantsServerId: false, wantsKeepalive: false, wantsPadding: false, cookieAt: 0, cookieLength: 0, subnetAt: 0, subnetFamily: 0, subnetSource: 0, subnetOctets: 0
  }
}

/**
 * Reads a query: a header, one question, and at most an OPT and a TSIG record.
 * @returns the RCODE its form calls for (0 when it is well formed), or SILENCE for what must not be answered
 */
export function parseQuery(bytes: Uint8Array, start: number, length: number, query: Query): number {
  const end = start + length
  query.at = start
  query.end = end
  query.questionEnd = 0
  query.tsigAt = 0
  query.edns = false
  query.dnssecOk = false
  query.payload = 512
  query.wantsServerId = false
  query.wantsKeepalive = false
  query.wantsPadding = false
  query.cookieAt = 0
  query.subnetAt = 0
  if (length < 12 || bytes[start + 2]! >= 0x80) return SILENCE
  query.opcode = (bytes[start + 2]! >>> 3) & 15
  if (query.opcode !== OPCODE.QUERY) return RCODE.NOTIMP
  if (bytes[start + 4] !== 0 || bytes[start + 5] !== 1) return parseWithoutQuestion(bytes, query)
  if (!parseQuestion(bytes, query)) return RCODE.FORMERR
  // A query holds nothing in these sections but the one SOA of an IXFR (RFC 1995 §3), which is not read here.
  const records = bytes[start + 6]! | bytes[start + 7]! | bytes[start + 8]! | bytes[start + 9]!
  const isIxfr = query.type === TYPE_IXFR && records === 1 && bytes[start + 9] === 1
  if (records !== 0 && !isIxfr) return RCODE.FORMERR
  if (query.type === TYPE_IXFR && !isIxfr) return RCODE.FORMERR
  if (bytes[start + 10] === 0 && bytes[start + 11] === 0) return RCODE.NOERROR
  const additionalAt = isIxfr ? skipRecord(bytes, query.questionEnd, end) : query.questionEnd
  if (additionalAt === 0) return RCODE.FORMERR
  return parseAdditional(bytes, query, additionalAt, (bytes[start + 10]! << 8) | bytes[start + 11]!)
}

function parseQuestion(bytes: Uint8Array, query: Query): boolean {
  const { at: start, end } = query
  if (bytes[start + 4] !== 0 || bytes[start + 5] !== 1) return false
  const nameLength = scanName(bytes, start + 12, end, query.name)
  const at = start + 12 + nameLength
  if (nameLength === 0 || at + 4 > end) return false
  query.type = (bytes[at]! << 8) | bytes[at + 1]!
  query.class = (bytes[at + 2]! << 8) | bytes[at + 3]!
  query.questionEnd = at + 4
  return true
}

/**
 * Reads a message of another opcode than QUERY, for which `parseQuery` has said NOTIMP: its question, which all of them have,
 * and whether it is signed. What its sections hold is left to whoever serves the opcode.
 * @returns NOERROR, or FORMERR
 */
export function parseOther(bytes: Uint8Array, query: Query): number {
  const { at: start, end } = query
  if (!parseQuestion(bytes, query)) return RCODE.FORMERR
  let at = query.questionEnd
  let left = 0
  for (let count = 6; count < 12; count += 2) left += (bytes[start + count]! << 8) | bytes[start + count + 1]!
  for (; left > 0; left--) {
    const next = skipRecord(bytes, at, end)
    if (next === 0) return RCODE.FORMERR
    if (left === 1 && bytes[start + 10]! + bytes[start + 11]! > 0) noteTsig(bytes, at, next, query)
    at = next
  }
  return RCODE.NOERROR
}

/** The end of the record at `at`, or 0 when it does not end before `end`. */
function skipRecord(bytes: Uint8Array, at: number, end: number): number {
  let name = at
  while (name < end && bytes[name]! > 0 && bytes[name]! < 64) name += bytes[name]! + 1
  const fixed = name + (bytes[name]! >= 0xc0 ? 2 : 1)
  if (fixed + 10 > end) return 0
  const next = fixed + 10 + ((bytes[fixed + 8]! << 8) | bytes[fixed + 9]!)
  return next > end ? 0 : next
}

function noteTsig(bytes: Uint8Array, at: number, end: number, query: Query): void {
  let name = at
  while (bytes[name]! > 0 && bytes[name]! < 64) name += bytes[name]! + 1
  if (bytes[name] === 0 && bytes[name + 1] === 0 && bytes[name + 2] === TYPE_TSIG && isTsig(bytes, name + 1, end)) query.tsigAt = at
}

/** A header that counts no question, and an OPT with a COOKIE: all else without exactly one question is of a bad form. */
function parseWithoutQuestion(bytes: Uint8Array, query: Query): number {
  const { at } = query
  for (let count = at + 4; count < at + 11; count++) if (bytes[count] !== 0) return RCODE.FORMERR
  const isAlone = bytes[at + 11] === 1 && parseAdditional(bytes, query, at + 12, 1) === RCODE.NOERROR && query.cookieAt !== 0
  return isAlone ? COOKIE_ALONE : withoutOpt(query)
}

/** One OPT of the root's name (RFC 6891 §6.1.1) and, as the last record, a TSIG (RFC 8945 §5.1); anything else has no place in a query. */
function parseAdditional(bytes: Uint8Array, query: Query, start: number, count: number): number {
  const { end } = query
  let at = start
  let rcode: number = RCODE.NOERROR
  for (let left = count; left > 0; left--) {
    let nameLength = 0
    while (at + nameLength < end && bytes[at + nameLength] !== 0 && bytes[at + nameLength]! < 64) nameLength += bytes[at + nameLength]! + 1
    const fixed = at + nameLength + 1
    if (fixed + 10 > end || bytes[fixed - 1] !== 0) return withoutOpt(query)
    const type = (bytes[fixed]! << 8) | bytes[fixed + 1]!
    const data = fixed + 10
    const dataEnd = data + ((bytes[fixed + 8]! << 8) | bytes[fixed + 9]!)
    if (dataEnd > end) return withoutOpt(query)
    if (type === TYPE_OPT && nameLength === 0 && !query.edns) {
      query.edns = true
      query.payload = Math.max(512, (bytes[fixed + 2]! << 8) | bytes[fixed + 3]!)
      query.dnssecOk = bytes[fixed + 6]! >= 0x80
      const options = parseOptions(bytes, data, dataEnd, query)
      if (options === UNREADABLE) return withoutOpt(query)
      // The version first: another may give the options another form.
      rcode = bytes[fixed + 5] === 0 ? options : RCODE.BADVERS
    } else if (type === TYPE_TSIG && left === 1 && isTsig(bytes, fixed, dataEnd)) {
      query.tsigAt = at
    } else return withoutOpt(query)
    at = dataEnd
  }
  if (rcode !== RCODE.NOERROR) query.subnetAt = query.cookieAt = 0
  return rcode
}

/** Whether the record whose TYPE stands at `at` has the form of a TSIG: class ANY, TTL 0, and RDATA that its fields fill (RFC 8945 §4.2). */
function isTsig(bytes: Uint8Array, at: number, end: number): boolean {
  if (bytes[at + 2] !== 0 || bytes[at + 3] !== 255 || (bytes[at + 4]! | bytes[at + 5]! | bytes[at + 6]! | bytes[at + 7]!) !== 0) return false
  let field = at + 10
  while (field < end && bytes[field] !== 0 && bytes[field]! < 64) field += bytes[field]! + 1
  // The root of the algorithm's name, time and fudge; then the MAC, the original id and the error, and other data.
  if (field + 11 > end || bytes[field] !== 0) return false
  const mac = (bytes[field + 9]! << 8) | bytes[field + 10]!
  const other = field + 11 + mac + 4
  return other + 2 <= end && other + 2 + ((bytes[other]! << 8) | bytes[other + 1]!) === end
}

function withoutOpt(query: Query): number {
  query.edns = false
  query.subnetAt = query.cookieAt = query.tsigAt = 0
  return RCODE.FORMERR
}

const UNREADABLE = -2

/** @returns UNREADABLE when the options do not fill the OPT exactly, FORMERR when one of them is of a bad form */
function parseOptions(bytes: Uint8Array, start: number, end: number, query: Query): number {
  let rcode: number = RCODE.NOERROR
  for (let at = start; at < end; ) {
    if (at + 4 > end) return UNREADABLE
    const code = (bytes[at]! << 8) | bytes[at + 1]!
    const length = (bytes[at + 2]! << 8) | bytes[at + 3]!
    at += 4
    if (at + length > end) return UNREADABLE
    if (code === OPTION_CLIENT_SUBNET) {
      if (query.subnetAt === 0 && !readSubnet(bytes, at, length, query)) rcode = RCODE.FORMERR
    } else if (code === OPTION_COOKIE) {
      if (length !== 8 && (length < 16 || length > 40)) rcode = RCODE.FORMERR
      else if (query.cookieAt === 0) {
        query.cookieAt = at
        query.cookieLength = length
      }
    } else if (code === OPTION_NSID) query.wantsServerId = true
    else if (code === OPTION_KEEPALIVE) query.wantsKeepalive = true
    else if (code === OPTION_PADDING) query.wantsPadding = true
    at += length
  }
  return rcode
}

/** RFC 7871 §6 to the letter: no more address octets than the prefix needs, no bit set past it, scope 0. */
function readSubnet(bytes: Uint8Array, at: number, length: number, query: Query): boolean {
  if (length < 4) return false
  const family = (bytes[at]! << 8) | bytes[at + 1]!
  const source = bytes[at + 2]!
  const longest = family === 1 ? 32 : family === 2 ? 128 : family === 0 ? 0 : -1
  const octets = (source + 7) >>> 3
  if (source > longest || bytes[at + 3] !== 0 || length !== 4 + octets) return false
  if ((source & 7) !== 0 && (bytes[at + 3 + octets]! & (0xff >>> (source & 7))) !== 0) return false
  query.subnetAt = at
  query.subnetFamily = family
  query.subnetSource = source
  query.subnetOctets = octets
  return true
}
