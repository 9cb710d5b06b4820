import type { PlacesImage } from './places.ts'
import { readTables } from './tables.ts'

/** How many IPv4 addresses each place has, in the order of their numbers: how much it weighs where nothing better is known. */
export function addressesByPlace({ tables }: PlacesImage): Float64Array {
  const { v4, places } = readTables(tables)
  const weights = new Float64Array(places.length)
  for (let block = 0; block < v4.count; block++) {
    const end = block + 1 < v4.count ? v4.start(block + 1, 0) : 2 ** 32
    weights[v4.value(block) >>> 8]! += end - v4.start(block, 0)
  }
  return weights
}
