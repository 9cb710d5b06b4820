import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Counters, Role, Setup } from '../core/channel.ts'
import { configSchema } from '../core/config.ts'
import { systemClock } from '../core/clock.ts'
import { makeRandom, type Random } from '../test/helpers/random.ts'
import { drawChart } from './chart.ts'
import { zipf } from './http-cases.ts'
import type { BenchOptions } from './options.ts'
import { Lane, type Seen } from './offload-client.ts'
import type { FromMember, ToMember } from './offload-member.ts'
import { startOffloadOrigin, type OffloadOrigin } from './offload-origin.ts'
import { table, temporaryFolder, track } from './processes.ts'
import { circumstancesOf, isWhole, markdownTable, say, writeResult } from './results.ts'

// A day of the whole tiered system: viewers of many places, by day more than by night, ask for objects by Zipf's law. Every edge,
// regional and shield is a process as in a fleet, asked over sockets; the day goes by faster: each is told the time of day.

type Point = readonly [number, number]

/** City, place, regional pair, and its share of the viewers. */
const EDGES: Readonly<Record<string, readonly [Point, 'apac' | 'emea' | 'amer', number]>> = {
  icn: [[37.5, 126.4], 'apac', 10], nrt: [[35.8, 140.4], 'apac', 12], sin: [[1.4, 104.0], 'apac', 8], syd: [[-33.9, 151.2], 'apac', 4],
  fra: [[50.0, 8.6], 'emea', 12], lhr: [[51.5, -0.5], 'emea', 10], mad: [[40.5, -3.6], 'emea', 5], jnb: [[-26.1, 28.2], 'emea', 2],
  iad: [[39.0, -77.5], 'amer', 14], ord: [[42.0, -87.9], 'amer', 8], lax: [[33.9, -118.4], 'amer', 10], gru: [[-23.4, -46.5], 'amer', 5]
}
const REGIONALS = ['apac-1', 'apac-2', 'emea-1', 'emea-2', 'amer-1', 'amer-2']
const SHIELDS = ['tokyo', 'ashburn']
const PORT = 14900
const ORIGIN_ADDRESS = '127.30.3.1'
const HOST = 'd1.nearcast.test'

const OBJECTS = 3000
const ZIPF = 0.9
/** Of one region's viewers, how many want what only that region likes, in a hundred. */
const LOCAL = 20
const DAY_S = 86_400
/** By rank in turn: of 200 objects one is fresh for 5 minutes, 19 for an hour, the others for a day. */
const ttlOf = (object: number): number => (object % 200 === 7 ? 300 : object % 200 < 19 ? 3600 : DAY_S)
const REQUESTS = 1_500_000
/** What is asked for within this long is asked for at once; then all are told that so much time has gone by. */
const STEP_S = 30
/** Connections to each edge, on each of which one request is answered after the other. */
const LANES = 8
/** At noon (UTC) something new is shown to so many viewers of each edge at the same moment, each with a connection of its own. */
const PREMIERE = { at: DAY_S / 2, viewers: 100 }
const START = Date.UTC(2026, 0, 5)
/** Of each edge; a regional has twice as much, a shield eight times. */
const MEMORY = '4MiB'
const TIMES: Partial<Record<Role, number>> = { edge: 1, regional: 2, shield: 8 }

interface Member {
  readonly name: string
  readonly role: Role
  readonly address: string
  readonly process: ChildProcess
}

export async function benchOffload(options: BenchOptions): Promise<void> {
  const { machine, day } = circumstancesOf(options)
  const temporary = temporaryFolder()
  const begun = systemClock.elapsed()
  let now = START
  const origin = await startOffloadOrigin(ORIGIN_ADDRESS, PORT, () => now, thingOf)
  const members: Member[] = []
  const seen: Seen = { answers: 0, collapsed: new Map() }
  try {
    members.push(...(await startMembers(temporary.path)))
    const edges = await Promise.all(Object.entries(EDGES).map(async ([name, [at, region, share]]) => {
      const { address } = members.find((member) => member.name === name)!
      return { address, region, share, hour: at[1] / 15, lanes: await openLanes(address, LANES, seen) }
    }))
    const draw = makeDay(options.rate === undefined ? REQUESTS : options.rate * DAY_S)
    for (let second = 0; second < DAY_S; second += STEP_S) {
      now = START + second * 1000
      await Promise.all(members.map((member) => tell(member, { kind: 'time', now })))
      await Promise.all(edges.flatMap((edge) => askAll(edge.lanes, draw(edge, second))))
      if (second === PREMIERE.at) await premiere(edges, seen)
      if ((second + STEP_S) % 7200 === 0) say(`${(second + STEP_S) / 3600} h: ${seen.answers} requests, ${origin.asked} reached the origin, ${Math.round((systemClock.elapsed() - begun) / 1000)} s`)
    }
    for (const { lanes } of edges) for (const lane of lanes) lane.close()
    const counted = await Promise.all(members.map(async (member) => ({ ...member, counters: await countersOf(member), collapsed: seen.collapsed.get(member.name) ?? 0 })))
    report(counted, origin, seen.answers, options, { machine, day, seconds: (systemClock.elapsed() - begun) / 1000 })
  } finally {
    for (const member of members) if (member.process.connected) member.process.disconnect()
    origin.close()
    temporary.remove()
  }
}

