import { isAscii } from 'node:buffer'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { domainToASCII } from 'node:url'
import { suggestion } from '../../core/suggest.ts'
import { messageOf } from '../../core/trouble.ts'
import { nameFault, nameFromText, nameToText } from '../wire/name.ts'
import { TYPE } from '../wire/types.ts'
import { type Entry, makeEntry, nextEntry, roomFor, tokenAt, tokenText } from './entry.ts'
import { copyToken, LONGEST_TTL, plainDuration, readName } from './field.ts'
import { generate } from './generate.ts'
import { readTtlAndClass, readType } from './head.ts'
import { type Codec, readRdata } from './rdata.ts'
import { addSource, makeTrouble, note, type Sources, type Trouble } from './sources.ts'
import { addRecord, internName, makeTable, ownerOf, reserve, type Table, TYPE_UNREAD } from './table.ts'

/** A zone on its way from text to records. */
export interface Reading {
  readonly read: (path: string) => string | Uint8Array
  readonly sources: Sources
  readonly trouble: Trouble
  readonly table: Table
  /** Every path that was asked for, the zone's own first. */
  readonly files: string[]
  /** The zone's name: as it was given, else the owner of the first SOA. */
  zone: Uint8Array | undefined
  /** MINIMUM of the first SOA, for records before any TTL is known; -1 before it. */
  minimum: number
  /** Some of the zone could not be read, so that what seems to be missing may be there. */
  incomplete: boolean
  /** Paths that are open, outermost first. */
  readonly open: string[]
  /** Where its reading can be taken up again, when that is wanted: places between entries of the file itself. */
  readonly marks?: Keeping & { readonly list: Mark[] }
  /** Told of every entry once it has been read; `from` is what had been read before it. */
  readonly onEntry?: (scope: Scope, from: { readonly reading: Reading; readonly record: number; readonly source: number }) => void
}

/** What is kept of texts, so that only what changes need be read again; in octets. */
export interface Keeping {
  /** So long a text is worth it. */
  readonly least: number
  /** From mark to mark. */
  readonly stride: number
}

/** One text of the zone while it is read: what lasts from line to line. */
export interface Scope {
  readonly path: string
  readonly base: number
  readonly entry: Entry
  /** Number of the owner that an indented line repeats, -1 before the first, or UNREADABLE. */
  owner: number
  /** $TTL, and the last TTL that a record stated; -1 before any. */
  defaultTtl: number
  lastTtl: number
}

/** A place between two entries, and all that what was read before it says of what comes behind. */
export interface Mark {
  /** Offset in the text. */
  readonly at: number
  readonly origin: Uint8Array | undefined
  readonly owner: Uint8Array | undefined
  readonly defaultTtl: number
  readonly lastTtl: number
  readonly zone: Uint8Array | undefined
  readonly minimum: number
}

const UNREADABLE = -2
const DEEPEST = 16
const MOST_FILES = 1000

/** Reads a zone file, and what it includes, into a table. Faults are in `trouble`. */
export function readMaster(options: { file: string; origin?: Uint8Array; read(path: string): string | Uint8Array; onEntry?: Reading['onEntry']; keeps?: Keeping }): Reading {
  const { file, read, onEntry, keeps } = options
  const sources: Sources = { list: [], end: 0 }
  const start = options.origin ?? originOfFile(file)
  const reading = { read, sources, trouble: makeTrouble(sources), files: [file], zone: options.origin, minimum: -1, incomplete: false, open: [file], ...(onEntry !== undefined && { onEntry }) }
  let text: Uint8Array
  try {
    text = octetsOf(read(file))
  } catch (error) {
    addSource(sources, file, new Uint8Array(0))
    note(reading.trouble, 'error', 0, `cannot be read: ${plainMessage(error)}`)
    return { ...reading, incomplete: true, table: makeTable(0) }
  }
  const marks = keeps !== undefined && text.length >= keeps.least ? { marks: { ...keeps, list: [] } } : {}
  const whole: Reading = { ...reading, ...marks, table: makeTable(text.length) }
  readText(whole, { path: file, base: addSource(sources, file, text), entry: makeEntry(text, start, isAscii(text)), owner: -1, defaultTtl: -1, lastTtl: -1 })
  return whole
}

/** Errors of the file system without their code and path, which the fault's own place tells. */
function plainMessage(error: unknown): string {
  return /^E[A-Z]+: ([^,]+),/.exec(messageOf(error))?.[1] ?? messageOf(error)
}

