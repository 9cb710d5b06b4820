import { scanName, TYPE } from '../wire/index.ts'
import { findRrset, FLAG, locate, NODE, nodeWord, RRSET, rrsetWord, TYPE_ALIAS, TYPE_ROUTE, type ZoneImage } from '../zone/index.ts'
import type { Assembly } from './assembly.ts'
import { pickVariant } from './steering.ts'

/** The addresses a name is answered with, for answers that speak of it: the same that a question for it would get. */
export interface Addresses {
  readonly addresses: readonly Uint8Array[]
  /** Seconds that they may be kept. */
  readonly ttl: number
  /** In their place: a policy answers a CNAME, to this name in wire form. */
  readonly cname?: Uint8Array
}

/** Aliases that one name may lead through. */
const LONGEST_CHAIN = 8

/**
 * The addresses of a node, of type A or AAAA, steered where they are routed; undefined when our zones have none.
 * @param throughCname also those of the name that a CNAME there leads to
 */
export function addressesAt(assembly: Assembly, image: ZoneImage, start: number, type: number, throughCname: boolean): Addresses | undefined {
  let node = start
  let longestTtl = Infinity
  for (let hop = 0; hop < LONGEST_CHAIN; hop++) {
    const flags = nodeWord(image, node, NODE.SHAPE)
    const rrset = findRrset(image, node, type)
    if (rrset >= 0) return { addresses: recordsOf(image, rrset), ttl: Math.min(longestTtl, rrsetWord(image, rrset, RRSET.TTL)) }
    if ((flags & FLAG.ROUTE) !== 0) {
      const found = routed(assembly, image, node, type, longestTtl)
      if (found?.cname === undefined || (hop === 0 && !throughCname)) return found
      longestTtl = found.ttl
      node = nodeOf(assembly, image, found.cname, 0)
      if (node === 0) return undefined
      continue
    }
    const leads = (flags & FLAG.ALIAS) !== 0 ? TYPE_ALIAS : throughCname && (flags & FLAG.CNAME) !== 0 ? TYPE.CNAME : 0
    if (leads === 0) return undefined
    const alias = findRrset(image, node, leads)
    longestTtl = Math.min(longestTtl, rrsetWord(image, alias, RRSET.TTL))
    node = nodeOf(assembly, image, image.bytes, rrsetWord(image, alias, RRSET.DATA) + 2)
    if (node === 0) return undefined
  }
  return undefined
}

/** The node that answers for the name at bytes[at…], or 0: no zone of ours does, or it does not exist. */
export function nodeOf({ beside, found }: Assembly, image: ZoneImage, bytes: Uint8Array, at: number): number {
  scanName(bytes, at, bytes.length, beside)
  locate(image, beside, TYPE.A, found)
  return found.standing === 'exact' || found.standing === 'wildcard' ? found.node : 0
}

function routed({ steer, pick, beside }: Assembly, image: ZoneImage, node: number, type: number, longestTtl: number): Addresses | undefined {
  const rrset = findRrset(image, node, TYPE_ROUTE)
  scanName(image.bytes, nodeWord(image, node, NODE.SHOWN), image.bytes.length, beside)
  const steered = steer(rrset, type, beside.hashes[0]!)
  const variant = pickVariant(steered, pick)
  if (variant === undefined) return undefined
  const { addresses, cname } = variant
  return { addresses, ttl: Math.min(longestTtl, rrsetWord(image, rrset, RRSET.TTL), steered.longestTtl), ...(cname !== undefined && { cname }) }
}

function recordsOf(image: ZoneImage, rrset: number): Uint8Array[] {
  const { bytes } = image
  const records: Uint8Array[] = []
  let at = rrsetWord(image, rrset, RRSET.DATA)
  for (const end = at + rrsetWord(image, rrset, RRSET.LENGTH); at < end; ) {
    const length = (bytes[at]! << 8) | bytes[at + 1]!
    records.push(bytes.subarray(at + 2, at + 2 + length))
    at += 2 + length
  }
  return records
}
