import { isSubdomain, nameLength } from '../wire/name.ts'
import { TYPE } from '../wire/types.ts'
import { dataKey, nameKey, rdataOf, type OwnerAfter } from './change-owners.ts'
import type { Difference, PlainRecord } from './change.ts'
import { judgeOwners, typesAt, typesFor, type JudgeOptions } from './check-change.ts'
import { ADDRESS, ALIAS, bitsOf, CNAME, DNAME, NS, PROOF, ROUTE } from './check.ts'
import { POINTERS } from './check-targets.ts'
import { NODE, nodeWord, RRSET, rrsetWord, type ZoneImage } from './image.ts'
import { addPointed, eachSuffix, hashOf, mayBePointed, type Pointed } from './pointed.ts'
import { makeScannedName } from '../wire/index.ts'
import { TYPE_ALIAS } from './record.ts'
import { findZone } from './zone-records.ts'
import { eachNode } from './zone-source.ts'

// Whether a whole reading could have anything to say of a change to a zone in which nothing is amiss. In doubt it could: then the
// zone is read as a whole.

export interface DoubtOptions extends Omit<JudgeOptions, 'owners'> {
  readonly owners: ReadonlyMap<string, OwnerAfter>
  readonly difference: Difference
  readonly pointed: Pointed
}

/** Whether any check of a whole zone may find fault with it after the change. What the change points at is noted. */
export function isDoubtful(options: DoubtOptions): boolean {
  const { owners, origin, pointed, difference } = options
  if (judgeOwners(options).length > 0) return true
  const lists = listsOf(difference)
  for (const [key, after] of owners) if (isUneven(options.image, after, lists.get(key)!) || isMisplaced(options, after)) return true
  if (isPointedAt(options, [...owners.values()].flatMap((after) => shiftOf(options, after) ?? []))) return true
  const apex = owners.get(nameKey(origin))
  if (apex !== undefined && !apex.rrsets.some(({ type }) => type === TYPE.NS)) return true
  for (const record of difference.added) {
    const target = targetOf(record)
    if (target === undefined || !isSubdomain(target, origin)) continue
    if (leadsAstray(options, record, target)) return true
    addPointed(pointed, target, origin.length)
  }
  return false
}

interface Lists {
  readonly deleted: PlainRecord[]
  readonly added: PlainRecord[]
}

function listsOf({ deleted, added }: Difference): Map<string, Lists> {
  const lists = new Map<string, Lists>()
  const at = ({ owner }: PlainRecord): Lists => {
    const key = nameKey(owner)
    const known = lists.get(key) ?? { deleted: [], added: [] }
    lists.set(key, known)
    return known
  }
  for (const record of deleted) at(record).deleted.push(record)
  for (const record of added) at(record).added.push(record)
  return lists
}

/** A record stands twice, or an RRset has several TTLs. */
function isUneven(image: ZoneImage, { node, rrsets }: OwnerAfter, { deleted, added }: Lists): boolean {
  const before = rrsetsOf(image, node)
  for (const type of new Set([...deleted, ...added].map((record) => record.type))) {
    const had = before.get(type)
    const gone = deleted.filter((record) => record.type === type)
    const come = added.filter((record) => record.type === type)
    const has = rrsets.find((rrset) => rrset.type === type)
    if ((has?.count ?? 0) !== (had?.count ?? 0) - gone.length + come.length) return true
    if (gone.some(({ ttl }) => ttl !== had?.ttl)) return true
    const isMixed = has !== undefined && has.count > come.length
    if (come.some(({ ttl }) => ttl !== come[0]!.ttl || (isMixed && ttl !== had?.ttl))) return true
  }
  return false
}

function rrsetsOf(image: ZoneImage, node: number): Map<number, { readonly ttl: number; readonly count: number }> {
  const found = new Map<number, { ttl: number; count: number }>()
  if (node === 0) return found
  const stop = nodeWord(image, node + 1, NODE.RRSETS)
  for (let rrset = nodeWord(image, node, NODE.RRSETS); rrset < stop; rrset++) {
    const shape = rrsetWord(image, rrset, RRSET.TYPE)
    found.set(shape & 0xffff, { ttl: rrsetWord(image, rrset, RRSET.TTL), count: shape >>> 16 })
  }
  return found
}

