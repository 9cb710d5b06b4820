import { open, type Response } from 'maxmind'
import t from 'tap'
import { loadConfig } from '../../core/config-file.ts'
import { openRouting, readPolicies } from '../../daemon/routing/index.ts'
import { buildPlaces, COUNTRIES, findDatabase, openPlaces } from '../../geodb/index.ts'
import { edges, healthOf } from './fleet.ts'

// Who gets which edge, by the country database: what the daemon decides through its tables, orders and classes, and what comes
// out of reading the database and the definitions of the verbs straight, slowly, with code of its own.

t.setTimeout(240_000)
const NETWORKS = 10_000
const POLICIES = `
policies:
  nearest: { latency: [icn, nrt, fra, iad, gru, syd] }
  video:
    geolocation: { KR: { failover: [icn, nrt] }, DE: fra, country-SA: syd, EU: { latency: [fra, iad] }, continent-SA: gru, default: nearest }
  biased: { geoproximity: { icn: 0, nrt: 50, fra: -30, iad: 10, gru: 0, syd: -99 } }
  near: { closest: [icn, nrt, fra, iad, gru, syd], count: 3, within: 3 }
  standby: { failover: [syd, icn, fra] }
  shares: { weighted: { icn: 3, nrt: 1, syd: 0 } }
`

const database = findDatabase({ folder: '/nonexistent', setting: 'auto' })
if ('fault' in database) throw new Error(database.fault.reason)
const reader = await open<Response>(database.path)
const places = openPlaces(await buildPlaces({ database: database.path, local: 'KR' }))
const { image } = readPolicies({ file: 'p', text: POLICIES, targets: edges })
const routing = openRouting(image!, places)
const where = Object.fromEntries(Object.entries(loadConfig(new URL('../../../nearcast.yaml', import.meta.url).pathname).edges).map(([name, { at }]) => [name, at]))

type Point = readonly [number, number]
/** What is known of one viewer, and which edges are up. */
interface Viewer {
  readonly country: string | undefined
  readonly up: ReadonlySet<string>
}

/** By the angle between two vectors. */
function kilometres([a, b]: Point, [c, d]: Point): number {
  const vector = (latitude: number, longitude: number): number[] => {
    const [north, east] = [(latitude * Math.PI) / 180, (longitude * Math.PI) / 180]
    return [Math.cos(north) * Math.cos(east), Math.cos(north) * Math.sin(east), Math.sin(north)]
  }
  const [p, q] = [vector(a, b), vector(c, d)]
  const chord = Math.hypot(p[0]! - q[0]!, p[1]! - q[1]!, p[2]! - q[2]!)
  return 2 * 6371 * Math.asin(Math.min(1, chord / 2))
}

const homeOf = ({ country }: Viewer): Point | undefined => {
  const known = country === undefined ? undefined : COUNTRIES[country]
  return known && [known[0], known[1]]
}

/** Up ones, least first; what is equal stays as written. */
function byLeast(names: readonly string[], viewer: Viewer, measure: (distance: number, name: string) => number): { name: string; value: number }[] {
  const home = homeOf(viewer)
  const all = names.map((name, at) => ({ name, at, value: home === undefined ? 0 : measure(kilometres(home, where[name]!), name) }))
  return all.sort((a, b) => a.value - b.value || a.at - b.at).filter(({ name }) => viewer.up.has(name))
}

const ALL = ['icn', 'nrt', 'fra', 'iad', 'gru', 'syd']
const roundTrip = (distance: number): number => Math.round((distance * 1.5) / 100)
const quickest = (names: readonly string[], viewer: Viewer): string[] => byLeast(names, viewer, roundTrip).slice(0, 1).map(({ name }) => name)
const firstUp = (names: readonly string[], { up }: Viewer): string[] => names.filter((name) => up.has(name)).slice(0, 1)

const ORACLE: Readonly<Record<string, (viewer: Viewer) => string[]>> = {
  nearest: (viewer) => quickest(ALL, viewer),
  video(viewer) {
    const { country } = viewer
    const continent = country === undefined ? undefined : COUNTRIES[country]?.[2]
    const branches = [
      ...(country === 'KR' ? [firstUp(['icn', 'nrt'], viewer)] : country === 'DE' ? [firstUp(['fra'], viewer)] : country === 'SA' ? [firstUp(['syd'], viewer)] : []),
      ...(continent === 'EU' ? [quickest(['fra', 'iad'], viewer)] : continent === 'SA' ? [firstUp(['gru'], viewer)] : []),
      quickest(ALL, viewer)
    ]
    return branches.find((branch) => branch.length > 0)!
  },
  biased(viewer) {
    const bias: Readonly<Record<string, number>> = { icn: 0, nrt: 50, fra: -30, iad: 10, gru: 0, syd: -99 }
    return byLeast(ALL, viewer, (distance, name) => distance * ((100 - bias[name]!) / 100)).slice(0, 1).map(({ name }) => name)
  },
  near(viewer) {
    const list = byLeast(ALL, viewer, roundTrip)
    return list.slice(0, 3).filter(({ value }) => homeOf(viewer) === undefined || value <= 3 * Math.max(1, list[0]!.value)).map(({ name }) => name)
  },
  standby: (viewer) => firstUp(['syd', 'icn', 'fra'], viewer),
  shares: ({ up }) => (up.has('icn') || up.has('nrt') ? ['icn', 'nrt'] : ['syd']).filter((name) => up.has(name))
}

/** Special-use networks are where the configuration says, whatever the database has. */
const ORDINARY = Array.from({ length: 222 }, (_, first) => first + 1).filter((first) => ![10, 100, 127, 169, 172, 192, 198, 203].includes(first))

t.test(`${NETWORKS} random networks get the edges that the definitions come to`, async (t) => {
  let seed = 20261121
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  const wrong: string[] = []
  const countries = new Set<string | undefined>()
  for (let number = 0; number < NETWORKS; number++) {
    const octets = [ORDINARY[random(ORDINARY.length)]!, random(256), random(256)]
    const found = reader.get(`${octets.join('.')}.1`) as { country_code?: string } | null
    const country = found?.country_code
    countries.add(country)
    // One of the six is down in half of the cases, and a second one in a quarter.
    const down = [...(random(2) === 0 ? [ALL[random(6)]!] : []), ...(random(4) === 0 ? [ALL[random(6)]!] : [])]
    const viewer: Viewer = { country, up: new Set(ALL.filter((name) => !down.includes(name))) }
    const health = healthOf(routing.targets, Object.fromEntries(down.map((name) => [name, 'down'])))
    const place = places.find4((((octets[0]! << 24) | (octets[1]! << 16) | (octets[2]! << 8) | 1) >>> 0)) >>> 8
    for (const [name, oracle] of Object.entries(ORACLE)) {
      const expected = oracle(viewer)
      if (expected.length === 0) continue
      const policy = routing.find(name)!
      const { alternatives } = routing.choose(policy, routing.classOf(policy, place), health, 4)
      const given = new Set(alternatives.flatMap(({ targets }) => targets.map((target) => routing.targets[target]!.name)))
      if ([...given].sort().join() !== [...expected].sort().join()) wrong.push(`${octets.join('.')}.0/24 (${country}), ${down.join()} down: ${name} gives ${[...given].join()}, not ${expected.join()}`)
    }
  }
  t.same(wrong.slice(0, 10), [], `${wrong.length} of ${NETWORKS} are wrong`)
  t.ok(countries.size > 100, `${countries.size} countries`)
})
