import type { Prefix } from '../core/address.ts'

/**
 * What has been measured of round trips, as every thread reads it. A row is a network, an autonomous system or a country; a
 * column is a target of the policies, in their order (the edges; plain addresses have none).
 */
export interface LatencyImage {
  /** Shared memory. Row by row: sixteenths of a millisecond << 16 | samples; 0: nothing is known. */
  readonly cells: Uint32Array
  readonly columns: number
  /** Of the first rows, the network of each, PREFIX octets: family, length, address. Shared memory. */
  readonly prefixes: Uint8Array
  /** Rows of countries, by code, and of autonomous systems, by number. */
  readonly countries: ReadonlyMap<string, number>
  readonly systems: ReadonlyMap<number, number>
}

/** Octets of one network in `prefixes`. */
export const PREFIX = 18
/** Of a cell: sixteenths of a millisecond. */
export const MS_UNIT = 16

/** The networks of the first rows, in their order. */
export function networksOf(image: LatencyImage | undefined): Prefix[] {
  if (image === undefined) return []
  const { prefixes } = image
  return Array.from({ length: prefixes.length / PREFIX }, (_, row) => {
    const at = row * PREFIX
    const family = prefixes[at] === 4 ? 4 : 6
    return { family, length: prefixes[at + 1]!, bytes: prefixes.slice(at + 2, at + 2 + (family === 4 ? 4 : 16)) }
  })
}

/** What was measured to a target, and how near to the viewer that was. */
export interface Measurement {
  readonly ms: number
  readonly samples: number
  readonly of: 'network' | 'system' | 'country'
}

/** Whoever asks, as far as the table knows: rows from the nearest to the broadest, -1 where there is none. */
export interface MeasuredRows {
  readonly network: number
  readonly system: number
  readonly country: number
}

/** The nearest row that knows the target. */
export function measurementOf(image: LatencyImage, { network, system, country }: MeasuredRows, target: number): Measurement | undefined {
  return cellAt(image, network, target, 'network') ?? cellAt(image, system, target, 'system') ?? cellAt(image, country, target, 'country')
}

function cellAt({ cells, columns }: LatencyImage, row: number, target: number, of: Measurement['of']): Measurement | undefined {
  if (row < 0 || target >= columns) return undefined
  const cell = cells[row * columns + target]!
  return cell === 0 ? undefined : { ms: (cell >>> 16) / MS_UNIT, samples: cell & 0xffff, of }
}
