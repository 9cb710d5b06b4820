// The records of a zone, packed: one growing array per column and one of octets, so that a million of them are a dozen objects.
import { lowerOctet } from '../wire/name.ts'
import { slotOrder } from './slot-order.ts'

/** Columns over records and over names; a record is its index. RDATA and names are offsets into `octets`. */
export interface Table {
  /** Records. */
  length: number
  /** Number of the owner's name. */
  name: Uint32Array
  type: Uint16Array
  ttl: Uint32Array
  /** Where its RDATA stands behind its length in two octets; 0 for a record whose data is broken. */
  rdata: Uint32Array
  /** Where its type stands, as a place of `Sources`. */
  place: Uint32Array
  /** Names: how many, and where each stands, in the case in which it was first written. Until they are settled, one may stand several times. */
  names: number
  nameAt: Uint32Array
  /** Hash of each name, case folded, and the open hash table over the first `settled` of them: numbers + 1, 0 for free. */
  hashes: Uint32Array
  slots: Uint32Array
  settled: number
  octets: Uint8Array
  used: number
}

/** Type of a record whose type could not be read. */
export const TYPE_UNREAD = 0

/** A table that was given back, for the next short text: of many small zones each would cost more to make room for than to read. */
let spare: Table | undefined
const SHORT = 1 << 14
const LONGEST_SPARE = 1 << 20

/** Gives up a table that nothing looks at any more. */
export function giveBack(table: Table): void {
  if (table.octets.length <= LONGEST_SPARE && table.hashes.length > 0) spare = table
}

/** A table for about so many octets of text. */
export function makeTable(textLength: number): Table {
  if (spare !== undefined && textLength <= SHORT) {
    const table = spare
    spare = undefined
    return Object.assign(table, { length: 0, names: 0, settled: 0, used: 1 })
  }
  // What is never written takes no memory.
  const records = Math.max(16, textLength >>> 4)
  return {
    length: 0,
    name: new Uint32Array(records),
    type: new Uint16Array(records),
    ttl: new Uint32Array(records),
    rdata: new Uint32Array(records),
    place: new Uint32Array(records),
    names: 0,
    nameAt: new Uint32Array(records),
    hashes: new Uint32Array(records),
    slots: new Uint32Array(0),
    settled: 0,
    octets: new Uint8Array(Math.max(4096, textLength)),
    used: 1
  }
}

/** Makes room for so many more octets. */
export function reserve(table: Table, octets: number): Uint8Array {
  if (table.used + octets > table.octets.length) {
    const wider = new Uint8Array(Math.ceil(table.octets.length * 1.5) + octets)
    wider.set(table.octets.subarray(0, table.used))
    table.octets = wider
  }
  return table.octets
}

export function addRecord(table: Table, name: number, type: number, ttl: number, rdata: number, place: number): void {
  const record = table.length
  if (record === table.name.length) growRecords(table)
  table.name[record] = name
  table.type[record] = type
  table.ttl[record] = ttl
  table.rdata[record] = rdata
  table.place[record] = place
  table.length = record + 1
}

function growRecords(table: Table): void {
  table.name = wider(table.name)
  table.ttl = wider(table.ttl)
  table.rdata = wider(table.rdata)
  table.place = wider(table.place)
  const type = new Uint16Array(table.name.length)
  type.set(table.type)
  table.type = type
}

function wider(column: Uint32Array): Uint32Array<ArrayBuffer> {
  const copy = new Uint32Array(column.length * 2)
  copy.set(column)
  return copy
}

/**
 * A number for the name that has been written at octets[used…] over so many octets. The same name may get another one where others
 * came between, until all are settled: to look for each when it comes would wait for memory each time.
 */
export function internName(table: Table, length: number): number {
  const { used, octets } = table
  const last = table.names - 1
  if (last >= 0 && isSameText(octets, table.nameAt[last]!, used, length)) return last
  const name = table.names
  if (name === table.nameAt.length) {
    table.nameAt = wider(table.nameAt)
    table.hashes = wider(table.hashes)
  }
  table.nameAt[name] = used
  table.hashes[name] = hashName(octets, used)
  table.used = used + length
  table.names = name + 1
  return name
}

function isSameText(octets: Uint8Array, at: number, other: number, length: number): boolean {
  for (let octet = 0; octet < length; octet++) if (octets[at + octet] !== octets[other + octet]) return false
  return true
}

