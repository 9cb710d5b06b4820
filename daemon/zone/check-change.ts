import { isSubdomain, makeScannedName, nameToText, scanName, TYPE, type ScannedName } from '../wire/index.ts'
import { nameKey, rdataOf, type OwnerAfter } from './change-owners.ts'
import { conflictAmong, isSingle, whyNotRenamed, type PolicyNames } from './check.ts'
import { findNode, findRrset, NODE, nodeWord, RRSET, rrsetWord, type ZoneImage } from './image.ts'
import { isRdata, recordTypeToText } from './rdata.ts'
import type { PlainRecord } from './change.ts'
import { TYPE_ALIAS, TYPE_ROUTE } from './record.ts'

// What a zone file has to pass, asked of a change: of what it touches, and of what may depend on that.

/** What is wrong with records in themselves; the first of it. */
export function judgeRecords(records: readonly PlainRecord[]): string | undefined {
  const scanned = makeScannedName()
  for (const { owner, type, rdata } of records) {
    if (scanName(owner, 0, owner.length, scanned) !== owner.length) return 'an owner is not a name'
    if (!isRdata(type, rdata)) return `${nameToText(owner)} ${recordTypeToText(type)}: ${rdata.length} octets that are no data of this type`
  }
  return undefined
}

export interface JudgeOptions {
  readonly image: ZoneImage
  /** Wire form. */
  readonly origin: Uint8Array
  readonly owners: ReadonlyMap<string, OwnerAfter>
  /** Names of the policies that ROUTE may name; without it any is taken. */
  readonly policies?: PolicyNames
  /** Owners of ALIAS in the zone. */
  readonly aliases: Iterable<Uint8Array>
}

/** Why the zone would be broken, all reasons; none: it would not. */
export function judgeOwners(options: JudgeOptions): string[] {
  const { origin, owners, policies } = options
  const reasons: string[] = []
  const apexKey = nameKey(origin)
  for (const [key, { owner, rrsets }] of owners) {
    const text = nameToText(owner)
    if (!isSubdomain(owner, origin)) reasons.push(`${text} lies outside the zone ${nameToText(origin)}`)
    for (const { type, count, rdata = [] } of rrsets) {
      if (count > 1 && isSingle(type)) reasons.push(`a second ${recordTypeToText(type)} of ${text}`)
      if (type === TYPE.SOA && key !== apexKey) reasons.push(`a SOA of ${text} in the zone ${nameToText(origin)}`)
      const policy = type === TYPE_ROUTE && rdata[0] !== undefined ? String.fromCharCode(...rdata[0]) : undefined
      if (policy !== undefined && policies?.has(policy) === false) reasons.push(`there is no policy ${policy}`)
    }
    reasons.push(...judgeRenaming(options, text, rrsets, key === apexKey))
    const conflict = conflictAmong(rrsets.map(({ type }) => type), key === apexKey)
    if (conflict !== undefined) reasons.push(`${text}: ${conflict}`)
    if (key === apexKey && !rrsets.some(({ type }) => type === TYPE.SOA)) reasons.push(`the zone ${nameToText(origin)} has no SOA`)
  }
  return [...reasons, ...judgeAliases(options)]
}

/** A policy that may answer a CNAME has its name for itself. */
function judgeRenaming({ image, policies }: JudgeOptions, text: string, rrsets: OwnerAfter['rrsets'], isApex: boolean): string[] {
  const route = policies?.renaming === undefined ? undefined : rrsets.find(({ type }) => type === TYPE_ROUTE)
  if (route === undefined) return []
  const policy = String.fromCharCode(...(route.rdata?.[0] ?? rdataOf(image, route.kept)[0]!))
  const why = policies!.renaming!.has(policy) ? whyNotRenamed(rrsets.map(({ type }) => type), isApex) : undefined
  return why === undefined ? [] : [`${text}: policy ${policy} may answer a CNAME, ${why}`]
}

/** What ALIAS leads to must be there: also where the change only takes it away. */
function judgeAliases(options: JudgeOptions): string[] {
  const { image, owners, aliases } = options
  const scanned = makeScannedName()
  const targets = new Map<string, Uint8Array>()
  for (const owner of aliases) {
    scanName(owner, 0, owner.length, scanned)
    const node = owners.has(nameKey(owner)) ? 0 : findNode(image, scanned, 0)
    const rrset = node === 0 ? -1 : findRrset(image, node, TYPE_ALIAS)
    if (rrset >= 0) targets.set(nameKey(owner), rdataOf(image, rrset)[0]!)
  }
  for (const [key, { rrsets }] of owners) {
    const alias = rrsets.find(({ type }) => type === TYPE_ALIAS)
    if (alias !== undefined) targets.set(key, alias.rdata?.[0] ?? rdataOf(image, alias.kept)[0]!)
  }
  return [...targets.values()].flatMap((target) => {
    const wrong = judgeTarget(options, target, scanned)
    return wrong === undefined ? [] : [`ALIAS leads to ${nameToText(target)}, ${wrong}`]
  })
}

function judgeTarget(options: JudgeOptions, target: Uint8Array, scanned: ScannedName): string | undefined {
  const { origin } = options
  if (!isSubdomain(target, origin)) return 'outside the zone'
  for (let at = 0; target.length - at >= origin.length; at += target[at]! + 1) {
    const types = typesAt(options, target.subarray(at), scanned)
    const isCut = target.length - at > origin.length && types.includes(TYPE.NS)
    if (isCut || (at > 0 && types.includes(TYPE.DNAME))) return `which this zone does not answer for: it lies beneath ${nameToText(target.subarray(at))}`
  }
  const types = typesFor(options, target, scanned)
  if (types.length === 0) return 'and nothing stands there'
  return types.some((type) => type === TYPE.A || type === TYPE.AAAA || type === TYPE_ROUTE) ? undefined : 'which has no address'
}

/** Types at a name after the change, or at the wildcard that stands for it. */
export function typesFor(options: JudgeOptions, target: Uint8Array, scanned: ScannedName): number[] {
  const exact = typesAt(options, target, scanned)
  if (exact.length > 0) return exact
  for (let at = target[0]! + 1; target.length - at >= options.origin.length; at += target[at]! + 1) {
    const wildcard = typesAt(options, Uint8Array.of(1, 0x2a, ...target.subarray(at)), scanned)
    if (wildcard.length > 0) return wildcard
    if (typesAt(options, target.subarray(at), scanned).length > 0) break
  }
  return []
}

/** Types at a name after the change. */
export function typesAt({ image, owners }: JudgeOptions, name: Uint8Array, scanned: ScannedName): number[] {
  const after = owners.get(nameKey(name))
  if (after !== undefined) return after.rrsets.map(({ type }) => type)
  scanName(name, 0, name.length, scanned)
  const node = findNode(image, scanned, 0)
  if (node === 0) return []
  const types: number[] = []
  const stop = nodeWord(image, node + 1, NODE.RRSETS)
  for (let rrset = nodeWord(image, node, NODE.RRSETS); rrset < stop; rrset++) types.push(rrsetWord(image, rrset, RRSET.TYPE) & 0xffff)
  return types
}