function octetsOf(text: string | Uint8Array): Uint8Array {
  return typeof text === 'string' ? new TextEncoder().encode(text) : text
}

/** `zones/example.com.zone` is the zone example.com. unless it says otherwise, and `root.zone` the root. */
function originOfFile(file: string): Uint8Array | undefined {
  const stem = basename(file).replace(/\.zone$/, '')
  const name = nameFromText(stem === '' || stem === 'root' ? '.' : stem)
  return typeof name === 'string' ? undefined : name
}

function readText(reading: Reading, scope: Scope): void {
  const { entry, base } = scope
  const { trouble } = reading
  if (entry.text[0] === 0xef && entry.text[1] === 0xbb && entry.text[2] === 0xbf) entry.at = 3
  const strange = Buffer.from(entry.text.buffer, entry.text.byteOffset, entry.text.length).indexOf('\ufffd')
  if (strange >= 0) note(trouble, 'warning', base + strange, 'U+FFFD stands here, which editors put in place of octets they cannot read', 'write octets above 127 as \\DDD')
  const marks = reading.open.length === 1 ? reading.marks : undefined
  let due = marks === undefined ? Infinity : 0
  for (;;) {
    // The end is no place between entries where the last line is not ended.
    if (entry.at >= due && entry.at < entry.text.length) {
      marks!.list.push(markOf(reading, scope))
      due = entry.at + marks!.stride
    }
    if (!readNext(reading, scope)) break
  }
}

/** Reads the next entry; false at the end of the text. */
export function readNext(reading: Reading, scope: Scope): boolean {
  const { entry, base } = scope
  const { trouble } = reading
  if (!nextEntry(entry)) return false
  const from = reading.onEntry && { reading, record: reading.table.length, source: reading.sources.list.length }
  if (entry.wrong === undefined) {
    makeRoom(reading, entry)
    const first = entry.starts[0]!
    if (entry.text[first] === 0x24 && entry.quoted[0] === 0) readDirective(reading, scope)
    else readRecord(reading, scope)
  } else reading.incomplete = true
  if (entry.wrong !== undefined) note(trouble, 'error', base + entry.wrong.at, entry.wrong.reason, entry.wrong.hint)
  if (entry.doubled >= 0) noteDoubled(reading, scope)
  if (entry.foreign >= 0) noteForeign(reading, scope)
  if (from !== undefined) reading.onEntry!(scope, from)
  return true
}

/** Where the reading stands. */
export function markOf({ table, zone, minimum }: Reading, { entry: { at, origin }, owner, defaultTtl, lastTtl }: Scope): Mark {
  return { at, origin, owner: owner < 0 ? undefined : ownerOf(table, owner).slice(), defaultTtl, lastTtl, zone, minimum }
}

/** A reading of a text that goes on from a mark, into a table of its own; what it includes cannot be read. */
export function resumeAt(file: string, text: Uint8Array, ascii: boolean, { at, origin, owner, defaultTtl, lastTtl, zone, minimum }: Mark): { readonly reading: Reading; readonly scope: Scope } {
  const sources: Sources = { list: [], end: 0 }
  const table = makeTable(1 << 15)
  const read = (): never => {
    throw new Error('only what the file itself says is read again')
  }
  const reading: Reading = { read, sources, trouble: makeTrouble(sources), files: [file], zone, minimum, incomplete: false, open: [file], table }
  const scope: Scope = { path: file, base: addSource(sources, file, text), entry: makeEntry(text, origin, ascii), owner: -1, defaultTtl, lastTtl }
  scope.entry.at = at
  if (owner !== undefined) {
    reserve(table, owner.length).set(owner, table.used)
    scope.owner = internName(table, owner.length)
  }
  return { reading, scope }
}

function makeRoom({ table, zone }: Reading, entry: Entry): void {
  entry.out = reserve(table, roomFor(entry))
  entry.write = table.used
  entry.zone = zone
}

function noteDoubled(reading: Reading, { entry, base }: Scope): void {
  const token = entry.doubled
  const zone = nameToText(entry.origin!)
  note(reading.trouble, 'warning', base + tokenAt(entry, token), () => `${tokenText(entry, token)} without a final dot is ${tokenText(entry, token)}.${zone}`, () => `end it with a dot: ${tokenText(entry, token)}.`)
}

function noteForeign(reading: Reading, { entry, base }: Scope): void {
  const text = tokenText(entry, entry.foreign)
  const hint = (): string | undefined => {
    const ascii = domainToASCII(text)
    return ascii === '' ? undefined : `write ${ascii}`
  }
  note(reading.trouble, 'warning', base + tokenAt(entry, entry.foreign), `${text} is asked for in its ASCII form by nearly every client`, hint)
}

