import { formatDuration } from '../../core/quantity.ts'
import { BLOWS, type BlowKind } from './blow.ts'
import type { Limits } from './limits.ts'
import { latest, percentile, type Incident, type Phase, type Tally, type Turn } from './tally.ts'

/** One line of the report. `measured` is absent when it never came to pass. */
export interface Measure {
  readonly what: string
  readonly unit: 'ms' | 'count'
  readonly measured?: number
  readonly limit: number
  readonly met: boolean
  /** Out of how many, for counts. */
  readonly of?: number
}

/** A drill as saved under the state folder. Durations are milliseconds. */
export interface Report extends Circumstances {
  readonly met: boolean
  readonly measures: readonly Measure[]
  /** Whom clients were sent to meanwhile. */
  readonly instead: readonly string[]
  readonly requestsBy: Readonly<Record<string, number>>
  readonly failures: Readonly<Record<string, number>>
  readonly latencyMs: Readonly<Partial<Record<Phase, Percentiles>>>
  readonly incidents: readonly Incident[]
}

export interface Percentiles {
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

export interface Circumstances {
  /** What is drilled, for people: an edge, or a scenario. */
  readonly title: string
  /** Every member that was struck. */
  readonly members: readonly string[]
  readonly kind: BlowKind
  /** Wall time, ISO 8601. */
  readonly startedAt: string
  readonly tookMs: number
  /** Why it ended before its time, when it did. */
  readonly interrupted?: string
  readonly load: { readonly clients: number; readonly rate: number; readonly ttl: number; readonly hosts: readonly string[]; readonly subnets: readonly string[] }
  readonly limits: Limits
}

/**
 * What the load saw, held against the limits.
 * @param homes the struck edges that some of the clients are answered with when all is well
 */
export function makeReport(tally: Tally, homes: readonly string[], about: Circumstances): Report {
  const measures = measure(tally, homes, about)
  return {
    ...about,
    met: about.interrupted === undefined && measures.every(({ met }) => met),
    measures,
    instead: [...tally.instead].sort(),
    requestsBy: Object.fromEntries(tally.byTarget),
    failures: Object.fromEntries(tally.failures),
    latencyMs: Object.fromEntries(Object.entries(tally.latencies).flatMap(([phase, samples]) => (samples.length > 0 ? [[phase, percentiles(samples)]] : []))),
    incidents: tally.incidents
  }
}

function measure(tally: Tally, homes: readonly string[], { kind, limits }: Circumstances): Measure[] {
  const time = (what: string, measured: number | undefined, limit: number): Measure =>
    measured === undefined ? { what, unit: 'ms', limit, met: false } : { what, unit: 'ms', measured, limit, met: measured <= limit }
  const count = (what: string, measured: number, limit: number, of?: number): Measure => ({ what, unit: 'count', measured, limit, met: measured <= limit, ...(of !== undefined && { of }) })
  const turns = homes.map((home) => tally.turns.get(home)!)
  const isAway = tally.manner !== 'stays' && turns.length > 0
  const from = (at: number | undefined): number | undefined => since(tally.orderedAt, at)
  return [
    ...(tally.manner === 'leaves' && isAway ? [time('time to detect', from(latest(turns, 'detectedAt')), limits.detectMs)] : []),
    ...(isAway ? [time('to the new answer', from(latest(turns, 'leftAt')), limits.answerMs)] : []),
    ...(tally.manner === 'leaves' && isAway ? [time('to the last client gone', tally.clientsGoneAt === undefined ? undefined : (from(tally.lastClientAt) ?? 0), limits.goneMs)] : []),
    ...(kind === 'stop' ? [time('to the end of its process', from(latest(tally.turns.values(), 'exitedAt')), limits.exitMs)] : []),
    ...(tally.manner === 'flaps' ? [count('times it left the answers', Math.max(0, ...turns.map(({ leaves }) => leaves)), limits.leaves)] : []),
    count('wrong answers', tally.wrong, limits.wrong, tally.queries),
    count('unanswered queries', tally.unanswered, limits.unanswered, tally.queries),
    ...(turns.length === 0 ? [time('longest silence of DNS', Math.round(tally.silentMs), limits.silentMs)] : []),
    count('failed requests', tally.failed, limits.failed, tally.requests),
    ...(turns.length === 0 ? [] : [count('  of other edges', tally.failedElsewhere, limits.failedElsewhere, tally.requests)]),
    ...(isAway && tally.manner === 'leaves' ? [count('  after the last TTL', tally.failedLate, limits.failedLate, tally.requests)] : []),
    time('recovery', recovery(tally, turns, isAway), limits.recoveryMs)
  ]
}

/** From the order to start again: until the last struck edge is answered again; where none is, until the last query or request that failed. */
function recovery(tally: Tally, turns: readonly Turn[], isAway: boolean): number | undefined {
  if (isAway) return since(tally.startedAt, latest(turns, 'returnedAt'))
  return tally.startedAt === undefined ? undefined : (since(tally.startedAt, tally.troubledAt) ?? 0)
}

function since(from: number | undefined, to: number | undefined): number | undefined {
  return from === undefined || to === undefined ? undefined : Math.max(0, Math.round(to - from))
}

function percentiles(samples: readonly number[]): Percentiles {
  const at = (share: number): number => Math.round(percentile(samples, share)! * 10) / 10
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) }
}

/** The report for people: one line a measure, then what else is worth knowing. */
export function formatReport(report: Report): string {
  const { title, kind, measures, latencyMs } = report
  const lines = [`${title}: ${BLOWS[kind].called} rehearsed in ${formatDuration(report.tookMs)}${report.interrupted === undefined ? '' : `, cut short: ${report.interrupted}`}`]
  // Where the failures were matters where some are allowed.
  const table = measures.filter(({ what }) => kind !== 'stop' || !what.startsWith(' ')).map(({ what, unit, measured, limit, met, of }) => {
    const show = (value: number): string => (unit === 'ms' ? formatDuration(value) : String(value))
    return [what, measured === undefined ? 'never' : `${show(measured)}${of === undefined ? '' : ` of ${of}`}`, show(limit), met ? '' : 'missed']
  })
  lines.push(...columns([['', 'measured', 'limit', ''], ...table]))
  if (report.instead.length > 0) lines.push(`  answered meanwhile: ${report.instead.join(', ')}`)
  for (const [failure, times] of Object.entries(report.failures)) lines.push(`  failure: ${failure}, ${times} times`)
  const latency = Object.entries(latencyMs).map(([phase, { p50, p99 }]) => `${phase} ${p50} / ${p99} ms`)
  if (latency.length > 0) lines.push(`  request latency, median / 99th percentile: ${latency.join(', ')}`)
  for (const { what, atMs, detail } of report.incidents.filter(({ what }) => kind === 'stop' || what !== 'failed request').slice(0, 5)) {
    lines.push(`  ${what} ${atMs < 0 ? `${formatDuration(-atMs)} before` : `${formatDuration(atMs)} after`} the order: ${detail}`)
  }
  return lines.join('\n')
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column]!)).join('   ')}`.trimEnd())
}
