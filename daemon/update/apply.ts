import { CLASS, TYPE } from '../wire/index.ts'
import { isSerialAfter, serialOf } from '../zone/index.ts'
import type { Draft } from './draft.ts'
import type { UpdateRecord } from './message.ts'
import { sameData, setOf } from './rrset.ts'

/** Types of which a name has one record: a new one takes the place of the old. */
const SINGLE = new Set<number>([TYPE.CNAME, TYPE.DNAME, TYPE.SOA])
/** What may stand beside a CNAME (RFC 4035 §2.5). */
const BESIDE_CNAME = new Set<number>([TYPE.CNAME, TYPE.KEY, TYPE.NSEC, TYPE.RRSIG])
const LONGEST_TTL = 0x7fff_ffff

/** Does every update of a well-formed section, in its order (RFC 2136 §3.4.2). What does not apply is passed over in silence. */
export function applyUpdate(draft: Draft, updates: readonly UpdateRecord[]): void {
  for (const update of updates) {
    const isApex = update.owner.length === draft.origin.length
    if (update.class === CLASS.IN) add(draft, update, isApex)
    else if (update.class === CLASS.NONE) removeRecord(draft, update, isApex)
    else if (update.type === TYPE.ANY) for (const { type } of draft.setsOf(update.owner)) removeSet(draft, update.owner, type, isApex)
    else removeSet(draft, update.owner, update.type, isApex)
  }
}

function add(draft: Draft, { owner, type, ttl: sent, rdata }: UpdateRecord, isApex: boolean): void {
  const sets = draft.setsOf(owner)
  if (type === TYPE.CNAME ? sets.some((set) => !BESIDE_CNAME.has(set.type)) : !BESIDE_CNAME.has(type) && setOf(sets, TYPE.CNAME) !== undefined) return
  const set = setOf(sets, type)
  if (type === TYPE.SOA && (!isApex || set === undefined || !isSerialAfter(serialOf(rdata), serialOf(set.data[0]!)))) return
  // Seconds beyond what fits are none (RFC 2181 §8).
  const ttl = sent > LONGEST_TTL ? 0 : sent
  if (set === undefined) draft.put({ owner: sets[0]?.owner ?? owner, type, ttl, data: [rdata] })
  else {
    const others = SINGLE.has(type) ? [] : set.data
    const at = others.findIndex((data) => sameData(type, data, rdata))
    // The RRset takes the TTL of what came last (RFC 2181 §5.2).
    draft.put({ ...set, ttl, data: at < 0 ? [...others, rdata] : others })
  }
}

function removeSet(draft: Draft, owner: Uint8Array, type: number, isApex: boolean): void {
  if (isApex && (type === TYPE.SOA || type === TYPE.NS)) return
  draft.drop(owner, type)
}

function removeRecord(draft: Draft, { owner, type, rdata }: UpdateRecord, isApex: boolean): void {
  const set = setOf(draft.setsOf(owner), type)
  if (set === undefined || (isApex && type === TYPE.SOA)) return
  const left = set.data.filter((data) => !sameData(type, data, rdata))
  // The last name server of the zone stays.
  if (left.length === set.data.length || (left.length === 0 && isApex && type === TYPE.NS)) return
  if (left.length === 0) draft.drop(owner, type)
  else draft.put({ ...set, data: left })
}
