import { never } from '../../core/trouble.ts'
import {
  beginReply, fits, makeReply, makeScannedName, mark, RCODE, scanName, TYPE, undo, writeRecord,
  type Mark, type Owner, type Query, type Reply, type ScannedName
} from '../wire/index.ts'
import { findNode, findRrset, FLAG, judge, locate, makeFinding, NODE, nodeWord, RRSET, rrsetWord, TYPE_ALIAS, TYPE_ROUTE, type Finding, type Outcome, type ZoneImage } from '../zone/index.ts'
import type { Variant } from './variants.ts'

/** What a routed name answers to this client, and for how long at most. */
export interface Steered {
  readonly variants: readonly Variant[]
  /** Seconds; Infinity when nothing is unsettled. */
  readonly longestTtl: number
}

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
}

/** Aliases followed within one answer. */
const LONGEST_CHAIN = 16
/** Names whose addresses go into the additional section of one answer. */
const MOST_ADDITIONAL = 32
const QUESTION = 12
/** The largest message, and room to see that a record did not fit. */
const REPLY_OCTETS = 65535 + 512
/** TTL of the HINFO that stands for ANY (RFC 8482 §4.2), in seconds, and its RDATA: "RFC8482" "". */
const ANY_TTL = 3600
const ANY_RDATA = Uint8Array.of(7, 0x52, 0x46, 0x43, 0x38, 0x34, 0x38, 0x32, 0)

export function makeAssembly(): Assembly {
  const reply = makeReply(REPLY_OCTETS)
  return {
    reply, finding: makeFinding(), rcode: 0, authoritative: true, outcome: 'found', single: false, chased: makeScannedName(),
    owner: { pointer: QUESTION, bytes: reply.bytes, at: 0 }, other: { pointer: 0, bytes: reply.bytes, at: 0 },
    before: { at: 0, pointerCount: 0 }, visited: new Int32Array(Math.max(LONGEST_CHAIN + 1, MOST_ADDITIONAL)), hashes: new Int32Array(LONGEST_CHAIN + 1), added: 0, target: new Uint8Array(512)
  }
}

/** Lets go of the image that was last read, which is large. */
export function forgetImage({ owner, other, reply }: Assembly): void {
  owner.bytes = reply.bytes
  other.bytes = reply.bytes
}

/**
 * Puts the answer together (RFC 1034 §4.3.2), following aliases through the zones of the image.
 * @param limit octets for everything but the OPT
 * @param steer what a routed name answers; gets the RRset with its policy's name
 * @param variant which of the variants of a routed name
 */
