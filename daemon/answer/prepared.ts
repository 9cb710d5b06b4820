import type { Reply } from '../wire/index.ts'
import type { Drawn } from './drawn.ts'
import { forgetQuestions, makeQuestions, type Questions } from './questions.ts'

// Answers kept ready: everything of a reply between the question and the OPT, which is all that does not change from one
// client to the next. Flat arrays of a fixed size. What policies had no say in stands in the lower half until it is full or
// the zones change; what they decided stands in the upper half, which every change of health empties. When a half is full
// all of it is forgotten, and made again as it is asked for.

/** Octets of the longest answer worth keeping. */
const LONGEST_BODY = 2048
const SLOT_WORDS = 4
/** Place classes that a list begins with, and that it may grow to: where names share it, and where it is one name's own. */
const FEWEST_CLASSES = 64
const MOST_CLASSES = 1 << 14
const MOST_OWN_CLASSES = 1 << 10

/**
 * A table of (node, standing and type, epoch, entry). An entry in `words`:
 *
 *   STATE    rcode | outcome << 8 | flags
 *   NAME     octets of the name it was made for
 *   STAMP    the zones it was made from
 *   COUNT    variants; then for each: UP_TO, ANSWERS | AUTHORITIES << 16, ADDITIONALS | POINTERS << 16, BODY, LENGTH
 *
 * A steered entry has nothing but the way to those of its classes: POLICY, by which to ask for the class, FAMILY, where the
 * list is, and NODE, for which it is counted. Names of one zone, policy, TTL and type are answered alike and share a family: 100,000 names cost a few answers.
 * A family in `words`: EPOCH, for which the list holds; LIST, where it stands, an entry + 1 for each class; SIZE, its classes.
 * Classes with the same answer share one entry too: a policy has few answers, however many the places are.
 * A body's octets are followed by its pointers: positions, 16 bits each, of what moves with the length of the question.
 */
export interface Prepared {
  readonly slots: Int32Array
  readonly mask: number
  readonly words: Int32Array
  readonly bytes: Uint8Array
  /** Octets: where the upper half begins, and how far each is used. */
  readonly half: number
  used: number
  usedSteered: number
  /** The slots, and the lists of classes, that have this are in use. */
  epoch: number
  steeredEpoch: number
  /** Counts the versions of the zones. */
  stamp: number
  entries: number
  readonly families: Map<string, number>
  /** Of the entries whose variants go by who asks, how. */
  readonly drawn: Map<number, KeptDrawn>
  /** The way to entries by the question alone. */
  readonly questions: Questions
  /** Hashes of what has been asked for once, and is kept the second time: to keep all of a great zone in turn would only cost. */
  readonly seen: Int32Array
}

/** `name`: hash of the routed name, where that is not the one asked for. */
export interface KeptDrawn {
  readonly drawn: Drawn
  readonly name: number | undefined
}

export const ENTRY = { STATE: 0, NAME: 1, STAMP: 2, COUNT: 3, WORDS: 4, POLICY: 1, FAMILY: 3, NODE: 4 } as const
const FAMILY = { EPOCH: 0, LIST: 1, SIZE: 2, WORDS: 3 } as const
export const VARIANT = { UP_TO: 0, COUNTS: 1, MORE: 2, BODY: 3, LENGTH: 4, WORDS: 5 } as const
/**
 * OWN: it comes from its node alone, so that other changes of its zone do not touch it, and where it does not fit nothing of it is told.
 * ANYWHERE: places have no say in its policy, nor have networks, and its one class is 0. BY_NETWORK: networks have one.
 * DRAWN: which of its variants a client has goes by who asks, as `drawn` has it.
 * CUT: it did not fit where LENGTH octets were left for it, and has no body.
 */
export const STATE = { AUTHORITATIVE: 1 << 16, FAIL_OPEN: 1 << 17, STEERED: 1 << 18, OWN: 1 << 19, CUT: 1 << 20, ANYWHERE: 1 << 21, BY_NETWORK: 1 << 22, DRAWN: 1 << 23 } as const

/** @param size octets for entries; the table gets a slot for every 32 of them */
export function makePrepared(size: number): Prepared {
  const slots = 1 << Math.ceil(Math.log2(Math.max(64, size / 32)))
  const half = (size >>> 1) & ~3
  const arena = new ArrayBuffer(half * 2)
  return {
    slots: new Int32Array(slots * SLOT_WORDS), mask: slots - 1, words: new Int32Array(arena), bytes: new Uint8Array(arena), half, used: 4, usedSteered: half,
    epoch: 1, steeredEpoch: 1, stamp: 1, entries: 0, families: new Map(), drawn: new Map(), questions: makeQuestions(), seen: new Int32Array(slots)
  }
}

