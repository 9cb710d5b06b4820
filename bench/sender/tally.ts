import type { Questions } from '../dns-questions.ts'
import { COUNTRIES } from '../peers/places.ts'
import { targetAddress } from '../peers/zones.ts'
import type { Run } from './run.ts'

// Which queries are on their way, by id, and whether what comes back is the answer to them.

const IDS = 65536
const NONE = -1
/** Waits are counted in steps of so many microseconds, up to the last. */
const STEP_US = 5
const STEPS = 4096

export interface Tally {
  readonly questions: Questions
  readonly rcode: number
  check: Run['check']
  /** Counts of this run. */
  sent: number
  answered: number
  wrong: number
  /** Sent, and neither answered nor given up. */
  outstanding: number
  /** Milliseconds, set by whoever sends. */
  now: number
  /** When anything was last heard, or nothing was waited for; and the longest time between. */
  heardAt: number
  heard: number
  longestGapMs: number
  /** Queries since the start of the process; the id of the next is this, cut to 16 bits. */
  sequence: number
  /** The oldest that is still waited for is not before this. */
  oldest: number
  /** By id: the question on its way, and when it left. */
  readonly asked: Int32Array
  readonly leftAt: Float64Array
  /** Answers by how long they took, in steps. */
  readonly waits: Uint32Array
}

export function makeTally(questions: Questions, rcode: 'NOERROR' | 'NXDOMAIN'): Tally {
  return {
    questions, rcode: rcode === 'NOERROR' ? 0 : 3, check: 'right', sent: 0, answered: 0, wrong: 0, outstanding: 0, now: 0, heardAt: 0, heard: 0, longestGapMs: 0, sequence: 0, oldest: 0,
    asked: new Int32Array(IDS).fill(NONE), leftAt: new Float64Array(IDS), waits: new Uint32Array(STEPS)
  }
}

export function begin(tally: Tally, check: Run['check']): void {
  tally.asked.fill(NONE)
  tally.waits.fill(0)
  Object.assign(tally, { check, sent: 0, answered: 0, wrong: 0, outstanding: 0, heardAt: 0, heard: 0, longestGapMs: 0, oldest: tally.sequence })
}

/** The question that leaves `ahead` after the next, and its id in `idOf`. */
export const questionAhead = (tally: Tally, ahead: number): number => (tally.sequence + ahead) % tally.questions.count
export const idAhead = (tally: Tally, ahead: number): number => (tally.sequence + ahead) & 0xffff

/** The next `count` have left. */
export function left(tally: Tally, count: number): void {
  const { asked, leftAt, now, sequence } = tally
  for (let ahead = 0; ahead < count; ahead++) {
    const id = (sequence + ahead) & 0xffff
    asked[id] = questionAhead(tally, ahead)
    leftAt[id] = now
  }
  tally.sequence += count
  tally.sent += count
  tally.outstanding += count
}

/** Takes an answer of `length` octets. One that nobody waits for any more, or twice, is not counted. */
export function arrived(tally: Tally, bytes: Uint8Array, at: number, length: number): void {
  if (length < 12) return
  const id = (bytes[at]! << 8) | bytes[at + 1]!
  const question = tally.asked[id]!
  if (question === NONE) return
  tally.asked[id] = NONE
  tally.outstanding--
  tally.answered++
  tally.waits[Math.min(STEPS - 1, Math.floor(((tally.now - tally.leftAt[id]!) * 1000) / STEP_US))]!++
  if (tally.check !== 'none' && !isRight(tally, question, bytes, at, length)) tally.wrong++
}

function isRight({ questions, rcode, check }: Tally, question: number, bytes: Uint8Array, at: number, length: number): boolean {
  // An authoritative response, whole.
  if ((bytes[at + 2]! & 0x86) !== 0x84 || (bytes[at + 3]! & 15) !== rcode || bytes[at + 5] !== 1) return false
  const asked = questions.bytes
  const start = questions.starts[question]!
  const end = questions.questionEnds[question]!
  if (length < end) return false
  for (let octet = 12; octet < end; octet++) if (bytes[at + octet] !== asked[start + octet]) return false
  // Negative answers have the SOA with them (RFC 2308 §3).
  if (rcode === 3) return bytes[at + 7] === 0 && bytes[at + 9]! > 0
  return bytes[at + 7]! > 0 && isAddress(questions.addresses[question]!, check, bytes, skipName(bytes, at + end), at + length)
}

/** A record whose fixed part begins at `at`: an A record with the address that is expected. */
function isAddress(expected: number, check: Run['check'], bytes: Uint8Array, at: number, end: number): boolean {
  if (at + 14 > end || bytes[at + 1] !== 1 || bytes[at + 3] !== 1 || bytes[at + 9] !== 4) return false
  const address = ((bytes[at + 10]! << 24) | (bytes[at + 11]! << 16) | (bytes[at + 12]! << 8) | bytes[at + 13]!) >>> 0
  return check === 'any' ? address >= targetAddress(0) && address < targetAddress(COUNTRIES.length) : address === expected
}

function skipName(bytes: Uint8Array, at: number): number {
  while (bytes[at]! !== 0 && bytes[at]! < 0xc0) at += 1 + bytes[at]!
  return at + (bytes[at] === 0 ? 1 : 2)
}

/** Looks whether anything has been heard since the last time. */
export function noteGap(tally: Tally): void {
  const { now, answered, heard, heardAt, outstanding } = tally
  if (answered === heard && outstanding > 0 && heardAt !== 0) {
    if (now - heardAt > tally.longestGapMs) tally.longestGapMs = now - heardAt
    return
  }
  tally.heard = answered
  tally.heardAt = now
}

/** What has waited longer is lost. */
export function giveUp(tally: Tally, afterMs: number): void {
  while (tally.oldest < tally.sequence) {
    const id = tally.oldest & 0xffff
    if (tally.asked[id] !== NONE) {
      if (tally.now - tally.leftAt[id]! < afterMs) return
      tally.asked[id] = NONE
      tally.outstanding--
    }
    tally.oldest++
  }
}

/** Microseconds within which this share of the answers came. */
export function waitOf({ waits, answered }: Tally, share: number): number {
  let count = 0
  let step = 0
  while (step < STEPS - 1 && (count += waits[step]!) < answered * share) step++
  return (step + 1) * STEP_US
}