export function assemble(assembly: Assembly, image: ZoneImage, query: Query, isTcp: boolean, limit: number, steer: (rrset: number) => Steered, variant: number): void {
  const { reply, finding, owner } = assembly
  locate(image, query.name, query.type, finding)
  beginReply(reply, query.name, finding.shared, limit)
  assembly.rcode = RCODE.NOERROR
  assembly.authoritative = true
  assembly.single = false
  owner.pointer = QUESTION
  // Behind an ALIAS nothing is told of the way, and no TTL exceeds one on it.
  let aliasNode = 0
  let longestTtl = Infinity
  for (let hops = 0; ; hops++) {
    judge(image, query.type, finding)
    assembly.outcome = finding.outcome
    const { outcome, node, rrset } = finding
    if (query.type === TYPE.ANY && (outcome === 'cname' || outcome === 'nodata')) return answerAny(assembly, image, node, isTcp)
    switch (outcome) {
      case 'not ours':
        return aliasNode === 0 ? undefined : fail(assembly)
      case 'found':
        longestTtl = Math.min(longestTtl, rrsetWord(image, rrset, RRSET.TTL))
        if (writeRrset(assembly, image, owner, rrset, longestTtl, 'answers')) addAddresses(assembly, image, rrset)
        else reply.truncated = true
        return
      case 'routed': {
        const steered = steer(rrset)
        const ttl = Math.min(longestTtl, rrsetWord(image, rrset, RRSET.TTL), steered.longestTtl)
        const chosen = steered.variants[variant]
        if (chosen === undefined) negative(assembly, image, nodeWord(image, aliasNode || node, NODE.APEX), steered.longestTtl)
        else writeAddresses(assembly, query.type, ttl, chosen.addresses)
        return
      }
      case 'nodata':
        return negative(assembly, image, nodeWord(image, aliasNode || node, NODE.APEX), Infinity)
      case 'nxdomain':
        if (aliasNode === 0) assembly.rcode = RCODE.NXDOMAIN
        return negative(assembly, image, nodeWord(image, aliasNode || node, NODE.APEX), Infinity)
      case 'delegation':
        assembly.authoritative = hops > 0
        return aliasNode === 0 ? refer(assembly, image, node, rrset) : fail(assembly)
      case 'alias':
        if (aliasNode === 0) aliasNode = node
        longestTtl = Math.min(longestTtl, rrsetWord(image, rrset, RRSET.TTL))
        follow(assembly, image, rrset)
        break
      case 'cname':
        if (aliasNode !== 0) {
          longestTtl = Math.min(longestTtl, rrsetWord(image, rrset, RRSET.TTL))
          follow(assembly, image, rrset)
        } else if (!followAloud(assembly, image, rrset)) return
        break
      case 'dname': {
        if (hops === 0) assembly.single = true
        const name = hops === 0 ? query.name : assembly.chased
        const turns = turnsAt(assembly, node, name.hashes[0]!, hops)
        if (turns < 0) return aliasNode === 0 ? undefined : fail(assembly)
        if (!substitute(assembly, image, name, rrset)) return aliasNode === 0 ? overlong(assembly, image, node, rrset) : fail(assembly)
        if (aliasNode !== 0) scanName(assembly.target, 0, assembly.target.length, assembly.chased)
        else if (!writeDname(assembly, image, node, rrset, turns > 0) || query.type === TYPE.CNAME) return
        break
      }
      default:
        never(outcome)
    }
    // Names that a DNAME makes grow from turn to turn; every other chain that comes back to a node is a circle.
    assembly.visited[hops] = outcome === 'dname' ? -node : node
    locate(image, assembly.chased, query.type, finding)
    if (hops === LONGEST_CHAIN || assembly.visited.lastIndexOf(finding.node, hops) >= 0) return aliasNode === 0 ? undefined : fail(assembly)
  }
}

/** How often the DNAME of a node has been met before this hop; -1 when it was by this very name. */
function turnsAt({ visited, hashes }: Assembly, node: number, hash: number, hops: number): number {
  let turns = 0
  for (let before = 0; before < hops; before++) {
    if (visited[before] !== -node) continue
    if (hashes[before] === hash) return -1
    turns++
  }
  hashes[hops] = hash
  return turns
}

/** An ALIAS that leads to nothing we can answer. */
function fail(assembly: Assembly): void {
  assembly.rcode = RCODE.SERVFAIL
  assembly.authoritative = false
}

type Section = 'answers' | 'authorities' | 'additionals'

