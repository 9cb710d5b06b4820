import { readFile } from 'node:fs/promises'
import type { Response } from 'maxmind'
import { formatAddress } from '../core/address.ts'
import { lazyPackage } from '../core/lazy-package.ts'
import { ConfigError, messageOf } from '../core/trouble.ts'
import { cacheKey, keepTables, keptTables } from './cache.ts'
import { COUNTRIES } from './countries.ts'
import { attribution, databaseTitle, twinOf } from './database.ts'
import { joinFamilies } from './merge.ts'
import { localOverlay } from './overlay.ts'
import type { Place, PlacesImage } from './places.ts'
import { placeOfCountry, placeOfRecord } from './record.ts'
import { makeTables } from './tables.ts'
import { flatten, openTree } from './tree.ts'

const maxmind = lazyPackage<typeof import('maxmind')>('maxmind')

export interface BuildOptions {
  /** Path of a MaxMind-format database; where it is one of a pair for IPv4 and IPv6, the other one is read too. */
  readonly database: string
  /** Country code of loopback, private and link-local networks: `geo.local`. */
  readonly local: string
  /** Where finished tables are kept for the next start; absent: nowhere. Created when missing. */
  readonly cacheFolder?: string
}

/**
 * Flattens a database into tables in shared memory, or reads those kept from an earlier start when nothing has changed.
 * About a second of work for a country database: not for a thread that serves.
 * @throws ConfigError when the file cannot be read, is no such database, or has no countries in it; and when there is no country `local`
 */
export async function buildPlaces(options: BuildOptions): Promise<PlacesImage> {
  const refuse = (reason: string): ConfigError => new ConfigError([{ file: options.database, line: 1, column: 1, severity: 'error', reason }])
  const { cacheFolder, local } = options
  if (!Object.hasOwn(COUNTRIES, local)) {
    throw new ConfigError([{ file: 'nearcast.yaml', line: 1, column: 1, severity: 'error', reason: `geo.local: there is no country ${local}`, hint: 'codes are those of ISO 3166-1, such as KR' }])
  }
  const twin = twinOf(options.database)
  let files: { readonly database: string; readonly bytes: Buffer }[]
  let key = ''
  try {
    if (cacheFolder !== undefined) {
      key = await cacheKey(twin === undefined ? [options.database] : [options.database, twin], local)
      const kept = await keptTables(cacheFolder, key)
      if (kept !== undefined) return kept
    }
    files = await Promise.all([options.database, ...(twin === undefined ? [] : [twin])].map(async (database) => ({ database, bytes: await readFile(database) })))
  } catch (error) {
    throw refuse(`cannot be read: ${messageOf(error)}`)
  }
  let image: PlacesImage | undefined
  try {
    image = flattenAll(files, local)
  } catch (error) {
    throw refuse(`is not a MaxMind-format database that can be used: ${messageOf(error)}`)
  }
  if (image === undefined) throw refuse('has neither countries nor coordinates in it')
  if (cacheFolder !== undefined) await keepTables(cacheFolder, key, image)
  return image
}

/** One database, or two that hold an address family each. */
function flattenAll(files: readonly { readonly database: string; readonly bytes: Buffer }[], local: string): PlacesImage | undefined {
  const [first, second] = files.map(({ database, bytes }) => ({ database, image: flattenDatabase(bytes, { database, local }) }))
  if (second?.image === undefined || first?.image === undefined) return first?.image
  const [four, six] = /ipv4\.mmdb$/i.test(first.database) ? [first, second] : [second, first]
  return joinFamilies(four.image!, six.image!)
}

/** The tables of a database held in memory; undefined when it has no geography in it (an ASN database). */
function flattenDatabase(bytes: Buffer, { database, local }: BuildOptions): PlacesImage | undefined {
  const { Reader } = maxmind()
  const reader = new Reader<Response>(bytes)
  const title = databaseTitle(database, reader.metadata.buildEpoch)
  const tree = openTree(bytes, reader.metadata)
  // Places as their JSON, in the order of their numbers: 170,000 cities would be large as objects.
  const numbers = new Map<string, number>()
  const numberOf = (place: Place): number => {
    const text = JSON.stringify(place)
    const known = numbers.get(text)
    if (known !== undefined) return known
    numbers.set(text, numbers.size)
    return numbers.size - 1
  }
  numberOf({ source: `not in ${title}` })
  const localPlace = numberOf(placeOfCountry(local, 'special-use network, geo.local of nearcast.yaml'))
  let hasGeography = false
  // Many leaves share one record; it is decoded once, through any address in it.
  const leaves = new Map<number, number>()
  const placeOf = (leaf: number, address: Uint32Array): number => {
    let number = leaves.get(leaf)
    if (number === undefined) {
      const place = placeOfRecord(reader.get(textOf(address)), title)
      hasGeography ||= place.country !== undefined || place.latitude !== undefined
      number = numberOf(place)
      leaves.set(leaf, number)
    }
    return number
  }
  const v4 = flatten(tree, 4, localOverlay(4, localPlace), placeOf)
  const v6 = flatten(tree, 6, localOverlay(6, localPlace), placeOf)
  if (!hasGeography) return undefined
  const families = tree.ipVersion === 4 ? '; IPv4 only' : ''
  return makeTables(v4, v6, [...numbers.keys()], `${title} (${attribution(database)}${families})`)
}

function textOf(words: Uint32Array): string {
  const bytes = new Uint8Array(words.length * 4)
  for (const [index, word] of words.entries()) new DataView(bytes.buffer).setUint32(index * 4, word)
  return formatAddress(bytes)
}
