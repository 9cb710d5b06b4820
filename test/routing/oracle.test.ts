import { open, type Response } from 'maxmind'
import t from 'tap'
import { parsePrefix } from '../../core/address.ts'
import { loadConfig } from '../../core/config-file.ts'
import { makeImage } from '../../daemon/latency/image.ts'
import { drawFor, openRouting, readPolicies } from '../../daemon/routing/index.ts'
import { buildNetworks, buildPlaces, COUNTRIES, findDatabase, openNetworks, openPlaces, prefixListOf } from '../../geodb/index.ts'
import type { HealthTable } from '../../healthchecks/index.ts'
import { edges, healthOf } from './fleet.ts'

// Who gets which edge, by the country database: what the daemon decides through its tables, orders and classes, and what comes
// out of reading the database and the definitions of the verbs straight, slowly, with code of its own.

t.setTimeout(240_000)
const NETWORKS = 10_000
const EDGES = edges.map(({ name }) => name)
const POLICIES = `
policies:
  nearest: { latency: [icn, nrt, fra, iad, gru, syd] }
  video:
    geolocation: { KR: { failover: [icn, nrt] }, DE: fra, country-SA: syd, EU: { latency: [fra, iad] }, continent-SA: gru, default: nearest }
  biased: { geoproximity: { icn: 0, nrt: 50, fra: -30, iad: 10, gru: 0, syd: -99 } }
  near: { closest: [icn, nrt, fra, iad, gru, syd], count: 3, within: 3 }
  standby: { failover: [syd, icn, fra] }
  shares: { weighted: { icn: 3, nrt: 1, syd: 0 } }
  mirrors: { simple: [icn, nrt, 192.0.2.1] }
  two: { simple: [icn, nrt, fra, iad, gru, syd], count: 2 }
  pool: { multivalue: [icn, nrt, fra, iad, gru, syd] }
  loyal: { weighted: { icn: 70, nrt: 25, fra: 5 }, sticky: client }
  named: { weighted: { icn: 70, nrt: 25, fra: 5 }, sticky: name }
  spread: { hash: [icn, nrt, fra, iad, gru, syd], on: client }
  best: { score: [icn, nrt, fra, iad, gru, syd] }
  heavy: { score: [icn, nrt, fra], weights: { path: 0, latency: 1, capacity: 0, health: 3 } }
  offices: { network: { wide: nrt, half: icn, scattered: fra, as-64500: gru, carriers: syd, default: nearest } }
  inside: { view: { wide: syd, scattered: icn, half: empty, default: standby } }
  mixed: { geolocation: { 64.0.0.0/4: syd, 72.0.0.0/6: icn, KR: nrt, EU: fra, default: nearest } }
  careful: { failover: [fra, iad], on-all-down: standby }
`
const PREFIXES = 'networks: { wide: [1.0.0.0/8, 64.0.0.0/3], half: [64.0.0.0/4, 96.0.0.0/5], scattered: { file: scattered.txt }, carriers: { as: [64501, 64502] } }\n'

const database = findDatabase({ folder: '/nonexistent', setting: 'auto' })
if ('fault' in database) throw new Error(database.fault.reason)
const reader = await open<Response>(database.path)
const places = openPlaces(await buildPlaces({ database: database.path, local: 'KR' }))

/** The same numbers with every run. */
let seed = 20261121
const random = (below: number): number => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return Math.floor((seed / 2 ** 32) * below)
}
/** Special-use networks are where the configuration says, whatever the database has. */
const ORDINARY = Array.from({ length: 222 }, (_, first) => first + 1).filter((first) => ![10, 100, 127, 169, 172, 192, 198, 203].includes(first))

