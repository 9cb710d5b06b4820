import { fork, type ChildProcess } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { askAll, monotonicMs, openMany, type Heard } from './burst-client.ts'
import type { Asked } from './burst-origin.ts'
import { HOST, type HttpPeer } from './http-peers/index.ts'
import { peersFor, withServers, type Standing } from './http-servers.ts'
import type { BenchOptions } from './options.ts'
import { familyOf, median, table, temporaryFolder, track, watchCpu } from './processes.ts'
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

export interface Round {
  readonly fetches: number
  /** Milliseconds after the origin's first octet: the first octet of the answer, and that of its body. */
  readonly median: number
  readonly last: number
  readonly medianBody: number
  readonly lastBody: number
  /** Milliseconds after they asked, of those who come late: the middle one. */
  readonly late: number
  /** Times of the origin that it takes until all have been answered. */
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

export const ABOUT_BURST = `${CLIENTS.toLocaleString('en')} clients ask for one object of 2 KiB that nobody holds, over connections that are open; the origin takes ${ORIGIN_MS} ms, sends the head and the first half, and ${BODY_MS} ms later the other. \`median\` and \`last\` are milliseconds from the origin's first octet to the first of the answer at the client in the middle and at the last one, \`body\` to the first octet of the body there; \`late\` is how long somebody waits for the first octet who asks while the second half is still to come; \`uncacheable\` is how many times as long as the origin it takes until ${UNCACHEABLE} who ask at once for what may not be stored have their answers, once it is known that it may not. Medians of the rounds, the worst in brackets.`

/** @param folder which is there, or is made */
export async function measureBursts(peers: readonly HttpPeer[], rounds: number, folder: string): Promise<Bursts> {
  mkdirSync(folder, { recursive: true })
  const origin = await startOrigin()
  const taken = new Map<string, Round[]>()
  try {
    await withServers(peers, { folder: `${folder}/servers`, origin: ORIGIN_PORT, tiers: 1 }, async (standing) => {
      // In the first ones everything is compiled, and connections and threads are made.
      for (let round = -1; round < rounds; round++) {
        for (const each of standing) {
          const measured = await measure(origin, each, `${round + 1}-${each.place.port}`)
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

async function measure(origin: ChildProcess, { peer, place: { port }, running }: Standing, name: string): Promise<Round> {
  const clients = await openMany(port, CLIENTS)
  const late = await openMany(port, LATE)
  const teacher = await openMany(port, 1)
  const others = await openMany(port, UNCACHEABLE)
  try {
    await askedOf(origin)
    const used = watchCpu(running.pids.flatMap(familyOf))
    const heard = await askAll(clients, HOST, `/${name}`)
    const cpu = used() / CLIENTS
    const waits: number[] = []
    for (const each of late) {
      const from = monotonicMs()
      const { heads } = await askAll([each], HOST, `/${name}`)
      waits.push((heads[0] ?? Infinity) - from)
    }
    const { requests, sentAt } = await askedOf(origin)
    await sleep(BODY_MS)
    // The first one teaches that it cannot be shared.
    await askAll(teacher, HOST, `/private-${name}`)
    const from = monotonicMs()
    const uncacheable = await askAll(others, HOST, `/private-${name}`)
    const wrong = heard.wrong + uncacheable.wrong
    if (wrong > 0) throw new Error(`${peer.name}: ${wrong} answers were wrong`)
    return {
      fetches: requests, median: part(heard.heads, 0.5) - sentAt, last: part(heard.heads, 1) - sentAt, medianBody: part(heard.bodies, 0.5) - sentAt, lastBody: part(heard.bodies, 1) - sentAt,
      late: median(waits), uncacheable: (part(uncacheable.heads, 1) - from) / ORIGIN_MS, cpu
    }
  } finally {
    for (const { socket } of [...clients, ...late, ...teacher, ...others]) socket.destroy()
  }
}

const part = (times: Heard['heads'], share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Infinity

/** The table of it. */
export function burstRows(bursts: Bursts): string[][] {
  const figure = (taken: readonly Round[], what: keyof Round, digits = 1): string => {
    const values = taken.map((round) => round[what])
    return `${median(values).toFixed(digits)} (${Math.max(...values).toFixed(digits)})`
  }
  const rows = Object.entries(bursts).map(([name, taken]) => [
    name, figure(taken, 'fetches', 0), figure(taken, 'median'), figure(taken, 'last'), figure(taken, 'medianBody'), figure(taken, 'lastBody'), figure(taken, 'late'), figure(taken, 'uncacheable', 2), figure(taken, 'cpu')
  ])
  return [['server', 'fetches', 'median', 'last', 'median, body', 'last, body', 'late', 'uncacheable', 'µs CPU a client'], ...rows]
}
