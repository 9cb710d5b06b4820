import { configSchema } from '../core/config.ts'
import { systemClock } from '../core/clock.ts'
import { estimateMs, greatCircle } from '../daemon/routing/index.ts'
import { makeRandom } from '../test/helpers/random.ts'
import { drawChart } from './chart.ts'
import type { BenchOptions } from './main.ts'
import { Agenda, makeFleet, type Fleet, type Member, type Thing } from './offload-tiers.ts'
import { table } from './processes.ts'
import { circumstancesOf, isWhole, markdownTable, say, writeResult } from './results.ts'

// A day of the whole tiered system: viewers of many places, by day more than by night, ask for objects by Zipf's law, through the
// stores, rings, laws and fetches that the workers have, in one process and with a clock that is turned by hand.

type Point = readonly [number, number]

/** City, place, regional pair, and its share of the viewers. */
const EDGES: Readonly<Record<string, readonly [Point, 'apac' | 'emea' | 'amer', number]>> = {
  icn: [[37.5, 126.4], 'apac', 10], nrt: [[35.8, 140.4], 'apac', 12], sin: [[1.4, 104.0], 'apac', 8], syd: [[-33.9, 151.2], 'apac', 4],
  fra: [[50.0, 8.6], 'emea', 12], lhr: [[51.5, -0.5], 'emea', 10], mad: [[40.5, -3.6], 'emea', 5], jnb: [[-26.1, 28.2], 'emea', 2],
  iad: [[39.0, -77.5], 'amer', 14], ord: [[42.0, -87.9], 'amer', 8], lax: [[33.9, -118.4], 'amer', 10], gru: [[-23.4, -46.5], 'amer', 5]
}
const REGIONALS: Readonly<Record<string, Point>> = { 'apac-1': [35.7, 139.7], 'apac-2': [35.7, 139.7], 'emea-1': [50.1, 8.7], 'emea-2': [50.1, 8.7], 'amer-1': [39.0, -77.5], 'amer-2': [39.0, -77.5] }
const SHIELDS: Readonly<Record<string, Point>> = { tokyo: [35.7, 139.7], ashburn: [39.0, -77.5] }
const ORIGIN: Point = [35.7, 139.7]
const PLACES = new Map<string, Point>([...Object.entries(EDGES).map(([name, [at]]) => [name, at] as const), ...Object.entries(REGIONALS), ...Object.entries(SHIELDS), ['origin', ORIGIN]])
/** What a server takes beside the way. */
const SERVER_MS = 2

const OBJECTS = 3000
const ZIPF = 0.9
/** Of one region's viewers, how many want what only that region likes, in a hundred. */
const LOCAL = 20
const DAY_S = 86_400
/** By rank in turn: of 200 objects one is fresh for 5 minutes, 19 for an hour, the others for a day. */
const ttlOf = (object: number): number => (object % 200 === 7 ? 300 : object % 200 < 19 ? 3600 : DAY_S)
const REQUESTS = 2_000_000
/** At noon (UTC) something new is shown, to so many viewers within ten seconds. */
const PREMIERE = { at: DAY_S / 2, viewers: 5000, seconds: 10 }
const START = Date.UTC(2026, 0, 5)
/** Of each edge; a regional has twice as much, a shield eight times. */
const MEMORY = '4MiB'

export async function benchOffload(options: BenchOptions): Promise<void> {
  const circumstances = circumstancesOf(options)
  const requests = options.rate === undefined ? REQUESTS : options.rate * DAY_S
  const begun = systemClock.elapsed()
  const agenda = new Agenda(START)
  const fleet = makeFleet(configOf(), agenda, thingOf, wayMs)
  const random = makeRandom(1)
  const edges = Object.entries(EDGES).map(([name, [at, region, share]]) => ({ name, region, share, hour: at[1] / 15, member: fleet.members.get(name)! }))
  const draw = makeZipf(OBJECTS, ZIPF)
  const total = edges.reduce((sum, { share }) => sum + share, 0)
  const uniform = (): number => random.below(1 << 30) / (1 << 30)
  let viewers = 0
  for (let second = 0; second < DAY_S; second++) {
    const due: { at: number; member: Member; target: string }[] = []
    for (const { region, share, hour, member } of edges) {
      const mean = ((requests / DAY_S) * share * dayCurve(second / 3600 + hour)) / total
      const premiere = second >= PREMIERE.at && second < PREMIERE.at + PREMIERE.seconds ? (PREMIERE.viewers / PREMIERE.seconds) * (share / total) : 0
      for (let left = wholeOf(mean, uniform()); left > 0; left--) due.push({ at: uniform() * 1000, member, target: `/${ownRank(draw(uniform()), region, random.percent(LOCAL))}` })
      for (let left = wholeOf(premiere, uniform()); left > 0; left--) due.push({ at: uniform() * 1000, member, target: '/premiere' })
    }
    due.sort((one, other) => one.at - other.at)
    for (const { at, member, target } of due) {
      agenda.turnTo(START + second * 1000 + at)
      viewers++
      member.ask(target, undefined, () => undefined)
    }
    if (second % 7200 === 7199) say(`${(second + 1) / 3600} h: ${viewers} requests, ${fleet.origin.asked} reached the origin`)
  }
  agenda.turnTo(START + (DAY_S + 60) * 1000)
  report(fleet, viewers, options, { machine: circumstances.machine, day: circumstances.day, seconds: (systemClock.elapsed() - begun) / 1000 })
}

