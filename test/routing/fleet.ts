import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseAddress } from '../../core/address.ts'
import { loadConfig } from '../../core/config-file.ts'
import type { Target } from '../../daemon/routing/index.ts'
import { healthWord, makeHealthTable, setHealth, type Forced, type HealthTable, type Verdict } from '../../healthchecks/index.ts'
import type { Place, Places } from '../../geodb/index.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** The repository's own policies. */
export const policiesText = readFileSync(`${root}zones/policies.yaml`, 'utf8')

/** The edges of the repository's own nearcast.yaml. */
export const edges: readonly Target[] = Object.entries(loadConfig(`${root}nearcast.yaml`).edges).map(([name, { address, at }]) => {
  const addresses = address.map((text) => parseAddress(text)!)
  const of = (family: 4 | 6): Uint8Array[] => addresses.filter((each) => each.family === family).map((each) => each.bytes)
  return { name, checked: true, ipv4: of(4), ipv6: of(6), at }
})

/** Places without addresses. */
export function somePlaces(list: readonly Partial<Place>[]): Places {
  return { size: list.length, place: (number) => ({ source: 'a test', ...list[number]! }), find4: () => 0, find6: () => 0 }
}

/** Health by name: `down`, `suspect`, `drain`…; what is not named is up. They go down in the order written. */
export function healthOf(targets: readonly Target[], states: Readonly<Record<string, string>>): HealthTable {
  const health = makeHealthTable(targets.length)
  for (const number of targets.keys()) setHealth(health, number, healthWord('UP', 'none', false))
  const words: Record<string, [Verdict, Forced, boolean]> = {
    down: ['DOWN', 'none', false], suspect: ['UP', 'none', true], unknown: ['UNKNOWN', 'none', false], drain: ['UP', 'drain', false],
    'forced-down': ['UP', 'down', false], 'down-and-forced-down': ['DOWN', 'down', false], 'forced-up': ['DOWN', 'up', false]
  }
  for (const [name, state] of Object.entries(states)) setHealth(health, targets.findIndex((target) => target.name === name), healthWord(...words[state]!))
  return health
}
