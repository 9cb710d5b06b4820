import { CLASS, isMetaType, isSubdomain, nameToText, RCODE, TYPE, typeToText } from '../wire/index.ts'
import { conflictAmong, isSerialAfter, recordTypeToText, serialOf, TYPE_ALIAS, TYPE_ROUTE, withSerial } from '../zone/index.ts'
import { applyUpdate } from './apply.ts'
import { differences, makeDraft, type Draft, type Touched } from './draft.ts'
import type { Malformed, UpdateMessage, UpdateRecord } from './message.ts'
import { firstRefused, type Rules } from './permission.ts'
import { failedPrerequisite } from './prerequisites.ts'
import { keyOf, nextSerial, setOf, soaOf, type ZoneView } from './rrset.ts'

/** What came of a message: a rcode and, when it is not NOERROR, why; with NOERROR what differs now, the SOA among it. Nothing when nothing does. */
export interface Judgement {
  readonly rcode: number
  readonly reason?: string
  readonly touched: readonly Touched[]
}

/** Signatures and what proves absence: made by whoever signs the zone, never sent by others. */
const SIGNERS = new Set<number>([TYPE.RRSIG, TYPE.NSEC, TYPE.NSEC3, TYPE.NSEC3PARAM])

/**
 * Judges an UPDATE message (RFC 2136 §3): all of it is done to the view or nothing is. The zone is known to be the view's.
 * Permission comes before prerequisites, so that nobody learns by them what is not theirs to change.
 */
export function judgeUpdate(view: ZoneView, rules: Rules, key: string, message: UpdateMessage): Judgement {
  const refused = refusedBefore(view, rules, key, message) ?? failedPrerequisite(view, message.prerequisites) ?? malformedUpdate(view, message.updates) ?? untouchable(view, message.updates)
  if (refused !== undefined) return { ...refused, touched: [] }
  const draft = makeDraft(view)
  applyUpdate(draft, message.updates)
  const touched = differences(draft)
  if (touched.length === 0) return { rcode: RCODE.NOERROR, touched }
  const conflict = contradiction(draft, touched) ?? oversized(touched) ?? lostServer(draft, touched)
  if (conflict !== undefined) return { rcode: RCODE.REFUSED, reason: conflict, touched: [] }
  raiseSerial(view, draft)
  return { rcode: RCODE.NOERROR, touched: differences(draft) }
}

/** An update that has been signed. */
export interface UpdateRequest {
  /** Name of the key that signed it. */
  readonly key: string
  readonly message: UpdateMessage
}

/** Judges updates in their order, each over what those before it made of the zone; `touched` is the net of all. */
export function judgeBatch(view: ZoneView, rules: Rules, requests: readonly UpdateRequest[]): { readonly judgements: readonly Judgement[]; readonly touched: readonly Touched[] } {
  const draft = makeDraft(view)
  const judgements = requests.map(({ key, message }) => {
    const judgement = judgeUpdate(draft, rules, key, message)
    for (const { owner, type, now } of judgement.touched) {
      if (now === undefined) draft.drop(owner, type)
      else draft.put(now)
    }
    return judgement
  })
  return { judgements, touched: differences(draft) }
}

/** Where the key may not read or write: before anything of the zone is told. */
function refusedBefore(view: ZoneView, rules: Rules, key: string, { prerequisites, updates }: UpdateMessage): Malformed | undefined {
  const unseen = prerequisites.find(({ owner }) => isSubdomain(owner, view.origin) && !rules.mayTouch(key, owner))
  const reason = unseen === undefined ? firstRefused(rules, key, view, updates) : `a prerequisite about ${nameToText(unseen.owner)}, which is not for the key ${key}`
  return reason === undefined ? undefined : { rcode: RCODE.REFUSED, reason }
}

