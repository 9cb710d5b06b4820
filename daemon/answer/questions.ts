import type { ScannedName } from '../wire/index.ts'

// Questions that are asked again and again, each with the entry that answers it: one look at one place of memory instead of
// one each at the zone's table, the node, its name, the table of prepared answers and the entry. With 1,000 names in turn and
// the kernel's work between, those looks were what an answer waited for longest.

/** Rows, a power of two: half a megabyte, of which only what is asked often is touched often. */
const ROWS = 1 << 13
/** A row in words: HASH of the name, VERSION it holds for, SHAPE (type | octets of the name << 16), ENTRY, and the NAME in lower case, filled up with zeros. */
const ROW = { HASH: 0, VERSION: 1, SHAPE: 2, ENTRY: 3, NAME: 4, WORDS: 16 } as const
/** Longer names are found the long way. */
const LONGEST = (ROW.WORDS - ROW.NAME) * 4
/** Of so many that would take a row from another one does: of names that come once each, few push out what comes often. */
const PUSHES = 8

export interface Questions {
  readonly rows: Int32Array
  /** Rows that have this hold. */
  version: number
  turn: number
}

export function makeQuestions(): Questions {
  return { rows: new Int32Array(ROWS * ROW.WORDS), version: 1, turn: 0 }
}

export function forgetQuestions(questions: Questions): void {
  questions.version = (questions.version + 1) | 0
}

function rowOf(hash: number, type: number): number {
  return ((hash ^ Math.imul(type, 0x9e3779b1)) & (ROWS - 1)) * ROW.WORDS
}

/** The entry that answers a name that is one of a zone's own, or -1 when that is not known. */
export function findQuestion({ rows, version }: Questions, { hashes, words, length }: ScannedName, type: number): number {
  const hash = hashes[0]!
  const row = rowOf(hash, type)
  if (rows[row] !== hash || rows[row + ROW.VERSION] !== version || rows[row + ROW.SHAPE] !== (type | (length << 16))) return -1
  for (let word = 0; word * 4 < length; word++) if (rows[row + ROW.NAME + word] !== words[word]) return -1
  return rows[row + ROW.ENTRY]!
}

/** Takes note of what `findQuestion` did not know. */
export function noteQuestion(questions: Questions, { hashes, words, length }: ScannedName, type: number, entry: number): void {
  if (length > LONGEST) return
  const { rows, version } = questions
  const hash = hashes[0]!
  const row = rowOf(hash, type)
  if (rows[row + ROW.VERSION] === version && (questions.turn = (questions.turn + 1) & (PUSHES - 1)) !== 0) return
  rows[row] = hash
  rows[row + ROW.VERSION] = version
  rows[row + ROW.SHAPE] = type | (length << 16)
  rows[row + ROW.ENTRY] = entry
  for (let word = 0; word * 4 < length; word++) rows[row + ROW.NAME + word] = words[word]!
}
