import { COUNTRIES, type Places } from '../../geodb/index.ts'
import type { World } from '../world.ts'
import { placeOf, type Source } from './place.ts'
import type { Exchange } from './send.ts'

// How often each steered name is asked from each country: one table a thread, in shared memory, which that thread writes and
// the main thread reads now and then. A query costs a hash and an addition. Names that no policy steers are not in it, and
// names are those of the zones, not those asked for: random names under a wildcard are one. When it is full, and it never
// grows, what has no row yet counts for its country alone.
//
// Under load one query of EVERY is counted, for so many, and the cost is that of a subtraction.
//
//   BUILD of the zones whose nodes are meant, EVERY as the main thread has it, how many rows are USED; then a count for each country; then the rows:
//   node, country, count

/** The rows begin behind the countries. Country 0: not looked for, 1: not known, then those of COUNTRIES in their order. */
export const TALLY = { BUILD: 0, EVERY: 1, USED: 2, COUNTRIES: 3, ROWS: 512, ROW: 4, NODE: 0, COUNTRY: 1, COUNT: 2 } as const
export const NOT_LOOKED_FOR = 0
const NOT_KNOWN = 1
const CODES = Object.keys(COUNTRIES)
const NUMBERS = new Map(CODES.map((code, index) => [code, index + 2]))

const ROWS = 1 << 15
/** Rows in use at most: beyond, a search would take long. */
const MOST_USED = (ROWS / 4) * 3
/** A policy in which the place has no say is not slowed down by asking where everybody is: one of so many is asked. */
export const SAMPLED = 8

/** The code of a country; '' where it is not known. */
export function tallyCountry(number: number): string {
  return CODES[number - 2] ?? ''
}

export function makeTally(rows = ROWS): Int32Array {
  return new Int32Array(new SharedArrayBuffer((TALLY.ROWS + rows * TALLY.ROW) * 4))
}

/** What one thread counts with. */
export interface Tally {
  readonly words: Int32Array
  readonly mask: number
  readonly mostUsed: number
  /** Per place: the number of its country, or 0 where it has not been asked for. */
  countries: Uint16Array
  places: Places | undefined
  unlooked: number
  /** Queries until the next that is counted, and where the chance of that stands: at even steps whoever asks in turns would be counted always, or never. */
  left: number
  chance: number
}

export function openTally(words: Int32Array, world: World): Tally {
  const rows = (words.length - TALLY.ROWS) / TALLY.ROW
  const tally: Tally = { words, mask: rows - 1, mostUsed: Math.min(MOST_USED, (rows / 4) * 3), countries: new Uint16Array(0), places: undefined, unlooked: 0, left: 0, chance: 1 }
  turnTally(tally, world)
  return tally
}

/** Other zones call other nodes by the same numbers, and other places. */
export function turnTally(tally: Tally, { kept, places }: World): void {
  const { words } = tally
  const build = kept?.zones ?? -1
  if (tally.places !== places) {
    tally.places = places
    tally.countries = new Uint16Array(places.size)
  }
  if (words[TALLY.BUILD] === build) return
  // Whoever reads meanwhile sees that there is nothing to read.
  Atomics.store(words, TALLY.BUILD, 0)
  words.fill(0, TALLY.USED)
  Atomics.store(words, TALLY.BUILD, build)
}

/** Counts a query for a name. `place` -1: where the client is was not asked. */
export function countQuery(tally: Tally, node: number, place: number, exchange: Exchange, source: Source): void {
  const every = tally.words[TALLY.EVERY]!
  if (every > 1 && --tally.left > 0) return
  countIn(tally, node, place >= 0 ? countryOf(tally, place) : sampled(tally, exchange, source, every), every > 1 ? every : 1)
  if (every <= 1) return
  tally.chance = (Math.imul(tally.chance, 1_664_525) + 1_013_904_223) | 0
  // From 1 up to twice the distance less one: on the average the distance.
  tally.left = 1 + ((tally.chance >>> 8) % (2 * every - 1))
}

function countIn({ words, mask, mostUsed }: Tally, node: number, country: number, times: number): void {
  let row = Math.imul(Math.imul(node, 0x9e3779b1) ^ Math.imul(country, 0x85ebca6b), 0xc2b2ae35)
  row ^= row >>> 15
  for (;;) {
    row &= mask
    const at = TALLY.ROWS + row * TALLY.ROW
    const known = words[at]!
    if (known === node && words[at + TALLY.COUNTRY] === country) {
      words[at + TALLY.COUNT]! += times
      return
    }
    if (known === 0) {
      if (words[TALLY.USED]! >= mostUsed) break
      words[TALLY.USED]!++
      words[at + TALLY.COUNTRY] = country
      words[at + TALLY.COUNT] = times
      words[at] = node
      return
    }
    row++
  }
  words[TALLY.COUNTRIES + country]! += times
}

function countryOf(tally: Tally, place: number): number {
  const known = tally.countries[place]!
  if (known !== 0) return known
  const { country } = tally.places!.place(place)
  return (tally.countries[place] = country === undefined ? NOT_KNOWN : (NUMBERS.get(country) ?? NOT_KNOWN))
}

function sampled(tally: Tally, exchange: Exchange, source: Source, every: number): number {
  if (every <= 1 && ++tally.unlooked < SAMPLED) return NOT_LOOKED_FOR
  tally.unlooked = 0
  // To look is not to use: the answer holds for whom it held before.
  const { scope, place } = exchange
  const country = countryOf(tally, placeOf(exchange, tally.places!, source))
  exchange.scope = scope
  exchange.place = place
  return country
}
