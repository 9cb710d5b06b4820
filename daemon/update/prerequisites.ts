import { CLASS, isSubdomain, nameToText, RCODE, TYPE, typeToText } from '../wire/index.ts'
import { rdataKey } from '../zone/index.ts'
import type { Malformed, UpdateRecord } from './message.ts'
import { keyOf, setOf, type ZoneView } from './rrset.ts'

/** The first prerequisite that does not hold, in the order of the message (RFC 2136 §3.2). */
export function failedPrerequisite(view: ZoneView, prerequisites: readonly UpdateRecord[]): Malformed | undefined {
  const wanted = new Map<string, { owner: Uint8Array; type: number; data: Set<string> }>()
  for (const record of prerequisites) {
    const { owner, type, class: kind, rdata } = record
    const wrong = malformed(view, record)
    if (wrong !== undefined) return wrong
    if (kind === CLASS.IN) {
      // RRsets with their data are compared whole, once all of the section has been read (§3.2.3).
      const key = `${type} ${keyOf(owner)}`
      const set = wanted.get(key) ?? { owner, type, data: new Set<string>() }
      set.data.add(rdataKey(type, rdata))
      wanted.set(key, set)
    } else {
      const failed = type === TYPE.ANY ? ofName(view, owner, kind) : ofSet(view, owner, type, kind)
      if (failed !== undefined) return failed
    }
  }
  for (const { owner, type, data } of wanted.values()) {
    const set = setOf(view.setsOf(owner), type)
    if (set === undefined || set.data.length !== data.size || !set.data.every((each) => data.has(rdataKey(type, each)))) {
      return { rcode: RCODE.NXRRSET, reason: `${nameToText(owner)} ${typeToText(type)} is not as the prerequisite has it` }
    }
  }
  return undefined
}

function malformed(view: ZoneView, { owner, type, class: kind, ttl, rdata }: UpdateRecord): Malformed | undefined {
  const wrong = (reason: string): Malformed => ({ rcode: RCODE.FORMERR, reason: `prerequisite ${nameToText(owner)} ${typeToText(type)}: ${reason}` })
  if (ttl !== 0) return wrong('with a TTL')
  if (!isSubdomain(owner, view.origin)) return { rcode: RCODE.NOTZONE, reason: `prerequisite: ${nameToText(owner)} lies outside the zone` }
  if (kind !== CLASS.IN && kind !== CLASS.ANY && kind !== CLASS.NONE) return wrong(`class ${kind}`)
  return kind !== CLASS.IN && rdata.length > 0 ? wrong('data that are not asked for') : undefined
}

function ofName(view: ZoneView, owner: Uint8Array, kind: number): Malformed | undefined {
  const isThere = view.setsOf(owner).length > 0
  if (kind === CLASS.ANY && !isThere) return { rcode: RCODE.NXDOMAIN, reason: `${nameToText(owner)} is not in use` }
  if (kind === CLASS.NONE && isThere) return { rcode: RCODE.YXDOMAIN, reason: `${nameToText(owner)} is in use` }
  return undefined
}

function ofSet(view: ZoneView, owner: Uint8Array, type: number, kind: number): Malformed | undefined {
  const isThere = setOf(view.setsOf(owner), type) !== undefined
  if (kind === CLASS.ANY && !isThere) return { rcode: RCODE.NXRRSET, reason: `${nameToText(owner)} has no ${typeToText(type)}` }
  if (kind === CLASS.NONE && isThere) return { rcode: RCODE.YXRRSET, reason: `${nameToText(owner)} has ${typeToText(type)}` }
  return undefined
}
