import type { Reply } from '../wire/index.ts'

// Answers kept ready: everything of a reply between the question and the OPT, which is all that does not change from one
// client to the next. Flat arrays of a fixed size: when either is full all is forgotten, and made again as it is asked for.

/** Octets of the longest answer worth keeping. */
const LONGEST_BODY = 2048
const SLOT_WORDS = 8
/** Place classes that a steered entry lists; further ones have slots of the table. */
const FEWEST_CLASSES = 64
const MOST_CLASSES = 1024

/**
 * A table from (node, standing and type, 0) to an entry in `words`:
 *
 *   STATE    rcode | outcome << 8 | authoritative << 16 | fail-open << 17 | steered << 18
 *   POLICY   of a steered entry: by which policy to ask for the place class
 *   NAME     octets of the name it was made for; of a steered entry, how many classes it lists
 *   COUNT    variants; then for each: UP_TO, ANSWERS | AUTHORITIES << 16, ADDITIONALS | POINTERS << 16, BODY, LENGTH
 *            of a steered entry, where its list stands: an entry for each class, or 0
 *
 * Classes with the same answer share one entry: a name has few answers, however many the places are.
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

/** The entry of a steered one for a place class, or -1. */
export function findForClass(prepared: Prepared, steered: number, node: number, kind: number, placeClass: number): number {
  if (placeClass >= MOST_CLASSES) return findPrepared(prepared, node, kind, placeClass + 1)
  const { words } = prepared
  const entry = placeClass < words[steered + ENTRY.NAME]! ? words[words[steered + ENTRY.COUNT]! + placeClass]! : 0
  return entry === 0 ? -1 : entry - 1
}

/**
 * Adds an entry of `count` variants, to be filled by `keepVariant`.
 * @param placeClass the class it is for, under `policy`; -1 when it is for everybody
 * @returns its index in `words`, or -1 when there is no room for it at all
 */
export function keepEntry(
  prepared: Prepared, node: number, kind: number, placeClass: number, state: number, policy: number, nameLength: number, count: number
): number {
  const octets = (ENTRY.WORDS + count * VARIANT.WORDS) * 4
  if (!makeRoom(prepared, octets + count * LONGEST_BODY * 2 + (ENTRY.WORDS + 2 * MOST_CLASSES) * 4)) return -1
  if (placeClass < 0 || placeClass >= MOST_CLASSES) {
    const entry = newEntry(prepared, state, policy, nameLength, count, octets)
    addSlot(prepared, node, kind, placeClass + 1, entry)
    if (placeClass >= 0) listFor(prepared, node, kind, policy, 0)
    return entry
  }
  const list = listFor(prepared, node, kind, policy, placeClass)
  const entry = newEntry(prepared, state, policy, nameLength, count, octets)
  prepared.words[list + placeClass] = entry + 1
  return entry
}

/** Forgets all when so much does not fit any more; false when it never will. */
function makeRoom(prepared: Prepared, octets: number): boolean {
  if (octets > prepared.bytes.length) return false
  if (prepared.used + octets > prepared.bytes.length || (prepared.entries + 2) * 2 * SLOT_WORDS > prepared.slots.length) forgetAll(prepared)
  return true
}

function newEntry(prepared: Prepared, state: number, policy: number, nameLength: number, count: number, octets: number): number {
  const { words } = prepared
  const entry = prepared.used >>> 2
  words[entry + ENTRY.STATE] = state
  words[entry + ENTRY.POLICY] = policy
  words[entry + ENTRY.NAME] = nameLength
  words[entry + ENTRY.COUNT] = count
  prepared.used += octets
  return entry
}

function addSlot(prepared: Prepared, node: number, kind: number, place: number, entry: number): void {
  const { slots, epoch } = prepared
  const last = slots.length - SLOT_WORDS
  let at = (hashKey(node, kind, place) & prepared.mask) * SLOT_WORDS
  while (slots[at + 3] === epoch) at = at === last ? 0 : at + SLOT_WORDS
  slots[at] = node
  slots[at + 1] = kind
  slots[at + 2] = place
  slots[at + 3] = epoch
  slots[at + 4] = entry
  prepared.entries++
}

/** Where the list of the steered entry stands, made or made longer so that it has the class. */
function listFor(prepared: Prepared, node: number, kind: number, policy: number, placeClass: number): number {
  const { words } = prepared
  let steered = findPrepared(prepared, node, kind, 0)
  if (steered < 0) {
    steered = newEntry(prepared, STATE.STEERED, policy, 0, 0, ENTRY.WORDS * 4)
    addSlot(prepared, node, kind, 0, steered)
  }
  const had = words[steered + ENTRY.NAME]!
  const before = words[steered + ENTRY.COUNT]!
  if (placeClass < had) return before
  let size = Math.max(FEWEST_CLASSES, had)
  while (size <= placeClass) size *= 2
  const list = prepared.used >>> 2
  prepared.used += size * 4
  words.fill(0, list, list + size)
  words.copyWithin(list, before, before + had)
  words[steered + ENTRY.NAME] = size
  words[steered + ENTRY.COUNT] = list
  return list
}

/** Gives the entry just filled, of one variant, up for one with the same answer that another class of the name has. @returns the one that stays */
export function shareEntry(prepared: Prepared, node: number, kind: number, placeClass: number, entry: number): number {
  const { words } = prepared
  const steered = placeClass < 0 || placeClass >= MOST_CLASSES ? -1 : findPrepared(prepared, node, kind, 0)
  if (steered < 0) return entry
  const list = words[steered + ENTRY.COUNT]!
  for (let other = 0; other < words[steered + ENTRY.NAME]!; other++) {
    const twin = words[list + other]! - 1
    if (twin < 0 || twin === entry || !isTwin(prepared, twin, entry)) continue
    words[list + placeClass] = twin + 1
    prepared.used = entry * 4
    return twin
  }
  return entry
}

function isTwin(prepared: Prepared, a: number, b: number): boolean {
  const { words, bytes } = prepared
  const header = ENTRY.WORDS + VARIANT.BODY
  for (let word = 0; word < header; word++) if (words[a + word] !== words[b + word]) return false
  const length = words[b + ENTRY.WORDS + VARIANT.LENGTH]!
  if (words[a + ENTRY.WORDS + VARIANT.LENGTH] !== length) return false
  const pointers = words[b + ENTRY.WORDS + VARIANT.MORE]! >>> 16
  const [from, to] = [words[a + ENTRY.WORDS + VARIANT.BODY]!, words[b + ENTRY.WORDS + VARIANT.BODY]!]
  for (let octet = 0; octet < length + pointers * 2; octet++) if (bytes[from + octet] !== bytes[to + octet]) return false
  return true
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
