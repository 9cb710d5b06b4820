import type { Validators } from './conditional.ts'
import { isStrongDate, type Range } from './range.ts'

/** What a 206 says that it brings. */
export interface ContentRange extends Range {
  /** Of the whole, in octets. */
  readonly length: number
}

/**
 * The parts that are held of one representation. Each piece is held under a key of its own, so that what comes to it copies nothing;
 * this is the list of them.
 */
export interface Parts {
  /** Of the whole, in octets. */
  readonly length: number
  /** In order, none meeting another. */
  readonly pieces: readonly Piece[]
}

export interface Piece extends Range {
  /** Part of its key, and of no other that comes after: those of an earlier representation are out of reach. */
  readonly id: number
}

/** A part of one of the pieces. */
export interface Slice {
  readonly piece: Piece
  /** Within the piece; `to` is not included. */
  readonly from: number
  readonly to: number
}

/** More pieces than this are not held of one representation: whoever asks for it octet by octet gains nothing. */
export const MOST_PIECES = 256

/** The key of the list; what is held whole is under the key itself. */
export const partsKey = (key: string): string => `${key}\n@pieces`
export const pieceKey = (key: string, { id, first }: Pick<Piece, 'id' | 'first'>): string => `${key}\n@${id} ${first}`

/** Reads Content-Range (RFC 9110 §14.4); undefined for what is malformed, has no octets, or does not know the length of the whole. */
export function readContentRange(value: string | undefined): ContentRange | undefined {
  const [, from, to, of] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/i.exec(value ?? '') ?? []
  if (from === undefined) return undefined
  const [first, last, length] = [Number(from), Number(to), Number(of)]
  return first <= last && last < length ? { first, last, length } : undefined
}

/** Whether two responses are of the same representation, octet for octet, so that parts of them may be joined (RFC 9110 §15.3.7.3): a strong validator says so. */
export function isSameRepresentation(one: Validators, other: Validators, now: number): boolean {
  if (one.etag !== undefined || other.etag !== undefined) return one.etag === other.etag && one.etag?.startsWith('"') === true
  return one.lastModified !== undefined && one.lastModified === other.lastModified && isStrongDate(one, now) && isStrongDate(other, now)
}

/** What of a run of octets is not held yet. */
export function missingOf(pieces: readonly Range[], run: Range): Range[] {
  const missing: Range[] = []
  let at = run.first
  for (const { first, last } of pieces) {
    if (last < at || first > run.last) continue
    if (first > at) missing.push({ first: at, last: first - 1 })
    at = last + 1
  }
  if (at <= run.last) missing.push({ first: at, last: run.last })
  return missing
}

/** Where the octets of a run lie, in order; undefined where they are not all held. */
export function slicesOf({ pieces }: Pick<Parts, 'pieces'>, run: Range): Slice[] | undefined {
  const slices: Slice[] = []
  let at = run.first
  for (const piece of pieces) {
    if (piece.last < at) continue
    if (piece.first > at || at > run.last) break
    const to = Math.min(piece.last, run.last)
    slices.push({ piece, from: at - piece.first, to: to + 1 - piece.first })
    at = to + 1
  }
  return at > run.last ? slices : undefined
}

/** With further pieces, which meet none that are there. */
export const withPieces = (parts: Parts, pieces: readonly Piece[]): Parts => ({ ...parts, pieces: [...parts.pieces, ...pieces].sort((one, other) => one.first - other.first) })

/** The list as it is held: as the body of a response. */
export const packParts = ({ length, pieces }: Parts): Buffer => Buffer.from(`${length} ${pieces.map(({ id, first, last }) => `${id}:${first}-${last}`).join(' ')}`)

/** The opposite of `packParts`. */
export function unpackParts(packed: Buffer): Parts {
  const [length, ...pieces] = packed.toString('latin1').split(' ')
  const read = (piece: string): Piece => {
    const [id, first, last] = piece.split(/[:-]/)
    return { id: Number(id), first: Number(first), last: Number(last) }
  }
  return { length: Number(length), pieces: pieces.map(read) }
}