const scattered = [...new Set(Array.from({ length: 3000 }, () => `${ORDINARY[random(ORDINARY.length)]}.${random(256)}.0.0/16`))]
const systems: readonly (readonly [asn: number, lists: readonly string[], prefixes: readonly string[]])[] = [[64500, [], ['5.0.0.0/8', '150.0.0.0/7']], [64501, ['carriers'], ['6.0.0.0/8']], [64502, ['carriers'], ['200.0.0.0/6']], [64999, [], ['31.0.0.0/8']]]
/** Round trips were measured of eight hundred networks, an autonomous system and three countries, to some of the edges each. */
const measuredOf = new Map<string, readonly (number | undefined)[]>()
const rowFor = (): (number | undefined)[] => EDGES.map(() => (random(3) === 0 ? 1 + random(300) : undefined))
const networkRows = Array.from({ length: 800 }, () => `${ORDINARY[random(ORDINARY.length)]}.${random(4) * 64}.${random(2) * 128}.0/24`)
for (const row of [...new Set(networkRows), 'AS64999', 'KR', 'DE', 'BR']) measuredOf.set(row, [40 + random(100), ...rowFor().slice(1)])

const read = readPolicies({ file: 'p', text: `${PREFIXES}${POLICIES}`, targets: edges, hasAsDatabase: true, read: () => Buffer.from(`${scattered.join('\n')}\n`) })
if (read.image === undefined) throw new Error(read.faults.map(({ reason }) => reason).join('\n'))
const listOf = (texts: readonly string[]) => prefixListOf(texts.map((text) => parsePrefix(text)!))
const networks = openNetworks(buildNetworks({
  named: read.networks.named,
  asns: systems.map(([asn, lists, prefixes]) => ({ asn, lists, prefixes: listOf(prefixes) })),
  measured: makeImage(new Map([...measuredOf].map(([row, known]) => [row, known.map((ms) => (ms === undefined ? undefined : { ms, samples: 50 }))])), EDGES.length)
})!)
const routing = openRouting(read.image, places, networks)
const where = Object.fromEntries(Object.entries(loadConfig(new URL('../../../nearcast.yaml', import.meta.url).pathname).edges).map(([name, { at }]) => [name, at]))

type Point = readonly [number, number]
/** What is known of one viewer, and which edges are up. */
interface Viewer {
  readonly country: string | undefined
  readonly up: ReadonlySet<string>
  readonly suspect: ReadonlySet<string>
  /** Its address, and the one that its query came from. */
  readonly address: number
  readonly source: number
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

/** Whether an address lies in a prefix; undefined for one that does not, else how long the prefix is. */
function lengthIn(address: number, prefix: string): number | undefined {
  const [network, length] = prefix.split('/') as [string, string]
  const number = network.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0)
  const size = 2 ** (32 - Number(length))
  return Math.floor(address / size) === Math.floor(number / size) ? Number(length) : undefined
}

/** The longest prefix of a list that an address lies in; 0 for none. */
const longest = (address: number, prefixes: readonly string[]): number => Math.max(0, ...prefixes.map((prefix) => lengthIn(address, prefix) ?? 0))
const LISTS: Readonly<Record<string, readonly string[]>> = { wide: ['1.0.0.0/8', '64.0.0.0/3'], half: ['64.0.0.0/4', '96.0.0.0/5'], scattered }
/** Scattered networks by their first sixteen bits: three thousand are too many to go through ten thousand times. */
const scatteredTops = new Set(scattered.map((prefix) => prefix.split('.').slice(0, 2).join('.')))
const lengthOf = (address: number, list: string): number => (list !== 'scattered' ? longest(address, LISTS[list]!) : scatteredTops.has(`${address >>> 24}.${(address >>> 16) & 255}`) ? 16 : 0)
/** Lists that an address lies in, the longest prefix first; what is as long, as written. */
const listsOf = (address: number, lists: readonly string[]): string[] => lists.map((list, at) => ({ list, at, length: lengthOf(address, list) })).filter(({ length }) => length > 0).sort((a, b) => b.length - a.length || a.at - b.at).map(({ list }) => list)
const systemOf = (address: number): number | undefined => systems.find(([, , prefixes]) => longest(address, prefixes) > 0)?.[0]

/** What was measured to an edge: of the viewer's network, its autonomous system, its country. */
function measuredMs({ address, country }: Viewer, name: string): number | undefined {
  const row = (key: string | undefined): number | undefined => measuredOf.get(key ?? '')?.[EDGES.indexOf(name)]
  return row(`${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.0/24`) ?? row(`AS${systemOf(address)}`) ?? row(country)
}

/** Light's way there and back with half as much again, 1 ms for 100 km. */
const guessed = (distance: number): number => (distance * 1.5) / 100

