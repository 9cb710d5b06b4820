import { parsePrefix, type Prefix } from '../core/address.ts'
import { suggestion } from '../core/suggest.ts'
import type { Fault } from '../core/trouble.ts'
import { readYaml, type YamlFile } from '../core/yaml-file.ts'
import { CONTINENTS, COUNTRIES, countryName } from './countries.ts'
import type { Place } from './places.ts'
import { placeOfRecord } from './record.ts'

/** A network and the place it is at, whatever the database says. */
export interface Override {
  readonly prefix: Prefix
  readonly place: Place
}

/** What an operator knows better than the database. */
export interface Overrides {
  /** Where networks are; of those that cover an address the longest counts. */
  readonly networks: readonly Override[]
  /** Where the clients of resolvers are that send no client subnet. */
  readonly resolvers: readonly Override[]
}

export const NO_OVERRIDES: Overrides = { networks: [], resolvers: [] }

/** Networks that one file may name: it is for what is known by hand. */
const MOST = 100_000

const KEYS = ['networks', 'resolvers'] as const
const PLACE_KEYS = ['country', 'subdivision', 'city', 'at', 'continent'] as const

/**
 * Reads overrides.yaml; tells every fault of it at once.
 * @param file its path as shown in messages, and as the source of its places
 * @returns the overrides when there is no fault
 */
export function readOverrides(file: string, text: string): { readonly overrides?: Overrides; readonly faults: readonly Fault[] } {
  const source = readYaml(file, text)
  const faults: Fault[] = [...source.faults]
  if (faults.length > 0) return { faults }
  const value = source.value ?? {}
  if (!isRecord(value)) return { faults: [{ ...source.position([]), severity: 'error', reason: 'expected networks:, resolvers: or both' }] }
  for (const key of Object.keys(value)) {
    if (KEYS.some((known) => known === key)) continue
    faults.push(faultAt(source, [key], `unknown key ${key}`, suggestion(key, KEYS) ?? 'networks: and resolvers: are the keys here', true))
  }
  const [networks, resolvers] = KEYS.map((key) => readList(source, key, value[key], faults)) as [Override[], Override[]]
  faults.sort((a, b) => a.line - b.line || a.column - b.column)
  return faults.length > 0 ? { faults } : { overrides: { networks, resolvers }, faults }
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

function faultAt(source: YamlFile, path: readonly PropertyKey[], reason: string, hint?: string, key = false): Fault {
  return { ...source.position(path, key), severity: 'error', reason, ...(hint !== undefined && { hint }) }
}

function readList(source: YamlFile, key: string, value: unknown, faults: Fault[]): Override[] {
  if (value === undefined || value === null) return []
  if (!isRecord(value)) {
    faults.push(faultAt(source, [key], `${key}: expected places by network`, '{ 198.51.100.0/24: KR, 203.0.113.0/24: { country: US, city: Seattle, at: [47.6, -122.3] } }'))
    return []
  }
  const entries = Object.entries(value)
  if (entries.length > MOST) faults.push(faultAt(source, [key], `${key}: more than ${MOST} networks`, 'a database of your own can hold them: geo.database'))
  return entries.slice(0, MOST).flatMap(([network, written]): Override[] => {
    const prefix = parsePrefix(network)
    if (prefix === undefined) faults.push(faultAt(source, [key, network], `${network}: expected an address or a prefix without host bits, such as 198.51.100.0/24`, undefined, true))
    const place = readPlace(source, [key, network], written, faults)
    return prefix === undefined || place === undefined ? [] : [{ prefix, place }]
  })
}

/** A country's code, or a place in more words. */
function readPlace(source: YamlFile, path: readonly PropertyKey[], written: unknown, faults: Fault[]): Place | undefined {
  const record = typeof written === 'string' ? { country: written } : written
  const before = faults.length
  if (!isRecord(record)) {
    faults.push(faultAt(source, path, 'expected a country code, or a place such as { country: US, subdivision: CA, city: Oakland, at: [37.8, -122.3] }'))
    return undefined
  }
  const { country, continent, subdivision, city, at } = record
  const codePath = (key: string): readonly PropertyKey[] => (typeof written === 'string' ? path : [...path, key])
  for (const key of Object.keys(record)) if (!PLACE_KEYS.some((known) => known === key)) faults.push(faultAt(source, [...path, key], `unknown key ${key}`, suggestion(key, PLACE_KEYS), true))
  if (country !== undefined && !isCode(country, COUNTRIES)) faults.push(faultAt(source, codePath('country'), `there is no country ${String(country)}`, hintFor(country)))
  if (continent !== undefined && !isCode(continent, CONTINENTS)) faults.push(faultAt(source, codePath('continent'), `there is no continent ${String(continent)}`, `they are ${Object.keys(CONTINENTS).join(', ')}`))
  for (const [key, text] of [['subdivision', subdivision], ['city', city]] as const) {
    if (text !== undefined && (typeof text !== 'string' || text === '')) faults.push(faultAt(source, codePath(key), `${key}: expected a name${key === 'subdivision' ? ' or code, such as CA' : ''}`))
  }
  if (at !== undefined && !isPoint(at)) faults.push(faultAt(source, codePath('at'), 'at: expected latitude and longitude in degrees, such as [37.5, 127.0]'))
  if (faults.length === before && country === undefined && continent === undefined && at === undefined) faults.push(faultAt(source, path, 'the place has neither a country nor coordinates'))
  if (faults.length > before) return undefined
  const { file, line } = source.position(path)
  return placeOfRecord({ country_code: country, continent_code: continent, state1: subdivision, city, ...(isPoint(at) && { latitude: at[0], longitude: at[1] }) }, `${file}:${line}`)
}

const isCode = (value: unknown, codes: Readonly<Record<string, unknown>>): value is string => typeof value === 'string' && Object.hasOwn(codes, value)

function isPoint(value: unknown): value is readonly [number, number] {
  if (!Array.isArray(value) || value.length !== 2) return false
  const [latitude, longitude] = value as unknown[]
  return typeof latitude === 'number' && typeof longitude === 'number' && Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180
}

function hintFor(written: unknown): string | undefined {
  // YAML 1.1 readers take NO for false; ours does not, but people write no and false for Norway all the same.
  if (written === false) return 'Norway is "NO"'
  const text = String(written)
  const code = Object.keys(COUNTRIES).find((each) => each.toLowerCase() === text.toLowerCase() || countryName(each).toLowerCase() === text.toLowerCase())
  return code === undefined ? 'codes are those of ISO 3166-1, such as KR' : `${countryName(code)} is ${code}`
}
