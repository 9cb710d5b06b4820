import { configSchema } from '../core/config.ts'
import { evictionPolicies, type EvictionName } from '../edge/store/index.ts'
import { drawChart, type Panel } from './chart.ts'
import type { BenchOptions } from './options.ts'
import { table } from './processes.ts'
import { circumstancesOf, isWhole, markdownTable, say, writeResult } from './results.ts'
import { number, readTraces, type Trace } from './trace-files.ts'
import { belady, replay, type Misses } from './trace-replay.ts'

// Which of what is asked for an order of eviction would not have had: every order over public traces and over made ones, in caches of
// several sizes, beside LRU and beside what nobody can beat without knowing the future.

/** Shares of all objects, or of the octets of all objects, that the cache holds. */
const SHARES = [0.01, 0.05, 0.1]
const IN_CHART = 0.05
const BELADY = 'belady'
/** The default may miss this much more than the best. */
const WITHIN = 1.07

interface Cell {
  readonly trace: Trace
  readonly share: number
  readonly misses: ReadonlyMap<string, Misses>
}

export async function benchTraces(options: BenchOptions): Promise<void> {
  const circumstances = circumstancesOf(options)
  const given = options.traces === undefined ? [] : readTraces(options.traces, say)
  if (options.traces === undefined) say('no public traces: --traces FOLDER says where they are; the made ones alone')
  const cells = [...given, zipf('zipf', 'Zipf 0.9, three of ten asked for once', false), zipf('zipf-sized', 'likewise, of 0.2 KiB to 3 MiB', true)].flatMap(cellsOf)
  const preset = configSchema.parse({}).cache.eviction
  const asObjects = rowsOf(cells, preset, 'objects')
  const asOctets = rowsOf(cells.filter(({ trace }) => trace.sizes !== undefined), preset, 'octets')
  say(`\nmissed requests, %\n${table(asObjects)}\n\nmissed octets, %\n${table(asOctets)}`)
  const missed = cells.filter((cell) => ratioOf(cell, preset, 'objects') > WITHIN)
  say(`\n${preset} misses at most 7 % more requests than the best in ${cells.length - missed.length} of ${cells.length}`)
  if (!isWhole(options) || given.length === 0) return
  writeResult('traces.svg', drawChart({ title: 'Requests missed by each order of eviction', subtitle: `A cache that holds ${IN_CHART * 100} % of all there is; shorter is better.`, panels: cells.filter(({ share }) => share === IN_CHART).map((cell) => panelOf(cell, preset)) }))
  writeResult(
    'traces.md',
    `# Orders of eviction over traces

Measured ${circumstances.day}; the figures do not depend on the machine. Written by \`npm run bench -- traces --traces FOLDER\`, where FOLDER holds the traces of the [Caffeine simulator](https://github.com/ben-manes/caffeine) of these names; what is missing is left out. ${BELADY} knows the future.

![Requests missed](traces.svg)

The default, \`${preset}\`, misses at most 7 % more requests than the best order in ${cells.length - missed.length} of ${cells.length} cells.

## Requests missed, in percent

${markdownTable(asObjects)}

## Octets missed, in percent

${markdownTable(asOctets)}
`
  )
}

function cellsOf(trace: Trace): Cell[] {
  const total = trace.sizes === undefined ? trace.objects : trace.sizes.reduce((sum, size) => sum + size, 0)
  return SHARES.map((share) => {
    const capacity = Math.max(1, Math.floor(total * share))
    const sizes = { slots: trace.objects + 1, ghosts: trace.objects }
    const misses = new Map<string, Misses>()
    for (const [name, policy] of Object.entries(evictionPolicies)) misses.set(name, replay(trace, capacity, policy.make(sizes)))
    misses.set(BELADY, replay(trace, capacity, belady(trace)))
    say(`${trace.name} ${share * 100} %: ${[...misses].map(([name, { objects }]) => `${name} ${percent(objects)}`).join(', ')}`)
    return { trace, share, misses }
  })
}

const percent = (share: number): string => (share * 100).toFixed(1)

function bestOf({ misses }: Cell, by: keyof Misses): [name: string, missed: number] {
  const known = [...misses].filter(([name]) => name !== BELADY)
  return known.map(([name, missed]): [string, number] => [name, missed[by]]).reduce((best, each) => (each[1] < best[1] ? each : best))
}

const ratioOf = (cell: Cell, preset: EvictionName, by: keyof Misses): number => cell.misses.get(preset)![by] / bestOf(cell, by)[1]

function rowsOf(cells: readonly Cell[], preset: EvictionName, by: keyof Misses): string[][] {
  const names = [...Object.keys(evictionPolicies), BELADY]
  const rows = cells.map((cell) => [
    `${cell.trace.name}: ${cell.trace.about}`, cell.trace.requests.length.toLocaleString('en'), cell.trace.objects.toLocaleString('en'), `${cell.share * 100} %`,
    ...names.map((name) => percent(cell.misses.get(name)![by])), bestOf(cell, by)[0], ratioOf(cell, preset, by).toFixed(2)
  ])
  return [['trace', 'requests', 'objects', 'held', ...names, 'best', `${preset} / best`], ...rows]
}

function panelOf(cell: Cell, preset: EvictionName): Panel {
  const bars = [...cell.misses].map(([name, { objects }]) => ({ label: name, kind: name === preset ? ('ours' as const) : name === BELADY ? ('floor' as const) : ('peer' as const), value: objects, low: objects, high: objects, text: percent(objects) }))
  return { title: cell.trace.name, subtitle: `${cell.trace.about}; ${cell.trace.requests.length.toLocaleString('en')} requests`, bars }
}

const ZIPF = { objects: 100_000, requests: 1_500_000, exponent: 0.9, once: 0.3 }

/** Requests by Zipf's law, some of them for what is never asked for again. The same at each run. */
function zipf(name: string, about: string, isSized: boolean): Trace {
  const random = randomFrom(20_261_121)
  const sums = new Float64Array(ZIPF.objects)
  let sum = 0
  for (let at = 0; at < ZIPF.objects; at++) sums[at] = sum += 1 / (at + 1) ** ZIPF.exponent
  const rank = (): number => {
    const wanted = random() * sum
    let [low, high] = [0, ZIPF.objects - 1]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (sums[middle]! < wanted) low = middle + 1
      else high = middle
    }
    return low
  }
  const sizes = new Map<number, number>()
  // A logarithmic normal law around 12 KiB.
  const size = (): number => Math.round(Math.min(3 * 2 ** 20, Math.max(200, 12_000 * Math.exp(1.6 * (random() + random() + random() + random() - 2) * Math.sqrt(3)))))
  const asked = function* (): Generator<readonly [number, number?]> {
    for (let at = 0; at < ZIPF.requests; at++) {
      const key = random() < ZIPF.once ? -at - 1 : rank()
      if (isSized && !sizes.has(key)) sizes.set(key, size())
      yield isSized ? [key, sizes.get(key)!] : [key]
    }
  }
  return number(name, about, asked())
}

/** Mulberry32: numbers from 0 to 1. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