export function forgetAll(prepared: Prepared): void {
  prepared.epoch = (prepared.epoch + 1) | 0
  prepared.used = 4
  prepared.entries = 0
  prepared.families.clear()
  forgetQuestions(prepared.questions)
  forgetSteered(prepared)
}

/** Forgets what policies decided. */
export function forgetSteered(prepared: Prepared): void {
  prepared.steeredEpoch = (prepared.steeredEpoch + 1) | 0
  prepared.usedSteered = prepared.half
  if (prepared.drawn.size > 0) prepared.drawn.clear()
}

/** Forgets what may have changed with the zones, where the nodes that stayed as they were are still called the same. */
export function forgetChanged(prepared: Prepared): void {
  prepared.stamp = (prepared.stamp + 1) | 0
  forgetQuestions(prepared.questions)
  forgetSteered(prepared)
}

function hashKey(node: number, kind: number): number {
  const hash = Math.imul(Math.imul(node ^ Math.imul(kind, 0x9e3779b1), 0x85ebca6b), 0xc2b2ae35)
  return hash ^ (hash >>> 15)
}

/** The entry's index in `words`, or -1. */
export function findPrepared(prepared: Prepared, node: number, kind: number): number {
  const { slots, epoch, words } = prepared
  const last = slots.length - SLOT_WORDS
  for (let at = (hashKey(node, kind) & prepared.mask) * SLOT_WORDS; slots[at + 2] === epoch; at = at === last ? 0 : at + SLOT_WORDS) {
    if (slots[at] !== node || slots[at + 1] !== kind) continue
    const entry = slots[at + 3]!
    return words[entry + ENTRY.STAMP] === prepared.stamp || (words[entry]! & STATE.OWN) !== 0 ? entry : -1
  }
  return -1
}

/** Whether a key comes up for the second time, as far as is remembered. */
export function isAskedAgain(prepared: Prepared, node: number, kind: number): boolean {
  const hash = ~hashKey(node, kind)
  const slot = hash & prepared.mask
  if (prepared.seen[slot] === hash) return true
  prepared.seen[slot] = hash
  return false
}

/** The entry of a steered one for a place class, or -1. */
export function findForClass({ words, steeredEpoch }: Prepared, steered: number, placeClass: number): number {
  const family = words[steered + ENTRY.FAMILY]!
  if (words[family + FAMILY.EPOCH] !== steeredEpoch || placeClass >= words[family + FAMILY.SIZE]!) return -1
  return words[words[family + FAMILY.LIST]! + placeClass]! - 1
}

/** What is kept: under which key, with which flags, and how much room it will take. */
export interface Keeping {
  readonly node: number
  readonly kind: number
  readonly state: number
  readonly nameLength: number
  /** Variants, and octets that each has at most. */
  readonly count: number
  readonly octets: number
}

/** Adds an entry that no policy had a say in. @returns its index in `words`, to be filled by `keepVariant`; -1 when there is no room for it at all */
export function keepEntry(prepared: Prepared, keeping: Keeping): number {
  const octets = octetsOf(keeping)
  if (4 + octets > prepared.half) return -1
  if (isFull(prepared, octets)) forgetAll(prepared)
  const entry = newEntry(prepared, keeping, prepared.used)
  prepared.used += octets
  setSlot(prepared, keeping.node, keeping.kind, entry)
  return entry
}

/**
 * Adds an entry for a place class under a policy; -1 for the class when the place has no say.
 * @param family names with the same are answered alike; absent: nobody is answered as this name is
 * @returns as `keepEntry`
 */
export function keepSteered(prepared: Prepared, keeping: Keeping, policy: number, placeClass: number, family: string | undefined): number {
  const octets = octetsOf(keeping)
  const index = Math.max(0, placeClass)
  if (index >= (family === undefined ? MOST_OWN_CLASSES : MOST_CLASSES)) return -1
  const room = octets + (index + FEWEST_CLASSES) * 8
  if (room > prepared.half) return -1
  if (isFull(prepared, 64)) forgetAll(prepared)
  if (prepared.usedSteered + room > prepared.half * 2) forgetSteered(prepared)
  const state = placeClass < 0 ? keeping.state | STATE.ANYWHERE : keeping.state
  const list = listFor(prepared, familyFor(prepared, { ...keeping, state }, policy, family), index)
  const entry = newEntry(prepared, keeping, prepared.usedSteered)
  prepared.usedSteered += octets
  prepared.words[list + index] = entry + 1
  return entry
}

function octetsOf({ count, octets }: Keeping): number {
  return (ENTRY.WORDS + count * VARIANT.WORDS) * 4 + count * ((octets + 3) & ~3)
}

function isFull({ used, half, entries, slots }: Prepared, octets: number): boolean {
  return used + octets > half || (entries + 1) * 4 * SLOT_WORDS > slots.length * 3
}

