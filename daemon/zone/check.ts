// What one record alone cannot show: rules between the records of a name, and between names.
import { suggestion } from '../../core/suggest.ts'
import type { Position } from '../../core/trouble.ts'
import { labelCount, nameToText } from '../wire/name.ts'
import { LOWER } from '../wire/scan.ts'
import { TYPE } from '../wire/types.ts'
import { type Groups, whereIs } from './group.ts'
import { recordTypeToText } from './rdata.ts'
import type { Reading } from './reader.ts'
import { TYPE_ALIAS, TYPE_ROUTE } from './record.ts'
import { note, positionOf, sourceAt } from './sources.ts'
import { findName, ownerOf, rdataOf, TYPE_UNREAD } from './table.ts'
import { tokenBehind } from './entry.ts'

// What a name has, as bits.
export const ADDRESS = 1
export const CNAME = 2
export const DNAME = 4
export const NS = 8
export const SOA = 16
export const ROUTE = 32
export const ALIAS = 64
/** Data that may stand beside a CNAME: signatures and what proves absence. */
export const PROOF = 128
export const UNREAD = 256
export const OTHER = 512

const BITS: Readonly<Record<number, number>> = {
  [TYPE.A]: ADDRESS,
  [TYPE.AAAA]: ADDRESS,
  [TYPE.CNAME]: CNAME,
  [TYPE.DNAME]: DNAME,
  [TYPE.NS]: NS,
  [TYPE.SOA]: SOA,
  [TYPE_ROUTE]: ROUTE,
  [TYPE_ALIAS]: ALIAS,
  [TYPE.RRSIG]: PROOF,
  [TYPE.NSEC]: PROOF,
  [TYPE.KEY]: PROOF,
  [TYPE_UNREAD]: UNREAD
}
const BIT = new Uint16Array(65_536).fill(OTHER)
for (const [type, bit] of Object.entries(BITS)) BIT[Number(type)] = bit

/** What a name with these types has. */
export const bitsOf = (types: readonly number[]): number => types.reduce((sum, type) => sum | BIT[type]!, 0)

/** Types of which a name has one at most. */
const SINGLE = CNAME | DNAME | SOA | ROUTE | ALIAS

/** Whether a name has one record of the type at most. */
export function isSingle(type: number): boolean {
  return (BIT[type]! & SINGLE) !== 0
}

/** Types that do not stand beside each other, and why. */
const CONFLICTS: readonly { readonly has: number; readonly beside: number; readonly because: string; readonly belowApex?: boolean }[] = [
  { has: CNAME, beside: ~(CNAME | PROOF | UNREAD), because: 'a name with a CNAME has no other data (RFC 1034 §3.6.2)' },
  { has: ROUTE, beside: ADDRESS | ALIAS, because: 'ROUTE answers A and AAAA itself' },
  { has: ALIAS, beside: ADDRESS, because: 'ALIAS answers A and AAAA itself' },
  { has: NS, beside: ROUTE | ALIAS, because: 'a name that is delegated is not answered here', belowApex: true },
  { has: DNAME, beside: NS, because: 'a DNAME stands beside NS at the top of a zone only (RFC 6672 §2.3)', belowApex: true }
]

/** The names of a zone and what they have. */
export interface Names {
  readonly zone: Uint8Array
  /** Number of the zone's own name, or -1 when it has no record. */
  readonly apex: number
  /** Per name: bits. */
  readonly has: Uint16Array
}

/** Checks each name by itself, and that there is one SOA. */
export function checkNames(reading: Reading, groups: Groups): Names | undefined {
  const { table, trouble } = reading
  const { order, starts } = groups
  const { zone } = reading
  const has = new Uint16Array(table.names)
  for (const record of order) has[table.name[record]!]! |= BIT[table.type[record]!]!
  if (zone === undefined) {
    if (!reading.incomplete && !has.some((bits) => (bits & UNREAD) !== 0)) noteNoSoa(reading, undefined)
    return undefined
  }
  const apex = findName(table, zone, 0)
  let strayed = false
  for (let name = 0; name < table.names; name++) {
    const from = starts[name]!
    if (from === starts[name + 1]) continue
    const bits = has[name]!
    if ((bits & SOA) !== 0 && name !== apex) {
      strayed = true
      noteStraySoa(reading, zone, findRecord(reading, groups, name, SOA))
    }
    if (!isBelow(table.octets, table.nameAt[name]!, zone)) {
      const outside = (): string => `${nameToText(ownerOf(table, name))} lies outside the zone ${nameToText(zone)}`
      // With the SOA of another zone, the whole text is probably that zone's.
      if (!strayed) note(trouble, 'error', table.place[order[from]!]!, outside)
      continue
    }
    if ((bits & SINGLE) !== 0) checkSingles(reading, groups, name)
    if ((bits & (bits - 1)) !== 0) checkConflicts(reading, groups, name, bits, name === apex)
  }
  if (apex < 0 || (has[apex]! & SOA) === 0) {
    if (!reading.incomplete && !strayed && (apex < 0 || (has[apex]! & UNREAD) === 0)) noteNoSoa(reading, zone)
  } else if ((has[apex]! & (NS | UNREAD)) === 0 && !reading.incomplete) {
    note(trouble, 'warning', table.place[findRecord(reading, groups, apex, SOA)]!, 'the zone has no NS', 'such as: @ NS ns1')
  }
  return { zone, apex, has }
}

