import type { CaseName } from './dns-questions.ts'
import type { BenchOptions } from './main.ts'
import { median, table } from './processes.ts'
import { machine, markdownTable, say, writeResult } from './results.ts'

/** What was measured of one server in one case: a figure a round. */
export interface Row {
  readonly server: string
  readonly about: string
  /** CPU microseconds per answered query at the offered load. */
  readonly cpu: number[]
  readonly answeredPerSecond: number[]
  /** Answers a second with so many queries on their way at a time, and how many of those were lost. */
  readonly most: number[]
  readonly mostLost: number[]
  /** Share of its workers' cores that was used then: well under 1, and it is the sender or the machine that was the limit. */
  readonly busy: number[]
  /** As `cpu`, under dnsperf. */
  readonly dnsperf: number[]
  /** CPU microseconds of the sender per query. */
  readonly senderCpu: number[]
  sent: number
  lost: number
  wrong: number
}

export interface CaseResult {
  readonly name: CaseName
  readonly about: string
  readonly workers: number
  /** Queries a second that were offered. */
  readonly rate: number
  readonly rows: readonly Row[]
}

export function reportDns(results: readonly CaseResult[], options: BenchOptions): void {
  for (const result of results) say(`\n${titleOf(result)}\n${table(rowsOf(result))}`)
  void [machine, markdownTable, writeResult, options]
}

const titleOf = ({ name, workers, about, rate }: CaseResult): string => `${name}, ${workers} ${workers === 1 ? 'worker' : 'workers'}: ${about}; ${rate.toLocaleString('en')} queries a second offered`

function rowsOf({ rows }: CaseResult): string[][] {
  const floor = rows.find(({ server }) => server === 'C floor')
  const others = rows.filter(({ server }) => server !== 'C floor' && !server.startsWith('nearcast'))
  const best = others.length === 0 ? undefined : Math.min(...others.map(({ cpu }) => median(cpu)))
  const ratio = (value: number, to: number | undefined): string => (to === undefined ? '-' : (value / to).toFixed(2))
  return [
    ['server', 'µs CPU', 'range', 'x floor', 'x best peer', 'answered/s', 'lost', 'wrong', 'most/s', 'busy', 'dnsperf', 'sender µs'],
    ...rows.map((row) => [
      row.server, median(row.cpu).toFixed(2), `${Math.min(...row.cpu).toFixed(2)}-${Math.max(...row.cpu).toFixed(2)}`, ratio(median(row.cpu), floor && median(floor.cpu)), ratio(median(row.cpu), best),
      median(row.answeredPerSecond).toFixed(0), String(row.lost), String(row.wrong), `${median(row.most).toFixed(0)}${row.mostLost.some((lost) => lost > 0) ? '!' : ''}`, median(row.busy).toFixed(2),
      row.dnsperf.length === 0 ? '-' : median(row.dnsperf).toFixed(2), median(row.senderCpu).toFixed(2)
    ])
  ]
}
