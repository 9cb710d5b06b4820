import type { NetworksImage } from './networks.ts'
import { networkRanges } from './networks-table.ts'
import type { PlacesImage } from './places.ts'
import { readTables } from './tables.ts'

/** IPv4 addresses that are in the same place, and in the same network of each table. */
export interface Weighed {
  readonly place: number
  /** A number for each table of networks; 0 where there is no table. */
  readonly networks: readonly number[]
  readonly addresses: number
}

/** How many IPv4 addresses there are of each sort: how much viewers weigh where nothing better is known. Goes over all blocks: not while others wait. */
export function weighAddresses({ tables }: PlacesImage, networks: readonly (NetworksImage | undefined)[]): Weighed[] {
  const { v4 } = readTables(tables)
  const layers = [{ count: v4.count, start: (block: number) => v4.start(block, 0), value: (block: number) => v4.value(block) >>> 8 }, ...networks.map(layerOf)]
  const at = layers.map(() => 0)
  const found = new Map<string, { values: readonly number[]; addresses: number }>()
  let last: { values: readonly number[]; addresses: number } | undefined
  for (let address = 0; address < 2 ** 32; ) {
    const values = layers.map((layer, index) => layer.value(at[index]!))
    const end = Math.min(...layers.map(({ count, start }, index) => (at[index]! + 1 < count ? start(at[index]! + 1) : 2 ** 32)))
    if (last === undefined || !values.every((value, index) => value === last!.values[index])) {
      const key = values.join()
      last = found.get(key)
      if (last === undefined) found.set(key, (last = { values, addresses: 0 }))
    }
    last.addresses += end - address
    address = end
    for (const [index, { count, start }] of layers.entries()) if (at[index]! + 1 < count && start(at[index]! + 1) === end) at[index]!++
  }
  return [...found.values()].map(({ values: [place, ...rest], addresses }) => ({ place: place!, networks: rest, addresses }))
}

interface Layer {
  readonly count: number
  start(block: number): number
  value(block: number): number
}

function layerOf(image: NetworksImage | undefined): Layer {
  if (image === undefined) return { count: 1, start: () => 0, value: () => 0 }
  const { starts, values } = networkRanges(image)
  return { count: starts.length, start: (block) => starts[block]!, value: (block) => values[block]! }
}
