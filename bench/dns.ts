import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadFromDnsperf, loadFromSender, type Load } from './dns-load.ts'
import { serverKinds, STEERED_NAMES, ZONE, type Case, type Running, type ServerKind } from './dns-servers.ts'
import type { BenchOptions } from './main.ts'
import { cpuMicroseconds, findProgram, median, table } from './processes.ts'

// CPU per query over UDP. Every server answers the same questions at the same offered rate with one UDP thread, turn by turn
// within each round, so that whatever else the machine does falls on all of them alike.

const RATE = 60_000
const PORT = 11900
const QUESTIONS = 20_000
/** Warm-up before the first measurement of a server: compilers, caches. */
const WARM_SECONDS = 2

const abouts: Readonly<Record<Case, string>> = {
  static: `A of one name without options, from ${findProgram('dnsperf') === undefined ? 'our sender' : 'dnsperf'}`,
  steered: `A of ${STEERED_NAMES} names by place, with EDNS and a random client subnet each, from our sender`,
  nxdomain: `A of ${QUESTIONS} names that do not exist, from ${findProgram('dnsperf') === undefined ? 'our sender' : 'dnsperf'}`
}

interface Contender {
  readonly kind: ServerKind
  readonly running: Running
  readonly port: number
  /** CPU microseconds per answered query, a measurement per round. */
  readonly costs: Map<Case, number[]>
  /** Share of the queries that got no answer; the worst round. */
  readonly lost: Map<Case, number>
}

export async function benchDns(options: BenchOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'nearcast-bench-'))
  const cases = (Object.keys(abouts) as Case[]).filter((name) => options.only.length === 0 || !options.only.some((part) => part in abouts) || options.only.includes(name))
  const contenders: Contender[] = []
  try {
    for (const [index, kind] of serverKinds.entries()) {
      if (options.only.some((part) => serverKinds.some(({ name }) => name === part)) && !options.only.includes(kind.name)) continue
      const contender = await enter(kind, join(folder, kind.name.replace(' ', '-')), PORT + index * 10)
      if (contender !== undefined) contenders.push(contender)
    }
    const rate = options.rate ?? RATE
    say(`${options.rounds} ${options.rounds === 1 ? 'round' : 'rounds'} of ${options.seconds} s at ${rate} queries a second, ${availableParallelism()} cores; CPU is user and system time of every process and thread of the server\n`)
    for (const name of cases) await measure(name, contenders, folder, options, rate)
  } finally {
    await Promise.all(contenders.map(({ running }) => running.stop()))
    rmSync(folder, { recursive: true, force: true })
  }
}

const say = (text: string): void => void process.stdout.write(`${text}\n`)

async function enter(kind: ServerKind, folder: string, port: number): Promise<Contender | undefined> {
  const missing = kind.missing()
  if (missing !== undefined) {
    say(`${kind.name}: left out, ${missing}`)
    return undefined
  }
  try {
    return { kind, running: await kind.start(folder, port), port, costs: new Map(), lost: new Map() }
  } catch (error) {
    say(`${kind.name}: left out, ${error instanceof Error ? error.message : String(error)}`)
    return undefined
  }
}

async function measure(name: Case, contenders: readonly Contender[], folder: string, options: BenchOptions, rate: number): Promise<void> {
  const load = makeLoad(name, folder, rate)
  const taking = contenders.filter(({ kind }) => kind.cases.includes(name))
  for (const { port, kind } of taking) {
    const { answered, right } = await load(port, WARM_SECONDS)
    if (kind.name !== 'C floor' && right < answered * 0.999) throw new Error(`${kind.name}: only ${right} of ${answered} answers are what was asked for (${name})`)
  }
  for (let round = 0; round < options.rounds; round++) {
    for (const contender of taking) {
      const { running, port, costs, lost } = contender
      const before = cpuMicroseconds(running.pids())
      const { sent, answered } = await load(port, options.seconds)
      // What is under way when the load ends.
      await sleep(100)
      const used = cpuMicroseconds(running.pids()) - before
      costs.set(name, [...(costs.get(name) ?? []), used / Math.max(1, answered)])
      lost.set(name, Math.max(lost.get(name) ?? 0, 1 - answered / Math.max(1, sent)))
    }
  }
  say(`${name}: ${abouts[name]}\n${report(name, taking)}\n`)
}

function report(name: Case, contenders: readonly Contender[]): string {
  const cost = ({ costs }: Contender): number => median(costs.get(name)!)
  const floor = contenders.find(({ kind }) => kind.name === 'C floor')
  const peers = contenders.filter(({ kind }) => kind.name !== 'C floor' && kind.name !== 'nearcast')
  const best = peers.length === 0 ? undefined : Math.min(...peers.map(cost))
  const ratio = (value: number, to: number | undefined): string => (to === undefined ? '-' : (value / to).toFixed(2))
  const rows = contenders.map((contender) => {
    const all = contender.costs.get(name)!
    const value = cost(contender)
    return [
      contender.kind.name,
      value.toFixed(2),
      `${Math.min(...all).toFixed(2)}-${Math.max(...all).toFixed(2)}`,
      ratio(value, floor === undefined ? undefined : cost(floor)),
      ratio(value, best),
      `${(contender.lost.get(name)! * 100).toFixed(2)} %`
    ]
  })
  return table([['server', 'µs CPU', 'range', 'x floor', 'x best peer', 'lost'], ...rows])
}

/** What offers the questions of a case to a port for some seconds. */
function makeLoad(name: Case, folder: string, rate: number): (port: number, seconds: number) => Promise<Load> {
  const names = questions(name)
  const rcode = name === 'nxdomain' ? 'NXDOMAIN' : 'NOERROR'
  if (name !== 'steered' && findProgram('dnsperf') !== undefined) {
    const file = join(folder, `${name}.questions`)
    writeFileSync(file, names.map((question) => `${question} A\n`).join(''))
    return (port, seconds) => loadFromDnsperf({ port, file, seconds, rate, rcode })
  }
  const packets = names.map((question, id) => packet(question, id & 0xffff, name === 'steered'))
  return (port, seconds) => loadFromSender({ port, seconds, rate, rcode, packets })
}

function questions(name: Case): string[] {
  if (name === 'static') return [`www.${ZONE}`]
  const random = makeRandom(7)
  return Array.from({ length: QUESTIONS }, () => (name === 'steered' ? `r${random() % STEERED_NAMES}.${ZONE}` : `${random().toString(36)}.${ZONE}`))
}

/** The same numbers in every run: xorshift. */
function makeRandom(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

const subnet = makeRandom(99)

/** A query for A in hexadecimal; with a random IPv4 client subnet of 24 bits where asked for (RFC 7871). */
function packet(question: string, id: number, withSubnet: boolean): string {
  const head = Buffer.from([id >> 8, id & 255, 0, 0, 0, 1, 0, 0, 0, 0, 0, withSubnet ? 1 : 0])
  const name = Buffer.concat(question.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)])))
  const parts = [head, name, Buffer.from([0, 0, 1, 0, 1])]
  if (withSubnet) {
    const random = subnet()
    parts.push(Buffer.from([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 11, 0, 8, 0, 7, 0, 1, 24, 0, 1 + (random % 223), (random >>> 8) & 255, (random >>> 16) & 255]))
  }
  return Buffer.concat(parts).toString('hex')
}
