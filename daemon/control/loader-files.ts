import { readlinkSync } from 'node:fs'
import { isAbsolute, join, relative, resolve } from 'node:path'
import { readRegularFile } from '../../core/regular-file.ts'
import { whyUnreadable, type Fault } from '../../core/trouble.ts'
import type { Texts } from './last-good.ts'
import { stampIn } from './watch.ts'

/** Where the files of a zones folder are, and how the operator calls them. */
export interface Folder {
  /** Absolute. */
  readonly path: string
  /** As it stands in messages: `zones/`. */
  readonly label: string
  /** Where what files look like, as they are read, is noted for whoever watches them: by absolute path, as `stampOf` tells it. */
  readonly stamps?: Map<string, string>
}

export const isZoneFile = (name: string): boolean => /^[^.].*\.zone$/.test(name)

/** A file was not there, or could not be read. */
export type Missing = { readonly isGone: boolean; readonly reason: string }

/** Reads a file and what it includes, remembering every text by its path relative to the folder. */
export interface Reading {
  /** By the path as it stands in messages; throws what the system says. */
  read(shown: string): Buffer
  readonly texts: Map<string, Buffer>
  /** Every path that was asked for, absolute, whether it could be read or not. */
  readonly asked: Set<string>
}

/** A path of the folder as it stands in messages. */
export function shownAs({ label }: Folder, path: string): string {
  if (isAbsolute(path)) return path
  // Most are names of files: of those there may be very many.
  return path.includes('/') || !/[^./]$/.test(label) || label.includes('//') ? join(label, path) : `${label}/${path}`
}

/** `resolve` for what is mostly the name of a file: there may be very many. */
function joined(folder: string, path: string): string {
  return path.includes('/') || folder.endsWith('/') ? resolve(folder, path) : `${folder}/${path}`
}

/** Reads from the disk, each file once. @param known texts that were read just now */
export function readingFromDisk(folder: Folder, known?: Texts): Reading {
  const texts = new Map<string, Buffer>()
  const asked = new Set<string>()
  const seen = folder.stamps
  return {
    texts,
    asked,
    read: (shown) => {
      const path = keyOf(folder, shown)
      const absolute = joined(folder.path, path)
      asked.add(absolute)
      const before = texts.get(path)
      if (before !== undefined) return before
      const text = known?.get(path) ?? readRegularFile(absolute, seen === undefined ? undefined : (stat) => void seen.set(absolute, stampIn(stat)))
      texts.set(path, text)
      return text
    }
  }
}

/** Reads from texts that were kept. */
export function readingFromTexts(folder: Folder, kept: Texts): Reading {
  return {
    texts: new Map(kept),
    asked: new Set(),
    read: (shown) => {
      const text = kept.get(keyOf(folder, shown))
      if (text === undefined) throw new Error('was not kept')
      return text
    }
  }
}

/** A path as it stands in messages, relative to the folder. */
function keyOf({ path, label }: Folder, shown: string): string {
  if (shown.startsWith(label) && shown[label.length] === '/' && !shown.includes('/.') && !shown.includes('//')) return shown.slice(label.length + 1)
  return isAbsolute(shown) ? relative(path, shown) : relative(resolve(label), resolve(shown))
}

/** Where a link leads that leads nowhere; undefined for what is no link. */
export function danglingTarget(folder: Folder, shown: string): string | undefined {
  try {
    return readlinkSync(resolve(folder.path, keyOf(folder, shown)))
  } catch {
    return undefined
  }
}

/** Where a path that stands in messages is. */
export const absoluteOf = (folder: Folder, shown: string): string => resolve(folder.path, keyOf(folder, shown))

/** The text of a file, or why there is none. */
export function tryRead(reading: Reading, shown: string): Buffer | Missing {
  try {
    return reading.read(shown)
  } catch (error) {
    const isGone = (error as NodeJS.ErrnoException).code === 'ENOENT'
    return { isGone, reason: isGone ? 'is gone' : `cannot be read: ${whyUnreadable(error)}` }
  }
}

/** Nothing but blanks stands in it. */
export function isBlank(text: Buffer): boolean {
  return text.every((octet) => octet === 32 || (octet >= 9 && octet <= 13))
}

/** A fault of a file as a whole. */
export function wholeFault(file: string, reason: string, hint?: string): Fault {
  const fault = { file, line: 1, column: 1, severity: 'error' as const, reason }
  return hint === undefined ? fault : { ...fault, hint }
}

export const FORCE_HINT = 'what it said before is served on; in a fleet, npx nearcast reload --force takes it as it is'
