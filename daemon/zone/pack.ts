import { nameLength } from '../wire/name.ts'
import type { PlainRecord } from './change.ts'

/**
 * Records one behind the other in few large pieces of memory, so that a whole zone goes to another thread or to disk as it is:
 * owner, type, TTL, length of the RDATA, RDATA, as in a message but without the class and uncompressed.
 */
export interface PackedRecords {
  readonly pieces: readonly Uint8Array<ArrayBuffer>[]
  /** Records in all pieces. */
  readonly length: number
}

/** Puts records into a pack; what is added is copied. */
export interface Packer {
  add(record: PlainRecord): void
  /** Octets so far. */
  readonly octets: number
  /** The pack; nothing is to be added after. */
  end(): PackedRecords
}

const PIECE = 1 << 20
/** Type, TTL and length. */
const FIXED = 8

export function makePacker(): Packer {
  const pieces: Uint8Array<ArrayBuffer>[] = []
  let piece = new Uint8Array(0)
  let at = 0
  let length = 0
  let before = 0
  return {
    add: ({ owner, type, ttl, rdata }) => {
      const need = owner.length + FIXED + rdata.length
      if (at + need > piece.length) {
        if (at > 0) pieces.push(piece.subarray(0, at))
        before += at
        // The first is small: most zones are.
        piece = new Uint8Array(Math.max(need, pieces.length === 0 && before === 0 ? PIECE >>> 8 : PIECE))
        at = 0
      }
      piece.set(owner, at)
      const view = new DataView(piece.buffer, at + owner.length, FIXED)
      view.setUint16(0, type)
      view.setUint32(2, ttl)
      view.setUint16(6, rdata.length)
      piece.set(rdata, at + owner.length + FIXED)
      at += need
      length++
    },
    get octets() {
      return before + at
    },
    end: () => ({ pieces: at > 0 ? [...pieces, piece.slice(0, at)] : pieces, length })
  }
}

/** The records of a pack; owner and RDATA are views of its memory. Throws RangeError where a piece is cut short. */
export function* unpackRecords({ pieces }: Pick<PackedRecords, 'pieces'>): Generator<PlainRecord, void, void> {
  for (const piece of pieces) {
    const view = new DataView(piece.buffer, piece.byteOffset, piece.byteLength)
    for (let at = 0; at < piece.length; ) {
      const fixed = at + nameLength(piece, at)
      const rdata = fixed + FIXED
      const end = rdata + view.getUint16(fixed + 6)
      if (end > piece.length) throw new RangeError('a record is cut short')
      yield { owner: piece.subarray(at, fixed), type: view.getUint16(fixed), ttl: view.getUint32(fixed + 2), rdata: piece.subarray(rdata, end) }
      at = end
    }
  }
}
