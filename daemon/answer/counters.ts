import { ownLines } from '../../core/own-lines.ts'
import type { Outcome } from '../zone/index.ts'

/** What the zones can say, in the order of their counters. */
export const OUTCOMES: readonly Outcome[] = ['not ours', 'found', 'nodata', 'nxdomain', 'delegation', 'cname', 'dname', 'routed', 'alias']

/**
 * The counters of an answerer, one slot each. Every query counts once under `queries`, every reply once under its RCODE, and
 * each that was looked up once under what came of it. Of the answers over a rate, those withheld count as dropped or slipped.
 */
export const COUNTERS = [
  'queries', 'udp', 'tcp', 'edns', 'subnet', 'silent', 'truncated', 'prepared', 'cookies', 'cookies valid', 'fail-open', 'errors', 'over rate', 'dropped', 'slipped',
  'noerror', 'formerr', 'servfail', 'nxdomain', 'notimp', 'refused', 'other-rcode',
  ...OUTCOMES.map((outcome) => `outcome ${outcome}` as const)
] as const

export type CounterName = (typeof COUNTERS)[number]

const slot = (name: CounterName): number => COUNTERS.indexOf(name)

/** The slots that the hot path counts in. */
export const COUNT = {
  QUERIES: slot('queries'), UDP: slot('udp'), TCP: slot('tcp'), EDNS: slot('edns'), SUBNET: slot('subnet'), SILENT: slot('silent'),
  TRUNCATED: slot('truncated'), PREPARED: slot('prepared'), COOKIES: slot('cookies'), COOKIES_VALID: slot('cookies valid'), FAIL_OPEN: slot('fail-open'), ERRORS: slot('errors'),
  OVER_RATE: slot('over rate'), DROPPED: slot('dropped'), SLIPPED: slot('slipped'), OUTCOME: slot('outcome not ours')
} as const

/** RCODE -> its slot. */
export const RCODE_SLOTS = Uint8Array.from({ length: 32 }, (_, rcode) =>
  slot((['noerror', 'formerr', 'servfail', 'nxdomain', 'notimp', 'refused'] as const)[rcode] ?? 'other-rcode')
)

/** A set of counters in shared memory: one thread counts, any may read. Exact up to 2^53. */
export function makeCounters(): Float64Array {
  return new Float64Array(...ownLines(COUNTERS.length * 8), COUNTERS.length)
}

/** The counters by name; several sets are added up. */
export function readCounters(...sets: readonly Float64Array[]): Record<CounterName, number> {
  const totals = COUNTERS.map((name, index) => [name, sets.reduce((sum, set) => sum + set[index]!, 0)] as const)
  return Object.fromEntries(totals) as Record<CounterName, number>
}
