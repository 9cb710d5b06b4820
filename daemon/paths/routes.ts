// Routes in memory: pieces, all of one size, with routes side by side. A route is its address (a word; four of IPv6), its origin, and
// a word of length << 16 | path << 8 | hops. They are filled as routes come, sorted where they stand, and handed from thread to
// thread: a table is never copied, and the pieces of one that is no longer used take in the next.

export type Piece = Uint32Array<ArrayBuffer>

/** Routes of one family; once they are sorted in the order of their addresses, the shorter prefix first. */
export interface FamilyTable {
  count: number
  /** Words of an address. */
  readonly width: 1 | 4
  readonly pieces: Piece[]
}

/** Routes of a piece: of IPv4, of three words each, twice as many as of IPv6, of six. */
const PIECE_BITS = { 1: 15, 4: 14 } as const
const PIECE_WORDS = 3 << PIECE_BITS[1]

export const makePiece = (): Piece => new Uint32Array(PIECE_WORDS)
/** Pieces that so many routes take up. */
export const piecesFor = ({ width }: FamilyTable, count: number): number => Math.ceil(count / 2 ** PIECE_BITS[width])
export const pieceOf = ({ width, pieces }: FamilyTable, route: number): Piece => pieces[route >>> PIECE_BITS[width]]!
/** Where in its piece a route begins. */
export const placeIn = ({ width }: FamilyTable, route: number): number => (route & ((1 << PIECE_BITS[width]) - 1)) * (width + 2)
export const wordAt = (table: FamilyTable, route: number, word: number): number => pieceOf(table, route)[placeIn(table, route) + word]!
export const lengthAt = (table: FamilyTable, route: number): number => wordAt(table, route, table.width + 1) >>> 16
export const pathAt = (table: FamilyTable, route: number): number => (wordAt(table, route, table.width + 1) >>> 8) & 0xff

/** A word with all but its first so many bits cleared. */
export const maskWord = (word: number, bits: number): number => (bits >= 32 ? word : bits <= 0 ? 0 : word & (-1 << (32 - bits))) >>> 0