function newEntry({ words, stamp }: Prepared, { state, nameLength, count }: Keeping, at: number): number {
  const entry = at >>> 2
  words[entry + ENTRY.STATE] = state
  words[entry + ENTRY.NAME] = nameLength
  words[entry + ENTRY.STAMP] = stamp
  words[entry + ENTRY.COUNT] = count
  return entry
}

/** Puts an entry under its key, in the place of one that does not hold any more. */
function setSlot(prepared: Prepared, node: number, kind: number, entry: number): void {
  const { slots, epoch } = prepared
  const last = slots.length - SLOT_WORDS
  let at = (hashKey(node, kind) & prepared.mask) * SLOT_WORDS
  while (slots[at + 2] === epoch && (slots[at] !== node || slots[at + 1] !== kind)) at = at === last ? 0 : at + SLOT_WORDS
  if (slots[at + 2] !== epoch) prepared.entries++
  slots[at] = node
  slots[at + 1] = kind
  slots[at + 2] = epoch
  slots[at + 3] = entry
}

/** The family of a name, and the steered entry that leads there. */
function familyFor(prepared: Prepared, keeping: Keeping, policy: number, family: string | undefined): number {
  const { words, families } = prepared
  const { node, kind, state } = keeping
  const steered = findPrepared(prepared, node, kind)
  if (steered >= 0) return words[steered + ENTRY.FAMILY]!
  let found = family === undefined ? undefined : families.get(family)
  if (found === undefined) {
    found = prepared.used >>> 2
    prepared.used += FAMILY.WORDS * 4
    words.fill(0, found, found + FAMILY.WORDS)
    if (family !== undefined) families.set(family, found)
  }
  const entry = newEntry(prepared, { ...keeping, state: STATE.STEERED | (state & (STATE.OWN | STATE.ANYWHERE | STATE.BY_NETWORK)) }, prepared.used)
  prepared.used += (ENTRY.NODE + 1) * 4
  words[entry + ENTRY.POLICY] = policy
  words[entry + ENTRY.FAMILY] = found
  words[entry + ENTRY.NODE] = node
  setSlot(prepared, node, kind, entry)
  return found
}

/** Where the list of a family stands, made or made longer so that it has the class. */
function listFor(prepared: Prepared, family: number, placeClass: number): number {
  const { words } = prepared
  const had = words[family + FAMILY.EPOCH] === prepared.steeredEpoch ? words[family + FAMILY.SIZE]! : 0
  const before = words[family + FAMILY.LIST]!
  if (placeClass < had) return before
  let size = Math.max(FEWEST_CLASSES, had)
  while (size <= placeClass) size *= 2
  const list = prepared.usedSteered >>> 2
  prepared.usedSteered += size * 4
  words.fill(0, list, list + size)
  words.copyWithin(list, before, before + had)
  words[family + FAMILY.EPOCH] = prepared.steeredEpoch
  words[family + FAMILY.LIST] = list
  words[family + FAMILY.SIZE] = size
  return list
}

/** Gives the entry just filled, of one variant, up for one with the same answer that another class of its family has. @returns the one that stays */
export function shareEntry(prepared: Prepared, steered: number, placeClass: number, entry: number): number {
  const { words } = prepared
  const family = words[steered + ENTRY.FAMILY]!
  const list = words[family + FAMILY.LIST]!
  for (let other = 0; other < words[family + FAMILY.SIZE]!; other++) {
    const twin = words[list + other]! - 1
    if (twin < 0 || twin === entry || !isTwin(prepared, twin, entry)) continue
    words[list + placeClass] = twin + 1
    prepared.usedSteered = entry * 4
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

/** Octets that a reply's body takes. */
export function bodyOctets(reply: Reply, bodyAt: number): number {
  return reply.at - bodyAt + reply.pointerCount * 2
}

/** Fills one variant of the entry just added from a reply that is keepable; `octets` are those it was added with. False: it has more. */
export function keepVariant({ words, bytes }: Prepared, entry: number, variant: number, upTo: number, reply: Reply, bodyAt: number, octets: number): boolean {
  if (bodyOctets(reply, bodyAt) > octets) return false
  const at = entry + ENTRY.WORDS + variant * VARIANT.WORDS
  const body = (entry + ENTRY.WORDS + words[entry + ENTRY.COUNT]! * VARIANT.WORDS) * 4 + variant * ((octets + 3) & ~3)
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
  return true
}

/** Fills the entry just added, of one variant, as one that does not fit where `limit` octets are left for its body. */
export function keepCut({ words }: Prepared, entry: number, limit: number): void {
  const at = entry + ENTRY.WORDS
  words[at + VARIANT.UP_TO] = -1
  words[at + VARIANT.COUNTS] = words[at + VARIANT.MORE] = words[at + VARIANT.BODY] = 0
  words[at + VARIANT.LENGTH] = limit
}
