import { crc32 } from 'node:zlib'
import type { Entry } from './format.ts'

// The records of a segment as they lie in the file beside it: a head with a checksum, then 16 octets for each.

const MAGIC = 0x3149434e
const HEAD = 16
const [SUM, COUNT, SIZE] = [4, 8, 12] as const
const ENTRY = 16
/** Entries that there is room for at first; twice as many then. */
const FIRST = 256

/** An index that is being made: in memory it takes what its file will, or twice that. */
export interface SegmentIndex {
  add(entry: Entry): void
  /** The whole file, once nothing is added any more. @param size octets of the segment */
  file(size: number): Buffer
}

export function makeSegmentIndex(): SegmentIndex {
  let octets = Buffer.allocUnsafeSlow(HEAD + FIRST * ENTRY)
  let end = HEAD
  return {
    add: ({ high, low, offset, length }) => {
      if (end + ENTRY > octets.length) {
        const larger = Buffer.allocUnsafeSlow(octets.length * 2)
        octets.copy(larger)
        octets = larger
      }
      octets.writeUInt32LE(high, end)
      octets.writeUInt32LE(low, end + 4)
      octets.writeUInt32LE(offset, end + 8)
      octets.writeUInt32LE(length, end + 12)
      end += ENTRY
    },
    file: (size) => {
      octets.writeUInt32LE(MAGIC, 0)
      octets.writeUInt32LE(crc32(octets.subarray(HEAD, end)), SUM)
      octets.writeUInt32LE((end - HEAD) / ENTRY, COUNT)
      octets.writeUInt32LE(size, SIZE)
      return octets.subarray(0, end)
    }
  }
}

/** Whether the file beside a segment is whole, and speaks of a segment of this size. */
export function isIndexOf(file: Buffer, size: number): boolean {
  if (file.length < HEAD || file.readUInt32LE(0) !== MAGIC || file.readUInt32LE(SIZE) !== size) return false
  const body = file.subarray(HEAD)
  return body.length === file.readUInt32LE(COUNT) * ENTRY && crc32(body) === file.readUInt32LE(SUM)
}

/** The entries of a file that `isIndexOf` approves of. */
export function* readIndex(file: Buffer): Generator<Entry> {
  for (let at = HEAD; at < file.length; at += ENTRY) {
    yield { high: file.readUInt32LE(at), low: file.readUInt32LE(at + 4), offset: file.readUInt32LE(at + 8), length: file.readUInt32LE(at + 12) }
  }
}
