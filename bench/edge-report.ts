import { ABOUT_BURST, burstRows, type Bursts, type Round } from './burst.ts'
import { drawChart, type Panel } from './chart.ts'
import type { Decisions } from './hit-decision.ts'
import { STREAMS, type Case } from './http-cases.ts'
import type { Sample } from './http-load.ts'
import { median, table } from './processes.ts'
import { markdownTable, say, writeResult, type Circumstances } from './results.ts'

/** What was measured of one kind of request, by server, ours first. */
export interface Measured {
  readonly asked: Case
  readonly samples: Readonly<Record<string, readonly Sample[]>>
  /** Servers that do not speak what is asked. */
  readonly without: readonly string[]
}

export interface EdgeResult {
  readonly circumstances: Circumstances
  /** Of the others. */
  readonly versions: readonly string[]
  readonly cases: readonly Measured[]
  readonly bursts: Bursts
  readonly decisions: Decisions
}

const OURS = 'nearcast'
const AGAINST = 'nginx'

/** What is aimed at, beside nginx in the same run. */
const CPU_LIMITS: Readonly<Record<string, number>> = { '1 KiB': 0.8, '100 KiB': 1, '10 MiB': 1, '1 KiB over TLS 1.3': 1 }
const WAIT_LIMITS = ['1 KiB, 6,000 a second']

export const titleOf = ({ asked }: Measured): string => `${asked.title}, ${asked.clients} connections${asked.over === 'HTTP/2' ? ` of ${STREAMS} streams` : ''}`
const costOf = (samples: readonly Sample[]): number => median(samples.map(({ cpu }) => cpu))
const range = (values: readonly number[], digits: number): string => `${Math.min(...values).toFixed(digits)} – ${Math.max(...values).toFixed(digits)}`
const microseconds = (value: number): string => (value < 1000 ? `${value.toFixed(0)} µs` : `${(value / 1000).toFixed(value < 10_000 ? 2 : 1)} ms`)

/** A row for each server, ours first. */
export function rowsOf({ samples, without }: Measured): string[][] {
  const all = Object.entries(samples)
  const ours = costOf(all[0]![1])
  const isMissing = all[0]![1][0]!.missed !== undefined
  const rows = all.map(([name, taken]) => {
    const of = (what: (sample: Sample) => number): number => median(taken.map(what))
    const cells = [name, of(({ cpu }) => cpu).toFixed(2), range(taken.map(({ cpu }) => cpu), 2), (ours / costOf(taken)).toFixed(2), of(({ perSecond }) => perSecond).toFixed(0), microseconds(of((sample) => sample.median)), microseconds(of(({ p99 }) => p99))]
    return isMissing ? [...cells, `${(100 * of(({ missed = 0 }) => missed)).toFixed(1)} %`] : cells
  })
  const head = ['server', 'µs CPU', 'range', 'ours / theirs', 'requests/s', 'p50', 'p99', ...(isMissing ? ['reached the origin'] : [])]
  return [head, ...rows, ...without.map((name) => [name, 'does not speak it', ...head.slice(2).map(() => '')])]
}

/** What is aimed at, and what came of it. */
function targetRows({ cases, bursts, decisions }: EdgeResult): string[][] {
  const rows: string[][] = []
  const judge = (what: string, limit: string, figure: string, isMet: boolean): void => void rows.push([what, limit, figure, isMet ? 'met' : 'not met'])
  for (const { asked, samples } of cases) {
    const [ours, theirs] = [samples[OURS], samples[AGAINST]]
    if (ours === undefined || theirs === undefined) continue
    const limit = CPU_LIMITS[asked.title]
    const rounds = (of: (sample: Sample) => number): string => range(ours.map((sample, at) => of(sample) / of(theirs[at]!)), 2)
    if (limit !== undefined) {
      const ratio = costOf(ours) / costOf(theirs)
      judge(`CPU of ${asked.title}, beside ${AGAINST}`, `≤ ${limit.toFixed(2)} ×`, `${ratio.toFixed(2)} × (${rounds(({ cpu }) => cpu)})`, ratio <= limit)
    }
    if (WAIT_LIMITS.includes(asked.title)) {
      const ratio = median(ours.map(({ p99 }) => p99)) / median(theirs.map(({ p99 }) => p99))
      judge(`p99 of ${asked.title}, beside ${AGAINST}`, '≤ 1.00 ×', `${ratio.toFixed(2)} × (${rounds(({ p99 }) => p99)})`, ratio <= 1)
    }
  }
  const { [OURS]: own = [], varnish = [] } = bursts
  const middle = (taken: readonly Round[], what: keyof Round): number => median(taken.map((round) => round[what]))
  const worst = (what: keyof Round): number => Math.max(...own.map((round) => round[what]))
  if (own.length > 0) {
    judge('burst: fetches, in every round', '1', String(worst('fetches')), worst('fetches') === 1)
    for (const [title, what, limit] of [['burst: first octet at the median', 'median', 12], ['burst: first octet at the last client', 'last', 25], ['burst: first octet of one who comes late', 'late', 2]] as const) judge(title, `≤ ${limit} ms`, `${middle(own, what).toFixed(1)} ms`, middle(own, what) <= limit)
    judge('burst: 20 uncacheable at once', 'one time of the origin', `${middle(own, 'uncacheable').toFixed(2)} ×`, middle(own, 'uncacheable') <= 1.1)
  }
  if (own.length > 0 && varnish.length > 0) for (const what of ['median', 'last'] as const) judge(`burst: ${what}, beside varnish`, 'no later', `${middle(own, what).toFixed(1)} and ${middle(varnish, what).toFixed(1)} ms`, middle(own, what) <= middle(varnish, what))
  judge('decision over a hit, 99.9 %', '≤ 1 ms', microseconds(decisions.p999), decisions.p999 <= 1000)
  return [['what', 'limit', 'figure', ''], ...rows]
}

