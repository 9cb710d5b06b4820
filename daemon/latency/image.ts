import { networkOfKey } from '../../core/client-network.ts'
import { MS_UNIT, PREFIX, type LatencyImage } from '../../geodb/index.ts'
import type { Figures } from './settle.ts'

/** What the row of an autonomous system is called: no country has a digit in its code. */
export const systemName = (system: number): string => `AS${system}`

/** Lays rows out in shared memory: networks first. */
export function makeImage(rows: ReadonlyMap<string, Figures>, columns: number): LatencyImage {
  const networks = [...rows.keys()].filter((row) => row.includes('/'))
  const wholes = [...rows.keys()].filter((row) => !row.includes('/'))
  const cells = new Uint32Array(new SharedArrayBuffer(rows.size * columns * 4))
  const prefixes = new Uint8Array(new SharedArrayBuffer(networks.length * PREFIX))
  for (const [row, key] of [...networks, ...wholes].entries()) {
    for (const [target, figure] of rows.get(key)!.entries()) if (figure !== undefined) cells[row * columns + target] = cellOf(figure)
  }
  for (const [row, key] of networks.entries()) {
    const { family, length, bytes } = networkOfKey(key)!
    prefixes.set([family, length, ...bytes], row * PREFIX)
  }
  const numbered = wholes.map((whole, at) => [whole, networks.length + at] as const)
  return {
    cells,
    columns,
    prefixes,
    countries: new Map(numbered.filter(([whole]) => !/\d/.test(whole))),
    systems: new Map(numbered.flatMap(([whole, row]) => (/\d/.test(whole) ? [[Number(whole.slice(2)), row] as const] : [])))
  }
}

function cellOf({ ms, samples }: { readonly ms: number; readonly samples: number }): number {
  const length = Math.max(1, Math.min(0xffff, Math.round(ms * MS_UNIT)))
  return ((length << 16) | Math.min(0xffff, Math.max(1, samples))) >>> 0
}
