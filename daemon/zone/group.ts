import { lowerOctet } from '../wire/name.ts'
import { TYPE } from '../wire/types.ts'
import { codecOf, recordTypeToText } from './rdata.ts'
import { positionOf, type Sources, note, type Trouble } from './sources.ts'
import { rdataOf, settleNames, type Table, TYPE_UNREAD } from './table.ts'

/** The records of a table in the order of their names, and of their types within a name; else as they stand in the files. */
export interface Groups {
  /** Records; those of name n are order[starts[n] … starts[n + 1]). */
  readonly order: Uint32Array
  readonly starts: Uint32Array
}

export function groupRecords(table: Table): Groups {
  settleNames(table)
  const { length, name, names, type } = table
  const starts = new Uint32Array(names + 1)
  for (let record = 0; record < length; record++) starts[name[record]! + 1]!++
  for (let at = 0; at < names; at++) starts[at + 1]! += starts[at]!
  const order = new Uint32Array(length)
  const next = starts.slice(0, names)
  for (let record = 0; record < length; record++) order[next[name[record]!]!++] = record
  for (let at = 0; at < names; at++) {
    const [from, to] = [starts[at]!, starts[at + 1]!]
    for (let read = from + 1; read < to; read++) {
      if (type[order[read]!]! >= type[order[read - 1]!]!) continue
      sortByType(order.subarray(from, to), type)
      break
    }
  }
  return { order, starts }
}

const FEW = 24

/** Records of a type stay in their order. */
function sortByType(order: Uint32Array, type: Uint16Array): void {
  if (order.length <= FEW) {
    for (let at = 1; at < order.length; at++) {
      const record = order[at]!
      let to = at
      for (; to > 0 && type[order[to - 1]!]! > type[record]!; to--) order[to] = order[to - 1]!
      order[to] = record
    }
    return
  }
  const keys = Float64Array.from(order, (record) => type[record]! * 2 ** 32 + record).sort()
  for (const [at, key] of keys.entries()) order[at] = key % 2 ** 32
}

/** Drops records that stand twice, with a warning each, and gives the records of an RRset one TTL (RFC 2181 §5.2, §5). */
export function settleRRsets(table: Table, groups: Groups, trouble: Trouble): Groups {
  const { order, starts } = groups
  const kept = new Uint32Array(starts.length)
  let write = 0
  for (let name = 0; name < starts.length - 1; name++) {
    kept[name] = write
    for (let from = starts[name]!; from < starts[name + 1]!; ) {
      const type = table.type[order[from]!]
      let to = from + 1
      while (to < starts[name + 1]! && table.type[order[to]!] === type) to++
      const first = write
      if (to === from + 1 || type === TYPE_UNREAD) for (; from < to; from++) order[write++] = order[from]!
      else {
        write = dropDuplicates(table, order, from, to, write, trouble)
        if (type !== TYPE.RRSIG) levelTtls(table, order.subarray(first, write), trouble)
      }
      from = to
    }
  }
  kept[starts.length - 1] = write
  return { order: order.subarray(0, write), starts: kept }
}

/** Copies order[from, to) to order[write…] without records of the same data; returns the end of the copy. */
function dropDuplicates(table: Table, order: Uint32Array, from: number, to: number, start: number, trouble: Trouble): number {
  let write = start
  const { namesFrom } = codecOf(table.type[order[from]!]!)
  const seen = to - from > 16 ? new Map<string, number>() : undefined
  for (let read = from; read < to; read++) {
    const record = order[read]!
    let same: number | undefined
    if (table.rdata[record] === 0) same = undefined
    else if (seen === undefined) {
      for (let before = start; before < write && same === undefined; before++) if (sameData(table, order[before]!, record, namesFrom)) same = order[before]!
    } else {
      const key = dataKey(rdataOf(table, record), namesFrom)
      same = seen.get(key)
      if (same === undefined) seen.set(key, record)
    }
    if (same === undefined) order[write++] = record
    else {
      const other = same
      note(trouble, 'warning', table.place[record]!, () => `the same ${recordTypeToText(table.type[record]!)} stands ${whereIs(trouble.sources, table.place[record]!, table.place[other]!)}: dropped`)
    }
  }
  return write
}

/** Names in data are the same whatever their case; every other octet counts as it is. */
function sameData(table: Table, a: number, b: number, namesFrom: number | undefined): boolean {
  const atA = table.rdata[a]!
  const atB = table.rdata[b]!
  if (atA === 0) return false
  const { octets } = table
  const length = octets[atA]! * 256 + octets[atA + 1]!
  if (octets[atB]! * 256 + octets[atB + 1]! !== length) return false
  for (let at = 0; at < length; at++) {
    const left = octets[atA + 2 + at]!
    const right = octets[atB + 2 + at]!
    if (left !== right && (namesFrom === undefined || at < namesFrom || lowerOctet(left) !== lowerOctet(right))) return false
  }
  return true
}

function dataKey(rdata: Uint8Array, namesFrom: number | undefined): string {
  const folded = namesFrom === undefined ? rdata : rdata.map((octet, at) => (at < namesFrom ? octet : lowerOctet(octet)))
  return Buffer.from(folded.buffer, folded.byteOffset, folded.length).toString('latin1')
}

/** The same text for RDATA of a type that are the same: names in them are so whatever their case. */
export function rdataKey(type: number, rdata: Uint8Array): string {
  return dataKey(rdata, codecOf(type).namesFrom)
}

function levelTtls(table: Table, set: Uint32Array, trouble: Trouble): void {
  let first = -1
  let smallest = 0xffff_ffff
  let differs = -1
  for (const record of set) {
    if (table.rdata[record] === 0) continue
    const ttl = table.ttl[record]!
    if (first < 0) first = ttl
    else if (ttl !== first && differs < 0) differs = record
    smallest = Math.min(smallest, ttl)
  }
  if (differs < 0) return
  const type = recordTypeToText(table.type[differs]!)
  const ttl = table.ttl[differs]!
  note(trouble, 'warning', table.place[differs]!, `a TTL of ${ttl} beside one of ${first} in the same ${type} RRset: the smallest, ${smallest}, is taken for all`)
  for (const record of set) table.ttl[record] = smallest
}

/** `in line 7`, or `in other.inc:7` for a place in another file than `from`. */
export function whereIs(sources: Sources, from: number, place: number): string {
  const there = positionOf(sources, place)
  return there.file === positionOf(sources, from).file ? `in line ${there.line}` : `in ${there.file}:${there.line}`
}
