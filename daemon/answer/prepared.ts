import type { Reply } from '../wire/index.ts'

// Answers kept ready: everything of a reply between the question and the OPT, which is all that does not change from one
// client to the next. Flat arrays of a fixed size: when either is full all is forgotten, and made again as it is asked for.

/** Octets of the longest answer worth keeping. */
const LONGEST_BODY = 2048
const SLOT_WORDS = 8

/**
 * A table from (node, standing and type, place class + 1) to an entry in `words`:
 *
 *   STATE    rcode | outcome << 8 | authoritative << 16 | fail-open << 17 | steered << 18
 *   POLICY   of a steered entry: it says by which policy to ask for the place class, and nothing more
 *   NAME     octets of the name it was made for
 *   COUNT    variants; then for each: UP_TO, ANSWERS | AUTHORITIES << 16, ADDITIONALS | POINTERS << 16, BODY, LENGTH
 *
 * A body's octets are followed by its pointers: positions, 16 bits each, of what moves with the length of the question.
 */
export interface Prepared {
  readonly slots: Int32Array
  readonly mask: number
  readonly words: Int32Array
  readonly bytes: Uint8Array
  /** The slots whose last word is this are in use. */
  epoch: number
  used: number
  entries: number
  /** Hashes of what has been asked for once, and is kept the second time: to keep all of a great zone in turn would only cost. */
  readonly seen: Int32Array
}

export const ENTRY = { STATE: 0, POLICY: 1, NAME: 2, COUNT: 3, WORDS: 4 } as const
export const VARIANT = { UP_TO: 0, COUNTS: 1, MORE: 2, BODY: 3, LENGTH: 4, WORDS: 5 } as const
export const STATE = { AUTHORITATIVE: 1 << 16, FAIL_OPEN: 1 << 17, STEERED: 1 << 18 } as const

/** @param size octets for entries; the table gets a slot for every 64 of them */
export function makePrepared(size: number): Prepared {
  const slots = 1 << Math.ceil(Math.log2(Math.max(64, size / 64)))
  const arena = new ArrayBuffer(size & ~3)
  return { slots: new Int32Array(slots * SLOT_WORDS), mask: slots - 1, words: new Int32Array(arena), bytes: new Uint8Array(arena), epoch: 1, used: 0, entries: 0, seen: new Int32Array(slots) }
}

export function forgetAll(prepared: Prepared): void {
  prepared.epoch = (prepared.epoch + 1) | 0
  prepared.used = 0
  prepared.entries = 0
}

function hashKey(node: number, kind: number, place: number): number {
  const hash = Math.imul(Math.imul(node ^ Math.imul(kind, 0x9e3779b1), 0x85ebca6b) ^ place, 0xc2b2ae35)
  return hash ^ (hash >>> 15)
}

/** The entry's index in `words`, or -1. */
export function findPrepared(prepared: Prepared, node: number, kind: number, place: number): number {
  const { slots, epoch } = prepared
  const last = slots.length - SLOT_WORDS
  for (let at = (hashKey(node, kind, place) & prepared.mask) * SLOT_WORDS; slots[at + 3] === epoch; at = at === last ? 0 : at + SLOT_WORDS) {
    if (slots[at] === node && slots[at + 1] === kind && slots[at + 2] === place) return slots[at + 4]!
  }
  return -1
}

/** Whether a key comes up for the second time, as far as is remembered. */
export function isAskedAgain(prepared: Prepared, node: number, kind: number): boolean {
  const hash = hashKey(node, kind, -1)
  const slot = hash & prepared.mask
  if (prepared.seen[slot] === hash) return true
  prepared.seen[slot] = hash
  return false
}

/** Adds an entry of `count` variants, to be filled by `keepVariant`. @returns its index in `words` */
export function keepEntry(prepared: Prepared, node: number, kind: number, place: number, state: number, policy: number, nameLength: number, count: number): number {
  const words = ENTRY.WORDS + count * VARIANT.WORDS
  const most = words * 4 + count * (LONGEST_BODY * 2)
  if (most > prepared.bytes.length) return -1
  if (prepared.used + most > prepared.bytes.length || prepared.entries * 2 * SLOT_WORDS >= prepared.slots.length) forgetAll(prepared)
  const { slots, epoch } = prepared
  const last = slots.length - SLOT_WORDS
  let at = (hashKey(node, kind, place) & prepared.mask) * SLOT_WORDS
  while (slots[at + 3] === epoch) at = at === last ? 0 : at + SLOT_WORDS
  const entry = prepared.used >>> 2
  slots[at] = node
  slots[at + 1] = kind
  slots[at + 2] = place
  slots[at + 3] = epoch
  slots[at + 4] = entry
  prepared.words[entry + ENTRY.STATE] = state
  prepared.words[entry + ENTRY.POLICY] = policy
  prepared.words[entry + ENTRY.NAME] = nameLength
  prepared.words[entry + ENTRY.COUNT] = count
  prepared.used += words * 4
  prepared.entries++
  return entry
}

/** Whether the reply is whole and short enough to be kept. */
export function isKeepable(reply: Reply, bodyAt: number): boolean {
  return !reply.truncated && !reply.abridged && reply.at - bodyAt <= LONGEST_BODY
}

/** Fills one variant of the entry just added from a reply that is keepable. */
export function keepVariant(prepared: Prepared, entry: number, variant: number, upTo: number, reply: Reply, bodyAt: number): void {
  const { words, bytes } = prepared
  const at = entry + ENTRY.WORDS + variant * VARIANT.WORDS
  const body = prepared.used
  const length = reply.at - bodyAt
  for (let octet = 0; octet < length; octet++) bytes[body + octet] = reply.bytes[bodyAt + octet]!
  let end = body + length
  for (let pointer = 0; pointer < reply.pointerCount; pointer++) {
    const position = reply.pointers[pointer]! - bodyAt
    bytes[end++] = position >>> 8
    bytes[end++] = position
  }
  words[at + VARIANT.UP_TO] = upTo | 0
  words[at + VARIANT.COUNTS] = reply.answers | (reply.authorities << 16)
  words[at + VARIANT.MORE] = reply.additionals | (reply.pointerCount << 16)
  words[at + VARIANT.BODY] = body
  words[at + VARIANT.LENGTH] = length
  prepared.used = (end + 3) & ~3
}
