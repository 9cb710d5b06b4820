import { LOWER, makeScannedName, scanName, type ScannedName } from './scan.ts'
import { TYPE } from './types.ts'

const HEADER_OCTETS = 12
/** A pointer has 14 bits (RFC 1035 §4.1.4). */
const POINTER_REACH = 0x4000
const NAME_SLOTS = 512
const MOST_NAMES = 200
const MOST_POINTERS = 512

/** A reply being written: header and question are left open, `at` is where the next record goes. One is filled again and again. */
export interface Reply {
  readonly bytes: Uint8Array
  at: number
  /** Octets the message may have, without what is kept back for its OPT. */
  limit: number
  answers: number
  authorities: number
  additionals: number
  truncated: boolean
  /** Something optional was left out. */
  abridged: boolean
  /** Where pointers stand that move with the length of the question. */
  readonly pointers: Uint16Array
  pointerCount: number
  /** Names already written that may be pointed to: a hash table of positions, made ready for a reply when its first name is written. */
  readonly names: Uint16Array
  nameCount: number
  hasNames: boolean
  question: ScannedName
  shared: number
  readonly scratch: ScannedName
}

export function makeReply(size: number): Reply {
  const scratch = makeScannedName()
  return {
    bytes: new Uint8Array(size), at: 0, limit: 0, answers: 0, authorities: 0, additionals: 0, truncated: false, abridged: false,
    pointers: new Uint16Array(MOST_POINTERS), pointerCount: 0, names: new Uint16Array(NAME_SLOTS), nameCount: 0, hasNames: false,
    question: scratch, shared: 0, scratch
  }
}

/**
 * Begins a reply to a question for `name`.
 * @param shared labels, counted from the root, that later names may point to: those that every question with the same reply has
 */
export function beginReply(reply: Reply, name: ScannedName, shared: number, limit: number): void {
  reply.at = HEADER_OCTETS + name.length + 4
  reply.limit = limit
  reply.answers = reply.authorities = reply.additionals = 0
  reply.truncated = reply.abridged = false
  reply.pointerCount = 0
  reply.hasNames = false
  reply.question = name
  reply.shared = shared
}

/** Most replies write no name: only those that do pay for the table, and for the question to point to. */
function beginNames(reply: Reply): void {
  const { names, bytes, question } = reply
  reply.hasNames = true
  names.fill(0)
  reply.nameCount = 0
  for (let octet = 0; octet < question.length; octet++) bytes[HEADER_OCTETS + octet] = question.lower[octet]!
  for (let label = question.labels - reply.shared; label < question.labels; label++) {
    noteName(reply, question.hashes[label]!, HEADER_OCTETS + question.starts[label]!)
  }
}

function noteName(reply: Reply, hash: number, at: number): void {
  if (reply.nameCount >= MOST_NAMES || at >= POINTER_REACH) return
  let slot = hash & (NAME_SLOTS - 1)
  while (reply.names[slot] !== 0) slot = (slot + 1) & (NAME_SLOTS - 1)
  reply.names[slot] = at
  reply.nameCount++
}

/** Where the scanned name's suffix from `label` has been written before, or 0. */
function writtenAt(reply: Reply, label: number): number {
  const { names, scratch } = reply
  for (let slot = scratch.hashes[label]! & (NAME_SLOTS - 1); names[slot] !== 0; slot = (slot + 1) & (NAME_SLOTS - 1)) {
    if (isNameAt(reply.bytes, names[slot]!, scratch.lower, scratch.starts[label]!)) return names[slot]!
  }
  return 0
}

function isNameAt(bytes: Uint8Array, start: number, lower: Uint8Array, from: number): boolean {
  let at = start
  for (let mine = from; ; ) {
    while (bytes[at]! >= 0xc0) at = ((bytes[at]! & 0x3f) << 8) | bytes[at + 1]!
    const size = bytes[at]!
    if (size !== lower[mine]) return false
    if (size === 0) return true
    for (let octet = 1; octet <= size; octet++) if (LOWER[bytes[at + octet]!] !== lower[mine + octet]) return false
    at += size + 1
    mine += size + 1
  }
}

/**
 * Writes the uncompressed name at source[from…], pointing back to what has been written where it can.
 * @returns where a later owner may point to for this name, or 0 when it lies out of a pointer's reach
 */
