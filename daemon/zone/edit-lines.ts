import { isSubdomain, nameToText } from '../wire/name.ts'
import { TYPE } from '../wire/types.ts'
import { makeEntry, nextEntry, tokenAt, type Entry } from './entry.ts'
import { readTtlAndClass } from './head.ts'
import type { LaidText, Layout, Piece } from './layout.ts'
import { rdataToText, recordTypeToText } from './rdata.ts'
import { ownerOf, rdataOf } from './table.ts'

/** What becomes of one record's lines. */
export interface PieceEdit {
  readonly isGone?: boolean
  readonly data?: Uint8Array
  readonly ttl?: number
}

/** A record that is written behind an entry. */
export interface Insertion {
  readonly owner: Uint8Array
  readonly type: number
  readonly ttl: number
  readonly data: Uint8Array
}

/** What is to be done to the texts, entry by entry. */
export interface Plan {
  readonly edits: Map<Piece, PieceEdit>
  /** By the entry that they follow; those of the end of the zone's own file by undefined. */
  readonly insertions: Map<Piece | undefined, Insertion[]>
}

/** What a line takes over from those before it, in the text as it is written anew. */
interface Carry {
  /** Number of the owner in the table, or -1; that of a new name is none. */
  owner: number
  lastTtl: number
}

interface Replacement {
  readonly start: number
  readonly end: number
  readonly by: string
}

/** A record's line taken apart. */
interface Line {
  readonly entry: Entry
  /** Tokens: the TTL, or -1, and the type. */
  readonly ttl: number
  readonly type: number
}

/** Every text of a zone as the plan has it. */
export function renderTexts(layout: Layout, plan: Plan): Map<LaidText, Uint8Array> {
  const done = new Map<LaidText, Uint8Array>()
  renderText(layout, plan, layout.main, { owner: -1, lastTtl: -1 }, done)
  return done
}

function renderText(layout: Layout, plan: Plan, laid: LaidText, carry: Carry, done: Map<LaidText, Uint8Array>): void {
  const text = Buffer.from(laid.text.buffer, laid.text.byteOffset, laid.text.length)
  const newline = text.includes('\r\n') ? '\r\n' : '\n'
  const out: string[] = []
  let at = 0
  const insert = (after: Piece | undefined, records: readonly Insertion[]): void => {
    if (records.length === 0) return
    if (out.findLast((part) => part !== '')?.endsWith('\n') === false) out.push(newline)
    for (const record of records) out.push(insertedLine(layout, laid, after, record, carry), newline)
  }
  for (const piece of laid.pieces) {
    out.push(text.toString('latin1', at, piece.start), renderPiece(layout, laid, piece, plan.edits.get(piece), carry))
    at = piece.end
    if (piece.included !== undefined) renderText(layout, plan, piece.included, { ...carry }, done)
    insert(piece, plan.insertions.get(piece) ?? [])
  }
  out.push(text.toString('latin1', at))
  if (laid === layout.main) insert(undefined, plan.insertions.get(undefined) ?? [])
  done.set(laid, Buffer.from(out.join(''), 'latin1'))
}

