import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { measureBursts } from './burst.ts'
import { printEdge, writeEdge, type Measured } from './edge-report.ts'
import { measureDecisions } from './hit-decision.ts'
import { CASES, type Case, type Drawn, type Repeated } from './http-cases.ts'
import { askDrawn, askRepeatedly, clientFor, type Sample } from './http-load.ts'
import { FIRST_PORT, peersFor, statusOf, withServers, type Standing } from './http-servers.ts'
import type { BenchOptions } from './options.ts'
import { findProgram, temporaryFolder } from './processes.ts'
import { circumstancesOf, isWhole, say } from './results.ts'

// What a request costs: CPU microseconds (user and system, all threads) per request, ours beside nginx, Varnish and Traffic Server
// where they are installed, with the same objects, clients and machine, a round of each in turn.

/** What is fetched from, and how often it was asked. */
export interface Origin {
  readonly server: Server
  asked: number
}

/** Measures, prints, and writes results/edge.*. */
export async function benchEdge(options: BenchOptions): Promise<void> {
  if (findProgram('wrk') === undefined) throw new Error('wrk is not installed')
  const circumstances = circumstancesOf(options)
  const temporary = temporaryFolder()
  const peers = peersFor(options)
  const cases = CASES.filter((asked) => (findProgram(clientFor(asked)) === undefined ? say(`${asked.title}: left out, ${clientFor(asked)} is not installed`) : true))
  const origin = await startOrigin(FIRST_PORT)
  const results: Measured[] = []
  try {
    for (const tiers of [1, 2] as const) {
      const asked = cases.filter((each) => (each.kind === 'drawn' ? each.tiers : 1) === tiers)
      await withServers(peers, { folder: join(temporary.path, String(tiers)), origin: FIRST_PORT, tiers }, async (standing) => {
        for (const each of asked) results.push(await measureCase(standing, each, origin, options, temporary.path))
      })
    }
    const bursts = await measureBursts(peers, options.rounds, join(temporary.path, 'burst'))
    const decisions = await measureDecisions()
    const result = { circumstances, versions: peers.filter(({ ours }) => ours !== true).map((peer) => `${peer.name} ${peer.version()}`), cases: results, bursts, decisions }
    printEdge(result)
    if (isWhole(options)) writeEdge(result)
  } finally {
    origin.server.close()
    origin.server.closeAllConnections()
    temporary.remove()
  }
}

/** Octets by the first number of the path. */
export async function startOrigin(port: number): Promise<Origin> {
  const bodies = new Map<number, Buffer>()
  const origin = {
    asked: 0,
    server: createServer((asked, response) => {
      origin.asked++
      const size = Number(asked.url!.split('/')[1])
      const body = bodies.get(size) ?? Buffer.alloc(size, 'x')
      bodies.set(size, body)
      response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': size, 'Cache-Control': 'max-age=3600', ETag: `"${size}"` }).end(body)
    })
  }
  origin.server.keepAliveTimeout = 600_000
  await new Promise<void>((resolve) => origin.server.listen({ port, host: '127.0.0.1', backlog: 1024 }, resolve))
  return origin
}

/** Has each server asked for the same, a round of each in turn. */
export async function measureCase(standing: readonly Standing[], asked: Case, origin: Origin, options: BenchOptions, folder: string): Promise<Measured> {
  const able = standing.filter(({ peer }) => asked.over === 'HTTP/1.1' || peer.lacks?.includes(asked.over) !== true)
  const samples = asked.kind === 'repeated' ? await measureRepeated(able, asked, options, folder) : await measureDrawn(able, asked, origin, options.rounds, folder)
  say(`${asked.title}: ${[...samples].map(([name, taken]) => `${name} ${taken.map(({ cpu }) => cpu.toFixed(1)).join(' ')}`).join(', ')}`)
  return { asked, samples: Object.fromEntries(samples), without: standing.filter((each) => !able.includes(each)).map(({ peer }) => peer.name) }
}

async function measureRepeated(standing: readonly Standing[], asked: Repeated, { rounds, seconds }: BenchOptions, folder: string): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>()
  // They take whole seconds.
  const take = ({ running, place }: Standing, span: number): Promise<Sample> => askRepeatedly(running, place.port, asked, Math.max(1, Math.round(span)), folder)
  for (const each of standing) {
    // Until it comes from the cache; and compilers warm up first.
    for (let asking = 0; asking < 3; asking++) await statusOf(each.place.port, `/${asked.size}`)
    await take(each, 1)
  }
  for (let round = 0; round < rounds; round++) for (const each of standing) add(samples, each, await take(each, seconds))
  return samples
}

/** All are asked for the same, in the same order. */
async function measureDrawn(standing: readonly Standing[], asked: Drawn, origin: Origin, rounds: number, folder: string): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>()
  const draws = standing.map(() => asked.draws())
  const missed = (): number => {
    const count = origin.asked
    origin.asked = 0
    return count
  }
  for (let round = 0; round <= rounds; round++) {
    for (const [at, each] of standing.entries()) {
      const sample = await askDrawn(each.running, each.place.port, asked, draws[at]!, round === 0 ? asked.before : asked.each, folder, missed)
      if (round > 0) add(samples, each, sample)
    }
  }
  return samples
}

function add(samples: Map<string, Sample[]>, { peer }: Standing, sample: Sample): void {
  samples.set(peer.name, [...(samples.get(peer.name) ?? []), sample])
}
