import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadFromDnsperf, openSender, type Load, type Sender } from './dns-load.ts'
import { cases, type CaseName } from './dns-questions.ts'
import { printDns, writeDns } from './dns-report.ts'
import type { CaseResult, DnsResult, Row } from './dns-result.ts'
import type { BenchOptions } from './options.ts'
import { peers, type Data, type Peer, type Running } from './peers/index.ts'
import { placesDatabase } from './peers/places.ts'
import { BENCH_ZONE, writeMillionZone } from './peers/zones.ts'
import { freePort, temporaryFolder, watchCpu } from './processes.ts'
import { circumstancesOf, isWhole, readResult, say, writeResult } from './results.ts'
import { messageOf } from '../core/trouble.ts'
import { suggestion } from '../core/suggest.ts'

// CPU per query at an offered load, and the largest load without loss. In each round every server has its turn with the same
// questions, so that whatever else the machine does falls on all of them alike.

const FIRST_PORT = 14500
const PORTS = 10
/** Queries a second over UDP, where the machine can offer them beside a server. */
const RATE = 100_000
/** Of what the first server answers at most: above it the sender would be late, and what is measured is the machine. */
const SHARE_OF_MOST = 0.6
/** Before the first measurement of a server: compilers, caches. */
const WARM_SECONDS = 1
/** Rounds in which dnsperf is asked too. */
const CROSS_CHECKS = 3
/** How long the largest load is looked for, as a share of a round. */
const MOST_SHARE = 0.5

/** Servers that are up together and measured against each other. */
export interface Stage {
  readonly data: Data
  readonly workers: number
  readonly cases: readonly CaseName[]
}

const STAGES: readonly Stage[] = [
  { data: 'bench', workers: 1, cases: ['static', 'nxdomain', 'tcp-one', 'tcp-many'] },
  { data: 'routed', workers: 1, cases: ['steered'] },
  { data: 'million', workers: 1, cases: ['million'] },
  { data: 'bench', workers: 2, cases: ['static'] },
  { data: 'routed', workers: 2, cases: ['steered'] }
]

interface Contender {
  readonly peer: Peer
  readonly workers: number
  readonly running: Running
  readonly port: number
}

interface Bench {
  readonly options: BenchOptions
  readonly folder: string
  readonly files: { readonly million: string; readonly places: string }
  /** Found with the first server that is measured. */
  rate: number | undefined
}

/** Measures, prints, and writes results/dns.*; only what `only` names where it names cases or servers. */
export async function benchDns(options: BenchOptions): Promise<void> {
  const circumstances = circumstancesOf(options)
  const results = await runStages(options, STAGES)
  const result: DnsResult = { circumstances, cases: results.toSorted((a, b) => placeOf(a) - placeOf(b)) }
  printDns(result)
  if (!isWhole(options)) return
  writeResult(FIGURES, `${JSON.stringify(result)}\n`)
  writeDns(result)
}

/** Measures stage by stage what `only` and `threads` leave of them. */
export async function runStages(options: BenchOptions, stages: readonly Stage[]): Promise<CaseResult[]> {
  const parts = [...Object.keys(cases), ...peers.map(({ name }) => name)]
  for (const part of options.only) if (!parts.includes(part)) throw new Error(`--only ${part}: there is no such case or server; ${suggestion(part, parts) ?? `there are ${parts.join(', ')}`}`)
  const temporary = temporaryFolder()
  const folder = temporary.path
  const bench: Bench = { options, folder, files: { million: join(folder, 'million.zone'), places: join(folder, 'places.mmdb') }, rate: options.rate }
  const results: CaseResult[] = []
  try {
    writeFileSync(bench.files.places, placesDatabase())
    for (const stage of stages) {
      const wanted = stage.cases.filter((name) => isWanted(options, Object.keys(cases), name))
      if (wanted.length === 0 || (options.threads !== undefined && options.threads !== stage.workers)) continue
      if (stage.data === 'million') writeMillionZone(bench.files.million)
      results.push(...(await runStage(bench, { ...stage, cases: wanted })))
    }
  } finally {
    temporary.remove()
  }
  return results
}

const FIGURES = 'dns.json'

/** Results stand in the order of the cases, those with more workers behind. */
const placeOf = ({ name, workers }: CaseResult): number => workers * 100 + Object.keys(cases).indexOf(name)

/** Writes the tables and charts again from the figures that are there. */
export function drawDns(): void {
  const result = readResult<DnsResult>(FIGURES)
  if (result !== undefined) writeDns(result)
}

/** Nothing of a kind is named: all of it; else what is named. */
function isWanted({ only }: BenchOptions, all: readonly string[], name: string): boolean {
  return only.every((part) => !all.includes(part)) || only.includes(name)
}

async function runStage(bench: Bench, stage: Stage): Promise<CaseResult[]> {
  const contenders: Contender[] = []
  try {
    for (const peer of peers) {
      if (!peer.serves.includes(stage.data) || !isWanted(bench.options, peers.map(({ name }) => name), peer.name)) continue
      const contender = await enter(bench, stage, peer, FIRST_PORT + contenders.length * PORTS)
      if (contender !== undefined) contenders.push(contender)
    }
    const results: CaseResult[] = []
    for (const name of stage.cases) results.push(await measure(bench, stage, name, contenders))
    return results
  } finally {
    await Promise.all(contenders.map(({ running }) => running.stop()))
  }
}