/** More by day than by night, and most at nine in the evening. @returns about 1 on average */
const dayCurve = (hour: number): number => 1 + 0.7 * Math.cos(((hour - 21) / 24) * 2 * Math.PI)
/** A whole number that is on average what is asked for. */
const wholeOf = (mean: number, chance: number): number => Math.floor(mean) + (chance < mean % 1 ? 1 : 0)
const SHIFT = { apac: 0, emea: 1, amer: 2 }
const ownRank = (rank: number, region: keyof typeof SHIFT, isLocal: boolean): number => (isLocal ? (rank * 7919 + (SHIFT[region] + 1) * 1009) % OBJECTS : rank)

/** Draws ranks from 0 by Zipf's law. @returns the rank of a number from 0 up to 1 */
function makeZipf(count: number, exponent: number): (chance: number) => number {
  const sums = new Float64Array(count)
  let sum = 0
  for (let rank = 0; rank < count; rank++) sums[rank] = sum += 1 / (rank + 1) ** exponent
  return (chance) => {
    const wanted = chance * sum
    let [low, high] = [0, count - 1]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (sums[middle]! < wanted) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** From 256 octets to 8 KiB, by its number. */
const thingOf = (target: string): Thing => {
  const object = Number(target.slice(1))
  return Number.isNaN(object) ? { size: 4096, ttl: DAY_S } : { size: 256 << (Math.imul(object, 2_654_435_761) >>> 29) % 6, ttl: ttlOf(object) }
}

function wayMs(from: string, to: string): number {
  return SERVER_MS + estimateMs(greatCircle(PLACES.get(from)!, PLACES.get(to)!))
}

function configOf() {
  const edges = Object.entries(EDGES).map(([name, [at, region]], number) => [name, { address: `127.30.0.${number + 1}`, city: name, at, parent: [`${region}-1`, `${region}-2`] }] as const)
  return configSchema.parse({
    edges: Object.fromEntries(edges),
    regionals: Object.fromEntries(Object.keys(REGIONALS).map((name, number) => [name, { address: `127.30.1.${number + 1}` }])),
    shields: { tokyo: { address: '127.30.2.1' }, ashburn: { address: '127.30.2.2' } },
    cache: { memory: MEMORY },
    // Hedges go by real timers.
    tiers: { 'hedge-share': 0 },
    origins: { main: { url: 'http://127.30.3.1' } },
    distributions: { d1: { shield: 'tokyo', 'fallback-shield': 'ashburn', behaviours: [{ path: '/*', origin: 'main' }] } }
  })
}

function report({ members, origin }: Fleet, viewers: number, options: BenchOptions, { machine, day, seconds }: { machine: string; day: string; seconds: number }): void {
  const tiers = (['edge', 'regional', 'shield'] as const).map((role) => {
    const own = [...members.values()].filter((member) => member.role === role)
    const sum = (of: (member: Member) => number): number => own.reduce((all, member) => all + of(member), 0)
    return { role, requests: sum(({ worker }) => worker.counters.requests), hits: sum(({ worker }) => worker.counters.hits), collapsed: sum(({ collapsed }) => collapsed), fetches: sum(({ worker }) => worker.counters.fetches) }
  })
  const percent = (part: number, whole: number): string => (whole === 0 ? '-' : `${((100 * part) / whole).toFixed(2)} %`)
  const rows = [
    ['tier', 'requests', 'hits', 'hit ratio', 'collapsed', 'fetches sent up', 'of viewer requests'],
    ...tiers.map(({ role, requests, hits, collapsed, fetches }) => [role, requests, hits, percent(hits, requests), collapsed, fetches, percent(fetches, viewers)].map(String)),
    ['origin', origin.asked, '', '', '', `${origin.unchanged} of them 304`, percent(origin.asked, viewers)].map(String)
  ]
  const offload = 100 * (1 - origin.asked / viewers)
  say(`\n${table(rows)}\n\noffload ${offload.toFixed(2)} %: ${viewers} requests of viewers, ${origin.asked} of the origin`)
  if (!isWhole(options) || options.rate !== undefined) return
  const bars = tiers.map(({ role, fetches }) => ({ label: `past the ${role}s`, value: (100 * fetches) / viewers })).map(({ label, value }) => ({ label, kind: 'ours' as const, value, low: value, high: value, text: `${value.toFixed(2)} %` }))
  writeResult('offload.svg', drawChart({ title: 'What is left for the tier above', subtitle: 'Requests that are sent on, as a share of those of viewers; a day, simulated; less is better', panels: [{ title: 'A day of Zipf traffic', subtitle: `${viewers.toLocaleString('en')} requests, 12 edges, 6 regionals, 1 shield`, bars }] }))
  writeResult('offload.md', `# Offload of the whole\n\nSimulated on ${machine}, ${day}, in ${Math.round(seconds)} s. Written by \`npm run bench -- offload\`.\n\n![What is left for the tier above](offload.svg)\n\n**${offload.toFixed(2)} %** of ${viewers.toLocaleString('en')} requests never reached the origin (aimed at: 99 %).\n\n${markdownTable(rows)}\n\n${ABOUT}\n`)
}

const ABOUT = `Collapsed are requests that found a fetch of the same under way and waited for it. Every member is as in a fleet, its store, ring, law and fetches, but for its sockets: what one asks another arrives after the time that the way takes (1.5 ms for 100 km, there and back, and ${SERVER_MS} ms for the server).

The day: ${Object.keys(EDGES).length} edges by their places and shares of viewers, most of whom are awake at nine in the evening; ${OBJECTS.toLocaleString('en')} objects by Zipf's law (exponent ${ZIPF}), of which ${LOCAL} in 100 requests want what only their region likes; 256 octets to 8 KiB each, and ${MEMORY} of memory in each edge, twice that in a regional and eight times in the shield, so that the shield alone holds them all; of 200 objects one is fresh for 5 minutes, 18 for an hour and the others for a day; all caches are empty at first. At noon something new is shown to ${PREMIERE.viewers.toLocaleString('en')} viewers within ${PREMIERE.seconds} seconds.`
