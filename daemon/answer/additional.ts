import { scanName, TYPE, type Owner } from '../wire/index.ts'
import { findRrset, locate, RRSET, rrsetWord, type ZoneImage } from '../zone/index.ts'
import { addressesAt } from './addresses.ts'
import { MOST_ADDITIONAL, writeRecords, writeRrset, type Assembly } from './assembly.ts'

// What a client will ask for next, as long as there is room (RFC 1034 §3.6, 2782, 9460 §4.1).

/** Adds what the names that NS, MX, SRV, SVCB and HTTPS records speak of have. `node` is where the RRset stands. */
export function addAddresses(assembly: Assembly, image: ZoneImage, node: number, rrset: number): void {
  const type = rrsetWord(image, rrset, RRSET.TYPE) & 0xffff
  const skip = targetAt(type)
  if (skip < 0) return
  const { finding, owner } = assembly
  const isService = type === TYPE.SVCB || type === TYPE.HTTPS
  eachTarget(assembly, image, rrset, skip, (at) => {
    const { bytes } = image
    const isAlias = isService && bytes[at - 2] === 0 && bytes[at - 1] === 0
    if (isService && bytes[at] === 0) return isAlias || addNode(assembly, image, node, owner)
    locate(image, assembly.chased, TYPE.A, finding)
    if (finding.standing !== 'exact' && finding.standing !== 'wildcard') return true
    const target = finding.node
    const other = nameAt(assembly, image, at)
    // The service that an alias leads to, then where it is.
    const service = isAlias ? findRrset(image, target, type) : -1
    if (service >= 0 && !writeRrset(assembly, image, other, service, rrsetWord(image, service, RRSET.TTL), 'additionals')) return false
    return addNode(assembly, image, target, other)
  })
}

/** Whether more is said of records of this type than stands in them. */
export function hasTargets(type: number): boolean {
  return targetAt(type) >= 0
}

function targetAt(type: number): number {
  switch (type) {
    case TYPE.NS: return 0
    case TYPE.MX: case TYPE.SVCB: case TYPE.HTTPS: return 2
    case TYPE.SRV: return 6
    default: return -1
  }
}

/** Calls `add` for the name in each record, taken apart in `chased`, until it returns false: then something was left out. */
export function eachTarget(assembly: Assembly, image: ZoneImage, rrset: number, skip: number, add: (at: number) => boolean): void {
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

/** The name at bytes[at…] of the image as the owner of records to come. */
export function nameAt({ other }: Assembly, image: ZoneImage, at: number): Owner {
  other.pointer = 0
  other.bytes = image.bytes
  other.at = at
  return other
}

/** The A and AAAA records of a node, steered where it is routed; false when they do not fit. */
export function addNode(assembly: Assembly, image: ZoneImage, node: number, owner: Owner): boolean {
  const { visited } = assembly
  for (let before = 0; before < assembly.added; before++) if (visited[before] === node) return true
  visited[assembly.added++] = node
  for (const type of [TYPE.A, TYPE.AAAA]) {
    const found = addressesAt(assembly, image, node, type, false)
    if (found !== undefined && !writeRecords(assembly, owner, type, found.ttl, found.addresses, 'additionals')) return false
  }
  return true
}
