import type { CaseName } from './dns-questions.ts'
import type { Circumstances } from './results.ts'

/** What was measured of one server in one case: a figure a round. */
export interface Row {
  readonly server: string
  readonly about: string
  /** CPU microseconds per answered query at the offered load. */
  readonly cpu: number[]
  readonly answeredPerSecond: number[]
  /** Microseconds within which half of those answers came, and 99 of 100. Absent in figures that are older than this. */
  readonly waited?: { readonly median: number[]; readonly p99: number[] }
  /** Answers a second with so many queries on their way at a time, and how many of those were lost. */
  readonly most: number[]
  readonly mostLost: number[]
  /** Share of its workers' cores that was used then: well under 1, and it is the sender or the machine that was the limit. */
  readonly busy: number[]
  /** As `cpu`, under dnsperf. */
  readonly dnsperf: number[]
  /** CPU microseconds of the sender per query at the largest load. */
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

export interface DnsResult {
  readonly circumstances: Circumstances
  readonly cases: readonly CaseResult[]
}
