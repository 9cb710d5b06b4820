import {
  fits, makeReply, makeScannedName, mark, TYPE, undo, writeRecord, type Mark, type Owner, type Reply, type ScannedName
} from '../wire/index.ts'
import { makeFinding, NODE, nodeWord, RRSET, rrsetWord, type Finding, type Outcome, type ZoneImage } from '../zone/index.ts'
import { expandHints } from './hints.ts'
import type { Steered } from './steering.ts'

/** An answer put together from the zones: its bytes are in `reply`, this is the rest of it. One is filled again and again. */
export interface Assembly {
  readonly reply: Reply
  /** Where the name stands that is being looked up. */
  readonly finding: Finding
  rcode: number
  authoritative: boolean
  /** What the zones said in the end, behind all aliases. */
  outcome: Outcome
  /** It holds for this very name only: a DNAME was applied to it. */
  single: boolean
  /** It says what stands at the name itself, and nothing else of the zone. */
  isOwn: boolean
  /** It is what a policy answers for the name itself: with the TTL there and in the zone of this apex, every such name is answered alike. */
  isRouted: boolean
  ttl: number
  apex: number
  readonly chased: ScannedName
  readonly owner: Owner
  readonly other: Owner
  readonly before: Mark
  /** Nodes an alias has led through, those of DNAMEs negative; then those whose addresses have been added. */
  readonly visited: Int32Array
  /** Hashes of the names that were looked up there: beneath a DNAME only the name tells a circle from another turn. */
  readonly hashes: Int32Array
  added: number
  readonly target: Uint8Array
  /** What a routed name answers, and which of its variants: the first whose `upTo` is not below `pick`. */
  readonly steer: Steer
  /** Whether the policy of a ROUTE record may answer CNAMEs. */
  readonly leads: (rrset: number) => boolean
  pick: number
  /** For names whose addresses are looked up beside the answer. */
  readonly beside: ScannedName
  readonly found: Finding
}

/** What the policy of a ROUTE record allows the client to have, of type A or AAAA. `name`: hash of the routed name. */
export type Steer = (rrset: number, type: number, name: number) => Steered

/** Aliases followed within one answer. */
export const LONGEST_CHAIN = 16
/** Names whose addresses go into the additional section of one answer. */
export const MOST_ADDITIONAL = 32
export const QUESTION = 12
/** The largest message, and room to see that a record did not fit. */
const REPLY_OCTETS = 65535 + 512

export function makeAssembly(steer: Steer, leads: (rrset: number) => boolean = () => false): Assembly {
  const reply = makeReply(REPLY_OCTETS)
  return {
    reply, finding: makeFinding(), rcode: 0, authoritative: true, outcome: 'found', single: false, isOwn: false, isRouted: false, ttl: 0, apex: 0, chased: makeScannedName(),
    owner: { pointer: QUESTION, bytes: reply.bytes, at: 0 }, other: { pointer: 0, bytes: reply.bytes, at: 0 },
    before: { at: 0, pointerCount: 0 }, visited: new Int32Array(Math.max(LONGEST_CHAIN + 1, MOST_ADDITIONAL)), hashes: new Int32Array(LONGEST_CHAIN + 1), added: 0,
    target: new Uint8Array(512), steer, leads, pick: 0, beside: makeScannedName(), found: makeFinding()
  }
}

/** Lets go of the image that was last read, which is large. */
export function forgetImage({ owner, other, reply }: Assembly): void {
  owner.bytes = reply.bytes
  other.bytes = reply.bytes
}

export type Section = 'answers' | 'authorities' | 'additionals'

/** Writes all of an RRset, or nothing of it and returns false when it does not fit (RFC 2181 §9). */
export function writeRrset(assembly: Assembly, image: ZoneImage, owner: Owner, rrset: number, ttl: number, section: Section): boolean {
  const { reply, before } = assembly
  const { bytes } = image
  const type = rrsetWord(image, rrset, RRSET.TYPE) & 0xffff
  let at = rrsetWord(image, rrset, RRSET.DATA)
  const end = at + rrsetWord(image, rrset, RRSET.LENGTH)
  if (type === TYPE.SVCB || type === TYPE.HTTPS) {
    const expanded = expandHints(assembly, image, at, end)
    if (expanded !== undefined) return writeRecords(assembly, owner, type, Math.min(ttl, expanded.longestTtl), expanded.records, section)
  }
  mark(reply, before)
  let count = 0
  while (at < end) {
    const length = (bytes[at]! << 8) | bytes[at + 1]!
    writeRecord(reply, owner, type, ttl, bytes, at + 2, length)
    if (!fits(reply)) {
      undo(reply, before)
      return false
    }
    count++
    at += 2 + length
  }
  reply[section] += count
  return true
}

/** Writes records that do not stand in the image as they are; all of them, or none and returns false. */
export function writeRecords(assembly: Assembly, owner: Owner, type: number, ttl: number, records: readonly Uint8Array[], section: Section): boolean {
  const { reply, before } = assembly
  mark(reply, before)
  for (const rdata of records) {
    writeRecord(reply, owner, type, ttl, rdata, 0, rdata.length)
    if (fits(reply)) continue
    undo(reply, before)
    return false
  }
  reply[section] += records.length
  return true
}

/** Makes a node the owner of the records to come. */
export function nameOwner(image: ZoneImage, node: number, owner: Owner): void {
  owner.pointer = 0
  owner.bytes = image.bytes
  owner.at = nodeWord(image, node, NODE.SHOWN)
}

