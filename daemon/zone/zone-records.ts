import { makeScannedName, nameLength, scanName, TYPE } from '../wire/index.ts'
import type { PlainRecord } from './change.ts'
import { nextNode } from './zone-source.ts'
import { findNode, findRrset, FLAG, NODE, nodeWord, RRSET, rrsetWord, type ZoneImage } from './image.ts'

/** The apex of the zone of this very name (wire form, any case), or 0 when none is served. */
export function findZone(image: ZoneImage, origin: Uint8Array): number {
  const name = makeScannedName()
  if (scanName(origin, 0, origin.length, name) !== origin.length) return 0
  const node = findNode(image, name, 0)
  return node !== 0 && (nodeWord(image, node, NODE.SHAPE) & FLAG.APEX) !== 0 ? node : 0
}

/**
 * All records of a zone, its SOA first and then RRset by RRset in an order that stays the same for one image: glue and what lies
 * hidden beneath delegations, DNAMEs and lower zones of ours too (RFC 5936 §3.5), ROUTE and ALIAS by their pseudo types. Each is
 * made when it is asked for, so that one may stop, and go on much later: the image does not change. Owners are in the case in which they
 * were written; owner and RDATA are views of the image, to be copied before they are kept or changed.
 * @param origin wire form, any case
 * @returns undefined when there is no such zone
 */
export function zoneRecords(image: ZoneImage, origin: Uint8Array): Generator<PlainRecord, void, void> | undefined {
  const apex = findZone(image, origin)
  return apex === 0 ? undefined : recordsFrom(image, apex)
}

function* recordsFrom(image: ZoneImage, apex: number): Generator<PlainRecord, void, void> {
  const soa = findRrset(image, apex, TYPE.SOA)
  if (soa >= 0) yield* recordsOfRrset(image, apex, soa)
  for (let node = apex; node !== 0; node = nextNode(image, apex, node)) {
    const stop = nodeWord(image, node + 1, NODE.RRSETS)
    for (let rrset = nodeWord(image, node, NODE.RRSETS); rrset < stop; rrset++) if (rrset !== soa) yield* recordsOfRrset(image, node, rrset)
  }
}

/** The records of an RRset at a node, as `zoneRecords` gives them. */
export function* recordsOfRrset(image: ZoneImage, node: number, rrset: number): Generator<PlainRecord, void, void> {
  const { bytes } = image
  const shown = nodeWord(image, node, NODE.SHOWN)
  const owner = bytes.subarray(shown, shown + nameLength(bytes, shown))
  const type = rrsetWord(image, rrset, RRSET.TYPE) & 0xffff
  const ttl = rrsetWord(image, rrset, RRSET.TTL)
  let at = rrsetWord(image, rrset, RRSET.DATA)
  const end = at + rrsetWord(image, rrset, RRSET.LENGTH)
  while (at < end) {
    const length = (bytes[at]! << 8) | bytes[at + 1]!
    yield { owner, type, ttl, rdata: bytes.subarray(at + 2, at + 2 + length) }
    at += 2 + length
  }
}