/** Measured, else by distance: longer by the median of what the measured ones are longer, and no nearer or farther from the measured edges than these lie from it. */
function roundTrip(viewer: Viewer, name: string): number | undefined {
  const own = measuredMs(viewer, name)
  if (own !== undefined) return own
  const home = homeOf(viewer)
  const known = EDGES.flatMap((other) => {
    const ms = measuredMs(viewer, other)
    return ms === undefined ? [] : [{ other, ms }]
  })
  const extra = home === undefined ? [] : known.map(({ other, ms }) => Math.max(0, ms - guessed(kilometres(home, where[other]!)))).sort((a, b) => a - b)
  const byDistance = home === undefined ? Infinity : guessed(kilometres(home, where[name]!)) + (extra[Math.floor(extra.length / 2)] ?? 0)
  const apart = known.map(({ other, ms }) => ({ ms, between: guessed(kilometres(where[other]!, where[name]!)) }))
  const found = Math.max(0, ...apart.map(({ ms, between }) => between - ms), Math.min(byDistance, ...apart.map(({ ms, between }) => between + ms)))
  return found === Infinity ? undefined : found
}

/** Up ones, least first; what is equal stays as written. */
function byLeast(names: readonly string[], viewer: Viewer, measure: (name: string) => number | undefined): { name: string; value: number }[] {
  const all = names.map((name, at) => ({ name, at, value: measure(name) ?? Infinity }))
  return all.sort((a, b) => (a.value === b.value ? 0 : a.value - b.value) || a.at - b.at).filter(({ name }) => viewer.up.has(name))
}

const ALL = EDGES
const wholeMs = (viewer: Viewer) => (name: string): number | undefined => {
  const ms = roundTrip(viewer, name)
  return ms === undefined ? undefined : Math.round(ms)
}
const quickest = (names: readonly string[], viewer: Viewer): string[] => byLeast(names, viewer, wholeMs(viewer)).slice(0, 1).map(({ name }) => name)
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
    const home = homeOf(viewer)
    return byLeast(ALL, viewer, (name) => (home === undefined ? undefined : kilometres(home, where[name]!) * ((100 - bias[name]!) / 100))).slice(0, 1).map(({ name }) => name)
  },
  near(viewer) {
    const list = byLeast(ALL, viewer, wholeMs(viewer))
    return list.slice(0, 3).filter(({ value }) => list[0]!.value === Infinity || value <= 3 * Math.max(1, list[0]!.value)).map(({ name }) => name)
  },
  standby: (viewer) => firstUp(['syd', 'icn', 'fra'], viewer),
  shares: ({ up }) => (up.has('icn') || up.has('nrt') ? ['icn', 'nrt'] : ['syd']).filter((name) => up.has(name)),
  mirrors: ({ up }) => [...['icn', 'nrt'].filter((name) => up.has(name)), '192.0.2.1'],
  two: ({ up }) => ALL.filter((name) => up.has(name)),
  pool: ({ up }) => ALL.filter((name) => up.has(name)),
  loyal: (viewer) => upOf(['icn', 'nrt', 'fra'], viewer),
  named: (viewer) => upOf(['icn', 'nrt', 'fra'], viewer),
  spread: (viewer) => upOf(ALL, viewer),
  best: (viewer) => highest(ALL, viewer, { path: 0.3, latency: 0.4, capacity: 0.2, health: 0.1 }),
  heavy: (viewer) => highest(['icn', 'nrt', 'fra'], viewer, { path: 0, latency: 0.25, capacity: 0, health: 0.75 }),
  offices(viewer) {
    const to: Readonly<Record<string, string>> = { wide: 'nrt', half: 'icn', scattered: 'fra' }
    const system = systemOf(viewer.address)
    const branches = [...listsOf(viewer.address, ['wide', 'half', 'scattered']).map((list) => to[list]!), ...(system === 64500 ? ['gru'] : system === 64501 || system === 64502 ? ['syd'] : [])]
    const first = firstUp(branches, viewer)
    return first.length > 0 ? first : quickest(ALL, viewer)
  },
  inside(viewer) {
    const [list] = listsOf(viewer.source, ['wide', 'scattered', 'half'])
    if (list === 'half') return NOBODY
    // One branch alone: nobody is let into another view.
    return list === 'wide' ? ['syd'] : list === 'scattered' ? ['icn'] : firstUp(['syd', 'icn', 'fra'], viewer)
  },
  mixed(viewer) {
    const { country, address } = viewer
    const continent = country === undefined ? undefined : COUNTRIES[country]?.[2]
    const branches = [...(longest(address, ['72.0.0.0/6']) > 0 ? ['icn'] : []), ...(longest(address, ['64.0.0.0/4']) > 0 ? ['syd'] : []), ...(country === 'KR' ? ['nrt'] : []), ...(continent === 'EU' ? ['fra'] : [])]
    const first = firstUp(branches, viewer)
    return first.length > 0 ? first : quickest(ALL, viewer)
  },
  careful(viewer) {
    const first = firstUp(['fra', 'iad'], viewer)
    return first.length > 0 ? first : firstUp(['syd', 'icn', 'fra'], viewer)
  }
}
/** No address, as the policy has it. */
const NOBODY: string[] = ['nobody']
const upOf = (names: readonly string[], { up }: Viewer): string[] => names.filter((name) => up.has(name))

