import { systemClock } from '../core/clock.ts'
import { makeAnswerer, type Answerer } from '../daemon/answer.ts'
import { openRouting, readPolicies, type Target } from '../daemon/routing/index.ts'
import type { World } from '../daemon/world.ts'
import { buildZoneImage, openZoneImage, readZone } from '../daemon/zone/index.ts'
import { buildPlaces, findDatabase, openPlaces } from '../geodb/index.ts'
import { healthWord, makeHealthTable, setHealth } from '../healthchecks/index.ts'
import { median } from './processes.ts'
import { BENCH_ZONE } from './peers/zones.ts'

// Very many routed names with many policies, in this process: what loading them costs, and what a change of health does to the
// answers. Every name is asked before and after, and every answer is looked at.

export const NAMES = 100_000
export const POLICIES = 1000
const EDGES: readonly (readonly [name: string, at: readonly [number, number]])[] = [
  ['icn', [37.46, 126.44]], ['nrt', [35.76, 140.39]], ['fra', [50.03, 8.56]], ['iad', [38.95, -77.45]], ['gru', [-23.43, -46.47]], ['syd', [-33.95, 151.18]]
]
const ADDRESS = Buffer.from([0, 4, 192, 0, 2])

export interface Loading {
  /** Seconds: reading the policies, reading the zone, laying it out. */
  readonly policies: number
  readonly zone: number
  readonly image: number
  /** Octets that the process has more afterwards. */
  readonly octets: number
}

export interface Flip {
  readonly what: string
  /** Milliseconds for all names in a row, and for the slowest of them. */
  readonly all: number
  readonly slowest: number
  readonly wrong: number
}

const targets: readonly Target[] = EDGES.map(([name, at], number) => ({ name, checked: true, ipv4: [Uint8Array.of(192, 0, 2, number + 1)], ipv6: [], at }))

function policiesText(): string {
  const names = EDGES.map(([name]) => name)
  const texts = Array.from({ length: POLICIES }, (_, number) => {
    const [first, second, ...rest] = names.map((_, place) => names[(place + number) % names.length]!)
    switch (number % 4) {
      case 0: return `latency: [${[first, second, ...rest].join()}]`
      case 1: return `geolocation: { KR: { failover: [${first}, ${second}] }, EU: { latency: [fra, iad] }, default: p${number - 1} }, on-all-down: last-good`
      case 2: return `failover: [${[first, second, ...rest].join()}]`
      default: return `weighted: { ${first}: 9, ${second}: 1 }, sticky: client`
    }
  })
  return `policies:\n${texts.map((text, number) => `  p${number}: { ${text} }\n`).join('')}`
}

const zoneText = (): string => `$ORIGIN ${BENCH_ZONE}.\n@ 3600 SOA ns1 hostmaster 1 3600 600 604800 60\n@ 3600 NS ns1\nns1 3600 A 192.0.2.53\n${Array.from({ length: NAMES }, (_, number) => `r${number} 20 ROUTE p${number % POLICIES}\n`).join('')}`

/** Loads it all. @throws Error when what was made is faulty */
export async function loadWorld(): Promise<{ world: World; loading: Loading }> {
  const database = findDatabase({ folder: '/nonexistent', setting: 'auto' })
  if ('fault' in database) throw new Error(database.fault.reason)
  const places = openPlaces(await buildPlaces({ database: database.path, local: 'KR' }))
  const [policiesOf, zoneOf] = [policiesText(), zoneText()]
  const before = process.memoryUsage().rss
  const [read, policies] = timed(() => readPolicies({ file: 'policies.yaml', text: policiesOf, targets }))
  const [reading, zone] = timed(() => readZone({ file: 'bench.zone', read: () => zoneOf, policies: read.names }))
  if (read.image === undefined || reading.zone === undefined) throw new Error([...read.faults, ...reading.faults][0]?.reason ?? 'nothing was read')
  const [zones, image] = timed(() => buildZoneImage([reading.zone!]))
  const health = makeHealthTable(targets.length)
  for (const target of targets.keys()) setHealth(health, target, healthWord('UP', 'none', false))
  const world: World = { generation: 1, zones: openZoneImage(zones), places, routing: openRouting(read.image, places), targets: read.image.targets, health, suspectTtl: 5 }
  return { world, loading: { policies, zone, image, octets: process.memoryUsage().rss - before } }
}

/** Asks every name, then changes health, and asks every name again; times are medians of so many rounds, what is wrong is wrong in any. */
export function flipHealth(world: World, rounds: number): Flip[] {
  const answerer = makeAnswerer({ world, serverId: 'bench', version: 'bench' })
  const first = askAll(answerer, 'first asked', -1)
  const turns = Array.from({ length: rounds }, () => {
    const flips = [askAll(answerer, 'asked again', -1)]
    for (const edge of [0, 2]) {
      for (const state of ['DOWN', 'UP'] as const) {
        setHealth(world.health, edge, healthWord(state, 'none', false))
        flips.push(askAll(answerer, `${EDGES[edge]![0]} ${state}`, state === 'DOWN' ? edge + 1 : -1))
      }
    }
    return flips
  })
  return [first, ...turns[0]!.map(({ what }, at) => {
    const of = turns.map((flips) => flips[at]!)
    return { what, all: median(of.map(({ all }) => all)), slowest: median(of.map(({ slowest }) => slowest)), wrong: of.reduce((sum, { wrong }) => sum + wrong, 0) }
  })]
}

/** @param down the last octet of the address that nobody may be given any more */
function askAll(answerer: Answerer, what: string, down: number): Flip {
  const out = Buffer.alloc(1232)
  let [slowest, wrong] = [0, 0]
  const start = systemClock.elapsed()
  for (let number = 0; number < NAMES; number++) {
    const query = queryFor(number)
    const from = systemClock.elapsed()
    const length = answerer.answer(query, 0, query.length, { family: 4, bytes: LOOPBACK, at: 0 }, 'udp', out, 0, out.length)
    slowest = Math.max(slowest, systemClock.elapsed() - from)
    const at = out.subarray(0, length).indexOf(ADDRESS)
    const given = at < 0 ? 0 : out[at + ADDRESS.length]!
    if (given < 1 || given > EDGES.length || given === down) wrong++
  }
  return { what, all: systemClock.elapsed() - start, slowest, wrong }
}

const LOOPBACK = Uint8Array.of(127, 0, 0, 1)

/** A of a name, with a client subnet that is another for each. */
function queryFor(number: number): Buffer {
  const label = `r${number}`
  const name = [label, ...BENCH_ZONE.split('.')].flatMap((each) => [each.length, ...Buffer.from(each)])
  const client = (Math.imul(number + 1, 0x9e3779b1) >>> 8) & 0xffffff
  const opt = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 11, 0, 8, 0, 7, 0, 1, 24, 0, 1 + ((client >>> 16) % 9), (client >>> 8) & 255, client & 255]
  return Buffer.from([0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, ...name, 0, 0, 1, 0, 1, ...opt])
}

function timed<Result>(run: () => Result): [Result, number] {
  const from = systemClock.elapsed()
  const result = run()
  return [result, (systemClock.elapsed() - from) / 1000]
}
