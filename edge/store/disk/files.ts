import { mkdir, open, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'

// The files of records, as they are read and written.

/** A file of records. */
export interface Readable {
  readonly number: number
  readonly path: string
  octets: number
  /** Opened when it is first read. */
  opened?: Promise<FileHandle>
}

/** The one that is written. */
export interface OpenSegment extends Readable {
  readonly handle: FileHandle
}

const codeOf = (error: unknown): string | undefined => (error instanceof Error && 'code' in error ? String(error.code) : undefined)

/** There are too many open files, or too little memory, for the moment. */
const PASSING = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN'])

/** What could not be opened or read may well be there. */
export const isPassing = (error: unknown): boolean => PASSING.has(codeOf(error) ?? '')

/** Makes a file; where its folder is gone, that as well. */
export async function openNew(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx+', 0o600)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    return open(path, 'wx+', 0o600)
  }
}

/** So many octets; `not now` where they may be there, and undefined where they are not, or cannot be read. */
export async function readAt(segment: Readable, offset: number, size: number): Promise<Buffer | 'not now' | undefined> {
  const opened = (segment.opened ??= open(segment.path, 'r'))
  try {
    const handle = await opened
    const record = Buffer.allocUnsafeSlow(size)
    const { bytesRead } = await handle.read(record, 0, size, offset)
    return bytesRead === size ? record : undefined
  } catch (error) {
    // What could not be opened is opened anew by the next who reads it.
    await opened.catch(() => segment.opened === opened && delete segment.opened)
    return isPassing(error) ? 'not now' : undefined
  }
}

/**
 * Writes at the end of a segment, all or nothing: what is half of it might hold what the other half deletes.
 * @param spoilt told where half of it stays
 */
export async function writeTo(segment: OpenSegment, octets: Buffer, spoilt: () => Promise<void>): Promise<void> {
  let at = 0
  try {
    while (at < octets.length) at += (await segment.handle.write(octets, at, octets.length - at, segment.octets + at)).bytesWritten
  } catch (error) {
    if (at > 0) await segment.handle.truncate(segment.octets).catch(spoilt)
    throw error
  }
}

export async function closeSegment({ opened }: Readable): Promise<void> {
  const handle = await opened?.catch(() => undefined)
  await handle?.close().catch(() => undefined)
}