/** Writes all of an RRset, or nothing of it and returns false when it does not fit (RFC 2181 §9). */
function writeRrset(assembly: Assembly, image: ZoneImage, owner: Owner, rrset: number, ttl: number, section: Section): boolean {
  const { reply, before } = assembly
  const { bytes } = image
  mark(reply, before)
  const type = rrsetWord(image, rrset, RRSET.TYPE) & 0xffff
  let at = rrsetWord(image, rrset, RRSET.DATA)
  const end = at + rrsetWord(image, rrset, RRSET.LENGTH)
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

function writeAddresses(assembly: Assembly, type: number, ttl: number, addresses: readonly Uint8Array[]): void {
  const { reply, owner, before } = assembly
  mark(reply, before)
  for (const address of addresses) writeRecord(reply, owner, type, ttl, address, 0, address.length)
  if (fits(reply)) reply.answers += addresses.length
  else {
    undo(reply, before)
    reply.truncated = true
  }
}

/** No data or no name: the zone's SOA says how long that holds (RFC 2308 §3). */
function negative(assembly: Assembly, image: ZoneImage, apex: number, longestTtl: number): void {
  const { reply, other } = assembly
  const soa = findRrset(image, apex, TYPE.SOA)
  if (soa < 0) return
  const end = rrsetWord(image, soa, RRSET.DATA) + rrsetWord(image, soa, RRSET.LENGTH)
  const { bytes } = image
  const minimum = ((bytes[end - 4]! << 24) | (bytes[end - 3]! << 16) | (bytes[end - 2]! << 8) | bytes[end - 1]!) >>> 0
  nameOwner(image, apex, other)
  if (!writeRrset(assembly, image, other, soa, Math.min(rrsetWord(image, soa, RRSET.TTL), minimum, longestTtl), 'authorities')) reply.truncated = true
}

function nameOwner(image: ZoneImage, node: number, owner: Owner): void {
  owner.pointer = 0
  owner.bytes = image.bytes
  owner.at = nodeWord(image, node, NODE.SHOWN)
}

/** The target of an alias becomes the name looked up next. */
function follow(assembly: Assembly, image: ZoneImage, rrset: number): void {
  const at = rrsetWord(image, rrset, RRSET.DATA) + 2
  scanName(image.bytes, at, image.bytes.length, assembly.chased)
}

/** Writes the CNAME and follows it: its target owns the next records. */
function followAloud(assembly: Assembly, image: ZoneImage, rrset: number): boolean {
  const { reply, owner, before } = assembly
  mark(reply, before)
  const at = rrsetWord(image, rrset, RRSET.DATA)
  const length = rrsetWord(image, rrset, RRSET.LENGTH) - 2
  const target = writeRecord(reply, owner, TYPE.CNAME, rrsetWord(image, rrset, RRSET.TTL), image.bytes, at + 2, length)
  return chain(assembly, target, image.bytes, at + 2)
}

/** Keeps the CNAME just written, if it fits, and makes its target the next owner. */
function chain(assembly: Assembly, target: number, bytes: Uint8Array, at: number): boolean {
  const { reply, owner, before } = assembly
  if (!fits(reply)) {
    undo(reply, before)
    reply.truncated = true
    return false
  }
  reply.answers++
  owner.pointer = target
  owner.bytes = bytes
  owner.at = at
  scanName(bytes, at, bytes.length, assembly.chased)
  return true
}

/** Puts the DNAME's target in place of its owner at the end of `name` (RFC 6672 §2.2), into `target`; false when that is no name any more. */
function substitute(assembly: Assembly, image: ZoneImage, name: ScannedName, rrset: number): boolean {
  const { target, finding } = assembly
  const kept = name.starts[name.labels - finding.shared]!
  const length = rrsetWord(image, rrset, RRSET.LENGTH) - 2
  if (kept + length > 255) return false
  const at = rrsetWord(image, rrset, RRSET.DATA) + 2
  for (let octet = 0; octet < kept; octet++) target[octet] = name.lower[octet]!
  for (let octet = 0; octet < length; octet++) target[kept + octet] = image.bytes[at + octet]!
  return true
}

/** The DNAME, unless it stands in the answer already, and the CNAME it comes to for this name, with its TTL (RFC 6672 §3.1). */
function writeDname(assembly: Assembly, image: ZoneImage, node: number, rrset: number, isTold: boolean): boolean {
  const { reply, owner, other, before, target } = assembly
  const ttl = rrsetWord(image, rrset, RRSET.TTL)
  nameOwner(image, node, other)
  if (!isTold && !writeRrset(assembly, image, other, rrset, ttl, 'answers')) {
    reply.truncated = true
    return false
  }
  mark(reply, before)
  let length = 0
  while (target[length] !== 0) length += target[length]! + 1
  const pointer = writeRecord(reply, owner, TYPE.CNAME, ttl, target, 0, length + 1)
  return chain(assembly, pointer, target, 0)
}

function overlong(assembly: Assembly, image: ZoneImage, node: number, rrset: number): void {
  const { reply, other } = assembly
  assembly.rcode = RCODE.YXDOMAIN
  nameOwner(image, node, other)
  if (!writeRrset(assembly, image, other, rrset, rrsetWord(image, rrset, RRSET.TTL), 'answers')) reply.truncated = true
}

/** ANY: over UDP an alias or a HINFO in place of everything (RFC 8482 §4), over TCP all there is. */
function answerAny(assembly: Assembly, image: ZoneImage, node: number, isTcp: boolean): void {
  const { reply, owner, before } = assembly
  const flags = nodeWord(image, node, NODE.SHAPE)
  const first = nodeWord(image, node, NODE.RRSETS)
  const stop = nodeWord(image, node + 1, NODE.RRSETS)
  if (first === stop) return negative(assembly, image, nodeWord(image, node, NODE.APEX), Infinity)
  assembly.outcome = 'found'
  for (let rrset = first; rrset < stop; rrset++) {
    const type = rrsetWord(image, rrset, RRSET.TYPE) & 0xffff
    if (type === TYPE_ROUTE || type === TYPE_ALIAS || (!isTcp && type !== TYPE.CNAME)) continue
    if (!writeRrset(assembly, image, owner, rrset, rrsetWord(image, rrset, RRSET.TTL), 'answers')) reply.truncated = true
    if (reply.truncated) return
  }
  if (reply.answers > 0 || (flags & FLAG.CNAME) !== 0) return
  mark(reply, before)
  writeRecord(reply, owner, TYPE.HINFO, ANY_TTL, ANY_RDATA, 0, ANY_RDATA.length)
  if (fits(reply)) reply.answers++
  else {
    undo(reply, before)
    reply.truncated = true
  }
}

/** A referral: the cut's NS, and the addresses of those of them that are named in what is delegated or that we happen to have. */
function refer(assembly: Assembly, image: ZoneImage, cut: number, ns: number): void {
  const { reply, other } = assembly
  nameOwner(image, cut, other)
  if (ns < 0 || !writeRrset(assembly, image, other, ns, rrsetWord(image, ns, RRSET.TTL), 'authorities')) {
    reply.truncated = ns >= 0
    return
  }
  eachTarget(assembly, image, ns, 0, (at) => {
    const node = findNode(image, assembly.chased, 0)
    if (node === 0) return true
    if (addNode(assembly, image, node, at)) return true
    // Without these the delegation cannot be followed (RFC 9471 §3.1).
    if (node === cut || nodeWord(image, node, NODE.ABOVE) === cut) reply.truncated = true
    return false
  })
}

/** The addresses of the names that NS, MX and SRV records speak of (RFC 1034 §3.6, 2782), as long as there is room. */
function addAddresses(assembly: Assembly, image: ZoneImage, rrset: number): void {
  const skip = targetAt(rrsetWord(image, rrset, RRSET.TYPE) & 0xffff)
  if (skip < 0) return
  const { finding } = assembly
  eachTarget(assembly, image, rrset, skip, (at) => {
    locate(image, assembly.chased, TYPE.A, finding)
    return (finding.standing !== 'exact' && finding.standing !== 'wildcard') || addNode(assembly, image, finding.node, at)
  })
}

function targetAt(type: number): number {
  return type === TYPE.NS ? 0 : type === TYPE.MX ? 2 : type === TYPE.SRV ? 6 : -1
}

/** Calls `add` for the name in each record, taken apart in `chased`, until it returns false: then something was left out. */
function eachTarget(assembly: Assembly, image: ZoneImage, rrset: number, skip: number, add: (at: number) => boolean): void {
  const { bytes } = image
  let at = rrsetWord(image, rrset, RRSET.DATA)
  const end = at + rrsetWord(image, rrset, RRSET.LENGTH)
  assembly.added = 0
  for (let count = 0; at < end && count < MOST_ADDITIONAL; count++) {
    scanName(bytes, at + 2 + skip, bytes.length, assembly.chased)
    if (!add(at + 2 + skip)) {
      assembly.reply.abridged = true
      return
    }
    at += 2 + ((bytes[at]! << 8) | bytes[at + 1]!)
  }
}

/** The A and AAAA records of a node under the name at `at`; false when they do not fit. */
function addNode(assembly: Assembly, image: ZoneImage, node: number, at: number): boolean {
  const { other, visited } = assembly
  for (let before = 0; before < assembly.added; before++) if (visited[before] === node) return true
  visited[assembly.added++] = node
  other.pointer = 0
  other.bytes = image.bytes
  other.at = at
  for (let type: number = TYPE.A; ; type = TYPE.AAAA) {
    const rrset = findRrset(image, node, type)
    if (rrset >= 0 && !writeRrset(assembly, image, other, rrset, rrsetWord(image, rrset, RRSET.TTL), 'additionals')) return false
    if (type === TYPE.AAAA) return true
  }
}
