import { makeScannedName, scanName } from '../wire/index.ts'
import type { PlainRecord, ZoneChange } from './change.ts'
import { findNode, NODE, nodeWord, RRSET, rrsetWord, type ZoneImage } from './image.ts'
import { codecOf } from './rdata.ts'
import { lowerOctet } from '../wire/name.ts'

/** An RRset as it is to be. */
export interface RrsetAfter {
  readonly type: number
  readonly ttl: number
  /** RDATA of its records; absent when the RRset of this number in the image stays as it is. */
  readonly rdata?: readonly Uint8Array[]
  readonly kept: number
  readonly count: number
}

/** An owner that a change touches, and what it is to have. */
export interface OwnerAfter {
  /** As it is to be shown. */
  readonly owner: Uint8Array
  /** Its node in the image, 0 when there is none; it may be another zone's. */
  readonly node: number
  /** In the order of their types; none: the owner is to have nothing. */
  readonly rrsets: readonly RrsetAfter[]
  /** What the image holds of it that is not to stay, and what is to come. */
  readonly deleted: readonly PlainRecord[]
  readonly added: readonly PlainRecord[]
}

interface Touched {
  readonly owner: Uint8Array
  readonly types: Map<number, { deleted: PlainRecord[]; added: PlainRecord[] }>
}

/** A change cannot be told from the image: the record that it deletes is not there, or a zone that lies in this one hides an owner (`hidden`). */
export type Untold = { readonly missing: PlainRecord } | { readonly hidden: Uint8Array }

/** What every owner that a change of a zone touches is to have. */
export function ownersAfter(image: ZoneImage, { origin, deleted, added }: Pick<ZoneChange, 'origin' | 'deleted' | 'added'>): Map<string, OwnerAfter> | Untold {
  const touched = new Map<string, Touched>()
  const scanned = makeScannedName()
  const at = ({ owner, type }: PlainRecord): { deleted: PlainRecord[]; added: PlainRecord[] } => {
    const key = nameKey(owner)
    const known = touched.get(key) ?? { owner, types: new Map() }
    touched.set(key, known)
    const lists = known.types.get(type) ?? { deleted: [], added: [] }
    known.types.set(type, lists)
    return lists
  }
  for (const record of deleted) at(record).deleted.push(record)
  for (const record of added) at(record).added.push(record)
  scanName(origin, 0, origin.length, scanned)
  const apex = findNode(image, scanned, 0)
  const after = new Map<string, OwnerAfter>()
  for (const [key, { owner, types }] of touched) {
    scanName(owner, 0, owner.length, scanned)
    const node = findNode(image, scanned, 0)
    let nearest = node
    for (let label = 1; nearest === 0 && label <= scanned.labels; label++) nearest = findNode(image, scanned, label)
    if (nearest !== 0 && nodeWord(image, nearest, NODE.APEX) !== apex) return { hidden: owner }
    const made = ownerAfter(image, node, owner, types)
    if ('missing' in made) return made
    after.set(key, made)
  }
  return after
}

function ownerAfter(image: ZoneImage, node: number, owner: Uint8Array, types: Touched['types']): OwnerAfter | { readonly missing: PlainRecord } {
  const rrsets: RrsetAfter[] = []
  const deleted: PlainRecord[] = []
  const added: PlainRecord[] = []
  const left = new Map(types)
  const [first, stop] = node === 0 ? [0, 0] : [nodeWord(image, node, NODE.RRSETS), nodeWord(image, node + 1, NODE.RRSETS)]
  for (let rrset = first; rrset < stop; rrset++) {
    const shape = rrsetWord(image, rrset, RRSET.TYPE)
    const type = shape & 0xffff
    const ttl = rrsetWord(image, rrset, RRSET.TTL)
    const lists = left.get(type)
    left.delete(type)
    if (lists === undefined) {
      rrsets.push({ type, ttl, kept: rrset, count: shape >>> 16 })
      continue
    }
    const before = rdataOf(image, rrset)
    const now = mergeRdata(type, before, lists)
    if (!Array.isArray(now)) return now
    const least = leastTtl(lists.added, now.length > lists.added.length ? ttl : undefined)
    if (now.length > 0) rrsets.push({ type, ttl: least, rdata: now, kept: -1, count: now.length })
    const same = least === ttl ? new Set(now.map(latin1)) : new Set()
    const had = least === ttl ? new Set(before.map(latin1)) : new Set()
    deleted.push(...before.filter((rdata) => !same.has(latin1(rdata))).map((rdata) => ({ owner: owner.slice(), type, ttl, rdata: rdata.slice() })))
    added.push(...now.filter((rdata) => !had.has(latin1(rdata))).map((rdata) => ({ owner: owner.slice(), type, ttl: least, rdata: rdata.slice() })))
  }
  for (const [type, lists] of left) {
    const now = mergeRdata(type, [], lists)
    if (!Array.isArray(now)) return now
    const ttl = leastTtl(lists.added, undefined)
    if (now.length === 0) continue
    rrsets.push({ type, ttl, rdata: now, kept: -1, count: now.length })
    added.push(...now.map((rdata) => ({ owner: owner.slice(), type, ttl, rdata: rdata.slice() })))
  }
  return { owner, node, rrsets: rrsets.sort((a, b) => a.type - b.type), deleted, added }
}

/** The records of an RRset after a change: each once. */
function mergeRdata(type: number, before: readonly Uint8Array[], { deleted, added }: { deleted: readonly PlainRecord[]; added: readonly PlainRecord[] }): Uint8Array[] | { readonly missing: PlainRecord } {
  const now = new Map(before.map((rdata) => [dataKey(type, rdata), rdata]))
  for (const record of deleted) if (!now.delete(dataKey(type, record.rdata))) return { missing: record }
  for (const { rdata } of added) now.set(dataKey(type, rdata), rdata)
  return [...now.values()]
}

/** Records of an RRset have one TTL, the least of theirs (RFC 2181 §5.2). */
function leastTtl(added: readonly PlainRecord[], kept: number | undefined): number {
  let least = kept ?? 0x7fff_ffff
  for (const { ttl } of added) least = Math.min(least, ttl & 0x7fff_ffff)
  return least
}

/** RDATA of an RRset's records, views of the image. */
export function rdataOf(image: ZoneImage, rrset: number): Uint8Array[] {
  const { bytes } = image
  const found: Uint8Array[] = []
  let at = rrsetWord(image, rrset, RRSET.DATA)
  const end = at + rrsetWord(image, rrset, RRSET.LENGTH)
  while (at < end) {
    const length = (bytes[at]! << 8) | bytes[at + 1]!
    found.push(bytes.subarray(at + 2, at + 2 + length))
    at += 2 + length
  }
  return found
}

export const latin1 = (octets: Uint8Array): string => Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('latin1')

/** The same for two spellings of a name. */
export function nameKey(name: Uint8Array): string {
  return latin1(name.map(lowerOctet))
}

/** The same for two records with the same data: names in it count whatever their case. */
export function dataKey(type: number, rdata: Uint8Array): string {
  const { namesFrom } = codecOf(type)
  return namesFrom === undefined ? latin1(rdata) : latin1(rdata.map((octet, at) => (at < namesFrom ? octet : lowerOctet(octet))))
}

