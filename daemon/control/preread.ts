import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { readRegularFile } from '../../core/regular-file.ts'
import { LARGE_TEXT, readZone, type ZoneReading } from '../zone/index.ts'
import { isZoneFile, shownAs, type Folder } from './loader-files.ts'
import { POLICIES } from './loader-policies.ts'

/** A large zone file that was read while nothing else was known yet than its folder. */
export interface Preread {
  /** What came of it, once, where that file has that very text still. */
  take(shown: string, text: Buffer): ZoneReading | undefined
  /** Lets it go where nobody took it. */
  forget(): void
}

/**
 * Reads the largest zone file of a folder before there is a configuration, so that the time until then is not lost to it.
 * Undefined where there is none that takes long to read, or where it does not stand for itself: policies have a say, or it
 * includes others, or has faults.
 */
export function preread(folder: Folder): Preread | undefined {
  try {
    const name = largestIn(folder.path)
    if (name === undefined) return undefined
    const text = readRegularFile(join(folder.path, name))
    const shown = shownAs(folder, name)
    const reading = readZone({ file: shown, read: (path) => readsOnly(shown, path, text), policies: new Set(), keeps: LARGE_TEXT })
    let held: { readonly text: Buffer; readonly reading: ZoneReading } | undefined = reading.faults.length > 0 || reading.files.length > 1 ? undefined : { text, reading }
    return {
      take: (file, now) => {
        if (file !== shown) return undefined
        const taken = held?.text.equals(now) === true ? held.reading : undefined
        held = undefined
        return taken
      },
      forget: () => void (held = undefined)
    }
  } catch {
    // Whoever reads it when its time has come says what is wrong.
    return undefined
  }
}

function readsOnly(file: string, path: string, text: Buffer): Buffer {
  if (path !== file) throw new Error('is read when its time has come')
  return text
}

function largestIn(folder: string): string | undefined {
  if (existsSync(join(folder, POLICIES))) return undefined
  let largest: string | undefined
  let most = LARGE_TEXT.least
  for (const name of readdirSync(folder).filter(isZoneFile).slice(0, MOST_FILES)) {
    const { size } = statSync(join(folder, name))
    if (size < most) continue
    largest = name
    most = size
  }
  return largest
}

/** Files whose sizes are asked for: to ask for those of very many takes time, too. */
const MOST_FILES = 1000
