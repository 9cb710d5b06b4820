import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { drawChart, type Bar } from './chart.ts'
import type { BenchOptions } from './options.ts'
import { peers, startNearcast, type Running, type StartOptions } from './peers/index.ts'
import { benchZone, BENCH_ZONE, writeMillionZone } from './peers/zones.ts'
import { cpuMicroseconds, freePort, median, residentOctets, table, temporaryFolder } from './processes.ts'
import { circumstancesOf, isWhole, markdownTable, say, writeResult, type Circumstances } from './results.ts'
import { systemClock } from '../core/clock.ts'
import { messageOf } from '../core/trouble.ts'

// How long a server takes from its start to the first answer, with one zone of a million records or with many small ones, and
// what it then holds in memory. The servers start one after the other, in turn within each round.

const FIRST_PORT = 14600
const ZONES = 100_000
/** Starting takes long, and varies less than answering. */
const MOST_ROUNDS = 3
/** After the first answer: what was only for reading is given back. */
const SETTLE_MS = 1500

interface Sample {
  readonly seconds: number
  readonly cpuSeconds: number
  /** Proportional set size of all processes, in octets. */
  readonly resident: number
}

interface Row {
  readonly what: string
  readonly server: string
  readonly samples: Sample[]
}

/** Measures, prints, and writes results/load.*. */
export async function benchLoad(asked: BenchOptions): Promise<void> {
  const options = { ...asked, rounds: Math.min(asked.rounds, MOST_ROUNDS) }
  const temporary = temporaryFolder()
  const circumstances = circumstancesOf(options)
  const rows: Row[] = []
  try {
    const million = join(temporary.path, 'million.zone')
    writeMillionZone(million)
    const isWanted = (name: string): boolean => options.only.length === 0 || options.only.includes(name)
    for (const peer of peers.filter(({ name, serves }) => serves.includes('million') && name !== 'C floor' && isWanted(name))) {
      if (peer.missing() !== undefined) say(`${peer.name}: left out, ${peer.missing()}`)
      else rows.push({ what: MILLION_RECORDS, server: peer.name, samples: [] })
    }
    for (let round = 1; round <= options.rounds; round++) {
      for (const { server, samples } of rows) {
        const peer = peers.find(({ name }) => name === server)!
        const folder = join(temporary.path, `${server}-${round}`)
        mkdirSync(folder)
        await measure(samples, server, { folder, data: 'million', files: { million, places: '' } }, peer.start)
      }
      say(`${MILLION_RECORDS}, round ${round} of ${options.rounds}: ${rows.map(({ server, samples }) => `${server} ${samples.at(-1)?.seconds.toFixed(2) ?? '-'} s`).join(', ')}`)
    }
    if (isWanted('nearcast')) rows.push(await manyZones(temporary.path))
  } finally {
    temporary.remove()
  }
  const measured = rows.filter(({ samples }) => samples.length > 0)
  say(`\n${table(linesOf(measured))}`)
  if (isWhole(options)) write(measured, circumstances)
}

const MILLION_RECORDS = 'a zone of 1,000,000 records'

async function manyZones(root: string): Promise<Row> {
  const folder = join(root, 'many')
  mkdirSync(join(folder, 'zones'), { recursive: true })
  const records = Array.from({ length: 8 }, (_, index) => `h${index} A 192.0.2.${index}\n`).join('')
  for (let zone = 0; zone < ZONES; zone++) writeFileSync(join(folder, 'zones', `z${zone}.test.zone`), `$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 604800 60\n@ NS ns1.${BENCH_ZONE}.\n${records}`)
  writeFileSync(join(folder, 'zones', `${BENCH_ZONE}.zone`), benchZone())
  const row: Row = { what: `${ZONES.toLocaleString('en')} zones of 10 records`, server: 'nearcast', samples: [] }
  await measure(row.samples, 'nearcast', { folder, data: 'bench', files: { million: '', places: '' } }, (options) => startNearcast(options, []))
  return row
}

