import { CLASS, TYPE } from '../wire/index.ts'
import { isSerialAfter, rdataKey, serialOf } from '../zone/index.ts'
import type { Draft } from './draft.ts'
import type { UpdateRecord } from './message.ts'
import { setOf } from './rrset.ts'

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
    // The RRset takes the TTL of what came last (RFC 2181 §5.2).
    draft.put({ ...set, ttl, data: withOne(type, others, rdata) })
  }
}

// Keys of what an RRset holds, so that thousands of records for one name cost about what they do for as many names.
const keys = new WeakMap<readonly Uint8Array[], Set<string>>()
const keyOfEach = new WeakMap<Uint8Array, string>()

function dataKey(type: number, data: Uint8Array): string {
  let key = keyOfEach.get(data)
  if (key === undefined) keyOfEach.set(data, (key = rdataKey(type, data)))
  return key
}

function keysOf(type: number, data: readonly Uint8Array[]): Set<string> {
  const known = keys.get(data) ?? new Set(data.map((each) => dataKey(type, each)))
  keys.set(data, known)
  return known
}

/** A list that comes of another takes its keys along; those of the other are made anew if it is asked again. */
function handOn(from: readonly Uint8Array[], to: readonly Uint8Array[], held: Set<string>): readonly Uint8Array[] {
  keys.delete(from)
  keys.set(to, held)
  return to
}

function withOne(type: number, data: readonly Uint8Array[], rdata: Uint8Array): readonly Uint8Array[] {
  const held = keysOf(type, data)
  const key = dataKey(type, rdata)
  return held.has(key) ? data : handOn(data, [...data, rdata], held.add(key))
}

function removeSet(draft: Draft, owner: Uint8Array, type: number, isApex: boolean): void {
  if (isApex && (type === TYPE.SOA || type === TYPE.NS)) return
  draft.drop(owner, type)
}

function removeRecord(draft: Draft, { owner, type, rdata }: UpdateRecord, isApex: boolean): void {
  const set = setOf(draft.setsOf(owner), type)
  if (set === undefined || (isApex && type === TYPE.SOA)) return
  const held = keysOf(type, set.data)
  const key = dataKey(type, rdata)
  // The last name server of the zone stays.
  if (!held.has(key) || (held.size === 1 && isApex && type === TYPE.NS)) return
  held.delete(key)
  const left = handOn(set.data, set.data.filter((data) => dataKey(type, data) !== key), held)
  if (left.length === 0) draft.drop(owner, type)
  else draft.put({ ...set, data: left })
}