function noteNoSoa({ trouble }: Reading, zone: Uint8Array | undefined): void {
  const of = zone === undefined ? 'the zone has no SOA' : `the zone ${nameToText(zone)} has no SOA`
  note(trouble, 'error', trouble.sources.list[0]!.base, of, 'such as: @ SOA ns1 hostmaster 1 3600 600 604800 60')
}

function noteStraySoa({ table, trouble }: Reading, zone: Uint8Array, record: number): void {
  const owner = nameToText(ownerOf(table, table.name[record]!))
  note(trouble, 'error', table.place[record]!, `a SOA of ${owner} in the zone ${nameToText(zone)}`, 'a zone has one SOA, of its own name: is the origin right?')
}

/** Whether the name at octets[at…] is the zone or beneath it. */
function isBelow(octets: Uint8Array, at: number, zone: Uint8Array): boolean {
  let end = at
  while (octets[end]! > 0) end += octets[end]! + 1
  const cut = end + 1 - zone.length
  let read = at
  while (read < cut) read += octets[read]! + 1
  if (read !== cut) return false
  for (let octet = 0; octet < zone.length; octet++) if (LOWER[octets[cut + octet]!] !== LOWER[zone[octet]!]) return false
  return true
}

/** The first record of a name that has one of the bits. */
function findRecord({ table }: Reading, { order, starts }: Groups, name: number, bits: number): number {
  let found = -1
  for (let at = starts[name]!; at < starts[name + 1]!; at++) {
    const record = order[at]!
    if ((BIT[table.type[record]!]! & bits) !== 0 && (found < 0 || table.place[record]! < table.place[found]!)) found = record
  }
  return found
}

function checkSingles({ table, trouble }: Reading, { order, starts }: Groups, name: number): void {
  for (let at = starts[name]! + 1; at < starts[name + 1]!; at++) {
    const [before, record] = [order[at - 1]!, order[at]!]
    const type = table.type[record]!
    if (type !== table.type[before] || (BIT[type]! & SINGLE) === 0) continue
    const kind = recordTypeToText(type)
    const reason = (): string => `a second ${kind} of ${nameToText(ownerOf(table, name))}: the first stands ${whereIs(trouble.sources, table.place[record]!, table.place[before]!)}`
    note(trouble, 'error', table.place[record]!, reason, type === TYPE_ROUTE ? 'several policies are joined by one that names them' : undefined)
  }
}

function checkConflicts(reading: Reading, groups: Groups, name: number, bits: number, isApex: boolean): void {
  const { table, trouble } = reading
  for (const { has, beside, because, belowApex } of CONFLICTS) {
    if ((bits & has) === 0 || (bits & beside) === 0 || (belowApex === true && isApex)) continue
    const [a, b] = [findRecord(reading, groups, name, has), findRecord(reading, groups, name, beside)]
    const [first, second] = table.place[a]! < table.place[b]! ? [a, b] : [b, a]
    const [kind, other] = [recordTypeToText(table.type[second]!), recordTypeToText(table.type[first]!)]
    note(trouble, 'error', table.place[second]!, () => `${kind} beside the ${other} ${whereIs(trouble.sources, table.place[second]!, table.place[first]!)}: ${because}`)
    return
  }
}

/** Why the types of one name cannot stand beside each other; undefined when they can. */
export function conflictAmong(types: readonly number[], isApex: boolean): string | undefined {
  const typeWith = (bits: number): string => recordTypeToText(types.find((type) => (BIT[type]! & bits) !== 0)!)
  const bits = bitsOf(types)
  for (const { has, beside, because, belowApex } of CONFLICTS) {
    if ((bits & has) !== 0 && (bits & beside) !== 0 && !(belowApex === true && isApex)) return `${typeWith(beside)} beside ${typeWith(has)}: ${because}`
  }
  return undefined
}