function renderPiece({ reading }: Layout, laid: LaidText, piece: Piece, edit: PieceEdit | undefined, carry: Carry): string {
  const { table } = reading
  const raw = (): string => Buffer.from(laid.text.subarray(piece.start, piece.end)).toString('latin1')
  if (piece.kind === 'generate' && piece.from < piece.to) {
    const line = takeApart(laid, piece, 3)
    const ttl = table.ttl[piece.from]!
    const isOther = line.ttl < 0 && ttl !== inherited(piece, carry, reading.minimum)
    if (line.ttl >= 0 || isOther) carry.lastTtl = ttl
    return isOther ? replaced(laid, piece, [stated(line.entry, 3, ttl)]) : raw()
  }
  if (piece.kind !== 'record' || piece.from === piece.to) return raw()
  if (edit?.isGone === true) return ''
  const record = piece.from
  const owner = table.name[record]!
  const line = takeApart(laid, piece)
  const wanted = edit?.ttl ?? table.ttl[record]!
  const replacements: Replacement[] = []
  if (line.entry.indented && carry.owner !== owner) replacements.push(ownerReplacement(line, relativeName(ownerOf(table, owner), piece.origin)))
  if (line.ttl >= 0) {
    if (wanted !== table.ttl[record]) replacements.push(tokenReplacement(line.entry, line.ttl, String(wanted)))
  } else if (wanted !== inherited(piece, carry, reading.minimum)) {
    replacements.push(stated(line.entry, line.entry.indented ? 0 : 1, wanted))
    carry.lastTtl = wanted
  }
  if (edit?.data !== undefined) replacements.push(...dataReplacements(laid, piece, line, table.type[record]!, rdataOf(table, record), edit.data))
  carry.owner = owner
  if (line.ttl >= 0) carry.lastTtl = wanted
  return replacements.length === 0 ? raw() : replaced(laid, piece, replacements)
}

/** The TTL of a record that states none. */
function inherited({ defaultTtl }: Piece, { lastTtl }: Carry, minimum: number): number {
  return defaultTtl >= 0 ? defaultTtl : lastTtl >= 0 ? lastTtl : minimum
}

/** A TTL written out before a token. */
function stated(entry: Entry, token: number, ttl: number): Replacement {
  const at = tokenAt(entry, token)
  return { start: at, end: at, by: `${ttl} ` }
}

/** @param head tokens before TTL, class and type; absent: the owner, where there is one */
function takeApart(laid: LaidText, piece: Piece, head?: number): Line {
  const entry = makeEntry(laid.text)
  entry.at = piece.start
  nextEntry(entry)
  const first = head ?? (entry.indented ? 0 : 1)
  entry.next = first
  readTtlAndClass(entry)
  const type = entry.next
  const isDigit = (token: number): boolean => laid.text[entry.starts[token]!]! >= 48 && laid.text[entry.starts[token]!]! <= 57
  let ttl = -1
  for (let token = first; token < type; token++) if (isDigit(token)) ttl = token
  return { entry, ttl, type }
}

function tokenReplacement(entry: Entry, token: number, by: string): Replacement {
  return { start: tokenAt(entry, token), end: entry.ends[token]! + entry.quoted[token]!, by }
}

/** Writes the owner into the blanks that stand for it. */
function ownerReplacement({ entry }: Line, owner: string): Replacement {
  const first = tokenAt(entry, 0)
  let start = first
  while (start > 0 && entry.text[start - 1] !== 10 && (entry.text[start - 1] === 32 || entry.text[start - 1] === 9)) start--
  const blanks = Buffer.from(entry.text.subarray(start, first)).toString('latin1')
  return { start, end: first, by: blanks.length > owner.length && !blanks.includes('\t') ? owner.padEnd(blanks.length) : `${owner}${blanks.includes('\t') ? '\t' : ' '}` }
}

/** The tokens of the data that differ, or all of them; a comment between them goes only with the latter. */
function dataReplacements(laid: LaidText, piece: Piece, { entry, type: typeToken }: Line, type: number, before: Uint8Array, after: Uint8Array): Replacement[] {
  const first = typeToken + 1
  const words = rdataToText(type, after).split(' ')
  if (type === TYPE.SOA && entry.count - first === words.length) {
    const old = rdataToText(type, before).split(' ')
    return words.flatMap((word, index) => (word === old[index] ? [] : [tokenReplacement(entry, first + index, word)]))
  }
  const start = tokenAt(entry, first)
  const last = entry.ends[entry.count - 1]! + entry.quoted[entry.count - 1]!
  // Parentheses open before the data or in it, and close behind: nothing of them is left.
  const open = laid.text.subarray(entry.ends[typeToken]!, start).indexOf(0x28)
  const isPlain = open < 0 && !laid.text.subarray(piece.start, last).includes(10) && !laid.text.subarray(start, last).includes(0x28)
  if (isPlain) return [{ start, end: last, by: rdataToText(type, after) }]
  return [{ start: open < 0 ? start : entry.ends[typeToken]! + open, end: endOfEntry(laid.text, last, piece.end), by: rdataToText(type, after) }]
}