async function enter({ folder, files }: Bench, { data, workers }: Stage, peer: Peer, from: number): Promise<Contender | undefined> {
  const missing = peer.missing()
  if (missing !== undefined) {
    say(`${peer.name}: left out, ${missing}`)
    return undefined
  }
  const own = join(folder, `${peer.name.replaceAll(' ', '-')}-${data}-${workers}`)
  mkdirSync(own)
  try {
    const port = await freePort(from, PORTS * 12)
    return { peer, workers, running: await peer.start({ folder: own, port, workers, data, files }), port }
  } catch (error) {
    say(`${peer.name}: left out, ${messageOf(error)}`)
    return undefined
  }
}

async function measure(bench: Bench, { workers }: Stage, name: CaseName, contenders: readonly Contender[]): Promise<CaseResult> {
  const { connections, share } = cases[name]
  const { rounds, seconds } = bench.options
  const taking = contenders.filter(({ peer }) => peer.transports.includes(connections === undefined ? 'udp' : 'tcp'))
  const sender = await openSender(name)
  const rows = new Map<Contender, Row>()
  try {
    for (const contender of taking) if (await warm(sender, contender, name)) rows.set(contender, emptyRow(contender.peer))
    bench.rate ??= await findRate(sender, taking[0]!)
    const rate = Math.round(bench.rate * share)
    for (let round = 1; round <= rounds; round++) {
      for (const [contender, row] of rows) await sample(sender, contender, row, { rate, seconds })
      if (name === 'static' && workers === 1 && round <= CROSS_CHECKS) for (const [contender, row] of rows) await crossCheck(bench, contender, row, rate)
      say(`${name}${workers > 1 ? `, ${workers} workers` : ''}, round ${round} of ${rounds}: ${[...rows.values()].map(({ server, cpu }) => `${server} ${cpu.at(-1)!.toFixed(2)}`).join(', ')}`)
    }
    return { name, about: cases[name].about, workers, rate, rows: [...rows.values()] }
  } finally {
    await sender.close()
  }
}

const emptyRow = ({ name, about }: Peer): Row => ({ server: name, about: about(), cpu: [], answeredPerSecond: [], waited: { median: [], p99: [] }, most: [], mostLost: [], busy: [], dnsperf: [], senderCpu: [], sent: 0, lost: 0, wrong: 0 })

/** Lets a server warm up. False, and a line, when it answers wrongly or not at all. */
async function warm(sender: Sender, { peer, port, workers }: Contender, name: CaseName): Promise<boolean> {
  const check = peer.check ?? 'right'
  try {
    const { sent, answered, wrong } = await sender.run({ port, workers, seconds: WARM_SECONDS, check })
    if (answered > 0 && wrong === 0) return true
    say(`${peer.name}: left out of ${name}: ${answered} of ${sent} queries answered, ${wrong} of them wrongly`)
  } catch (error) {
    say(`${peer.name}: left out of ${name}: ${messageOf(error)}`)
  }
  return false
}

/** What the machine can offer, in steps of 10,000 a second. */
async function findRate(sender: Sender, { peer, port, workers }: Contender): Promise<number> {
  const { answered, seconds } = await sender.run({ port, workers, seconds: 1, check: peer.check ?? 'right' })
  const rate = Math.min(RATE, Math.max(10_000, Math.floor(((answered / seconds) * SHARE_OF_MOST) / 10_000) * 10_000))
  say(`${peer.name} answers ${Math.round(answered / seconds)} queries a second at most: ${rate} are offered`)
  return rate
}

async function sample(sender: Sender, { running, port, peer, workers }: Contender, row: Row, { rate, seconds }: { rate: number; seconds: number }): Promise<void> {
  const check = peer.check ?? 'right'
  const offered = await watched(running, () => sender.run({ port, workers, seconds, rate, check }))
  row.cpu.push(offered.used / Math.max(1, offered.load.answered))
  row.answeredPerSecond.push(offered.load.answered / offered.load.seconds)
  row.waited?.median.push(offered.load.median)
  row.waited?.p99.push(offered.load.p99)
  row.sent += offered.load.sent
  row.lost += offered.load.lost
  row.wrong += offered.load.wrong
  const most = await watched(running, () => sender.run({ port, workers, seconds: seconds * MOST_SHARE, check }))
  row.most.push(most.load.answered / most.load.seconds)
  row.senderCpu.push(most.load.senderCpu)
  row.mostLost.push(most.load.lost)
  row.busy.push(most.used / 1e6 / most.load.seconds / workers)
  row.wrong += most.load.wrong
}

/** A load, and the CPU microseconds that a server used under it. */
async function watched<Result>(running: Running, run: () => Promise<Result>): Promise<{ load: Result; used: number }> {
  const used = watchCpu(running.pids())
  const load = await run()
  // What is under way when the load ends.
  await sleep(20)
  return { load, used: used() }
}

/** The same question from dnsperf: whether another sender sees the same. */
async function crossCheck({ folder, options }: Bench, { running, port }: Contender, row: Row, rate: number): Promise<void> {
  const file = join(folder, 'dnsperf.questions')
  writeFileSync(file, `www.${BENCH_ZONE} A\n`)
  // It takes whole seconds.
  const { load, used } = await watched<Pick<Load, 'sent' | 'answered'> | undefined>(running, () => loadFromDnsperf({ port, file, seconds: Math.max(1, Math.round(options.seconds * MOST_SHARE)), rate }))
  if (load !== undefined) row.dnsperf.push(used / Math.max(1, load.answered))
}
