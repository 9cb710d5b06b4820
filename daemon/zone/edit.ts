import { formatFault, type Fault } from '../../core/trouble.ts'
import { nameToText } from '../wire/name.ts'
import { TYPE } from '../wire/types.ts'
import { renderTexts, type Plan } from './edit-lines.ts'
import { rdataKey } from './group.ts'
import { readLayout, type LaidText, type Layout, type Piece } from './layout.ts'
import { rdataToText, recordTypeToText } from './rdata.ts'
import { positionOf } from './sources.ts'
import { findName, rdataOf } from './table.ts'

/** What is to become of an RRset in the files of a zone; without `now` it goes. Without `was` there is none yet. */
export interface SetEdit {
  readonly owner: Uint8Array
  readonly type: number
  readonly was?: { readonly ttl: number; readonly data: readonly Uint8Array[] }
  readonly now?: { readonly ttl: number; readonly data: readonly Uint8Array[] }
}

export interface FilesEdit {
  /** New texts by path, of the files that change. */
  readonly texts: ReadonlyMap<string, Uint8Array>
  /** What was done, a line each: `+ www.example.org. 300 A 192.0.2.1`. */
  readonly lines: readonly string[]
  /** Why it cannot be done; no texts then. */
  readonly faults: readonly Fault[]
}

interface Found {
  readonly piece: Piece
  readonly text: LaidText
  readonly record: number
}

/**
 * Edits the files of a zone so that they say other RRsets, and touches no line but those of RRsets that change. What a record is
 * worth to those behind it (its owner, its TTL) is written out there when it goes.
 * @param read the text of a file by its path, as for `readZone`
 */
export function editFiles(options: { file: string; origin: Uint8Array; read(path: string): string | Uint8Array }, sets: readonly SetEdit[]): FilesEdit {
  const { file, read } = options
  const layout = readLayout({ file, read, origin: options.origin })
  const plan: Plan = { edits: new Map(), insertions: new Map() }
  const faults: Fault[] = []
  const found = findRecords(layout, sets)
  for (const set of sets) planSet(layout, set, found, plan, faults)
  if (faults.length > 0) return { texts: new Map(), lines: [], faults: unique(faults) }
  const texts = new Map<string, Uint8Array>()
  for (const [laid, text] of renderTexts(layout, plan)) {
    if (Buffer.compare(laid.text, text) === 0) continue
    const twin = layout.texts.find((other) => other !== laid && other.path === laid.path)
    if (twin !== undefined) return { texts: new Map(), lines: [], faults: [{ file: laid.path, line: 1, column: 1, severity: 'error', reason: 'is included more than once, so that a change in it would be made several times', hint: 'write the change into the zone by hand' }] }
    texts.set(laid.path, text)
  }
  return { texts, lines: sets.flatMap(shownChanges), faults: [] }
}

const unique = (faults: readonly Fault[]): Fault[] => [...new Map(faults.map((fault) => [formatFault(fault), fault])).values()]

/** Per owner that is edited, by its number in the table: its records in the order of the files. */
function findRecords({ reading, texts }: Layout, sets: readonly SetEdit[]): Map<number, Found[]> {
  const { table } = reading
  const found = new Map<number, Found[]>()
  for (const { owner } of sets) {
    const name = findName(table, owner, 0)
    if (name >= 0) found.set(name, [])
  }
  for (const text of texts) {
    for (const piece of text.pieces) {
      if (piece.kind !== 'record' && piece.kind !== 'generate') continue
      for (let record = piece.from; record < piece.to; record++) found.get(table.name[record]!)?.push({ piece, text, record })
    }
  }
  return found
}

function planSet({ reading }: Layout, { owner, type, was, now }: SetEdit, found: ReadonlyMap<number, Found[]>, plan: Plan, faults: Fault[]): void {
  const { table } = reading
  const ofName = found.get(findName(table, owner, 0)) ?? []
  const ofSet = ofName.filter(({ record }) => table.type[record] === type)
  const wanted = new Map((now?.data ?? []).map((data) => [rdataKey(type, data), data]))
  const gone = ofSet.filter(({ record }) => !wanted.has(rdataKey(type, rdataOf(table, record))))
  const kept = ofSet.filter((each) => !gone.includes(each))
  for (const { record } of kept) wanted.delete(rdataKey(type, rdataOf(table, record)))
  const fresh = [...wanted.values()]
  // A TTL that the update did not change stays as it is written, even where a smaller one beside it rules, unless that one goes.
  const stillRules = fresh.length > 0 || kept.some(({ record }) => table.ttl[record] === now?.ttl)
  const ttl = now === undefined || (was?.ttl === now.ttl && stillRules) ? undefined : now.ttl
  for (const { piece, record } of gone) {
    if (piece.kind === 'generate') faults.push(torn(reading, record, owner, type))
    else if (fresh.length > 0) plan.edits.set(piece, { data: fresh.shift()!, ttl: now!.ttl })
    else plan.edits.set(piece, { isGone: true })
  }
  for (const { piece, record } of kept) {
    if (ttl === undefined || table.ttl[record] === ttl) continue
    if (piece.kind === 'generate') faults.push(torn(reading, record, owner, type))
    else plan.edits.set(piece, { ...plan.edits.get(piece), ttl })
  }
  if (fresh.length === 0) return
  // Beside the others of its set or of its name, or at least where those were.
  const anchor = ofSet.at(-1) ?? ofName.findLast(({ piece }) => plan.edits.get(piece)?.isGone !== true) ?? ofName.at(-1)
  const key = anchor?.piece
  plan.insertions.set(key, [...(plan.insertions.get(key) ?? []), ...fresh.map((data) => ({ owner, type, ttl: now!.ttl, data }))])
}

function torn({ sources, table }: Layout['reading'], record: number, owner: Uint8Array, type: number): Fault {
  const reason = `${nameToText(owner)} ${recordTypeToText(type)} comes of this $GENERATE, and an update changed it: a line of it alone cannot be changed`
  return { ...positionOf(sources, table.place[record]!), severity: 'error', reason, hint: 'write the records out in place of the directive' }
}

function shownChanges({ owner, type, was, now }: SetEdit): string[] {
  const lines = (sign: string, set: SetEdit['was'], other: SetEdit['was']): string[] => {
    const same = new Set(set?.ttl === other?.ttl ? (other?.data ?? []).map((data) => rdataKey(type, data)) : [])
    return (set?.data ?? []).filter((data) => !same.has(rdataKey(type, data))).map((data) => `${sign} ${nameToText(owner)} ${set!.ttl} ${recordTypeToText(type)} ${rdataToText(type, data)}`)
  }
  return type === TYPE.SOA ? [...lines('-', was, undefined), ...lines('+', now, undefined)] : [...lines('-', was, now), ...lines('+', now, was)]
}
