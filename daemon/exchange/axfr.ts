import { TYPE } from '../wire/index.ts'
import type { World } from '../world.ts'
import { findRrset, NODE, nodeWord, RRSET, rrsetWord, TYPE_ALIAS, TYPE_ROUTE, type ZoneImage } from '../zone/index.ts'
import { makeMessageWriter, type MessageWriter } from './messages.ts'
import type { Request } from './request.ts'
import { nodesOf } from './zone-walk.ts'

/** A whole zone (RFC 5936 §2.2): its SOA, everything else, and its SOA again. What it was at the start is what is sent. */
export function* sendZone(request: Request, { zones: image }: World, apex: number): Generator<Uint8Array, void, undefined> {
  const writer = makeMessageWriter(request)
  const soa = findRrset(image, apex, TYPE.SOA)
  writer.own(image.bytes, nodeWord(image, apex, NODE.SHOWN))
  yield* addRrset(writer, image, soa)
  for (const node of nodesOf(image, apex)) {
    const stop = nodeWord(image, node + 1, NODE.RRSETS)
    writer.own(image.bytes, nodeWord(image, node, NODE.SHOWN))
    for (let rrset = nodeWord(image, node, NODE.RRSETS); rrset < stop; rrset++) {
      const type = rrsetWord(image, rrset, RRSET.TYPE) & 0xffff
      if (rrset === soa || type === TYPE_ROUTE || type === TYPE_ALIAS) continue
      yield* addRrset(writer, image, rrset)
    }
  }
  writer.own(image.bytes, nodeWord(image, apex, NODE.SHOWN))
  yield* addRrset(writer, image, soa)
  yield writer.end()
}

/** The SOA alone: nothing is newer than what the client has, or what is does not fit and is to be had over TCP (RFC 1995 §2, §4). */
export function* sendSoa(request: Request, { zones: image }: World, apex: number): Generator<Uint8Array, void, undefined> {
  const writer = makeMessageWriter(request)
  writer.own(image.bytes, nodeWord(image, apex, NODE.SHOWN))
  yield* addRrset(writer, image, findRrset(image, apex, TYPE.SOA))
  yield writer.end()
}

function* addRrset(writer: MessageWriter, image: ZoneImage, rrset: number): Generator<Uint8Array, void, undefined> {
  const { bytes } = image
  const type = rrsetWord(image, rrset, RRSET.TYPE) & 0xffff
  const ttl = rrsetWord(image, rrset, RRSET.TTL)
  const end = rrsetWord(image, rrset, RRSET.DATA) + rrsetWord(image, rrset, RRSET.LENGTH)
  for (let at = rrsetWord(image, rrset, RRSET.DATA); at < end; ) {
    const length = (bytes[at]! << 8) | bytes[at + 1]!
    const full = writer.add(type, ttl, bytes, at + 2, length)
    if (full !== undefined) yield full
    at += 2 + length
  }
}