async function startMembers(folder: string): Promise<Member[]> {
  const config = configOf()
  const all = ([['edge', config.edges], ['regional', config.regionals], ['shield', config.shields]] as const).flatMap(([role, list]) => Object.entries(list).map(([name, { address }]) => ({ name, role, address: address[0]! })))
  return Promise.all(all.map(async ({ name, role, address }) => {
    const own = { ...config, cache: { ...config.cache, memory: config.cache.memory * TIMES[role]! } }
    const setup: Setup = { role, name, config: own, ports: { dns: 1, http: PORT, admin: 1 }, stateFolder: folder, zonesFolder: folder, zonesLabel: '', tierSecret: '0'.repeat(64), readable: true }
    const member = { name, role, address, process: track(fork(fileURLToPath(new URL('offload-member.js', import.meta.url)))) }
    await tell(member, { kind: 'start', setup, now: START })
    return member
  }))
}

/** Tells a member something, and waits for its answer. */
function tell({ name, process }: Member, message: ToMember): Promise<FromMember> {
  return new Promise((resolve, reject) => {
    const gone = (code: number | null, signal: string | null): void => reject(new Error(`${name} ended: ${code ?? signal}`))
    process.once('exit', gone).once('message', (answer: FromMember) => {
      process.off('exit', gone)
      if (answer.kind === 'failed') reject(new Error(`${name}: ${answer.reason}`))
      else resolve(answer)
    })
    process.send(message)
  })
}

async function countersOf(member: Member): Promise<Counters> {
  const told = await tell(member, { kind: 'tell' })
  if (told.kind !== 'told') throw new Error(`${member.name} tells nothing`)
  return told.counters
}

const openLanes = (address: string, count: number, seen: Seen): Promise<Lane[]> => Promise.all(Array.from({ length: count }, () => Lane.open(address, PORT, HOST, seen)))

/** Deals targets out to connections. */
const askAll = (lanes: readonly Lane[], targets: readonly string[]): Promise<void>[] => lanes.map((lane, number) => lane.ask(targets.filter((_, at) => at % lanes.length === number)))

async function premiere(edges: readonly { readonly address: string }[], seen: Seen): Promise<void> {
  const viewers = (await Promise.all(edges.map(({ address }) => openLanes(address, PREMIERE.viewers, seen)))).flat()
  await Promise.all(viewers.map((lane) => lane.ask(['/premiere'])))
  for (const lane of viewers) lane.close()
}

/** Draws what is asked for at an edge within a step. @param requests of the whole day and all edges */
function makeDay(requests: number): (edge: { readonly region: keyof typeof SHIFT; readonly share: number; readonly hour: number }, second: number) => string[] {
  const random: Random = makeRandom(2)
  const rank = zipf(OBJECTS, ZIPF)
  const total = Object.values(EDGES).reduce((sum, [, , share]) => sum + share, 0)
  return ({ region, share, hour }, second) => {
    const mean = ((requests * STEP_S) / DAY_S) * (share / total) * dayCurve(second / 3600 + hour)
    return Array.from({ length: wholeOf(mean, random.below(1 << 30) / (1 << 30)) }, () => `/${ownRank(rank(), region, random.percent(LOCAL))}`)
  }
}

/** More by day than by night, and most at nine in the evening. @returns about 1 on average */
const dayCurve = (hour: number): number => 1 + 0.7 * Math.cos(((hour - 21) / 24) * 2 * Math.PI)
/** A whole number that is on average what is asked for. */
const wholeOf = (mean: number, chance: number): number => Math.floor(mean) + (chance < mean % 1 ? 1 : 0)
const SHIFT = { apac: 0, emea: 1, amer: 2 }
const ownRank = (rank: number, region: keyof typeof SHIFT, isLocal: boolean): number => (isLocal ? (rank * 7919 + (SHIFT[region] + 1) * 1009) % OBJECTS : rank)

/** From 256 octets to 8 KiB, by its number. */
const thingOf = (target: string): { readonly size: number; readonly ttl: number } => {
  const object = Number(target.slice(1))
  return Number.isNaN(object) ? { size: 4096, ttl: DAY_S } : { size: 256 << (Math.imul(object, 2_654_435_761) >>> 29) % 6, ttl: ttlOf(object) }
}