/** The weighted sum, each term beside the best of the branches; capacity and paths are known of none. What differs by less than a thousandth is as good. */
function highest(names: readonly string[], viewer: Viewer, weights: Readonly<Record<'path' | 'latency' | 'capacity' | 'health', number>>): string[] {
  const trips = names.map((name) => ({ name, ms: roundTrip(viewer, name) })).map(({ name, ms }) => ({ name, ms: ms === undefined ? undefined : Math.max(1, ms) }))
  const least = Math.min(...trips.flatMap(({ ms }) => ms ?? []))
  const total = ({ name, ms }: (typeof trips)[number]): number => weights.path / 2 + weights.capacity / 2 + weights.latency * (ms === undefined ? 0.5 : least / ms) + weights.health * (viewer.suspect.has(name) ? 0.5 : 1)
  return trips.filter(({ name }) => viewer.up.has(name)).map((each, at) => ({ name: each.name, at, total: Math.round(total(each) * 1000) })).sort((a, b) => b.total - a.total || a.at - b.at).slice(0, 1).map(({ name }) => name)
}

/** What part of the answers a target is in, where that is not one. */
const SHARES: Readonly<Record<string, (viewer: Viewer, names: readonly string[]) => Readonly<Record<string, number>>>> = {
  shares: (_, names) => byWeight(names, { icn: 3, nrt: 1, syd: 1 }),
  two: (_, names) => Object.fromEntries(names.map((name) => [name, Math.min(1, 2 / names.length)])),
  loyal: (_, names) => byWeight(names, { icn: 70, nrt: 25, fra: 5 }),
  named: (_, names) => byWeight(names, { icn: 70, nrt: 25, fra: 5 }),
  spread: (_, names) => byWeight(names, {})
}
const byWeight = (names: readonly string[], weights: Readonly<Record<string, number>>): Record<string, number> => {
  const sum = names.reduce((total, name) => total + (weights[name] ?? 1), 0)
  return Object.fromEntries(names.map((name) => [name, (weights[name] ?? 1) / sum]))
}

