import { fork, type ChildProcess } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openClients, type Clients, type Heard } from './burst-client.ts'
import type { Asked } from './burst-origin.ts'
import { compile, noCompiler } from './compile.ts'
import { burstFloor, HOST, type HttpPeer } from './http-peers/index.ts'
import { peersFor, withServers, type Standing } from './http-servers.ts'
import type { BenchOptions } from './options.ts'
import { familyOf, findProgram, median, pin, table, temporaryFolder, track, watchCpu } from './processes.ts'
import { circumstancesOf, isWhole, markdownTable, say, writeResult } from './results.ts'

// A cold burst: a thousand clients ask for one object that nobody holds. How often the origin is asked, and when each client has the
// first octet after the origin has sent it; then clients that come late, and twenty who ask for what cannot be shared.

export const CLIENTS = 1000
const ORIGIN_PORT = 14699
/** How long the origin takes: until then all have asked. */
const ORIGIN_MS = 400
/** Between the first octet of the body and the last: who comes late comes in between. */
const BODY_MS = 600
const LATE = 5
const UNCACHEABLE = 20
/** The server has one core for itself, clients and origin the other, where there are two. */
const [SERVER_CORE, OTHER_CORE] = [0, 1]

export interface Round {
  readonly fetches: number
  /** Milliseconds after the origin's first octet: the first octet of the answer, and that of its body. */
  readonly median: number
  readonly last: number
  readonly medianBody: number
  readonly lastBody: number
  /** Milliseconds after they asked, of those who come late: the middle one. */
  readonly late: number
  /** Times of the origin that it takes until all have been answered; NaN of one that knows of no such answers. */
  readonly uncacheable: number
  /** CPU microseconds of the server per client. */
  readonly cpu: number
}

/** By server. */
export type Bursts = Readonly<Record<string, readonly Round[]>>

/** Measures, prints, and writes results/burst.md. */
export async function benchBurst(options: BenchOptions): Promise<void> {
  const circumstances = circumstancesOf(options)
  const temporary = temporaryFolder()
  try {
    const bursts = await measureBursts(peersFor(options), options.rounds, temporary.path)
    const rows = burstRows(bursts)
    say(`\n${table(rows)}`)
    if (!isWhole(options)) return
    writeResult('burst.md', `# A cold burst\n\nMeasured on ${circumstances.machine}, ${circumstances.day}; ${circumstances.rounds} rounds, every server in turn in each. Written by \`npm run bench -- burst\`.\n\n${ABOUT_BURST}\n\n${markdownTable(rows)}\n`)
  } finally {
    temporary.remove()
  }
}

export const ABOUT_BURST = `${CLIENTS.toLocaleString('en')} clients ask for one object of 2 KiB that nobody holds, over connections that are open; the origin takes ${ORIGIN_MS} ms, sends the head and the first half, and ${BODY_MS} ms later the other. \`median\` and \`last\` are milliseconds from the origin's first octet to the first of the answer at the client in the middle and at the last one, \`body\` to the first octet of the body there; \`late\` is how long somebody waits for the first octet who asks while the second half is still to come; \`uncacheable\` is how many times as long as the origin it takes until ${UNCACHEABLE} who ask at once for what may not be stored have their answers, once it is known that it may not. Clients and floor are written in C; where there are two cores, the server has one and clients and origin the other. Medians of the rounds, the worst in brackets.`

/** @param folder which is there, or is made. @returns nothing where the clients cannot be compiled, which is said */
export async function measureBursts(peers: readonly HttpPeer[], rounds: number, folder: string): Promise<Bursts> {
  const reason = noCompiler()
  if (reason !== undefined) {
    say(`the burst is left out: ${reason}`)
    return {}
  }
  mkdirSync(folder, { recursive: true })
  const isPinned = availableParallelism() > 1 && findProgram('taskset') !== undefined
  const client = [...(isPinned ? ['taskset', '-c', String(OTHER_CORE)] : []), compile('burst-client', folder)]
  const origin = await startOrigin()
  if (isPinned) pin([origin.pid!], OTHER_CORE)
  const taken = new Map<string, Round[]>()
  try {
    await withServers([...peers, burstFloor], { folder: join(folder, 'servers'), origin: ORIGIN_PORT, tiers: 1 }, async (standing) => {
      if (isPinned) for (const { running } of standing) pin(running.pids.flatMap(familyOf), SERVER_CORE)
      // In the first ones everything is compiled, and connections and threads are made.
      for (let round = -1; round < rounds; round++) {
        for (const each of standing) {
          const measured = await measure(client, origin, each, `${round + 1}-${each.place.port}`)
          if (round >= 0) taken.set(each.peer.name, [...(taken.get(each.peer.name) ?? []), measured])
        }
      }
    })
  } finally {
    origin.disconnect()
  }
  return Object.fromEntries(taken)
}

