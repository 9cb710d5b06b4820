import { configSchema } from '../core/config.ts'
import { evictionPolicies, ghostsFor, type EvictionName } from '../edge/store/index.ts'
import { drawChart, type Panel } from './chart.ts'
import type { BenchOptions } from './options.ts'
import { table } from './processes.ts'
import { circumstancesOf, isWhole, markdownTable, say, writeResult } from './results.ts'
import { readTraces, type Trace } from './trace-files.ts'
import { madeTraces } from './trace-made.ts'
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
  const cells = [...given, ...madeTraces()].flatMap(cellsOf)
  const preset = configSchema.parse({}).cache.eviction
  const asObjects = rowsOf(cells, preset, 'objects')
  const asOctets = rowsOf(cells.filter(({ trace }) => trace.sizes !== undefined), preset, 'octets')
  say(`\nmissed requests, %\n${table(asObjects)}\n\nmissed octets, %\n${table(asOctets)}`)
  const verdict = [`The default, \`${preset}\`,`, reached(cells, preset, 'objects', 'requests'), 'and', reached(cells.filter(({ trace }) => trace.sizes !== undefined), preset, 'octets', 'octets')].join(' ')
  say(`\n${verdict}.`)
  if (!isWhole(options) || given.length === 0) return
  writeResult('traces.svg', drawChart({ title: 'Requests missed by each order of eviction', subtitle: `A cache that holds ${IN_CHART * 100} % of all there is; shorter is better.`, panels: cells.filter(({ share }) => share === IN_CHART).map((cell) => panelOf(cell, preset)) }))
  writeResult(
    'traces.md',
    `# Orders of eviction over traces

Measured ${circumstances.day}; the figures do not depend on the machine. Written by \`npm run bench -- traces --traces FOLDER\`, where FOLDER holds the traces of the [Caffeine simulator](https://github.com/ben-manes/caffeine) of these names; what is missing is left out. ${BELADY} knows the future.

![Requests missed](traces.svg)

${verdict}. The last three traces are a check: they were made after the default had been settled, and are not what it was settled by.

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
    // What has left is remembered as in a store of this capacity; where all are alike, as in one of objects of 1 KiB.
    const sizes = { slots: trace.objects + 1, ghosts: trace.sizes === undefined ? capacity : ghostsFor(capacity) }
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

/** In how many cells a policy is near enough to the best. */
function reached(cells: readonly Cell[], preset: EvictionName, by: keyof Misses, what: string): string {
  const near = cells.filter((cell) => ratioOf(cell, preset, by) <= WITHIN)
  return `misses at most 7 % more ${what} than the best order in ${near.length} of ${cells.length} cells`
}

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