function configOf() {
  const edges = Object.entries(EDGES).map(([name, [at, region]], number) => [name, { address: `127.30.0.${number + 1}`, city: name, at, parent: [`${region}-1`, `${region}-2`] }] as const)
  return configSchema.parse({
    edges: Object.fromEntries(edges),
    regionals: Object.fromEntries(REGIONALS.map((name, number) => [name, { address: `127.30.1.${number + 1}` }])),
    shields: Object.fromEntries(SHIELDS.map((name, number) => [name, { address: `127.30.2.${number + 1}` }])),
    log: 'error',
    latency: { measure: false },
    http: { 'clients-per-address': 4096, idle: '1h' },
    cache: { memory: MEMORY },
    // They go by real time, which is another one here.
    tiers: { 'hedge-share': 0 },
    origins: { main: { url: `http://${ORIGIN_ADDRESS}:${PORT}` } },
    distributions: { d1: { shield: 'tokyo', 'fallback-shield': 'ashburn', behaviours: [{ path: '/*', origin: 'main' }] } }
  })
}

type Counted = Member & { readonly counters: Counters; readonly collapsed: number }

function report(members: readonly Counted[], origin: OffloadOrigin, viewers: number, options: BenchOptions, { machine, day, seconds }: { machine: string; day: string; seconds: number }): void {
  const tiers = (['edge', 'regional', 'shield'] as const).map((role) => {
    const own = members.filter((member) => member.role === role)
    const sum = (of: (member: Counted) => number): number => own.reduce((all, member) => all + of(member), 0)
    return { role, requests: sum(({ counters }) => counters.requests), hits: sum(({ counters }) => counters.hits), collapsed: sum(({ collapsed }) => collapsed), fetches: sum(({ counters }) => counters.fetches) }
  })
  const percent = (part: number, whole: number): string => (whole === 0 ? '-' : `${((100 * part) / whole).toFixed(2)} %`)
  const rows = [
    ['tier', 'requests', 'hits', 'hit ratio', 'collapsed', 'fetches sent up', 'of viewer requests'],
    ...tiers.map(({ role, requests, hits, collapsed, fetches }) => [role, requests, hits, percent(hits, requests), collapsed, fetches, percent(fetches, viewers)].map(String)),
    ['origin', origin.asked, '', '', '', `${origin.unchanged} of them 304`, percent(origin.asked, viewers)].map(String)
  ]
  const offload = 100 * (1 - origin.asked / viewers)
  say(`\n${table(rows)}\n\noffload ${offload.toFixed(2)} %: ${viewers} requests of viewers, ${origin.asked} of the origin; ${Math.round(seconds)} s`)
  if (!isWhole(options) || options.rate !== undefined) return
  const bars = tiers.map(({ role, fetches }) => ({ label: `past the ${role}s`, value: (100 * fetches) / viewers })).map(({ label, value }) => ({ label, kind: 'ours' as const, value, low: value, high: value, text: `${value.toFixed(2)} %` }))
  writeResult('offload.svg', drawChart({ title: 'What is left for the tier above', subtitle: 'Requests that are sent on, as a share of those of viewers; a day, compressed; less is better', panels: [{ title: 'A day of Zipf traffic', subtitle: `${viewers.toLocaleString('en')} requests, ${Object.keys(EDGES).length} edges, ${REGIONALS.length} regionals, ${SHIELDS.length} shields`, bars }] }))
  writeResult('offload.md', `# Offload of the whole\n\nPlayed on ${machine}, ${day}, in ${Math.round(seconds)} s. Written by \`npm run bench -- offload\`.\n\n![What is left for the tier above](offload.svg)\n\n**${offload.toFixed(2)} %** of ${viewers.toLocaleString('en')} requests never reached the origin (aimed at: 99 %).\n\n${markdownTable(rows)}\n\n${ABOUT}\n`)
}

const ABOUT = `Collapsed are requests that found a fetch of the same under way and shared it, as Cache-Status tells of them. Each of the ${Object.keys(EDGES).length + REGIONALS.length + SHIELDS.length} caches is a process as in a fleet, and they are asked and ask each other over sockets. The day goes by in steps of ${STEP_S} s: what is asked for within one is asked for at once, over ${LANES} connections to each edge; when all has been answered, every process is told that it is ${STEP_S} s later. So freshness and age are those of the day, whatever the machine takes for it; time-outs go by real time, hedges are off.

The day: ${Object.keys(EDGES).length} edges by their places and shares of viewers, most of whom are awake at nine in the evening; ${OBJECTS.toLocaleString('en')} objects by Zipf's law (exponent ${ZIPF}), of which ${LOCAL} in 100 requests want what only their region likes; 256 octets to 8 KiB each, and ${MEMORY} of memory in each edge, twice that in a regional and eight times in the shield, so that the shield alone holds them all; of 200 objects one is fresh for 5 minutes, 18 for an hour and the others for a day; all caches are empty at first. At noon something new is shown to ${PREMIERE.viewers} viewers of each edge at the same moment.`
