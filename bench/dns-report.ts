import { drawChart, type Bar, type Panel } from './chart.ts'
import type { CaseName } from './dns-questions.ts'
import type { CaseResult, DnsResult, Row } from './dns-result.ts'
import { bestPeer, cost, FLOOR, isFloor, isOurs, judgeTargets } from './dns-targets.ts'
import { median, table } from './processes.ts'
import { markdownTable, say, writeResult } from './results.ts'

/** Above this share of its cores a server is what limits the load. */
const BUSY = 0.9

const titles: Readonly<Record<CaseName, string>> = {
  static: 'Static A', 'static-subnet': 'Static A, with client subnet', steered: 'A steered by client subnet', 'steered-one': 'A of one name steered by client subnet', nxdomain: 'Names that do not exist', million: 'Random names of a zone of 1 M records',
  'tcp-one': 'One TCP connection, pipelined', 'tcp-many': '64 TCP connections, pipelined'
}

const workersOf = ({ workers }: CaseResult): string => (workers === 1 ? 'one worker' : `${workers} workers`)

/** Tables for the terminal. */
export function printDns({ cases }: DnsResult): void {
  for (const result of cases) say(`\n${titles[result.name]}, ${workersOf(result)}: ${result.about}; ${result.rate.toLocaleString('en')} queries a second offered\n${table(rowsOf(result))}`)
  say(`\n${table(judgeTargets(cases))}`)
}

/** Writes results/dns.md with its charts. */
export function writeDns({ circumstances, cases }: DnsResult): void {
  writeResult('dns.svg', drawChart({ title: 'CPU per DNS query', subtitle: 'Microseconds, user and system, of all processes and threads of the server; medians with the range of the rounds; less is better', panels: cases.map(costPanel) }))
  writeResult('dns-most.svg', drawChart({ title: 'Largest load without loss', subtitle: 'Answers a second; medians with the range of the rounds; more is better. ≥: the sender or the machine was the limit, not the server', panels: cases.map(mostPanel) }))
  const abouts = new Map(cases.flatMap(({ rows }) => rows.map(({ server, about }) => [server, about] as const)))
  const text = [
    '# DNS: CPU per query, and the largest load',
    `Measured on ${circumstances.machine}, ${circumstances.day}; ${circumstances.rounds} rounds of ${circumstances.seconds} s, every server in turn in each. How and why: [docs/benchmarks.md](../../docs/benchmarks.md). Written by \`npm run bench -- dns\`.`,
    '![CPU per DNS query](dns.svg)',
    '![Largest load without loss](dns-most.svg)',
    '## Targets',
    markdownTable(judgeTargets(cases)),
    '## Servers',
    markdownTable([['server', 'what'], ...abouts], 'text'),
    ...cases.flatMap((result) => [`## ${titles[result.name]}, ${workersOf(result)}`, `${result.about}. ${result.rate.toLocaleString('en')} queries a second offered.`, markdownTable(rowsOf(result))])
  ]
  writeResult('dns.md', `${text.join('\n\n')}\n`)
}

const rangeOf = (values: readonly number[], digits: number): string => `${Math.min(...values).toFixed(digits)} – ${Math.max(...values).toFixed(digits)}`
const thousands = (value: number): string => (value / 1000).toFixed(value < 10_000 ? 1 : 0)

/** The limit was not this server: what it could take is more. */
const isHeldBack = (row: Row): boolean => median(row.busy) < BUSY

function mostText(row: Row): string {
  const lost = row.mostLost.reduce((sum, count) => sum + count, 0)
  return `${isHeldBack(row) ? '≥ ' : ''}${thousands(median(row.most))} k${lost > 0 ? ` (${lost} lost)` : ''}`
}

const waitedText = ({ waited }: Row): string => (waited === undefined ? '' : `${Math.round(median(waited.median))}, ${Math.round(median(waited.p99))} µs`)

function rowsOf(result: CaseResult): string[][] {
  const { rows } = result
  const floor = rows.find(({ server }) => server === FLOOR)
  const best = bestPeer(result)
  const ratio = (row: Row, to: Row | undefined): string => (to === undefined ? '' : (cost(row) / cost(to)).toFixed(2))
  const isChecked = rows.some(({ dnsperf }) => dnsperf.length > 0)
  return [
    ['server', 'µs CPU', 'range', '× floor', '× best peer', 'answered/s', 'answered in, median and 99 %', 'lost', 'wrong', 'largest load/s', 'range', 'busy', ...(isChecked ? ['µs CPU under dnsperf'] : [])],
    ...rows.map((row) => [
      row.server, cost(row).toFixed(2), rangeOf(row.cpu, 2), ratio(row, floor), ratio(row, best), `${thousands(median(row.answeredPerSecond))} k`, waitedText(row), `${row.lost} of ${row.sent}`, isFloor(row) ? 'not read' : String(row.wrong),
      mostText(row), `${thousands(Math.min(...row.most))} – ${thousands(Math.max(...row.most))} k`, median(row.busy).toFixed(2), ...(isChecked ? [row.dnsperf.length === 0 ? '' : median(row.dnsperf).toFixed(2)] : [])
    ])
  ]
}

const kindOf = (row: Row): Bar['kind'] => (isOurs(row) ? 'ours' : isFloor(row) ? 'floor' : 'peer')

function costPanel(result: CaseResult): Panel {
  const bars = result.rows.map((row) => ({ label: row.server, kind: kindOf(row), value: cost(row), low: Math.min(...row.cpu), high: Math.max(...row.cpu), text: cost(row).toFixed(2) }))
  return { title: `${titles[result.name]}, ${workersOf(result)}`, subtitle: `${result.rate.toLocaleString('en')} queries a second offered`, bars }
}

function mostPanel(result: CaseResult): Panel {
  const bars = result.rows.map((row) => ({ label: row.server, kind: kindOf(row), value: median(row.most), low: Math.min(...row.most), high: Math.max(...row.most), text: mostText(row) }))
  return { title: `${titles[result.name]}, ${workersOf(result)}`, subtitle: 'answers a second', bars }
}
