import { join } from 'node:path'
import { measureCase, startOrigin } from './edge.ts'
import { rowsOf, titleOf, type Measured } from './edge-report.ts'
import { WORKER_CASES } from './http-cases.ts'
import type { HttpPeer } from './http-peers/index.ts'
import { FIRST_PORT, peersFor, withServers } from './http-servers.ts'
import type { BenchOptions } from './options.ts'
import { findProgram, median, table, temporaryFolder } from './processes.ts'
import { circumstancesOf, isWhole, markdownTable, say, writeResult } from './results.ts'

// What more workers bring: the same load for an edge of one, of two and of four, beside nginx with as many as there are cores here.
// Whoever asks is on the same machine and wants a core too: requests a second grow with the workers only where there are cores left
// for them, so what a request costs stands beside it. What costs more with two workers than with one is the price of being one cache.

/** How many workers each has. */
const WORKERS: Readonly<Record<string, readonly number[]>> = { nearcast: [1, 2, 4], nginx: [1, 2] }

/** Measures, prints, and writes results/workers.md. */
export async function benchWorkers(options: BenchOptions): Promise<void> {
  if (findProgram('wrk') === undefined) throw new Error('wrk is not installed')
  const circumstances = circumstancesOf(options)
  const temporary = temporaryFolder()
  const peers = peersFor(options).flatMap(withWorkers)
  const origin = await startOrigin(FIRST_PORT)
  const results: Measured[] = []
  try {
    await withServers(peers, { folder: join(temporary.path, 'servers'), origin: FIRST_PORT, tiers: 1 }, async (standing) => {
      for (const each of WORKER_CASES) results.push(await measureCase(standing, each, origin, options, temporary.path))
    })
  } finally {
    origin.server.close()
    origin.server.closeAllConnections()
    temporary.remove()
  }
  for (const measured of results) say(`\n${titleOf(measured)}\n${table(rowsWith(measured))}`)
  if (!isWhole(options)) return
  const text = [
    '# Several workers',
    `Measured on ${circumstances.machine}, ${circumstances.day}; ${circumstances.rounds} rounds, every server in turn in each. wrk is on the same machine and pinned to no core. Written by \`npm run bench -- workers\`.`,
    '`beside one` is how many times as many requests a second are answered, and `µs beside one` how many times as much CPU each takes, as with one worker of the same server in the same run.',
    ...results.flatMap((measured) => [`## ${titleOf(measured)}`, markdownTable(rowsWith(measured))])
  ]
  writeResult('workers.md', `${text.join('\n\n')}\n`)
}

const withWorkers = (peer: HttpPeer): HttpPeer[] =>
  (WORKERS[peer.name] ?? []).map((workers) => ({ ...peer, name: nameOf(peer.name, workers), start: (place) => peer.start({ ...place, workers }) }))

const nameOf = (name: string, workers: number): string => `${name} ${workers}`

/** The rows of the report, with what each worker more has brought. */
function rowsWith(measured: Measured): string[][] {
  const [head, ...rows] = rowsOf(measured)
  const of = (name: string, what: 'perSecond' | 'cpu'): number => median((measured.samples[name] ?? []).map((sample) => sample[what]))
  const beside = (name: string, what: 'perSecond' | 'cpu'): string => (of(name, what) / of(nameOf(name.split(' ')[0]!, 1), what)).toFixed(2)
  return [[...head!, 'beside one', 'µs beside one'], ...rows.map((row) => [...row, beside(row[0]!, 'perSecond'), beside(row[0]!, 'cpu')])]
}