/** Gives every name one number, the first that it got, and makes names findable. */
export function settleNames(table: Table): void {
  const { names, hashes, nameAt, octets } = table
  if (table.settled === names) return
  const size = 2 ** Math.ceil(Math.log2(Math.max(16, names * 2)))
  if (table.slots.length < size) table.slots = new Uint32Array(size)
  else table.slots.fill(0)
  const { slots } = table
  const order = slotOrder(hashes, names, slots.length - 1)
  let same: Uint32Array | undefined
  for (let at = 0; at < names; at++) {
    const name = order.items[at]!
    const first = order.hashes[at]! & (slots.length - 1)
    const slot = slots[first] === 0 ? first : findSlot(table, octets, nameAt[name]!, hashes[name]!)
    if (slots[slot] === 0) slots[slot] = name + 1
    else (same ??= Uint32Array.from({ length: names }, (_, each) => each))[name] = slots[slot]! - 1
  }
  if (same !== undefined) renumber(table, same)
  table.settled = table.names
}

/** @param same for each name, the number of the first that is the same */
function renumber(table: Table, same: Uint32Array): void {
  const { names, nameAt, hashes, slots } = table
  let count = 0
  for (let name = 0; name < names; name++) {
    if (same[name] !== name) {
      same[name] = same[same[name]!]!
      continue
    }
    nameAt[count] = nameAt[name]!
    hashes[count] = hashes[name]!
    same[name] = count++
  }
  for (let slot = 0; slot < slots.length; slot++) if (slots[slot] !== 0) slots[slot] = same[slots[slot]! - 1]! + 1
  for (let record = 0; record < table.length; record++) table.name[record] = same[table.name[record]!]!
  table.names = count
}

/** The number of the name at octets[at…], or -1; names are settled. The octets may be the table's own, at the end of a longer name. */
export function findName(table: Table, octets: Uint8Array, at: number): number {
  // Without any there is no table to look in.
  if (table.settled === 0) return -1
  return table.slots[findSlot(table, octets, at, hashName(octets, at))]! - 1
}

const LOWER = Uint8Array.from({ length: 256 }, (_, octet) => lowerOctet(octet))

function hashName(octets: Uint8Array, at: number): number {
  let hash = 0x811c9dc5
  for (let read = at; ; ) {
    const length = octets[read]!
    hash = Math.imul(hash ^ length, 0x01000193)
    if (length === 0) break
    for (const end = read + length; read < end; ) hash = Math.imul(hash ^ LOWER[octets[++read]!]!, 0x01000193)
    read++
  }
  return (hash ^ (hash >>> 15)) >>> 0
}

function findSlot(table: Table, octets: Uint8Array, at: number, hash: number): number {
  const { slots, hashes, nameAt } = table
  const mask = slots.length - 1
  let slot = hash & mask
  for (;;) {
    const name = slots[slot]!
    if (name === 0) return slot
    if (hashes[name - 1] === hash && sameName(table.octets, nameAt[name - 1]!, octets, at)) return slot
    slot = (slot + 1) & mask
  }
}

function sameName(a: Uint8Array, atA: number, b: Uint8Array, atB: number): boolean {
  let left = 0
  for (let read = 0; ; read++) {
    const octet = a[atA + read]!
    if (LOWER[octet] !== LOWER[b[atB + read]!]) return false
    if (left > 0) left--
    else if (octet === 0) return true
    else left = octet
  }
}

/** Lets go of what only finding names needs: the table is read on, and no name is found in it again. */
export function dropIndex(table: Table): void {
  if (table.octets.length <= LONGEST_SPARE) return
  table.slots = new Uint32Array(0)
  table.hashes = new Uint32Array(0)
}

/** The owner of a record, a view. */
export function ownerOf(table: Table, name: number): Uint8Array {
  const start = table.nameAt[name]!
  let end = start
  while (table.octets[end]! > 0) end += table.octets[end]! + 1
  return table.octets.subarray(start, end + 1)
}

/** The RDATA of a record, a view. */
export function rdataOf(table: Table, record: number): Uint8Array {
  const at = table.rdata[record]!
  return table.octets.subarray(at + 2, at + 2 + table.octets[at]! * 256 + table.octets[at + 1]!)
}