const decisionText = ({ objects, requests, median: half, p99, p999, most }: Decisions): string =>
  `From the octets of a request to the octets of its answer, without sockets: the head is read, the object found among ${objects.toLocaleString('en')}, judged and put together. ${requests.toLocaleString('en')} requests by Zipf 0.9: half within ${half.toFixed(1)} µs, 99 % within ${p99.toFixed(1)} µs, 99.9 % within ${p999.toFixed(1)} µs, the longest ${microseconds(most)}.`

/** Tables for the terminal. */
export function printEdge(result: EdgeResult): void {
  for (const measured of result.cases) say(`\n${titleOf(measured)}\n${table(rowsOf(measured))}`)
  say(`\nCold burst\n${table(burstRows(result.bursts))}\n\n${decisionText(result.decisions)}\n\n${table(targetRows(result))}`)
}

/** Writes results/edge.md with its chart and its figures. */
export function writeEdge(result: EdgeResult): void {
  const { circumstances, versions, cases, bursts, decisions } = result
  const panels = [...cases.map(costPanel), burstPanel(bursts)]
  writeResult('edge.svg', drawChart({ title: 'CPU per HTTP request, and a cold burst', subtitle: 'Microseconds, user and system, of all processes and threads of the server; medians with the range of the rounds; less is better', panels }))
  writeResult('edge.json', `${JSON.stringify(result, undefined, 1)}\n`)
  const text = [
    '# HTTP: CPU per request, and a cold burst',
    `Measured on ${circumstances.machine}, ${circumstances.day}; ${circumstances.rounds} rounds of ${Math.max(1, Math.round(circumstances.seconds))} s, every server in turn in each${versions.length === 0 ? '' : `, beside ${versions.join(', ')}`}. How and why: [docs/benchmarks.md](../../docs/benchmarks.md). Written by \`npm run bench -- edge\`.`,
    '![CPU per HTTP request](edge.svg)',
    '## Targets',
    markdownTable(targetRows(result)),
    ...cases.flatMap((measured) => [`## ${titleOf(measured)}`, markdownTable(rowsOf(measured))]),
    '## A cold burst',
    ABOUT_BURST,
    markdownTable(burstRows(bursts)),
    '## The decision over a hit',
    decisionText(decisions)
  ]
  writeResult('edge.md', `${text.join('\n\n')}\n`)
}

const kindOf = (name: string): 'ours' | 'peer' => (name === OURS ? 'ours' : 'peer')

function costPanel(measured: Measured): Panel {
  const bars = Object.entries(measured.samples).map(([label, taken]) => {
    const costs = taken.map(({ cpu }) => cpu)
    return { label, kind: kindOf(label), value: median(costs), low: Math.min(...costs), high: Math.max(...costs), text: median(costs).toFixed(median(costs) < 1000 ? 1 : 0) }
  })
  return { title: titleOf(measured), subtitle: measured.asked.kind === 'repeated' ? 'held by each' : measured.asked.tiers === 2 ? 'both servers together' : 'as many requests for all, caches empty at first', bars }
}

function burstPanel(bursts: Bursts): Panel {
  const bars = Object.entries(bursts).map(([label, taken]) => {
    const last = taken.map((round) => round.last)
    return { label, kind: kindOf(label), value: median(last), low: Math.min(...last), high: Math.max(...last), text: `${median(last).toFixed(0)} ms` }
  })
  return { title: 'A cold burst of 1,000 clients', subtitle: 'milliseconds until the last has the first octet', bars }
}
