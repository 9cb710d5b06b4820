import { never } from '../../core/trouble.ts'
import { mix } from '../routing/index.ts'
import { beginReply, fits, mark, RCODE, scanName, TYPE, undo, writeRecord, type Query, type ScannedName } from '../wire/index.ts'
import { findNode, findRrset, FLAG, judge, locate, NODE, nodeWord, RRSET, rrsetWord, TYPE_ALIAS, TYPE_ROUTE, type ZoneImage } from '../zone/index.ts'
import { addAddresses, addNode, eachTarget, hasTargets, nameAt } from './additional.ts'
import { LONGEST_CHAIN, nameOwner, QUESTION, writeRecords, writeRrset, type Assembly } from './assembly.ts'
import { pickVariant } from './steering.ts'

/** TTL of the HINFO that stands for ANY (RFC 8482 §4.2), in seconds, and its RDATA: "RFC8482" "". */
const ANY_TTL = 3600
const ANY_RDATA = Uint8Array.of(7, 0x52, 0x46, 0x43, 0x38, 0x34, 0x38, 0x32, 0)

/**
 * Puts the answer together (RFC 1034 §4.3.2), following aliases through the zones of the image.
 * @param limit octets for everything but the OPT
 * @param pick which of the variants of routed names: the first whose `upTo` is not below it
 */
export function assemble(assembly: Assembly, image: ZoneImage, query: Query, isTcp: boolean, limit: number, pick: number): void {
  const { reply, finding, owner } = assembly
  locate(image, query.name, query.type, finding)
  beginReply(reply, query.name, finding.shared, limit)
  assembly.rcode = RCODE.NOERROR
  assembly.authoritative = true
  assembly.single = assembly.isOwn = assembly.isRouted = false
  assembly.pick = pick
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
      case 'not ours': return aliasNode === 0 ? undefined : fail(assembly)
      case 'found':
        longestTtl = Math.min(longestTtl, rrsetWord(image, rrset, RRSET.TTL))
        assembly.isOwn = hops === 0 && !hasTargets(query.type)
        if (writeRrset(assembly, image, owner, rrset, longestTtl, 'answers')) addAddresses(assembly, image, node, rrset)
        else reply.truncated = true
        return
      case 'routed':
        assembly.isRouted = hops === 0
        if (!answerRouted(assembly, image, query.type, hops === 0 ? query.name : assembly.chased, aliasNode, Math.min(longestTtl, rrsetWord(image, rrset, RRSET.TTL)))) return
        if (aliasNode !== 0) longestTtl = Math.min(longestTtl, rrsetWord(image, rrset, RRSET.TTL))
        break
      case 'nodata':
        if (!renamed(assembly, image, hops === 0 ? query.name : assembly.chased, aliasNode)) return negative(assembly, image, nodeWord(image, aliasNode || node, NODE.APEX), Infinity)
        if (query.type === TYPE.CNAME || reply.truncated) return
        break
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

/** What a policy allows the client to have of the name; the zone of an ALIAS before it says no when that is nothing. True: a CNAME leads on. */
function answerRouted(assembly: Assembly, image: ZoneImage, type: number, name: ScannedName, aliasNode: number, ttl: number): boolean {
  const { owner, finding, reply } = assembly
  const apex = nodeWord(image, aliasNode || finding.node, NODE.APEX)
  assembly.ttl = ttl
  assembly.apex = apex
  const steered = assembly.steer(finding.rrset, type, name.hashes[0]!)
  const chosen = pickVariant(steered, assembly.pick)
  assembly.isOwn = assembly.isRouted && chosen !== undefined && !steered.hasNames
  // What every such name of the zone is answered with may point to the zone's name alone.
  if (assembly.isRouted) reply.shared = nodeWord(image, apex, NODE.SHAPE) >>> 24
  if (chosen?.cname !== undefined) return lead(assembly, chosen.cname, Math.min(ttl, steered.longestTtl), aliasNode)
  if (chosen === undefined || chosen.addresses.length === 0) negative(assembly, image, apex, steered.longestTtl)
  else if (!writeRecords(assembly, owner, type, Math.min(ttl, steered.longestTtl), chosen.addresses, 'answers')) reply.truncated = true
  return false
}

/** What a policy answers as a CNAME it answers so whatever type is asked for (RFC 1034 §3.6.2). True: it leads on, or there was no room for it. */
function renamed(assembly: Assembly, image: ZoneImage, name: ScannedName, aliasNode: number): boolean {
  const { finding, reply } = assembly
  const rrset = (nodeWord(image, finding.node, NODE.SHAPE) & FLAG.ROUTE) === 0 ? -1 : findRrset(image, finding.node, TYPE_ROUTE)
  if (rrset < 0 || !assembly.leads(rrset)) return false
  const steered = assembly.steer(rrset, TYPE.A, name.hashes[0]!)
  const chosen = pickVariant(steered, assembly.pick)
  return chosen?.cname !== undefined && (lead(assembly, chosen.cname, Math.min(rrsetWord(image, rrset, RRSET.TTL), steered.longestTtl), aliasNode) || reply.truncated)
}

/** The CNAME that a policy has chosen: written, unless an ALIAS hides the way, and followed. False: there was no room for it. */
function lead(assembly: Assembly, cname: Uint8Array, ttl: number, aliasNode: number): boolean {
  const { reply, owner, before } = assembly
  // What it leads to draws anew: by the same number, of two policies in a row the second would follow from the first.
  assembly.pick = mix(assembly.pick) >>> 0
  if (aliasNode !== 0) return scanName(cname, 0, cname.length, assembly.chased) > 0
  mark(reply, before)
  return chain(assembly, writeRecord(reply, owner, TYPE.CNAME, ttl, cname, 0, cname.length), cname, 0)
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
    if (addNode(assembly, image, node, nameAt(assembly, image, at))) return true
    // Without these the delegation cannot be followed (RFC 9471 §3.1).
    if (node === cut || nodeWord(image, node, NODE.ABOVE) === cut) reply.truncated = true
    return false
  })
}
