import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Config } from '../../core/config.ts'
import { readRegularFile } from '../../core/regular-file.ts'
import { messageOf, type Fault } from '../../core/trouble.ts'
import { buildPlaces, findAsDatabase, findDatabase, mergeOverrides, NO_OVERRIDES, readOverrides, twinOf, type Overrides, type PlacesImage } from '../../geodb/index.ts'

export interface GeoSettings {
  /** Absolute: where databases and overrides.yaml are looked for. */
  readonly folder: string
  /** `geo.database`, `geo.overrides`, `geo.asn` and `geo.local`. */
  readonly setting: string
  readonly overrides: string
  readonly asn: string
  readonly local: string
}

/** Places as they are now, and what is wrong with the files. */
export interface BroughtPlaces {
  readonly places: PlacesImage
  readonly faults: readonly Fault[]
  /** What was read of the operator's, a line; absent when there is nothing of that kind. */
  readonly change?: string
}

export interface PlacesReader {
  /** Whether a file of the folder has a say. */
  wants(name: string): boolean
  /** Files elsewhere that have one (absolute paths). */
  follows(): string[]
  /**
   * Reads what is there now. Faulty overrides are told, and those of before are kept, be it from an earlier start.
   * @throws Error with one line when there is no database that can be used
   */
  bring(): Promise<BroughtPlaces>
}

const OVERRIDES = 'overrides.yaml'

/** What nearcast.yaml says of places, with the folder of databases that comes with us. */
export function geoSettings({ geo }: Pick<Config, 'geo'>): GeoSettings {
  return { folder: fileURLToPath(new URL('../../../geodb', import.meta.url)), setting: geo.database, overrides: geo.overrides, asn: geo.asn, local: geo.local }
}

/** Whether policies can go by autonomous systems. */
export function hasAsDatabase(config: Pick<Config, 'geo'>): boolean {
  const { folder, asn } = geoSettings(config)
  return findAsDatabase({ folder, setting: asn }) !== undefined
}

/** Places as a daemon of this configuration would have them, for whoever is none: from the tables kept in a state folder where they are of the same database. */
export function bringPlaces(config: Pick<Config, 'geo'>, stateFolder: string | undefined): Promise<BroughtPlaces> {
  return makePlacesReader(geoSettings(config), undefined, stateFolder && join(stateFolder, 'geodb')).bring()
}

/**
 * Reads the database of places and what the operator lays over it.
 * @param stateFolder where what it reads of the operator's is kept for the next start
 * @param tables where the tables made of the database are, and are kept
 */
export function makePlacesReader(geo: GeoSettings, stateFolder: string | undefined, tables = stateFolder && join(stateFolder, 'geodb')): PlacesReader {
  const isAuto = geo.overrides === 'auto'
  const path = isAuto ? join(geo.folder, OVERRIDES) : resolve(geo.overrides)
  const label = isAuto ? `${basename(geo.folder)}/${OVERRIDES}` : geo.overrides
  const kept = stateFolder && join(stateFolder, 'geodb', OVERRIDES)
  let current: Overrides | undefined

  const readNow = (): { readonly faults: readonly Fault[]; readonly change?: string } => {
    const text = textOf(path)
    if (text === undefined && isAuto) {
      const isGone = current !== undefined && current !== NO_OVERRIDES
      current = NO_OVERRIDES
      return { faults: [], ...(isGone && { change: `${label}: is gone, and counts no more` }) }
    }
    const { overrides, faults } = text === undefined ? missing(label) : typeof text === 'string' ? readOverrides(label, text) : { overrides: undefined, faults: [whole(label, messageOf(text))] }
    if (overrides === undefined) {
      current ??= restored(kept, label)
      return { faults }
    }
    current = overrides
    if (kept !== undefined) keep(kept, text as string)
    return { faults, change: `${label}: ${count(overrides.networks.length, 'network')} and ${count(overrides.resolvers.length, 'resolver')} in service` }
  }

  return {
    wants: (name) => name === OVERRIDES || name.endsWith('.mmdb'),
    follows: () => [...(isAuto ? [] : [path]), ...(geo.setting === 'auto' ? [] : databaseFiles(geo.setting))],
    async bring() {
      const database = findDatabase({ folder: geo.folder, setting: geo.setting })
      if ('fault' in database) throw new Error(`${database.fault.file}: ${database.fault.reason}`)
      const read = readNow()
      const base = await buildPlaces({ database: database.path, local: geo.local, ...(tables !== undefined && { cacheFolder: tables }) })
      const overrides = current ?? NO_OVERRIDES
      const isPlain = overrides.networks.length === 0 && overrides.resolvers.length === 0
      return { places: isPlain ? base : mergeOverrides(base, overrides), ...read }
    }
  }
}

/** The database that is named, and the other one of the pair where it is one. */
function databaseFiles(setting: string): string[] {
  const path = isAbsolute(setting) ? setting : resolve(setting)
  const twin = twinOf(path)
  return twin === undefined ? [path] : [path, twin]
}

const count = (number: number, word: string): string => `${number} ${word}${number === 1 ? '' : 's'}`

const whole = (file: string, reason: string): Fault => ({ file, line: 1, column: 1, severity: 'error', reason })

const missing = (label: string): { overrides: undefined; faults: Fault[] } => ({ overrides: undefined, faults: [whole(label, 'geo.overrides: there is no such file')] })

/** Undefined when there is none; an error when it cannot be read. */
function textOf(path: string): string | undefined | Error {
  try {
    return readRegularFile(path).toString()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    return error instanceof Error ? error : new Error(String(error))
  }
}

function restored(kept: string | undefined, label: string): Overrides | undefined {
  if (kept === undefined) return undefined
  try {
    return readOverrides(label, readFileSync(kept, 'utf8')).overrides
  } catch {
    return undefined
  }
}

/** A disk that does not take the copy is no reason not to serve. */
function keep(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    writeFileSync(`${path}.new`, text, { flush: true })
    renameSync(`${path}.new`, path)
  } catch {
    // The next start goes by the file alone.
  }
}
