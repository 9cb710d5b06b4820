import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { scan, type Entry } from './format.ts'
import { isIndexOf, makeSegmentIndex, readIndex } from './segment-index.ts'

/** A file of records that is written no more. */
export interface Segment {
  readonly number: number
  readonly path: string
  readonly octets: number
}

const NAME = /^(\d{10})\.segment$/

export const segmentPath = (folder: string, number: number): string => join(folder, `${String(number).padStart(10, '0')}.segment`)
export const indexPath = (segment: string): string => segment.replace(/segment$/, 'index')

/**
 * Reads what is there, oldest first, so that what was written later counts. A segment without a sound index beside it (it was
 * being written when its process ended) is read through, and gets one.
 */
export function loadSegments(folder: string, take: (segment: number, entry: Entry) => void): { segments: Segment[]; last: number } {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const numbers = readdirSync(folder).flatMap((name) => NAME.exec(name)?.[1] ?? []).map(Number).toSorted((a, b) => a - b)
  const segments = numbers.flatMap((number) => {
    const path = segmentPath(folder, number)
    try {
      return [{ number, path, octets: loadSegment(path, (entry) => take(number, entry)) }]
    } catch {
      // What cannot be read is not served; the others are.
      return []
    }
  })
  return { segments, last: numbers.at(-1) ?? 0 }
}

function loadSegment(path: string, take: (entry: Entry) => void): number {
  const { size } = statSync(path)
  const index = readIfThere(indexPath(path))
  if (index !== undefined && isIndexOf(index, size)) {
    for (const entry of readIndex(index)) take(entry)
    return size
  }
  const rebuilt = makeSegmentIndex()
  readThrough(path, size, (entry) => {
    rebuilt.add(entry)
    take(entry)
  })
  try {
    writeFileSync(indexPath(path), rebuilt.file(size), { mode: 0o600 })
  } catch {
    // It is read through the next time again.
  }
  return size
}

function readThrough(path: string, size: number, take: (entry: Entry) => void): void {
  const file = openSync(path, 'r')
  try {
    const read = (into: Buffer, at: number): void => {
      if (readSync(file, into, 0, into.length, at) !== into.length) throw new Error('it ends too early')
    }
    for (const entry of scan(size, read)) take(entry)
  } finally {
    closeSync(file)
  }
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}