/** Behind the closing parenthesis, but before a comment on its line. */
function endOfEntry(text: Uint8Array, from: number, end: number): number {
  let last = from
  for (let at = from; at < end; at++) {
    if (text[at] === 0x3b) {
      const stop = text.indexOf(10, at)
      if (stop < 0) break
      at = stop
    } else if (text[at] === 0x29) last = at + 1
  }
  return last
}

function replaced(laid: LaidText, piece: Piece, replacements: Replacement[]): string {
  const text = Buffer.from(laid.text.buffer, laid.text.byteOffset, laid.text.length)
  let out = ''
  let at = piece.start
  for (const { start, end, by } of replacements.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    out += text.toString('latin1', at, start) + by
    at = end
  }
  return out + text.toString('latin1', at, piece.end)
}

/** The line of a new record: in the columns of the one it follows, when that has the same owner. */
function insertedLine({ reading }: Layout, laid: LaidText, after: Piece | undefined, { owner, type, ttl, data }: Insertion, carry: Carry): string {
  const { table } = reading
  const scope = after ?? laid.pieces.at(-1)
  const isSame = after?.kind === 'record' && carry.owner === table.name[after.from]
  const states = scope === undefined || ttl !== inherited(scope, carry, -1)
  const shown = `${recordTypeToText(type)}`
  const value = rdataToText(type, data)
  if (states) carry.lastTtl = ttl
  if (isSame) {
    const line = takeApart(laid, after)
    if (line.ttl >= 0) carry.lastTtl = ttl
    return `${headLike(laid, after, line, ttl, states)}${shown}${gapLike(laid, line)}${value}`
  }
  // Whatever comes next repeats no owner of ours.
  carry.owner = -1
  return [relativeName(owner, scope?.origin), ...(states ? [String(ttl)] : []), shown, value].join('\t')
}

/** All before the type, with blanks for the owner. */
function headLike(laid: LaidText, piece: Piece, { entry, ttl: ttlToken, type }: Line, ttl: number, states: boolean): string {
  const text = (from: number, to: number): string => Buffer.from(laid.text.subarray(from, to)).toString('latin1')
  const start = piece.start
  const behindOwner = entry.indented ? start : entry.ends[0]!
  const head = text(behindOwner, tokenAt(entry, type))
  const blanks = entry.indented ? '' : ' '.repeat(behindOwner - start)
  if (head.includes('(') || head.includes('\n')) return `\t${states || ttlToken >= 0 ? `${ttl}\t` : ''}`
  if (ttlToken < 0) return `${blanks}${head}${states ? `${ttl} ` : ''}`
  return `${blanks}${text(behindOwner, entry.starts[ttlToken]!)}${ttl}${text(entry.ends[ttlToken]!, tokenAt(entry, type))}`
}

function gapLike(laid: LaidText, { entry, type }: Line): string {
  const gap = Buffer.from(laid.text.subarray(entry.ends[type], type + 1 < entry.count ? tokenAt(entry, type + 1) : entry.ends[type]!)).toString('latin1')
  return /^[ \t]+$/.test(gap) ? gap : ' '
}

/** A name as it is written below an origin: `@`, relative, or with its final dot. */
function relativeName(name: Uint8Array, origin: Uint8Array | undefined): string {
  const text = nameToText(name)
  if (origin === undefined || origin.length === 1 || !isSubdomain(name, origin)) return text
  return name.length === origin.length ? '@' : nameToText(Uint8Array.of(...name.subarray(0, name.length - origin.length), 0)).slice(0, -1)
}