function fault({ entry }: Scope, token: number, reason: string, hint?: string | (() => string | undefined)): void {
  const at = tokenAt(entry, Math.min(token, entry.count - 1))
  entry.wrong = hint === undefined ? { at, reason } : { at, reason, hint }
}

function readRecord(reading: Reading, scope: Scope): void {
  const { entry } = scope
  const { table } = reading
  if (!readOwner(reading, scope)) return
  const { owner } = scope
  const ttl = readTtlAndClass(entry)
  if (ttl >= 0) scope.lastTtl = ttl
  const codec = entry.wrong === undefined ? readType(entry) : undefined
  if (codec === undefined) {
    // Whatever it is, the owner has it: checks of the whole zone must not miss it.
    if (owner >= 0) addRecord(table, owner, TYPE_UNREAD, 0, 0, scope.base + tokenAt(entry, 0))
    return
  }
  const place = scope.base + tokenAt(entry, entry.next - 1)
  const start = table.used
  entry.write = start + 2
  const right = readRdata(entry, codec)
  if (owner < 0) return
  if (codec.number === TYPE.SOA) reading.zone ??= ownerOf(table, owner).slice()
  if (!right) {
    addRecord(table, owner, codec.number, 0, 0, place)
    return
  }
  if (codec.number === TYPE.SOA && reading.minimum < 0) reading.minimum = minimumOf(table.octets, entry.write)
  const length = entry.write - start - 2
  table.octets[start] = length >>> 8
  table.octets[start + 1] = length & 0xff
  table.used = entry.write
  addRecord(table, owner, codec.number, ttl >= 0 ? ttl : ttlOf(reading, scope, codec, place), start, place)
}

/** MINIMUM, which ends the RDATA of SOA. */
function minimumOf(octets: Uint8Array, end: number): number {
  return Math.min(LONGEST_TTL, new DataView(octets.buffer, octets.byteOffset).getUint32(end - 4))
}

/** Sets the scope's owner from the first token, or leaves it for an indented line. */
function readOwner(reading: Reading, scope: Scope): boolean {
  const { entry } = scope
  if (entry.indented) {
    if (scope.owner !== -1) return true
    reading.incomplete = true
    fault(scope, 0, 'a line that begins with a blank repeats the owner before it, and there is none', 'begin it with @ for the zone itself')
    return false
  }
  entry.next = 1
  const length = readName(entry, 0)
  if (length < 0) {
    scope.owner = UNREADABLE
    reading.incomplete = true
    fault(scope, 0, `${tokenText(entry, 0)}: ${nameFault(length)}`)
    return false
  }
  scope.owner = internName(reading.table, length)
  return true
}

function ttlOf(reading: Reading, scope: Scope, codec: Codec, place: number): number {
  if (scope.defaultTtl >= 0) return scope.defaultTtl
  if (scope.lastTtl >= 0) return scope.lastTtl
  if (codec.number === TYPE.SOA) {
    note(reading.trouble, 'warning', place, `neither the SOA nor $TTL states a TTL: its minimum, ${reading.minimum}, is taken`, 'put $TTL 3600 before it')
    return reading.minimum
  }
  if (reading.minimum >= 0) return reading.minimum
  note(reading.trouble, 'error', place, 'no TTL is stated here or before', 'put $TTL 3600 at the top of the file')
  return 0
}

const DIRECTIVES: Readonly<Record<string, (reading: Reading, scope: Scope) => void>> = { $ORIGIN: readOrigin, $TTL: readDefaultTtl, $INCLUDE: readInclude, $GENERATE: readGenerate }

function readDirective(reading: Reading, scope: Scope): void {
  const found = tokenText(scope.entry, 0)
  const run = DIRECTIVES[found.toUpperCase()]
  if (run !== undefined) return run(reading, scope)
  reading.incomplete = true
  fault(scope, 0, `expected $ORIGIN, $TTL, $INCLUDE or $GENERATE, found ${found}`, () => suggestion(found, Object.keys(DIRECTIVES)))
}

function hasArguments(scope: Scope, most: number, what: string): boolean {
  const { entry } = scope
  if (entry.count < 2) fault(scope, 0, `${tokenText(entry, 0).toUpperCase()} needs ${what}`)
  else if (entry.count > most + 1) fault(scope, most + 1, `nothing more is expected behind ${what}, found ${tokenText(entry, most + 1)}`)
  return entry.wrong === undefined
}