/** The form of the update section, before any of it is done (RFC 2136 §3.4.1). */
function malformedUpdate(view: ZoneView, updates: readonly UpdateRecord[]): Malformed | undefined {
  for (const { owner, type, class: kind, ttl, rdata } of updates) {
    const shown = `${nameToText(owner)} ${typeToText(type)}`
    if (!isSubdomain(owner, view.origin)) return { rcode: RCODE.NOTZONE, reason: `${nameToText(owner)} lies outside the zone` }
    const wrong = (reason: string): Malformed => ({ rcode: RCODE.FORMERR, reason: `${shown}: ${reason}` })
    if (kind !== CLASS.IN && kind !== CLASS.ANY && kind !== CLASS.NONE) return wrong(`class ${kind} in the update section`)
    if (isMetaType(type) && !(kind === CLASS.ANY && type === TYPE.ANY)) return wrong('no type of a record')
    if (kind !== CLASS.IN && ttl !== 0) return wrong('a deletion with a TTL')
    if (kind === CLASS.ANY && rdata.length > 0) return wrong('an RRset is deleted without data')
  }
  return undefined
}

/** What no key may do: signatures are the signer's, and what is routed is the zone file's. */
function untouchable(view: ZoneView, updates: readonly UpdateRecord[]): Malformed | undefined {
  const refuse = (reason: string): Malformed => ({ rcode: RCODE.REFUSED, reason })
  if (updates.length > 0 && setOf(view.setsOf(view.origin), TYPE.RRSIG) !== undefined) return refuse('the zone is signed where it is made: what is changed here would go unsigned')
  for (const { owner, type, class: kind } of updates) {
    if (SIGNERS.has(type)) return refuse(`${nameToText(owner)} ${typeToText(type)} is for the signer of the zone`)
    if (kind !== CLASS.ANY || type !== TYPE.ANY) continue
    const routed = view.setsOf(owner).find((set) => set.type === TYPE_ROUTE || set.type === TYPE_ALIAS)
    if (routed !== undefined) return refuse(`${nameToText(owner)} has ${recordTypeToText(routed.type)}, which the zone file alone changes: delete its other types one by one`)
  }
  return undefined
}

/** Why a touched name would have what does not stand together, in words. */
function contradiction(view: ZoneView, touched: readonly Touched[]): string | undefined {
  for (const { owner } of touched) {
    const conflict = conflictAmong(view.setsOf(owner).map(({ type }) => type), owner.length === view.origin.length)
    if (conflict !== undefined) return `${nameToText(owner)}: ${conflict}`
  }
  return undefined
}

/** Octets that the records of an answer may take: a message without its header, a question, an OPT and a signature. */
const MOST_OCTETS = 65535 - 1024

/** An RRset that no message could carry, in words: it would be there and never be answered. */
function oversized(touched: readonly Touched[]): string | undefined {
  // An owner is two octets, a pointer; type, class, TTL and length are ten.
  const found = touched.find(({ now }) => now !== undefined && now.data.reduce((sum, { length }) => sum + length + 12, 0) > MOST_OCTETS)
  return found && `${nameToText(found.owner)} ${recordTypeToText(found.type)} would be more than a message can hold`
}

/** A name server of the zone, in the zone, that would lose its last address, in words; BIND does not take that either. */
function lostServer(view: ZoneView, touched: readonly Touched[]): string | undefined {
  const servers = new Set((setOf(view.setsOf(view.origin), TYPE.NS)?.data ?? []).map(keyOf))
  const lost = touched.find(({ owner, type, now }) => isAddress(type) && now === undefined && servers.has(keyOf(owner)) && !view.setsOf(owner).some((set) => isAddress(set.type)))
  return lost && `${nameToText(lost.owner)} is a name server of the zone and would be without an address`
}

const isAddress = (type: number): boolean => type === TYPE.A || type === TYPE.AAAA

/** A zone that has changed gets the next serial, unless the update itself brought a higher one (RFC 2136 §3.6). */
function raiseSerial(view: ZoneView, draft: Draft): void {
  const soa = soaOf(draft)
  const before = serialOf(soaOf(view).data[0]!)
  if (isSerialAfter(serialOf(soa.data[0]!), before)) return
  draft.put({ ...soa, data: [withSerial(soa.data[0]!, nextSerial(before))] })
}
