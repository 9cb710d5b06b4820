import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'

// A segment is a file of records, each at a multiple of 16 octets: a head with checksums of itself and of what follows, then what is
// held. Whatever is not as its checksum says was never there.

export const HEAD = 48
const MAGIC = 0x3152434e
const ALIGN = 16
const [CHECK, LENGTH, SUM, ID, KIND] = [4, 8, 12, 16, 32] as const
const CHECKED_FROM = LENGTH
const ID_OCTETS = 16
const PUT = 1
const DELETED = 2

/** Of a record: which key, and where. */
export interface Entry {
  /** The first 64 bits of the id. */
  readonly high: number
  readonly low: number
  readonly offset: number
  /** Octets of what is held; 0 where it says that it was deleted. */
  readonly length: number
}

/** What a key is known by on disk: the first half of its SHA-256. */
export const idOf = (key: string): Buffer => createHash('sha256').update(key, 'latin1').digest().subarray(0, ID_OCTETS)

/** Octets that a record takes in its segment. */
export const spanOf = (length: number): number => Math.ceil((HEAD + length) / ALIGN) * ALIGN

/** Writes a record whose payload stands behind its head already. @param isDeletion it has none, and says that the key is held no more */
export function seal(record: Buffer, id: Buffer, length: number, isDeletion: boolean): void {
  record.fill(0, 0, HEAD)
  record.writeUInt32LE(MAGIC, 0)
  record.writeUInt32LE(length, LENGTH)
  record.writeUInt32LE(crc32(record.subarray(HEAD, HEAD + length)), SUM)
  id.copy(record, ID)
  record.writeUInt32LE(isDeletion ? DELETED : PUT, KIND)
  record.writeUInt32LE(crc32(record.subarray(CHECKED_FROM, HEAD)), CHECK)
}

const isHead = (octets: Buffer, at: number): boolean => octets.readUInt32LE(at) === MAGIC && octets.readUInt32LE(at + CHECK) === crc32(octets.subarray(at + CHECKED_FROM, at + HEAD))

/** The payload of a record that is whole and of this id; undefined when it is anything else. */
export function payloadOf(record: Buffer, id: Buffer): Buffer | undefined {
  if (record.length < HEAD || !isHead(record, 0) || record.readUInt32LE(KIND) !== PUT || !record.subarray(ID, ID + ID_OCTETS).equals(id)) return undefined
  const length = record.readUInt32LE(LENGTH)
  if (record.length < HEAD + length) return undefined
  const payload = record.subarray(HEAD, HEAD + length)
  return crc32(payload) === record.readUInt32LE(SUM) ? payload : undefined
}

/**
 * The records of a segment that lie in it to their ends; past what is broken it goes on at the next head. But what looks like one there may
 * lie within the body of a record whose head is lost, written by whoever wrote that body: it only says that its key is held no more.
 */
export function* scan(segment: Buffer): Generator<Entry> {
  let isSound = true
  for (let at = 0; at + HEAD <= segment.length; ) {
    const length = isHead(segment, at) ? segment.readUInt32LE(at + LENGTH) : Infinity
    if (at + HEAD + length > segment.length) {
      isSound = false
      at += ALIGN
      continue
    }
    yield { high: segment.readUInt32LE(at + ID), low: segment.readUInt32LE(at + ID + 4), offset: at, length: !isSound || segment.readUInt32LE(at + KIND) === DELETED ? 0 : length }
    at += spanOf(length)
  }
}

const INDEX_MAGIC = 0x3149434e
const INDEX_HEAD = 16
const WORDS = 4

/** The records of a segment as the file beside it. @param size octets of the segment */
export function writeIndex(entries: readonly Entry[], size: number): Buffer {
  const words = new Uint32Array(entries.length * WORDS)
  for (const [at, { high, low, offset, length }] of entries.entries()) words.set([high, low, offset, length], at * WORDS)
  const body = Buffer.from(words.buffer)
  const head = Buffer.alloc(INDEX_HEAD)
  head.writeUInt32LE(INDEX_MAGIC, 0)
  head.writeUInt32LE(crc32(body), 4)
  head.writeUInt32LE(entries.length, 8)
  head.writeUInt32LE(size, 12)
  return Buffer.concat([head, body])
}

/** The opposite, of a file that `isIndexOf` approves of. */
export function* readIndex(file: Buffer): Generator<Entry> {
  for (let at = INDEX_HEAD; at < file.length; at += WORDS * 4) {
    yield { high: file.readUInt32LE(at), low: file.readUInt32LE(at + 4), offset: file.readUInt32LE(at + 8), length: file.readUInt32LE(at + 12) }
  }
}

/** Whether the file beside a segment is whole, and speaks of a segment of this size. */
export function isIndexOf(file: Buffer, size: number): boolean {
  if (file.length < INDEX_HEAD || file.readUInt32LE(0) !== INDEX_MAGIC || file.readUInt32LE(12) !== size) return false
  const body = file.subarray(INDEX_HEAD)
  return body.length === file.readUInt32LE(8) * WORDS * 4 && crc32(body) === file.readUInt32LE(4)
}