function readOrigin(reading: Reading, scope: Scope): void {
  if (!hasArguments(scope, 1, 'a name')) reading.incomplete = true
  else {
    const origin = readOriginName(reading, scope, 1)
    if (origin !== undefined) scope.entry.origin = origin
  }
}

function readOriginName(reading: Reading, scope: Scope, token: number): Uint8Array | undefined {
  const { entry } = scope
  const start = entry.write
  const length = readName(entry, token)
  if (length > 0) return entry.out.slice(start, start + length)
  reading.incomplete = true
  fault(scope, token, `${tokenText(entry, token)}: ${nameFault(length)}`)
  return undefined
}

function readDefaultTtl(_reading: Reading, scope: Scope): void {
  if (!hasArguments(scope, 1, 'a TTL such as 3600 or 1h')) return
  const value = plainDuration(scope.entry, 1, LONGEST_TTL)
  if (value < 0) fault(scope, 1, `expected a TTL such as 3600 or 1h30m, at most 2147483647 seconds, found ${tokenText(scope.entry, 1)}`)
  else scope.defaultTtl = value
}

/** Reads another text where this line stands; origin, owner and TTLs are as before behind it. */
function readInclude(reading: Reading, scope: Scope): void {
  const { entry } = scope
  const before = reading.incomplete
  reading.incomplete = true
  if (!hasArguments(scope, 2, 'a file, and perhaps an origin')) return
  const length = copyToken(entry, 1, entry.write)
  const named = length < 0 ? '' : new TextDecoder().decode(entry.out.subarray(entry.write, entry.write + length))
  if (named === '') return fault(scope, 1, 'expected the name of a file')
  const origin = entry.count === 3 ? readOriginName(reading, scope, 2) : entry.origin
  if (entry.wrong !== undefined) return
  const path = isAbsolute(named) ? named : join(dirname(scope.path), named)
  if (reading.open.includes(path)) return fault(scope, 1, `${named} includes itself: ${[...reading.open, path].join(' > ')}`)
  if (reading.open.length > DEEPEST) return fault(scope, 1, `files include each other more than ${DEEPEST} deep`)
  if (reading.files.length > MOST_FILES) return fault(scope, 1, `more than ${MOST_FILES} files are included`)
  reading.files.push(path)
  let text: Uint8Array
  try {
    text = octetsOf(reading.read(path))
  } catch (error) {
    return fault(scope, 1, `${named} cannot be read: ${plainMessage(error)}`)
  }
  if (reading.sources.end + text.length > 0xffff_0000) return fault(scope, 1, 'the zone is larger than 4 GiB')
  reading.incomplete = before
  reading.open.push(path)
  const doubled = entry.doubled
  readText(reading, { path, base: addSource(reading.sources, path, text), entry: makeEntry(text, origin, isAscii(text)), owner: scope.owner, defaultTtl: scope.defaultTtl, lastTtl: scope.lastTtl })
  entry.doubled = doubled
  reading.open.pop()
}

/** Reads the records that a directive stands for, where it stands: up to the first that is wrong. */
function readGenerate(reading: Reading, scope: Scope): void {
  const { entry, base } = scope
  const { sources, trouble } = reading
  const before = reading.incomplete
  reading.incomplete = true
  const place = base + tokenAt(entry, 0)
  const lines = generate(entry)
  if (lines === undefined) return
  const octets = lines.reduce((sum, { text }) => sum + text.length, 0)
  if (sources.end + octets > 0xffff_0000) return fault(scope, 0, 'the zone is larger than 4 GiB')
  reading.incomplete = before
  let at = addSource(sources, scope.path, Buffer.concat(lines.map(({ text }) => text)), place)
  for (const { value, text } of lines) {
    const line = makeEntry(text, entry.origin, entry.ascii)
    const record: Scope = { ...scope, base: at, entry: line }
    nextEntry(line)
    if (line.wrong === undefined) {
      makeRoom(reading, line)
      readRecord(reading, record)
    }
    if (line.wrong !== undefined) {
      reading.incomplete = true
      note(trouble, 'error', place, `for ${value}: ${line.wrong.reason}`, line.wrong.hint)
      break
    }
    // What is worth a warning is so for all of them alike.
    if (value === lines[0]!.value && line.doubled >= 0) noteDoubled(reading, record)
    if (value === lines[0]!.value && line.foreign >= 0) noteForeign(reading, record)
    at += text.length
    scope.lastTtl = record.lastTtl
  }
  entry.wrong = undefined
}
