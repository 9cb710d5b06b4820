import { formatDuration } from '../../core/quantity.ts'
import { percentile, type Incident, type Phase, type Tally } from './tally.ts'

/** What a drill must not exceed: milliseconds, and counts. */
export interface Limits {
  readonly detectMs: number
  readonly answerMs: number
  readonly goneMs: number
  readonly wrong: number
  readonly unanswered: number
  readonly failed: number
  readonly failedElsewhere: number
  readonly failedLate: number
  readonly recoveryMs: number
  /** With a planned stop: until the process has ended. */
  readonly exitMs: number
}

export type Kind = 'planned' | 'kill'

/**
 * The limits when none are given. A planned stop loses nothing. A kill loses at most what clients send before their answers
 * run out; never a request to another edge, and none later.
 * @param ttl of the answers in question, seconds
 * @param longestTtl of all answers that may name the edge: for so long, and two seconds more, a stopped edge serves on
 * @param rate requests a second
 */
export function defaultLimits(kind: Kind, { ttl, longestTtl, rate }: { ttl: number; longestTtl: number; rate: number }): Limits {
  return {
    detectMs: 1000,
    answerMs: 1000,
    goneMs: (ttl + 1) * 1000,
    wrong: 0,
    unanswered: 0,
    failed: kind === 'planned' ? 0 : Math.ceil(rate * (ttl + 1)),
    failedElsewhere: 0,
    failedLate: 0,
    recoveryMs: 5000,
    exitMs: (longestTtl + 7) * 1000
  }
}

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
export interface Report {
  readonly member: string
  readonly kind: Kind
  /** Wall time, ISO 8601. */
  readonly startedAt: string
  readonly tookMs: number
  /** Why it ended before its time, when it did. */
  readonly interrupted?: string
  readonly met: boolean
  readonly load: { readonly clients: number; readonly rate: number; readonly ttl: number; readonly hosts: readonly string[]; readonly subnets: readonly string[] }
  readonly limits: Limits
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
  readonly kind: Kind
  readonly startedAt: string
  readonly tookMs: number
  readonly interrupted?: string
  readonly load: Report['load']
  readonly limits: Limits
}

/** What the load saw, held against the limits. */
export function makeReport(tally: Tally, about: Circumstances): Report {
  const measures = measure(tally, about.kind, about.limits)
  return {
    member: tally.member,
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

function measure(tally: Tally, kind: Kind, limits: Limits): Measure[] {
  const time = (what: string, measured: number | undefined, limit: number): Measure =>
    measured === undefined ? { what, unit: 'ms', limit, met: false } : { what, unit: 'ms', measured, limit, met: measured <= limit }
  const count = (what: string, measured: number, limit: number, of: number): Measure => ({ what, unit: 'count', measured, limit, met: measured <= limit, of })
  const exit = kind === 'planned' ? [time('to the end of its process', since(tally.orderedAt, tally.exitedAt), limits.exitMs)] : []
  return [
    time('time to detect', since(tally.orderedAt, tally.detectedAt), limits.detectMs),
    time('to the new answer', since(tally.orderedAt, tally.leftAt), limits.answerMs),
    time('to the last client gone', tally.clientsGoneAt === undefined ? undefined : (since(tally.orderedAt, tally.lastClientAt) ?? 0), limits.goneMs),
    ...exit,
    count('wrong answers', tally.wrong, limits.wrong, tally.queries),
    count('unanswered queries', tally.unanswered, limits.unanswered, tally.queries),
    count('failed requests', tally.failed, limits.failed, tally.requests),
    count('  of other edges', tally.failedElsewhere, limits.failedElsewhere, tally.requests),
    count('  after the last TTL', tally.failedLate, limits.failedLate, tally.requests),
    time('recovery', since(tally.startedAt, tally.returnedAt), limits.recoveryMs)
  ]
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
  const { member, kind, measures, latencyMs } = report
  const lines = [`${member}: ${kind === 'planned' ? 'planned stop' : 'unannounced death'} rehearsed in ${formatDuration(report.tookMs)}${report.interrupted === undefined ? '' : `, cut short: ${report.interrupted}`}`]
  // Where the failures were matters where some are allowed.
  const table = measures.filter(({ what }) => kind === 'kill' || !what.startsWith(' ')).map(({ what, unit, measured, limit, met, of }) => {
    const show = (value: number): string => (unit === 'ms' ? formatDuration(value) : String(value))
    return [what, measured === undefined ? 'never' : `${show(measured)}${of === undefined ? '' : ` of ${of}`}`, show(limit), met ? '' : 'missed']
  })
  lines.push(...columns([['', 'measured', 'limit', ''], ...table]))
  if (report.instead.length > 0) lines.push(`  answered meanwhile: ${report.instead.join(', ')}`)
  for (const [failure, times] of Object.entries(report.failures)) lines.push(`  failure: ${failure}, ${times} times`)
  const latency = Object.entries(latencyMs).map(([phase, { p50, p99 }]) => `${phase} ${p50} / ${p99} ms`)
  if (latency.length > 0) lines.push(`  request latency, median / 99th percentile: ${latency.join(', ')}`)
  for (const { what, atMs, detail } of report.incidents.filter(({ what }) => kind === 'planned' || what !== 'failed request').slice(0, 5)) {
    lines.push(`  ${what} ${atMs < 0 ? `${formatDuration(-atMs)} before` : `${formatDuration(atMs)} after`} the order: ${detail}`)
  }
  return lines.join('\n')
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column]!)).join('   ')}`.trimEnd())
}
