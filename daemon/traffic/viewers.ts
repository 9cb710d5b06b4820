import { NOWHERE, openNetworks, openPlaces, weighAddresses, type Network, type NetworksImage, type Places, type PlacesImage } from '../../geodb/index.ts'

/** Viewers by where they are and what network they are in: one cell for all addresses that no policy can tell apart. */
export interface Viewers {
  readonly cells: readonly Cell[]
  /** What was cut off when there were more cells than can be looked at, as a share of all addresses. */
  readonly leftOut: number
}

export interface Cell {
  readonly place: number
  /** Code of the country; empty where that is not known. */
  readonly country: string
  /** The lists of networks it lies in, for people; empty: none. */
  readonly network: string
  /** Its number in each table of networks. */
  readonly networks: readonly number[]
  /** IPv4 addresses. */
  readonly weight: number
}

/** Places are many with a database of cities: the heaviest are looked at, so many of all together. */
const MOST_CELLS = 20_000

/**
 * @param networks the tables of networks that viewers are told apart by: of one world, or of two that are to be compared
 * @param most cells looked at
 */
export function weighViewers(image: PlacesImage, networks: readonly (NetworksImage | undefined)[] = [], most = MOST_CELLS): Viewers {
  const places = openPlaces(image)
  const opened = networks.map((each) => each && openNetworks(each))
  const cells = weighAddresses(image, networks).flatMap(({ place, networks: numbers, addresses }): Cell[] => {
    const country = place === NOWHERE ? '' : countryOf(places, place)
    const network = listsOf(numbers.map((number, index) => opened[index]?.network(number)))
    // What is used on one machine or inside one network says nothing of how many there are; nor does what nobody has.
    if (country === undefined || (place === NOWHERE && network === '')) return []
    return [{ place, country, network, networks: numbers, weight: addresses }]
  })
  return cut(cells, most)
}

/** Undefined for special-use networks. */
function countryOf(places: Places, number: number): string | undefined {
  const { country, source } = places.place(number)
  return source.startsWith('special-use') ? undefined : (country ?? '')
}

function listsOf(networks: readonly (Network | undefined)[]): string {
  const names = networks.flatMap((network) => (network === undefined ? [] : [...network.in.map(([name]) => name), ...(network.as ?? [])]))
  return [...new Set(names)].join(', ')
}

/** Keeps what is in a list of networks, and of each country the heaviest. */
function cut(all: readonly Cell[], most: number): Viewers {
  if (all.length <= most) return { cells: all, leftOut: 0 }
  const groups = new Map<string, Cell[]>()
  for (const cell of all) {
    const key = `${cell.country} ${cell.network}`
    const cells = groups.get(key)
    if (cells === undefined) groups.set(key, [cell])
    else cells.push(cell)
  }
  const kept = [...groups.values()].flatMap((cells) => cells.sort((a, b) => b.weight - a.weight).slice(0, Math.max(1, Math.floor((cells.length / all.length) * most))))
  return { cells: kept, leftOut: Math.max(0, 1 - sumOf(kept) / sumOf(all)) }
}

const sumOf = (cells: readonly Cell[]): number => cells.reduce((sum, { weight }) => sum + weight, 0)