/** Names of the policies that ROUTE may name. `renaming`: those of them that may answer a CNAME. */
export type PolicyNames = ReadonlySet<string> & { readonly renaming?: ReadonlySet<string> }

/** Why a policy that may answer a CNAME cannot stand at a name. @param types all that stand there */
export function whyNotRenamed(types: readonly number[], isApex: boolean): string | undefined {
  if (isApex) return 'which the zone\'s own name cannot have (RFC 1034 §3.6.2)'
  const beside = types.find((type) => (BIT[type]! & ~(ROUTE | PROOF | UNREAD)) !== 0)
  return beside === undefined ? undefined : `which cannot stand beside ${recordTypeToText(beside)} (RFC 1034 §3.6.2)`
}

/** Every ROUTE names a policy that is there, and that may stand there. @returns see Zone.crowded */
export function checkPolicies({ table, trouble }: Reading, groups: Groups, names: Names, policies?: PolicyNames): Map<string, Position> {
  const crowded = new Map<string, Position>()
  for (let name = 0; name < table.names; name++) {
    if ((names.has[name]! & ROUTE) === 0) continue
    const records = groups.order.subarray(groups.starts[name], groups.starts[name + 1])
    const why = name === names.apex || (names.has[name]! & ~(ROUTE | PROOF | UNREAD)) !== 0 ? whyNotRenamed([...records].map((record) => table.type[record]!), name === names.apex) : undefined
    for (const record of records) {
      if (table.type[record] !== TYPE_ROUTE || table.rdata[record] === 0) continue
      const policy = String.fromCharCode(...rdataOf(table, record))
      const place = dataPlace(trouble.sources, table.place[record]!, 1)
      if (policies !== undefined && !policies.has(policy)) note(trouble, 'error', place, `there is no policy ${policy}`, () => suggestion(policy, policies))
      if (why === undefined) continue
      if (!crowded.has(policy)) crowded.set(policy, positionOf(trouble.sources, place))
      if (policies?.renaming?.has(policy) === true) note(trouble, 'error', place, `policy ${policy} may answer a CNAME, ${why}`)
    }
  }
  return crowded
}

/** The place of the token so many behind the type at `place`. */
export function dataPlace(sources: Reading['sources'], place: number, token: number): number {
  const source = sourceAt(sources, place)
  return source.base + tokenBehind(source.text, place - source.base, token)
}

/** Names beneath a delegation or a DNAME are never answered: warns of data that stands there, addresses beneath a delegation excepted. */
export function checkHidden({ table, trouble }: Reading, groups: Groups, names: Names): void {
  const { has, apex, zone } = names
  const depth = labelCount(zone)
  let isHiding = false
  for (let name = 0; name < has.length && !isHiding; name++) isHiding = (has[name]! & (DNAME | NS)) !== 0 && ((has[name]! & DNAME) !== 0 || name !== apex)
  if (!isHiding) return
  for (let name = 0; name < table.names; name++) {
    const above = hiddenBy(table, names, table.nameAt[name]!, depth)
    if (above < 0 || groups.starts[name] === groups.starts[name + 1]) continue
    const cut = (has[above]! & DNAME) === 0
    if (cut && (has[name]! & ~(ADDRESS | PROOF | UNREAD)) === 0) continue
    const record = groups.order[groups.starts[name]!]!
    const by = `the ${cut ? 'delegation' : 'DNAME'} of ${nameToText(ownerOf(table, above))}`
    note(trouble, 'warning', table.place[record]!, () => `${nameToText(ownerOf(table, name))} is hidden beneath ${by}, and never answered`)
  }
}

/** The highest name above octets[at…] that hides it, or -1. */
export function hiddenBy(table: Reading['table'], { has, apex, zone }: Names, at: number, depth = labelCount(zone), octets = table.octets): number {
  let labels = 0
  for (let read = at; octets[read]! > 0; read += octets[read]! + 1) labels++
  let found = -1
  for (let read = at; labels > depth; labels--) {
    read += octets[read]! + 1
    const above = findName(table, octets, read)
    if (above >= 0 && ((has[above]! & DNAME) !== 0 || ((has[above]! & NS) !== 0 && above !== apex))) found = above
  }
  return found
}
