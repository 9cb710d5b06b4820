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

/** Octets of a segment that are in memory at once while it is read through. */
const WINDOW = 1024 * 1024

/**
 * The records of a segment that lie in it to their ends; past what is broken it goes on at the next head. But what looks like one there may
 * lie within the body of a record whose head is lost, written by whoever wrote that body: it only says that its key is held no more.
 * @param size octets of the segment @param read fills a piece of memory with what lies from a place on, or throws
 */
export function* scan(size: number, read: (into: Buffer, at: number) => void): Generator<Entry> {
  const window = Buffer.allocUnsafeSlow(Math.min(WINDOW, size))
  let [from, to] = [0, 0]
  let isSound = true
  for (let at = 0; at + HEAD <= size; ) {
    if (at + HEAD > to) {
      ;[from, to] = [at, Math.min(size, at + window.length)]
      read(window.subarray(0, to - from), from)
    }
    const here = at - from
    const length = isHead(window, here) ? window.readUInt32LE(here + LENGTH) : Infinity
    if (at + HEAD + length > size) {
      isSound = false
      at += ALIGN
      continue
    }
    yield { high: window.readUInt32LE(here + ID), low: window.readUInt32LE(here + ID + 4), offset: at, length: !isSound || window.readUInt32LE(here + KIND) === DELETED ? 0 : length }
    at += spanOf(length)
  }
}
