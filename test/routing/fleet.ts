import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { parseAddress } from '../../core/address.ts'
import { loadConfig } from '../../core/config-file.ts'
import { openRouting, readPolicies, type ReadPolicies, type Routing, type RoutingImage, type Target } from '../../daemon/routing/index.ts'
import { healthWord, makeHealthTable, setHealth, type Forced, type HealthTable, type Verdict } from '../../healthchecks/index.ts'
import { COUNTRIES, type Place, type Places } from '../../geodb/index.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** The repository's own policies. */
export const policiesText = readFileSync(`${root}zones/policies.yaml`, 'utf8')

/** The edges of the repository's own nearcast.yaml. */
export const edges: readonly Target[] = Object.entries(loadConfig(`${root}nearcast.yaml`).edges).map(([name, { address, at }]) => {
  const addresses = address.map((text) => parseAddress(text)!)
  const of = (family: 4 | 6): Uint8Array[] => addresses.filter((each) => each.family === family).map((each) => each.bytes)
  return { name, checked: true, ipv4: of(4), ipv6: of(6), at }
})

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

const inCountry = (country: string): Partial<Place> => ({ country, latitude: COUNTRIES[country]![0], longitude: COUNTRIES[country]![1], continent: COUNTRIES[country]![2] })
export const COUNTRY_LIST = ['KR', 'NL', 'BR', 'US', 'AU', 'ZA', 'SA', 'JP', 'IN'] as const
const CITIES: Readonly<Record<string, Partial<Place>>> = {
  Chicago: { ...inCountry('US'), subdivision: 'IL', city: 'Chicago' },
  Springfield: { ...inCountry('US'), subdivision: 'IL', city: 'Springfield' },
  Busan: { ...inCountry('KR'), subdivision: '26', city: 'Busan' }
}
/** Place 0 is not known; then one per country; then one that is known by its continent alone; then cities. */
export const places = somePlaces([{}, ...COUNTRY_LIST.map(inCountry), { continent: 'EU' }, ...Object.values(CITIES)])
/** The place of a country, or of a city; 0 for others. */
export function placeOf(name: string): number {
  const city = Object.keys(CITIES).indexOf(name)
  return city >= 0 ? COUNTRY_LIST.length + 2 + city : COUNTRY_LIST.indexOf(name as (typeof COUNTRY_LIST)[number]) + 1
}

/** @throws when the text has faults */
export function routingOf(text: string, targets: readonly Target[] = edges): Routing {
  return openRouting(imageOf({ text, targets }).image, places)
}

/** As `routingOf`, with what it was read into. A random tree with a branch that nobody comes to is made anew. */
export function imageOf({ text, targets, checks = [], isRandom = false }: { readonly text: string; readonly targets: readonly Target[]; readonly checks?: readonly string[]; readonly isRandom?: boolean }): ReadPolicies & { readonly image: RoutingImage } {
  const read = readPolicies({ file: 'p', text, targets, checks })
  const { image, faults } = read
  if (isRandom) fc.pre(!faults.some(({ reason, severity }) => severity === 'error' && reason.includes(' is never reached: ')))
  if (image === undefined) throw new Error(faults.map(({ reason }) => reason).join('\n'))
  return { ...read, image }
}

/** Places without addresses. */
function somePlaces(list: readonly Partial<Place>[]): Places {
  return { size: list.length, place: (number) => ({ source: 'a test', ...list[number]! }), find4: () => 0, find6: () => 0 }
}
