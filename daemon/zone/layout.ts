import { readMaster, type Reading, type Scope } from './reader.ts'
import { sourceAt } from './sources.ts'
import { settleNames } from './table.ts'

// How a zone stands in its files: which lines each record takes, and what it takes over from those before it.

/** One entry of a text: a record, or a directive. Offsets count octets of the text. */
export interface Piece {
  readonly kind: 'record' | 'generate' | 'include' | 'directive'
  /** Its first line begins at `start`; the line behind its last begins at `end`. */
  readonly start: number
  readonly end: number
  /** Its records, as numbers of the table: [from, to). */
  readonly from: number
  readonly to: number
  /** What names without final dot are completed by, and $TTL (-1: none), from here on. */
  readonly origin: Uint8Array | undefined
  readonly defaultTtl: number
  /** The last TTL stated up to here (-1: none). */
  readonly lastTtl: number
  /** The text that an `include` reads. */
  readonly included?: LaidText
}

/** One text, and its entries in their order. */
export interface LaidText {
  readonly path: string
  readonly text: Uint8Array
  readonly pieces: Piece[]
}

export interface Layout {
  readonly reading: Reading
  readonly main: LaidText
  /** All texts, those included among them; a file that is included twice is two. */
  readonly texts: readonly LaidText[]
}

/** Reads how a zone stands in its files. The zone is known to be without faults. */
export function readLayout(options: { file: string; origin?: Uint8Array; read(path: string): string | Uint8Array }): Layout {
  const texts = new Map<number, LaidText>()
  const textOf = (path: string, base: number, text: Uint8Array): LaidText => {
    const known = texts.get(base)
    if (known !== undefined) return known
    const fresh: LaidText = { path, text, pieces: [] }
    texts.set(base, fresh)
    return fresh
  }
  const reading = readMaster({
    ...options,
    onEntry: (scope, from) => {
      // The text that the entry brought, if it is an $INCLUDE or $GENERATE, was added first of all that it brought.
      const brought = from.reading.sources.list[from.source]
      const included = brought !== undefined && brought.standsFor === undefined ? textOf(brought.file, brought.base, brought.text) : undefined
      const laid = textOf(scope.path, scope.base, scope.entry.text)
      laid.pieces.push(pieceOf(scope, laid, from.record, from.reading.table.length, included, brought !== undefined))
    }
  })
  settleNames(reading.table)
  const source = sourceAt(reading.sources, 0)
  const main = textOf(source.file, source.base, source.text)
  return { reading, main, texts: [...texts.values()] }
}

function pieceOf({ entry, defaultTtl, lastTtl }: Scope, laid: LaidText, from: number, to: number, included: LaidText | undefined, brings: boolean): Piece {
  const isDirective = entry.text[entry.starts[0]!] === 0x24 && entry.quoted[0] === 0
  const kind = !isDirective ? 'record' : included !== undefined ? 'include' : brings ? 'generate' : 'directive'
  const start = firstLine(entry.text, laid.pieces.at(-1)?.end ?? 0)
  const piece: Piece = { kind, start, end: entry.at, from, to, origin: entry.origin, defaultTtl, lastTtl }
  return included === undefined ? piece : { ...piece, included }
}

/** Where the line begins on which the next entry does: behind empty lines and comments. */
function firstLine(text: Uint8Array, from: number): number {
  let start = from
  for (let at = from; at < text.length; at++) {
    const octet = text[at]!
    if (octet === 10) start = at + 1
    else if (octet === 0x3b) {
      const end = text.indexOf(10, at)
      if (end < 0) return start
      at = end - 1
    } else if (octet !== 32 && octet !== 9 && octet !== 13) break
  }
  return start
}