/** Where what is pointed at may be in another case than before; absent when nothing seems to point there. */
function shiftOf({ image, pointed }: DoubtOptions, { owner, node, rrsets }: OwnerAfter): Uint8Array | undefined {
  if (bitsOf(rrsets.map(({ type }) => type)) === bitsOf([...rrsetsOf(image, node).keys()])) return undefined
  const above = isWildcard(owner) ? owner.subarray(2) : owner
  return mayBePointed(pointed, above) ? above : undefined
}

/** Whether a record of the zone that stays points at one of these names or beneath it. */
function isPointedAt({ image, origin, difference }: DoubtOptions, names: readonly Uint8Array[]): boolean {
  if (names.length === 0) return false
  const wanted = new Set(names.map(hashOf))
  const gone = new Set(difference.deleted.map(keyOf))
  const apex = findZone(image, origin)
  let is = false
  eachNode(image, apex, (node) => {
    const stop = nodeWord(image, node + 1, NODE.RRSETS)
    for (let rrset = nodeWord(image, node, NODE.RRSETS); rrset < stop && !is; rrset++) {
      const type = rrsetWord(image, rrset, RRSET.TYPE) & 0xffff
      if (POINTERS[type] === undefined || type === TYPE_ALIAS) continue
      const leads = rdataOf(image, rrset).filter((rdata) => {
        const target = targetOf({ type, rdata })
        let found = false
        if (target !== undefined && isSubdomain(target, origin)) eachSuffix(target, origin.length, (hash) => (found ||= wanted.has(hash)))
        return found
      })
      if (leads.length === 0) continue
      const shown = nodeWord(image, node, NODE.SHOWN)
      const owner = image.bytes.subarray(shown, shown + nameLength(image.bytes, shown))
      is = leads.some((rdata) => !gone.has(keyOf({ owner, type, rdata })))
    }
  })
  return is
}

const keyOf = ({ owner, type, rdata }: Pick<PlainRecord, 'owner' | 'type' | 'rdata'>): string => `${type} ${nameKey(owner)} ${dataKey(type, rdata)}`

/** It lies beneath what hides it, or begins to hide what lies beneath it. */
function isMisplaced(options: DoubtOptions, { owner, node, rrsets }: OwnerAfter): boolean {
  const { image, origin } = options
  const has = bitsOf(rrsets.map(({ type }) => type))
  const had = bitsOf([...rrsetsOf(image, node).keys()])
  const isApex = owner.length === origin.length
  const hides = isApex ? DNAME : DNAME | NS
  // A name that was not there has none beneath it.
  if ((has & ~had & hides) !== 0 && node !== 0) return true
  const above = has === 0 ? 0 : hiderOf(options, owner)
  return (above & DNAME) !== 0 || (above !== 0 && (has & ~(ADDRESS | PROOF)) !== 0)
}

const isWildcard = (name: Uint8Array): boolean => name[0] === 1 && name[1] === 0x2a

/** What stands above a name of the zone that hides it: bits of NS and DNAME. */
function hiderOf(options: DoubtOptions, name: Uint8Array): number {
  const { origin } = options
  let found = 0
  for (let at = name[0]! + 1; name.length - at >= origin.length; at += name[at]! + 1) {
    const hides = name.length - at === origin.length ? DNAME : DNAME | NS
    found |= bitsOf(typesAt(options, name.subarray(at), scanned)) & hides
  }
  return found
}

const scanned = makeScannedName()

/** The name that a record points at, of those that are asked whether something is there. */
function targetOf({ type, rdata }: Pick<PlainRecord, 'type' | 'rdata'>): Uint8Array | undefined {
  const pointer = POINTERS[type]
  if (pointer === undefined || type === TYPE_ALIAS) return undefined
  const target = rdata.subarray(pointer[0], pointer[0] + nameLength(rdata, pointer[0]))
  return target.length > 1 ? target : undefined
}

function leadsAstray(options: DoubtOptions, { owner, type, rdata }: PlainRecord, target: Uint8Array): boolean {
  const has = bitsOf(typesFor(options, target, scanned))
  const isBeneath = hiderOf(options, target) !== 0
  if (type === TYPE.CNAME) return dataKey(type, rdata) === nameKey(owner) || (has === 0 && !isBeneath)
  if ((has & (ADDRESS | ROUTE | ALIAS)) !== 0) return false
  return (has & CNAME) !== 0 || !isBeneath || (type === TYPE.NS && owner.length !== options.origin.length && isSubdomain(target, owner))
}
