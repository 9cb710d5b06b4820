import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../core/clock.ts'
import { ownTls } from '../core/own-tls.ts'
import { askAll, openMany, type Heard } from './burst-client.ts'
import type { BenchOptions } from './main.ts'
import { startNginx, startOurs, startVarnish, type Peer } from './edge.ts'
import { findProgram, median, table, temporaryFolder } from './processes.ts'
import { circumstancesOf, isWhole, markdownTable, say, writeResult } from './results.ts'

// A cold burst: a thousand clients ask for one object that nobody holds. How often the origin is asked, and when each client has the
// first octet after the origin has sent it; then a client that comes late, and twenty who ask for what cannot be shared.

const CLIENTS = 1000
const FIRST_PORT = 14700
const HOST = 'bench.nearcast.test'
/** How long the origin takes: until then all have asked. */
const ORIGIN_MS = 400
/** Between the first octet of the body and the last: who comes late comes in between. */
const BODY_MS = 600
const UNCACHEABLE = 20

interface Round {
  readonly fetches: number
  readonly median: number
  readonly last: number
  readonly late: number
  /** Times of the origin that it takes until all have been answered. */
  readonly uncacheable: number
}

interface Origin {
  readonly server: Server
  asked: number
  /** When it sent the first octet of its last answer. */
  sentAt: number
}

/** Measures, prints, and writes results/burst.md. */
export async function benchBurst(options: BenchOptions): Promise<void> {
  const circumstances = circumstancesOf(options)
  const temporary = temporaryFolder()
  const origin = await startOrigin(FIRST_PORT)
  const peers: Peer[] = []
  const isWanted = (name: string): boolean => options.only.length === 0 || options.only.includes(name)
  const [nginx, varnish] = [findProgram('nginx'), findProgram('varnishd')]
  const rounds = new Map<string, Round[]>()
  try {
    peers.push(await startOurs(FIRST_PORT + 1, temporary.path))
    if (nginx !== undefined && isWanted('nginx')) peers.push(startNginx(nginx, FIRST_PORT + 2, join(temporary.path, 'nginx'), ownTls(temporary.path)))
    if (varnish !== undefined && isWanted('varnish')) peers.push(startVarnish(varnish, FIRST_PORT + 3, join(temporary.path, 'varnish')))
    await sleep(2000)
    for (let round = 0; round <= options.rounds; round++) {
      for (const peer of peers) {
        const measured = await measure(origin, peer, `${round}-${peer.name}`)
        // In the first one everything is compiled and connections are made.
        if (round > 0) rounds.set(peer.name, [...(rounds.get(peer.name) ?? []), measured])
      }
    }
  } finally {
    for (const peer of peers) await peer.end()
    origin.server.close()
    origin.server.closeAllConnections()
    temporary.remove()
  }
  const rows = rowsOf(rounds)
  say(`\n${table(rows)}`)
  if (isWhole(options)) writeResult('burst.md', `# A cold burst\n\nMeasured on ${circumstances.machine}, ${circumstances.day}; ${circumstances.rounds} rounds, every server in turn in each. Written by \`npm run bench -- burst\`.\n\n${CLIENTS} clients ask for one object of 2 KiB that nobody holds, over connections that are open; the origin takes ${ORIGIN_MS} ms, sends the first half and ${BODY_MS} ms later the other. Milliseconds from the origin's first octet to the first octet of the body at the client: medians of the rounds, the worst in brackets.\n\n${markdownTable(rows)}\n`)
}

async function startOrigin(port: number): Promise<Origin> {
  const state = { asked: 0, sentAt: 0 }
  const half = Buffer.alloc(1024, 'x')
  const server = createServer((request, response) => {
    state.asked++
    const isPrivate = request.url!.startsWith('/private')
    setTimeout(() => {
      response.writeHead(200, { 'Content-Length': 2 * half.length, 'Cache-Control': isPrivate ? 'no-store' : 'max-age=3600' })
      response.write(half)
      state.sentAt = systemClock.elapsed()
      setTimeout(() => response.end(half), isPrivate ? 0 : BODY_MS)
    }, ORIGIN_MS)
  })
  await new Promise<void>((resolve) => server.listen({ port, host: '127.0.0.1', backlog: 1024 }, resolve))
  return Object.assign(state, { server })
}

async function measure(origin: Origin, { port }: Peer, name: string): Promise<Round> {
  const sockets = await openMany(port, CLIENTS)
  const late = await openMany(port, 1)
  const others = await openMany(port, UNCACHEABLE)
  try {
    origin.asked = 0
    const heard = await askAll(sockets, HOST, `/${name}`, 'x')
    const fetches = origin.asked
    const { sentAt } = origin
    await sleep(50)
    const cameAt = systemClock.elapsed()
    const [lateAt = Infinity] = (await askAll(late, HOST, `/${name}`, 'x')).firsts
    // The first one teaches that it cannot be shared.
    await askAll(await openMany(port, 1), HOST, `/private-${name}`, 'x')
    const from = systemClock.elapsed()
    const uncacheable = await askAll(others, HOST, `/private-${name}`, 'x')
    if (heard.wrong + uncacheable.wrong > 0) throw new Error(`${name}: ${heard.wrong + uncacheable.wrong} answers were wrong`)
    return { fetches, median: afterOrigin(heard, 0.5, sentAt), last: afterOrigin(heard, 1, sentAt), late: lateAt - cameAt, uncacheable: (uncacheable.firsts.at(-1)! - from) / ORIGIN_MS }
  } finally {
    for (const socket of [...sockets, ...late, ...others]) socket.destroy()
  }
}

const afterOrigin = ({ firsts }: Heard, part: number, sentAt: number): number => firsts[Math.min(firsts.length - 1, Math.floor(firsts.length * part))]! - sentAt

function rowsOf(rounds: ReadonlyMap<string, readonly Round[]>): string[][] {
  const figure = (taken: readonly Round[], what: keyof Round, digits = 1): string => {
    const values = taken.map((round) => round[what])
    return `${median(values).toFixed(digits)} (${Math.max(...values).toFixed(digits)})`
  }
  return [['server', 'fetches', 'median client', 'last client', 'late joiner', `${UNCACHEABLE} uncacheable, × the origin's time`], ...[...rounds].map(([name, taken]) => [name, figure(taken, 'fetches', 0), figure(taken, 'median'), figure(taken, 'last'), figure(taken, 'late'), figure(taken, 'uncacheable', 2)])]
}