async function startOrigin(): Promise<ChildProcess> {
  const child = track(fork(fileURLToPath(new URL('burst-origin.js', import.meta.url)), [ORIGIN_PORT, ORIGIN_MS, BODY_MS].map(String)))
  await new Promise((resolve) => child.once('message', resolve))
  return child
}

/** What the origin was asked since the last time. */
const askedOf = (origin: ChildProcess): Promise<Asked> =>
  new Promise((resolve) => {
    origin.once('message', resolve)
    origin.send('tell')
  })

/** One connection for each who asks. */
const LATE_ONES = CLIENTS
const TEACHER = LATE_ONES + LATE
const OTHERS = TEACHER + 1

async function measure(client: readonly string[], origin: ChildProcess, { peer, place: { port }, running }: Standing, name: string): Promise<Round> {
  const clients = await openClients(client, { host: HOST, port, count: OTHERS + UNCACHEABLE })
  try {
    await askedOf(origin)
    const used = watchCpu(running.pids.flatMap(familyOf))
    const heard = await clients.ask(0, CLIENTS, `/${name}`)
    const cpu = used() / CLIENTS
    const waits: number[] = []
    for (let each = 0; each < LATE; each++) waits.push((await clients.ask(LATE_ONES + each, 1, `/${name}`)).heads[0] ?? Infinity)
    const { requests, sentAt } = await askedOf(origin)
    await sleep(BODY_MS)
    if (heard.wrong > 0) throw new Error(`${peer.name}: ${heard.wrong} answers were wrong`)
    const after = (times: Heard['heads'], share: number): number => heard.from + part(times, share) - sentAt
    return {
      fetches: requests, median: after(heard.heads, 0.5), last: after(heard.heads, 1), medianBody: after(heard.bodies, 0.5), lastBody: after(heard.bodies, 1),
      late: median(waits), uncacheable: peer === burstFloor ? NaN : await measureUncacheable(clients, peer, name), cpu
    }
  } finally {
    await clients.close()
  }
}

async function measureUncacheable(clients: Clients, peer: HttpPeer, name: string): Promise<number> {
  // The first one teaches that it cannot be shared.
  await clients.ask(TEACHER, 1, `/private-${name}`)
  const { heads, wrong } = await clients.ask(OTHERS, UNCACHEABLE, `/private-${name}`)
  if (wrong > 0) throw new Error(`${peer.name}: ${wrong} uncacheable answers were wrong`)
  return part(heads, 1) / ORIGIN_MS
}

const part = (times: Heard['heads'], share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Infinity

/** The table of it. */
export function burstRows(bursts: Bursts): string[][] {
  const figure = (taken: readonly Round[], what: keyof Round, digits = 1): string => {
    const values = taken.map((round) => round[what])
    if (values.some(Number.isNaN)) return '–'
    return `${median(values).toFixed(digits)} (${Math.max(...values).toFixed(digits)})`
  }
  const rows = Object.entries(bursts).map(([name, taken]) => [
    name, figure(taken, 'fetches', 0), figure(taken, 'median'), figure(taken, 'last'), figure(taken, 'medianBody'), figure(taken, 'lastBody'), figure(taken, 'late'), figure(taken, 'uncacheable', 2), figure(taken, 'cpu')
  ])
  return [['server', 'fetches', 'median', 'last', 'median, body', 'last, body', 'late', 'uncacheable', 'µs CPU a client'], ...rows]
}
