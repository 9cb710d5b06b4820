// Names that records point at: whether something is there, as far as this zone can tell.
import { nearest } from '../../core/suggest.ts'
import { isSubdomain, nameLength, nameToText } from '../wire/name.ts'
import { TYPE } from '../wire/types.ts'
import { ADDRESS, ALIAS, CNAME, dataPlace, hiddenBy, type Names, NS, ROUTE, UNREAD } from './check.ts'
import { tokenBehind, type Wrong } from './entry.ts'
import type { Groups } from './group.ts'
import { addPointed, type Pointed } from './pointed.ts'
import { recordTypeToText } from './rdata.ts'
import type { Reading } from './reader.ts'
import { TYPE_ALIAS } from './record.ts'
import { isFull, isWarned, note, sourceAt } from './sources.ts'
import { findName, ownerOf, type Table } from './table.ts'

/** Per type: octets of RDATA, and tokens of text, before the name that it points at. */
export const POINTERS: Readonly<Record<number, readonly [octets: number, tokens: number]>> = {
  [TYPE.NS]: [0, 0],
  [TYPE.CNAME]: [0, 0],
  [TYPE.MX]: [2, 1],
  [TYPE.SRV]: [6, 3],
  [TYPE_ALIAS]: [0, 0]
}

const POINTS = new Uint8Array(65_536)
for (const type of Object.keys(POINTERS)) POINTS[Number(type)] = 1

/** What stands at a name that is pointed at. */
interface Found {
  /** Bits of check.ts; 0 when there is nothing. */
  readonly has: number
  /** Number of the delegation or DNAME that it lies beneath, or -1. */
  readonly beneath: number
}

const scratch = new Uint8Array(260)

/** Warns of records that point at nothing, and refuses ALIAS that does. What names of the zone are pointed at is noted in `pointed`. */
export function checkTargets(reading: Reading, groups: Groups, names: Names, pointed?: Pointed): void {
  const { table } = reading
  for (const record of groups.order) {
    const type = table.type[record]!
    if (POINTS[type] === 0 || table.rdata[record] === 0) continue
    const at = table.rdata[record]! + 2 + POINTERS[type]![0]
    const target = table.octets.subarray(at, at + nameLength(table.octets, at))
    if (type === TYPE_ALIAS) checkAlias(reading, names, record, target)
    else if (target.length > 1 && isSubdomain(target, names.zone)) {
      if (pointed !== undefined) addPointed(pointed, target, names.zone.length)
      checkPointer(reading, names, record, target)
    }
  }
}

function lookUp(table: Table, names: Names, target: Uint8Array): Found {
  const beneath = hiddenBy(table, names, 0, undefined, target)
  const exact = findName(table, target, 0)
  if (exact >= 0 && names.has[exact] !== 0) return { has: names.has[exact]!, beneath }
  // A wildcard answers below the closest name that exists (RFC 4592 §3.3.1).
  for (let at = target[0]! + 1; target.length - at >= names.zone.length; at += target[at]! + 1) {
    scratch[0] = 1
    scratch[1] = 0x2a
    scratch.set(target.subarray(at), 2)
    const wildcard = findName(table, scratch, 0)
    if (wildcard >= 0 && names.has[wildcard] !== 0) return { has: names.has[wildcard]!, beneath }
    if (findName(table, target, at) >= 0) break
  }
  return { has: 0, beneath }
}

