import { readFileSync, existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ipv4Number, parseAddress } from '../core/address.ts'
import type { Config } from '../core/config.ts'
import { buildPlaces, findDatabase, mergeOverrides, openPlaces, readOverrides, type PlacesImage } from '../geodb/index.ts'

/** The country of an address: ISO 3166-1 alpha-2. */
export type CountryOf = (address: string) => string

/** The code that ISO 3166 leaves free, for addresses of which nothing is known. */
export const UNKNOWN_COUNTRY = 'ZZ'

/**
 * Where viewers are, by the same database and overrides as the answers of DNS; undefined where no cache policy asks for it. Read
 * at the start, from the tables that the daemon keeps where they are of the same database.
 * @throws Error with one line when there is no database that can be used
 */
export async function openCountries(config: Config, stateFolder: string): Promise<CountryOf | undefined> {
  if (!Object.values(config['cache-policies']).some(({ country }) => country)) return undefined
  const folder = fileURLToPath(new URL('../../geodb', import.meta.url))
  const database = findDatabase({ folder, setting: config.geo.database })
  if ('fault' in database) throw new Error(`a cache policy goes by country: ${database.fault.file}: ${database.fault.reason}`)
  const cacheFolder = join(stateFolder, 'geodb')
  const base = await buildPlaces({ database: database.path, local: config.geo.local, ...(existsSync(cacheFolder) && { cacheFolder }) })
  const places = openPlaces(withOverrides(base, config.geo.overrides === 'auto' ? join(folder, 'overrides.yaml') : resolve(config.geo.overrides)))
  return (text) => {
    const address = parseAddress(text)
    if (address === undefined) return UNKNOWN_COUNTRY
    const found = address.family === 4 ? places.find4(ipv4Number(address.bytes)) : places.find6(address.bytes, 0)
    return places.place(found >>> 8).country ?? UNKNOWN_COUNTRY
  }
}

/** Faults of the file are the daemon's to tell: it reads it too, and tells each change. */
function withOverrides(base: PlacesImage, file: string): PlacesImage {
  if (!existsSync(file)) return base
  const { overrides } = readOverrides(file, readFileSync(file, 'utf8'))
  return overrides === undefined ? base : mergeOverrides(base, overrides)
}
