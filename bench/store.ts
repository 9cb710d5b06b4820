import { fork } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { DiskFigures } from './disk-process.ts'
import type { BenchOptions } from './options.ts'
import { median, table, temporaryFolder } from './processes.ts'
import { circumstancesOf, isWhole, markdownTable, say, writeResult } from './results.ts'
import type { StoreFigures } from './store-process.ts'

// What keeping a response costs, in a process of its own: memory beside the bodies and heads, and the CPU time to put and to get; and
// what the index of the disk takes, in memory and to be there after a start.

const OBJECTS = 1_000_000
const SIZES = [100, 1024]
/** A head and a body of 100 octets, as they lie on disk. */
const RECORD = 400
/** Octets of overhead in memory for an object of 100; octets of the disk's index for one; seconds until it is there. */
const LIMITS = { overhead: 400, index: 64, seconds: 5 }

/** Measures, prints, and writes results/store.md. */
export async function benchStore(options: BenchOptions): Promise<void> {
  const circumstances = circumstancesOf(options)
  const memory = await measureMemory()
  const disk = await measureDisk(Math.min(3, options.rounds))
  say(`${table(memory)}\n\n${table(disk)}`)
  if (!isWhole(options)) return
  const about = `Measured on ${circumstances.machine}, ${circumstances.day}. Written by \`npm run bench -- store\`.`
  const inMemory = 'Overhead is the growth of resident memory less bodies and field lines, for each object; "counted" is what the store itself says, by which it keeps its limit. Times are of CPU.'
  const onDisk = `Records of ${RECORD} octets, files in the page cache. Resident memory has grown by so much for each object once all are there; the median of the rounds, the worst in brackets.`
  writeResult('store.md', `${['# The store: what keeping a response costs', about, '## In memory', inMemory, markdownTable(memory), '## On disk', onDisk, markdownTable(disk)].join('\n\n')}\n`)
}

async function measureMemory(): Promise<string[][]> {
  const rows: string[][] = [['objects', 'body', 'growth of RSS', 'overhead an object', 'counted', 'put', 'get: ready', 'get: from the arena', '']]
  for (const size of SIZES) {
    const { held, rss, bodies, heads, counted, putNs, readyNs, wakeNs } = await measure<StoreFigures>('store-process.js', [OBJECTS, size])
    const overhead = (rss - bodies - heads) / held
    const verdict = size === 100 ? met(`≤ ${LIMITS.overhead} octets`, overhead <= LIMITS.overhead) : ''
    rows.push([held.toLocaleString('en'), `${size} octets`, `${Math.round(rss / 2 ** 20)} MiB`, `${Math.round(overhead)} octets`, `${Math.round((counted - bodies - heads) / held)} octets`, `${Math.round(putNs)} ns`, `${Math.round(readyNs)} ns`, `${Math.round(wakeNs)} ns`, verdict])
  }
  return rows
}

async function measureDisk(rounds: number): Promise<string[][]> {
  const temporary = temporaryFolder()
  const folder = join(temporary.path, 'disk')
  try {
    await measure('disk-process.js', ['fill', folder, OBJECTS, RECORD])
    const rows: string[][] = [['disk', 'objects', 'there after', 'CPU', 'growth of RSS an object', 'a read', '']]
    const open = async (how: string, prepare: () => void): Promise<void> => {
      const taken: DiskFigures[] = []
      for (let round = 0; round < rounds; round++) {
        prepare()
        taken.push(await measure<DiskFigures>('disk-process.js', ['open', folder, OBJECTS, RECORD]))
      }
      const of = (figure: (figures: DiskFigures) => number): readonly [median: number, worst: number] => [median(taken.map(figure)), Math.max(...taken.map(figure))]
      const [seconds, cpu, octets, read] = [of(({ openMs }) => openMs / 1e3), of(({ openCpuMs }) => openCpuMs / 1e3), of(({ rss, held }) => rss / held), of(({ readNs }) => readNs / 1e3)]
      const shown = ([middle, worst]: readonly [number, number], digits: number, unit: string): string => `${middle.toFixed(digits)} ${unit} (${worst.toFixed(digits)})`
      rows.push([how, taken[0]!.held.toLocaleString('en'), shown(seconds, 2, 's'), shown(cpu, 2, 's'), shown(octets, 1, 'octets'), shown(read, 0, 'µs'), met(`≤ ${LIMITS.index} octets, ${LIMITS.seconds} s`, octets[1] <= LIMITS.index && seconds[0] < LIMITS.seconds)])
    }
    await open('indexes loaded', () => undefined)
    await open('all read through', () => {
      for (const name of readdirSync(folder)) if (name.endsWith('.index')) rmSync(join(folder, name))
    })
    return rows
  } finally {
    temporary.remove()
  }
}

const met = (limit: string, isMet: boolean): string => `${limit}: ${isMet ? 'met' : 'not met'}`

/** @returns what the process says, or undefined where it ends without a word */
function measure<Figures>(file: string, words: readonly (string | number)[]): Promise<Figures> {
  return new Promise((resolve, reject) => {
    const process = fork(fileURLToPath(new URL(file, import.meta.url)), words.map(String), { execArgv: ['--expose-gc'] })
    let figures: unknown
    process.once('message', (said) => (figures = said))
    process.once('error', reject)
    process.once('exit', (code) => (code === 0 ? resolve(figures as Figures) : reject(new Error(`the process that measures ended with ${code}`))))
  })
}
