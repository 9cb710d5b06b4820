import { crc32 } from 'node:zlib'

// A body that is too large for memory lies in a file of its own, written while it comes: pieces of one size, then the checksum of each,
// then a trailer. Its head is an ordinary record among the others, which names the file by its token.

/** Octets that are written, checked and read together; the last are fewer. */
export const CHUNK = 128 * 1024
export const TRAILER = 32
const MAGIC = 0x3142434e
const [LENGTH, SUM, CHECK] = [8, 16, 28] as const

export const chunksOf = (length: number): number => Math.ceil(length / CHUNK)

/** Octets of the whole file. */
export const fileSize = (length: number): number => length + chunksOf(length) * 4 + TRAILER

/** What follows a body in its file. @param sums of its chunks */
export function endOf(length: number, sums: readonly number[]): Buffer {
  const end = Buffer.alloc(sums.length * 4 + TRAILER)
  for (const [at, sum] of sums.entries()) end.writeUInt32LE(sum, at * 4)
  const trailer = end.subarray(sums.length * 4)
  trailer.writeUInt32LE(MAGIC, 0)
  trailer.writeDoubleLE(length, LENGTH)
  trailer.writeUInt32LE(crc32(end.subarray(0, sums.length * 4)), SUM)
  trailer.writeUInt32LE(crc32(trailer.subarray(0, CHECK)), CHECK)
  return end
}

/** The checksums in what follows a body of a length; undefined where it is not as it was written. */
export function sumsIn(end: Buffer, length: number): Uint32Array | undefined {
  const size = chunksOf(length) * 4
  if (end.length !== size + TRAILER) return undefined
  const trailer = end.subarray(size)
  const isWhole = trailer.readUInt32LE(0) === MAGIC && trailer.readDoubleLE(LENGTH) === length && trailer.readUInt32LE(CHECK) === crc32(trailer.subarray(0, CHECK)) && trailer.readUInt32LE(SUM) === crc32(end.subarray(0, size))
  return isWhole ? Uint32Array.from({ length: size / 4 }, (_, at) => end.readUInt32LE(at * 4)) : undefined
}

const NAME = /^(\d{10})-([0-9a-f]{32})-([0-9a-f]{8})\.body$/
export const UNDER_WAY = /^\d{10}-[0-9a-f]{32}-[0-9a-f]{8}\.part$/

export const bodyName = (number: number, id: Buffer, token: number): string => `${String(number).padStart(10, '0')}-${id.toString('hex')}-${token.toString(16).padStart(8, '0')}.body`

export function readBodyName(name: string): { number: number; id: Buffer; token: number } | undefined {
  const [, number, id, token] = NAME.exec(name) ?? []
  return number === undefined ? undefined : { number: Number(number), id: Buffer.from(id!, 'hex'), token: Number.parseInt(token!, 16) }
}
