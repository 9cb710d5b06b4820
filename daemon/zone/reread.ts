// Reading of a large text only what has changed since it was read: both texts are read from the last mark before each difference to
// the first place behind it where the reading of both stands the same. What lies between is the same records.
import { isAscii } from 'node:buffer'
import type { Position } from '../../core/trouble.ts'
import type { PlainRecord } from './change.ts'
import { nameKey } from './change-owners.ts'
import { dataPlace } from './check.ts'
import type { Pointed } from './pointed.ts'
import { markOf, readNext, resumeAt, type Keeping, type Mark, type Reading, type Scope } from './reader.ts'
import { isNotable, type ZoneRecord } from './record.ts'
import { positionOf, sourceAt } from './sources.ts'
import { ownerOf, rdataOf } from './table.ts'
import { differencesOf, type Hunk } from './text-difference.ts'

/** A record that more is asked of than to be served, and its place in the text. */
export interface Notable extends PlainRecord {
  readonly place: number
  /** How many octets behind that its data begins; 0 where the record comes of a $GENERATE. */
  readonly dataBehind: number
}

/** A text that was read without any fault, and what it takes to read only what changes in it. */
export interface KeptText {
  /** As it stands in messages. */
  readonly file: string
  readonly text: Uint8Array
  readonly marks: readonly Mark[]
  readonly notable: readonly Notable[]
  readonly pointed: Pointed
  readonly stride: number
}

/** What a new text says otherwise. */
export interface Reread {
  /** Records of the parts that were read, as both texts have them. */
  readonly before: readonly PlainRecord[]
  readonly now: readonly PlainRecord[]
  readonly notable: readonly NotableNow[]
  readonly kept: KeptText
}

/** One that the new text has, and where its data begins. */
export interface NotableNow extends ZoneRecord {
  readonly dataAt: Position
}

export const LARGE_TEXT: Keeping = { least: 1 << 20, stride: 1 << 15 }

/** Octets that are read again at most, as a part of the text, and of a short one. */
const MOST_SHARE = 8
const MOST_STRIDES = 16
const MOST_NOTABLE = 10_000
/** Places of a text and of what $GENERATE makes of it are numbers of 32 bits. */
const MOST_TEXT = 2 ** 31

/** What to keep of a reading without faults; undefined when it cannot be taken up again. */
export function keepText(reading: Reading, order: Uint32Array, pointed: Pointed): KeptText | undefined {
  const { sources, table, marks, files } = reading
  const [source] = sources.list
  if (marks === undefined || source === undefined || files.length > 1 || source.text.length >= MOST_TEXT) return undefined
  const found = order.filter((record) => isNotable(table.type[record]!))
  if (found.length > MOST_NOTABLE) return undefined
  return { file: source.file, text: source.text, marks: marks.list, stride: marks.stride, notable: Array.from(found, (record) => notableOf(reading, record)), pointed }
}

/** In an array of their own, so that the whole table need not stay for their sake. */
function notableOf({ sources, table }: Reading, record: number): Notable {
  const place = table.place[record]!
  const source = sourceAt(sources, place)
  const dataBehind = source.standsFor === undefined ? dataPlace(sources, place, 1) - place : 0
  return { owner: ownerOf(table, table.name[record]!).slice(), type: table.type[record]!, ttl: table.ttl[record]!, rdata: rdataOf(table, record).slice(), place: source.standsFor ?? place, dataBehind }
}

/** What stands otherwise in a new text of the file; undefined when it has to be read whole: too much has changed, or something in it is wrong. */
export function rereadText(kept: KeptText, now: Uint8Array): Reread | undefined {
  const { text, stride } = kept
  if (now.length >= MOST_TEXT || isMarked(now) !== isMarked(text)) return undefined
  if (bufferOf(now).includes('\ufffd')) return undefined
  const hunks = differencesOf(text, now, stride >>> 3)
  if (hunks === undefined || hunks.length === 0) return undefined
  const walk: Walk = { kept, now, isAscii: isAscii(now) && isAscii(text), parts: [], octets: 0, most: Math.max(text.length / MOST_SHARE, stride * MOST_STRIDES) }
  for (let next = 0; next < hunks.length; ) {
    const after = readPart(walk, hunks, next)
    if (after === undefined) return undefined
    next = after
  }
  return joined(walk)
}

const bufferOf = (text: Uint8Array): Buffer => Buffer.from(text.buffer, text.byteOffset, text.length)

/** Whether it begins with a mark of its encoding, which is read over there and nowhere else. */
const isMarked = (text: Uint8Array): boolean => text[0] === 0xef && text[1] === 0xbb && text[2] === 0xbf

interface Walk {
  readonly kept: KeptText
  readonly now: Uint8Array
  readonly isAscii: boolean
  readonly parts: Part[]
  /** Octets that were read. */
  octets: number
  readonly most: number
}

/** A part that was read: octets [from, to) of the text before, [newFrom, newTo) of the new one. */
interface Part {
  readonly from: number
  readonly to: number
  readonly newFrom: number
  readonly newTo: number
  readonly before: Reading
  readonly now: Reading
  /** Within the new part, and where the reading of both stands the same behind it. */
  readonly marks: readonly Mark[]
}