export function writeName(reply: Reply, source: Uint8Array, from: number, mayCompress: boolean): number {
  const { bytes, scratch } = reply
  if (!reply.hasNames) beginNames(reply)
  scanName(source, from, source.length, scratch)
  const { labels, starts } = scratch
  let known = 0
  let label = 0
  if (mayCompress) while (label < labels && (known = writtenAt(reply, label)) === 0) label++
  else label = labels
  if (label === 0 && known !== 0) {
    writePointer(reply, known)
    return known
  }
  const start = reply.at
  const kept = known === 0 ? scratch.length : starts[label]!
  if (start + kept + 2 > bytes.length) {
    reply.at = bytes.length
    return 0
  }
  for (let octet = 0; octet < kept; octet++) bytes[start + octet] = source[from + octet]!
  for (let fresh = 0; fresh < (known === 0 ? labels : label); fresh++) noteName(reply, scratch.hashes[fresh]!, start + starts[fresh]!)
  reply.at = start + kept
  if (known !== 0) writePointer(reply, known)
  return start < POINTER_REACH ? start : 0
}

function writePointer(reply: Reply, target: number): void {
  const { bytes, at } = reply
  bytes[at] = 0xc0 | (target >>> 8)
  bytes[at + 1] = target
  // A pointer to the question's own name stands for whatever was asked; all others move with its length.
  if (target !== HEADER_OCTETS) {
    if (reply.pointerCount === MOST_POINTERS) reply.abridged = true
    else reply.pointers[reply.pointerCount++] = at
  }
  reply.at = at + 2
}

/** An owner name: a position to point to, or 0 and a name in wire form. */
export interface Owner {
  pointer: number
  bytes: Uint8Array
  at: number
}

/** Owner, type, class IN and TTL of a record; RDLENGTH comes next. */
function writeHead(reply: Reply, owner: Owner, type: number, ttl: number): void {
  if (owner.pointer !== 0) writePointer(reply, owner.pointer)
  else owner.pointer = writeName(reply, owner.bytes, owner.at, true)
  const { bytes, at } = reply
  bytes[at] = type >>> 8
  bytes[at + 1] = type
  bytes[at + 2] = 0
  bytes[at + 3] = 1
  bytes[at + 4] = ttl >>> 24
  bytes[at + 5] = ttl >>> 16
  bytes[at + 6] = ttl >>> 8
  bytes[at + 7] = ttl
  reply.at = at + 8
}

/** Most octets a record can take beside its RDATA. */
const HEAD_OCTETS = 255 + 10

/** Whether a record with so much RDATA can be written at all; `fits` says whether it may stay. */
function hasRoom(reply: Reply, octets: number): boolean {
  return reply.at + HEAD_OCTETS + octets <= reply.bytes.length
}

/** Whether the message is within its limit. */
export function fits(reply: Reply): boolean {
  return reply.at <= reply.limit
}

/**
 * Writes one record with the RDATA at source[from…], `length` octets; its names are compressed where RFC 3597 §4 allows.
 * @returns where later owners may point to for the last name of its RDATA, or 0
 */
export function writeRecord(reply: Reply, owner: Owner, type: number, ttl: number, source: Uint8Array, from: number, length: number): number {
  if (!hasRoom(reply, length)) {
    reply.at = reply.limit + 1
    return 0
  }
  writeHead(reply, owner, type, ttl)
  const start = reply.at
  reply.at = start + 2
  let target = 0
  const layout = namesOf(type)
  if (layout === 0) copyOctets(reply, source, from, length)
  else {
    const first = (layout >>> 4) & 15
    let read = from
    copyOctets(reply, source, read, first)
    read += first
    for (let left = layout & 15; left > 0; left--) {
      target = writeName(reply, source, read, true)
      read += reply.scratch.length
    }
    copyOctets(reply, source, read, from + length - read)
  }
  const written = reply.at - start - 2
  reply.bytes[start] = written >>> 8
  reply.bytes[start + 1] = written
  return target
}

function copyOctets(reply: Reply, source: Uint8Array, from: number, length: number): void {
  const { bytes, at } = reply
  for (let octet = 0; octet < length; octet++) bytes[at + octet] = source[from + octet]!
  reply.at = at + length
}

/** Where compressible names stand in RDATA: octets before the first << 4 | how many (RFC 3597 §4: the types of RFC 1035 only). 0: none. */
function namesOf(type: number): number {
  switch (type) {
    case TYPE.NS: case TYPE.CNAME: case TYPE.PTR: return 0x01
    case TYPE.SOA: case TYPE.MINFO: return 0x02
    case TYPE.MX: return 0x21
    default: return 0
  }
}

/** What `undo` needs to take back everything written since. */
export interface Mark {
  at: number
  pointerCount: number
}

export function mark(reply: Reply, into: Mark): void {
  into.at = reply.at
  into.pointerCount = reply.pointerCount
}

/** Takes back what was written since the mark. Nothing with names may be written after it: those taken back are still in the table. */
export function undo(reply: Reply, to: Mark): void {
  reply.at = to.at
  reply.pointerCount = to.pointerCount
}
