import { CONTINENTS, COUNTRIES } from './countries.ts'
import type { Place } from './places.ts'

/** Codes that databases still hold and ISO 3166-1 has withdrawn or only reserves, and what stands for them. `EU` alone is the continent. */
const WITHDRAWN: Readonly<Record<string, string>> = { AN: 'CW', BU: 'MM', CS: 'RS', FX: 'FR', TP: 'TL', UK: 'GB', YU: 'RS', ZR: 'CD' }

/**
 * A database's record as a place. Shapes differ: GeoLite2 nests (`country.iso_code`, `location.latitude`), others are flat
 * (`country_code`, `latitude`), with numbers as text here and there and empty texts for what is not known.
 * Without coordinates of its own a place is in the middle of its country.
 */
export function placeOfRecord(record: unknown, source: string): Place {
  const written = [inside(record, 'country', 'iso_code'), inside(record, 'country_code'), inside(record, 'country'), inside(record, 'registered_country', 'iso_code')]
  const country = firstOf(isCountry, ...written.map((code) => (isText(code) ? (WITHDRAWN[code] ?? code) : code)))
  const known = country === undefined ? undefined : COUNTRIES[country]
  const continent = firstOf(isContinent, inside(record, 'continent', 'code'), inside(record, 'continent_code'), inside(record, 'continent')) ?? known?.[2] ?? firstOf(isContinent, ...written)
  const subdivision = firstOf(isText, inside(record, 'subdivisions', '0', 'iso_code'), inside(record, 'state1'), inside(record, 'region'))
  const city = firstOf(isText, inside(record, 'city', 'names', 'en'), inside(record, 'city'))
  const at = coordinates(inside(record, 'location', 'latitude') ?? inside(record, 'latitude'), inside(record, 'location', 'longitude') ?? inside(record, 'longitude')) ?? known
  return {
    ...(country !== undefined && { country }),
    ...(continent !== undefined && { continent }),
    ...(subdivision !== undefined && { subdivision }),
    ...(city !== undefined && { city }),
    ...(at !== undefined && { latitude: at[0], longitude: at[1] }),
    source
  }
}

/** The place of a whole country. */
export function placeOfCountry(country: string, source: string): Place {
  return placeOfRecord({ country_code: country }, source)
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
const isCountry = (value: unknown): value is string => isText(value) && Object.hasOwn(COUNTRIES, value)
const isContinent = (value: unknown): value is string => isText(value) && Object.hasOwn(CONTINENTS, value)

function firstOf(may: (value: unknown) => value is string, ...values: unknown[]): string | undefined {
  return values.find(may)
}

function inside(value: unknown, ...path: string[]): unknown {
  let found = value
  for (const step of path) {
    if (typeof found !== 'object' || found === null) return undefined
    found = (found as Record<string, unknown>)[step]
  }
  return found
}

function coordinates(latitude: unknown, longitude: unknown): readonly [number, number] | undefined {
  if (latitude === undefined || longitude === undefined || latitude === '' || longitude === '') return undefined
  const at = [Number(latitude), Number(longitude)] as const
  return Math.abs(at[0]) <= 90 && Math.abs(at[1]) <= 180 ? at : undefined
}