/** Reads from before a hunk to where both stand the same; returns the number of the next hunk. */
function readPart(walk: Walk, hunks: readonly Hunk[], first: number): number | undefined {
  const { kept, now, parts } = walk
  const last = parts.at(-1)
  const [to, newTo] = last === undefined ? [0, 0] : [last.to, last.newTo]
  const reached = last?.marks.at(-1)
  const mark = lastMark(kept.marks, hunks[first]!.from)
  // From the mark, or from where the part before ended, whatever is nearer; the same stands before either.
  const start = mark !== undefined && mark.at >= to ? mark : reached === undefined ? undefined : { ...reached, at: to }
  if (start === undefined) return undefined
  const from = start.at
  const newFrom = from + newTo - to
  const old = resumeAt(kept.file, kept.text, walk.isAscii, start)
  const fresh = resumeAt(kept.file, now, walk.isAscii, { ...start, at: newFrom })
  const marks: Mark[] = []
  let due = newFrom + kept.stride
  let next = first
  for (let moved = 0; ; ) {
    const [at, newAt] = [old.scope.entry.at, fresh.scope.entry.at]
    while (next === first || (next < hunks.length && (at > hunks[next]!.from || newAt > hunks[next]!.newFrom))) {
      moved = hunks[next]!.to - hunks[next]!.newTo
      next++
    }
    const { to: end, newTo: newEnd } = hunks[next - 1]!
    const isAtEnd = at === kept.text.length && newAt === now.length
    if (at - newAt === moved && at >= end && newAt >= newEnd) {
      const reach = markOf(fresh.reading, fresh.scope)
      if (isAtEnd || isSameMark(reach, markOf(old.reading, old.scope))) {
        parts.push({ from, to: at, newFrom, newTo: newAt, before: old.reading, now: fresh.reading, marks: [...marks, reach] })
        return next
      }
    }
    if (isAtEnd) return undefined
    if (newAt >= due) {
      marks.push(markOf(fresh.reading, fresh.scope))
      due = newAt + kept.stride
    }
    const isOldBehind = newAt === now.length || (at < kept.text.length && at < newAt + moved)
    if (!readOn(walk, isOldBehind ? old : fresh)) return undefined
  }
}

/** Reads an entry; false when it is wrong, or when too much has been read. */
function readOn(walk: Walk, { reading, scope }: { readonly reading: Reading; readonly scope: Scope }): boolean {
  const from = scope.entry.at
  const { errors, warnings } = reading.trouble
  if (walk.octets > walk.most) return false
  readNext(reading, scope)
  walk.octets += scope.entry.at - from
  return errors.length === 0 && warnings.length === 0
}

function lastMark(marks: readonly Mark[], most: number): Mark | undefined {
  let low = 0
  let high = marks.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (marks[middle]!.at <= most) low = middle + 1
    else high = middle
  }
  return marks[low - 1]
}

/** Whether what comes behind is read alike. The last TTL counts until there is a $TTL, and a SOA's minimum until there is any. */
function isSameMark(a: Mark, b: Mark): boolean {
  const isSameTtl = a.defaultTtl >= 0 || (a.lastTtl === b.lastTtl && (a.lastTtl >= 0 || a.minimum === b.minimum))
  return (
    a.defaultTtl === b.defaultTtl && isSameTtl &&
    isSameOctets(a.origin, b.origin) && isSameOctets(a.zone, b.zone) && (a.owner === undefined || b.owner === undefined ? a.owner === b.owner : nameKey(a.owner) === nameKey(b.owner))
  )
}

function isSameOctets(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && Buffer.compare(a, b) === 0)
}

/** All parts together. */
function joined({ kept, now, parts }: Walk): Reread | undefined {
  const stays = (place: number): boolean => !parts.some(({ from, to }) => place >= from && place < to)
  const moved = (place: number): number => {
    const before = parts.findLast(({ to }) => to <= place)
    return before === undefined ? place : place + before.newTo - before.to
  }
  const notable: Notable[] = [
    ...kept.notable.filter(({ place }) => stays(place)).map((record) => ({ ...record, place: moved(record.place) })),
    ...parts.flatMap(({ now: reading }) => Array.from({ length: reading.table.length }, (_, record) => record).filter((record) => isNotable(reading.table.type[record]!)).map((record) => notableOf(reading, record)))
  ].sort((a, b) => a.place - b.place)
  if (notable.length > MOST_NOTABLE) return undefined
  const { sources } = parts[0]!.now
  const marks = [
    ...kept.marks.filter(({ at }) => !parts.some(({ from, to }) => at > from && at <= to)).map((mark) => ({ ...mark, at: moved(mark.at) })),
    ...parts.flatMap((part) => part.marks)
  ].filter(({ at }) => at < now.length).sort((a, b) => a.at - b.at)
  return {
    before: parts.flatMap(({ before }) => recordsIn(before)),
    now: parts.flatMap(({ now: reading }) => recordsIn(reading)),
    notable: notable.map(({ place, dataBehind, ...record }) => ({ ...record, at: positionOf(sources, place), dataAt: positionOf(sources, place + dataBehind) })),
    kept: { ...kept, text: now, marks, notable }
  }
}

function recordsIn({ table }: Reading): PlainRecord[] {
  return Array.from({ length: table.length }, (_, record) => ({ owner: ownerOf(table, table.name[record]!), type: table.type[record]!, ttl: table.ttl[record]!, rdata: rdataOf(table, record) }))
}