async function measure(samples: Sample[], server: string, rest: Omit<StartOptions, 'port' | 'workers'>, start: (options: StartOptions) => Promise<Running>): Promise<void> {
  const port = await freePort(FIRST_PORT, 10)
  const from = systemClock.elapsed()
  try {
    const running = await start({ ...rest, port, workers: 1 })
    const seconds = (systemClock.elapsed() - from) / 1000
    const cpuSeconds = cpuMicroseconds(running.pids()) / 1e6
    await sleep(SETTLE_MS)
    samples.push({ seconds, cpuSeconds, resident: residentOctets(running.pids()) })
    await running.stop()
  } catch (error) {
    say(`${server}: ${messageOf(error)}`)
  }
}

const mebibytes = (octets: number): string => (octets / 2 ** 20).toFixed(0)
const of = (samples: readonly Sample[], what: keyof Sample): number[] => samples.map((sample) => sample[what])
const range = (values: readonly number[]): string => `${Math.min(...values).toFixed(2)} – ${Math.max(...values).toFixed(2)}`

function linesOf(rows: readonly Row[]): string[][] {
  const nsd = rows.find(({ server }) => server === 'nsd')?.samples
  const ratio = (samples: readonly Sample[], what: keyof Sample): string => (nsd === undefined || nsd.length === 0 ? '' : (median(of(samples, what)) / median(of(nsd, what))).toFixed(2))
  return [
    ['what', 'server', 's to the first answer', 'range', '× NSD', 's CPU by then', 'MiB held', '× NSD'],
    ...rows.map(({ what, server, samples }) => [
      what, server, median(of(samples, 'seconds')).toFixed(2), range(of(samples, 'seconds')), what === MILLION_RECORDS ? ratio(samples, 'seconds') : '', median(of(samples, 'cpuSeconds')).toFixed(2),
      mebibytes(median(of(samples, 'resident'))), what === MILLION_RECORDS ? ratio(samples, 'resident') : ''
    ])
  ]
}

/** What is aimed at: the time of NSD and a half, less memory than NSD, and the small zones in 15 s. */
function judge(rows: readonly Row[]): string[][] {
  const samplesOf = (server: string, what = MILLION_RECORDS): Sample[] | undefined => rows.find((row) => row.server === server && row.what === what)?.samples
  const [ours, nsd, many] = [samplesOf('nearcast'), samplesOf('nsd'), rows.find(({ what }) => what !== MILLION_RECORDS)?.samples]
  const line = (what: string, value: number, limit: number, unit: string): string[] => [what, `≤ ${limit} ${unit}`, `${value.toFixed(2)} ${unit}`, value <= limit ? 'met' : 'not met']
  return [
    ['target', 'limit', 'measured', ''],
    ...(ours === undefined || nsd === undefined ? [] : [
      line('1,000,000 records: time to the first answer', median(of(ours, 'seconds')) / median(of(nsd, 'seconds')), 1.5, '× NSD'),
      line('1,000,000 records: memory held', median(of(ours, 'resident')) / median(of(nsd, 'resident')), 1, '× NSD')
    ]),
    ...(many === undefined ? [] : [line('100,000 zones: time to the first answer', median(of(many, 'seconds')), 15, 's')])
  ]
}

function write(rows: readonly Row[], { machine, day, rounds }: Circumstances): void {
  const million = rows.filter(({ what }) => what === MILLION_RECORDS)
  const bars = (what: keyof Sample, text: (value: number) => string): Bar[] =>
    million.map(({ server, samples }) => {
      const values = of(samples, what)
      return { label: server, kind: server === 'nearcast' ? 'ours' : 'peer', value: median(values), low: Math.min(...values), high: Math.max(...values), text: text(median(values)) }
    })
  const panels = [
    { title: 'Start to first answer', subtitle: `${MILLION_RECORDS}; seconds`, bars: bars('seconds', (value) => value.toFixed(2)) },
    { title: 'Memory held', subtitle: `${MILLION_RECORDS}; MiB, shared pages counted once`, bars: bars('resident', mebibytes) }
  ]
  writeResult('load.svg', drawChart({ title: 'Loading a large zone', subtitle: 'Medians with the range of the rounds; less is better', panels }))
  const head = `# Loading\n\nMeasured on ${machine}, ${day}; ${rounds} rounds, one server after the other in each. How and why: [docs/benchmarks.md](../../docs/benchmarks.md). Written by \`npm run bench -- load\`.`
  writeResult('load.md', `${[head, '![Loading a large zone](load.svg)', markdownTable(judge(rows)), markdownTable(linesOf(rows))].join('\n\n')}\n`)
}