function checkPointer(reading: Reading, names: Names, record: number, target: Uint8Array): void {
  const { table, trouble } = reading
  const type = table.type[record]!
  const owner = table.name[record]!
  const { has, beneath } = lookUp(table, names, target)
  const kind = recordTypeToText(type)
  const warn = (reason: string | (() => string), hint?: Wrong['hint']): void => {
    const place = isFull(trouble) ? table.place[record]! : dataPlace(trouble.sources, table.place[record]!, POINTERS[type]![1] + 1)
    // A name that ends in the zone's twice has its warning, and nothing stands there of course.
    if (!isWarned(trouble, place)) note(trouble, 'warning', place, reason, hint)
  }
  if (type === TYPE.CNAME) {
    if (findName(table, target, 0) === owner) warn(`${nameToText(target)} is its own CNAME`)
    else if (has === 0 && beneath < 0) warn(() => `nothing stands at ${nameToText(target)}, where this CNAME leads`, () => targetHint(reading, names, record, target))
    return
  }
  if ((has & (ADDRESS | ROUTE | ALIAS | UNREAD)) !== 0) return
  if ((has & CNAME) !== 0) {
    warn(`${nameToText(target)} is a CNAME, and ${kind} needs a name with addresses (RFC 2181 §10.3)`)
    return
  }
  if (type === TYPE.NS && owner !== names.apex && isSubdomain(target, ownerOf(table, owner))) {
    warn(() => `the name server ${nameToText(target)} lies in what it serves and has no address here: nobody can find it`, 'add an A or AAAA for it')
  } else if (beneath < 0) {
    warn(() => `${nameToText(target)} has no address`, () => targetHint(reading, names, record, target))
  }
}

function checkAlias(reading: Reading, names: Names, record: number, target: Uint8Array): void {
  const { table, trouble } = reading
  const text = nameToText(target)
  const place = dataPlace(trouble.sources, table.place[record]!, 1)
  if (!isSubdomain(target, names.zone)) {
    note(trouble, 'error', place, `ALIAS leads to ${text}, outside the zone`, () => dotHint(reading, record) ?? 'it follows names of this zone; below its top, a CNAME leads anywhere')
    return
  }
  const { has, beneath } = lookUp(table, names, target)
  if (beneath >= 0) note(trouble, 'error', place, `ALIAS leads to ${text}, which this zone does not answer for: it lies beneath ${nameToText(ownerOf(table, beneath))}`)
  else if (has === 0) note(trouble, 'error', place, `ALIAS leads to ${text}, and nothing stands there`, () => targetHint(reading, names, record, target))
  else if ((has & (ADDRESS | ROUTE | UNREAD)) === 0) {
    const other = (has & CNAME) !== 0 ? 'a CNAME' : (has & ALIAS) !== 0 ? 'itself an ALIAS' : (has & NS) !== 0 ? 'a name server set' : 'other data'
    note(trouble, 'error', place, `ALIAS leads to ${text}, which has no A, AAAA or ROUTE but ${other}`, 'lead it to a name with ROUTE or addresses')
  }
}

/** What was probably meant by a target where nothing stands. */
function targetHint(reading: Reading, names: Names, record: number, target: Uint8Array): string | undefined {
  return dotHint(reading, record) ?? nearName(reading.table, names, target)
}

/** A name that has dots and no final one was probably meant to end there. */
function dotHint({ table, trouble }: Reading, record: number): string | undefined {
  const place = table.place[record]!
  const { text, base } = sourceAt(trouble.sources, place)
  const start = tokenBehind(text, place - base, (POINTERS[table.type[record]!]?.[1] ?? 0) + 1)
  const written = /^[\w.-]+/.exec(new TextDecoder().decode(text.subarray(start, start + 255)))?.[0] ?? ''
  return /\w\.\w/.test(written) && !written.endsWith('.') ? `if it lies elsewhere, end it with a dot: ${written}.` : undefined
}

/** A name of the zone that differs by little; looked for in zones of some hundreds of names only. */
function nearName(table: Table, names: Names, target: Uint8Array): string | undefined {
  if (table.names > 500) return undefined
  const texts: string[] = []
  for (let name = 0; name < table.names; name++) if ((names.has[name]! & (ADDRESS | ROUTE | CNAME)) !== 0) texts.push(nameToText(ownerOf(table, name)))
  const zone = `.${nameToText(names.zone)}`
  const cut = (text: string): string => (text.endsWith(zone) ? text.slice(0, -zone.length) : text)
  const near = nearest(cut(nameToText(target)), texts.map(cut))
  return near === undefined ? undefined : `did you mean ${near}?`
}
