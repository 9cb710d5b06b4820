import { editDistance } from '../../core/suggest.ts'
import { nameToText, type ScannedName } from '../wire/index.ts'
import { findNode, findRrset, isStale, NODE, nodeWord, rdataToText, recordTypeToText, RRSET, rrsetWord, type ZoneImage } from '../zone/index.ts'
import { TYPE } from '../wire/index.ts'

// What stands in a zone image, as text.

/** An RRset of the image, each record in zone-file form. */
export interface ShownRrset {
  readonly type: number
  readonly ttl: number
  readonly records: readonly string[]
  readonly rdata: readonly Uint8Array[]
}

export function showRrset(image: ZoneImage, node: number, rrset: number): ShownRrset {
  const type = rrsetWord(image, rrset, RRSET.TYPE) & 0xffff
  const ttl = rrsetWord(image, rrset, RRSET.TTL)
  const owner = showName(image, node)
  const rdata: Uint8Array[] = []
  const start = rrsetWord(image, rrset, RRSET.DATA)
  const end = start + rrsetWord(image, rrset, RRSET.LENGTH)
  for (let at = start; at < end; ) {
    const length = (image.bytes[at]! << 8) | image.bytes[at + 1]!
    rdata.push(image.bytes.slice(at + 2, at + 2 + length))
    at += 2 + length
  }
  return { type, ttl, rdata, records: rdata.map((each) => `${owner} ${ttl} ${recordTypeToText(type)} ${rdataToText(type, each)}`) }
}

/** A node's name as the operator wrote it. */
export function showName(image: ZoneImage, node: number): string {
  return nameToText(image.bytes, nodeWord(image, node, NODE.SHOWN))
}

/** The types that stand at a node. */
export function typesAt(image: ZoneImage, node: number): string[] {
  const types: string[] = []
  const stop = nodeWord(image, node + 1, NODE.RRSETS)
  for (let rrset = nodeWord(image, node, NODE.RRSETS); rrset < stop; rrset++) types.push(recordTypeToText(rrsetWord(image, rrset, RRSET.TYPE) & 0xffff))
  return types
}

/** The zone that a node belongs to. */
export function zoneOf(image: ZoneImage, node: number): { origin: string; serial: number } {
  const apex = nodeWord(image, node, NODE.APEX)
  const soa = findRrset(image, apex, TYPE.SOA)
  const rdata = soa < 0 ? undefined : showRrset(image, apex, soa).rdata[0]
  // The serial is the first of the five numbers that end an SOA (RFC 1035 §3.3.13).
  const serial = rdata === undefined ? 0 : new DataView(rdata.buffer, rdata.byteOffset).getUint32(rdata.length - 20)
  return { origin: showName(image, apex), serial }
}

/** As many zones as are looked through for one that was probably meant. */
const MOST_COMPARED = 20_000

/** The name with the origin of a zone in place of its end, where that differs by little. */
export function nearName(image: ZoneImage, text: string): string | undefined {
  const labels = text.split(/(?<!\\)\./).slice(0, -1)
  let best: { readonly name: string; readonly distance: number } | undefined
  // Apexes are the first nodes.
  for (let node = 1; node <= Math.min(image.zoneCount, MOST_COMPARED); node++) {
    const origin = nameToText(image.bytes, nodeWord(image, node, NODE.NAME))
    const kept = labels.length - (origin.split('.').length - 1)
    if (kept < 0 || origin === '.') continue
    const end = `${labels.slice(kept).join('.')}.`
    if (Math.abs(end.length - origin.length) > 3) continue
    const distance = editDistance(end.toLowerCase(), origin)
    if (distance <= Math.max(1, Math.floor(origin.length / 6)) && distance < (best?.distance ?? Infinity)) best = { name: [...labels.slice(0, kept), origin].join('.'), distance }
  }
  return best?.name
}

/** Names of a zone that are compared with one that was probably meant. */
const MOST_MEANT = 5000

/** The name of the same zone that was probably meant by one that does not exist. */
export function meantName(image: ZoneImage, node: number, text: string): string | undefined {
  const apex = nodeWord(image, node, NODE.APEX)
  const most = Math.max(1, Math.floor(text.length / 8))
  const wanted = text.toLowerCase()
  let best: { readonly name: string; readonly distance: number } | undefined
  let compared = 0
  for (let other = 1; other < image.nodeCount && compared < MOST_MEANT; other++) {
    if (nodeWord(image, other, NODE.APEX) !== apex || isStale(image, other)) continue
    const name = nameToText(image.bytes, nodeWord(image, other, NODE.NAME))
    if (Math.abs(name.length - text.length) > most || name.startsWith('*')) continue
    compared++
    const distance = editDistance(wanted, name)
    if (distance <= most && distance < (best?.distance ?? Infinity)) best = { name: showName(image, other), distance }
  }
  return best?.name
}

/** The deepest name above `name` that exists (RFC 4592 §3.3.1). */
export function closestEncloser(image: ZoneImage, name: ScannedName): string | undefined {
  for (let label = 1; label <= name.labels; label++) {
    const node = findNode(image, name, label)
    if (node !== 0) return showName(image, node)
  }
  return undefined
}