/** Rendezvous hashing with its hashes written out: FNV-1a of the names, and what MurmurHash3 ends with. */
const stir = (value: number): number => {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
const textKey = (text: string): number => stir([...text].reduce((hash, letter) => Math.imul(hash ^ letter.charCodeAt(0), 0x01000193), 0x811c9dc5 | 0))
function drawnBy(key: number, policy: string, names: readonly string[], weights: Readonly<Record<string, number>>): string {
  const score = (name: string): number => -Math.log(((stir(stir(key ^ textKey(`policy ${policy}`)) ^ textKey(name)) >>> 0) + 0.5) / 2 ** 32) / weights[name]!
  return names.toSorted((a, b) => score(a) - score(b))[0]!
}

t.test(`${NETWORKS} random networks get the edges that the definitions come to`, async (t) => {
  const wrong: string[] = []
  const countries = new Set<string | undefined>()
  const seen = { measured: 0, system: 0, listed: 0 }
  for (let number = 0; number < NETWORKS; number++) {
    // Every fourth is one of those that were measured.
    const octets = number % 4 === 0 ? networkRows[random(networkRows.length)]!.split('.').slice(0, 3).map(Number) : [ORDINARY[random(ORDINARY.length)]!, random(256), random(256)]
    const viewer = viewerOf(octets)
    countries.add(viewer.country)
    if (EDGES.some((name) => measuredMs(viewer, name) !== undefined)) seen.measured++
    if (systemOf(viewer.address) !== undefined) seen.system++
    if (listsOf(viewer.address, ['wide', 'half', 'scattered']).length > 1) seen.listed++
    const down = ALL.filter((name) => !viewer.up.has(name))
    const health = healthOf(routing.targets, Object.fromEntries([...[...viewer.suspect].map((name) => [name, 'suspect']), ...down.map((name) => [name, 'down'])]))
    for (const [name, oracle] of Object.entries(ORACLE)) {
      const said = whatIsWrong(name, oracle(viewer), viewer, health)
      if (said !== undefined) wrong.push(`${octets.join('.')}.0/24 (${viewer.country}), ${down.join()} down: ${name} ${said}`)
    }
  }
  t.same(wrong.slice(0, 10), [], `${wrong.length} of ${NETWORKS} x ${Object.keys(ORACLE).length} are wrong`)
  t.ok(countries.size > 100, `${countries.size} countries`)
  t.ok(seen.measured > NETWORKS / 5 && seen.system > NETWORKS / 50 && seen.listed > NETWORKS / 50, JSON.stringify(seen))
})

/** One of the six is down in half of the cases, a second one in a quarter; one of three is suspect. */
function viewerOf(octets: readonly number[]): Viewer {
  const down = [...(random(2) === 0 ? [ALL[random(6)]!] : []), ...(random(4) === 0 ? [ALL[random(6)]!] : [])]
  const up = new Set(ALL.filter((name) => !down.includes(name)))
  const suspect = new Set(random(3) === 0 ? [ALL[random(6)]!].filter((name) => up.has(name)) : [])
  const address = ((octets[0]! << 24) | (octets[1]! << 16) | (octets[2]! << 8) | 1) >>> 0
  const source = ((ORDINARY[random(ORDINARY.length)]! << 24) | (random(256) << 16) | 1) >>> 0
  const found = reader.get(`${octets.join('.')}.1`) as { country_code?: string } | null
  return { country: found?.country_code, up, suspect, address, source }
}

/** What the daemon comes to, where that is not what is expected. Nothing is said of those for whom all are down. */
function whatIsWrong(name: string, expected: readonly string[], viewer: Viewer, health: HealthTable): string | undefined {
  if (expected.length === 0) return undefined
  const policy = routing.find(name)!
  const [place, network, source] = [places.find4(viewer.address) >>> 8, networks.find4(viewer.address) >>> 8, networks.find4(viewer.source) >>> 8]
  const { alternatives, draw } = routing.choose(policy, routing.classOf(policy, place, network, source), health, 4)
  const given = new Map<string, number>()
  for (const { weight, targets } of alternatives) for (const target of targets) given.set(routing.targets[target]!.name, (given.get(routing.targets[target]!.name) ?? 0) + weight)
  const wanted = expected === NOBODY ? [] : expected
  if ([...given.keys()].sort().join() !== [...wanted].sort().join()) return `gives ${[...given.keys()].join()}, not ${wanted.join()}`
  for (const [target, share] of Object.entries(SHARES[name]?.(viewer, wanted) ?? {})) if (Math.abs(given.get(target)! - share) > 1e-9) return `gives ${target} to ${given.get(target)} of all, not ${share}`
  if (draw === undefined || (name !== 'loyal' && name !== 'named')) return undefined
  const drawn = alternatives[drawFor(draw, viewer.address | 0, viewer.source | 0, () => 0)]!.targets.map((target) => routing.targets[target]!.name).join()
  const due = drawnBy((name === 'loyal' ? viewer.address : viewer.source) | 0, name, wanted, { icn: 70, nrt: 25, fra: 5 })
  return drawn === due ? undefined : `draws ${drawn}, not ${due}`
}
