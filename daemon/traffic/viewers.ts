import { addressesByPlace, NOWHERE, openPlaces, type Places, type PlacesImage } from '../../geodb/index.ts'

/** Viewers by where they are: one cell for each place that has addresses, heaviest first within its country. */
export interface Viewers {
  readonly cells: readonly Cell[]
  /** What was cut off when there were more places than can be looked at, as a share of all addresses. */
  readonly leftOut: number
}

export interface Cell {
  readonly place: number
  /** Code of the country; empty where that is not known. */
  readonly country: string
  /** IPv4 addresses. */
  readonly weight: number
}

/** Places are many with a database of cities: of each country the heaviest are looked at, so many of all together. */
const MOST_CELLS = 20_000

/** @param most cells looked at */
export function weighViewers(image: PlacesImage, most = MOST_CELLS): Viewers {
  const weights = addressesByPlace(image)
  const places = openPlaces(image)
  const byCountry = new Map<string, Cell[]>()
  for (const [place, weight] of weights.entries()) {
    if (weight === 0 || place === NOWHERE) continue
    const country = countryOf(places, place)
    // What is used on one machine or inside one network says nothing of how many there are.
    if (country === undefined) continue
    const cells = byCountry.get(country)
    if (cells === undefined) byCountry.set(country, [{ place, country, weight }])
    else cells.push({ place, country, weight })
  }
  return cut([...byCountry.values()], most)
}

/** Undefined for special-use networks. */
function countryOf(places: Places, number: number): string | undefined {
  const { country, source } = places.place(number)
  return source.startsWith('special-use') ? undefined : (country ?? '')
}

function cut(countries: readonly Cell[][], most: number): Viewers {
  for (const cells of countries) cells.sort((a, b) => b.weight - a.weight)
  const all = countries.reduce((sum, cells) => sum + cells.length, 0)
  const total = sumOf(countries.flat())
  const kept = all <= most ? countries.flat() : countries.flatMap((cells) => cells.slice(0, Math.max(1, Math.floor((cells.length / all) * most))))
  return { cells: kept, leftOut: total === 0 ? 0 : Math.max(0, 1 - sumOf(kept) / total) }
}

const sumOf = (cells: readonly Cell[]): number => cells.reduce((sum, { weight }) => sum + weight, 0)
