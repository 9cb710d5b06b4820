// What the load saw, and when. Pure: it is told times and keeps counts; all times are the drill's own clock, in milliseconds.

/** `before` the outage, `outage` from the order on, `recovery` from the order to start again on. */
export type Phase = 'before' | 'outage' | 'recovery'

export interface AnswerSeen {
  readonly sentAt: number
  readonly at: number
  readonly rcode: string
  /** The members named, or addresses that are no member's. */
  readonly targets: readonly string[]
  readonly ttl: number
}

export interface RequestSeen {
  readonly target: string
  readonly sentAt: number
  readonly at: number
  readonly failure?: string
}

/** A mistake that the load saw, for the report. */
export interface Incident {
  readonly what: 'wrong answer' | 'unanswered query' | 'failed request'
  readonly phase: Phase
  /** Since the order, milliseconds; negative before it. */
  readonly atMs: number
  readonly detail: string
}

export interface Tally {
  readonly member: string
  queries: number
  unanswered: number
  wrong: number
  requests: number
  failed: number
  /** Of those, the ones that another member failed. */
  failedElsewhere: number
  /** Of those, the ones sent after the last TTL had run out, the member's return included. */
  failedLate: number
  /** Requests by the member that they went to. */
  readonly byTarget: Map<string, number>
  /** Failures by what was wrong. */
  readonly failures: Map<string, number>
  readonly latencies: Record<Phase, number[]>
  readonly incidents: Incident[]
  orderedAt?: number
  startedAt?: number
  detectedAt?: number
  /** First answer without the member, when its query was sent, and whom it named instead. */
  leftAt?: number
  readonly instead: Set<string>
  /** Last request that went to the member before it was started again. */
  lastClientAt?: number
  /** When the last client's answer had run out. */
  clientsGoneAt?: number
  exitedAt?: number
  returnedAt?: number
}

/** Incidents kept word for word; past that they are counted alone. */
const INCIDENTS = 50

export function makeTally(member: string): Tally {
  return {
    member,
    queries: 0,
    unanswered: 0,
    wrong: 0,
    requests: 0,
    failed: 0,
    failedElsewhere: 0,
    failedLate: 0,
    byTarget: new Map(),
    failures: new Map(),
    latencies: { before: [], outage: [], recovery: [] },
    incidents: [],
    instead: new Set()
  }
}

/** The phase in which something sent at `at` fell. */
export function phaseAt(tally: Tally, at: number): Phase {
  if (tally.startedAt !== undefined && at >= tally.startedAt) return 'recovery'
  return tally.orderedAt !== undefined && at >= tally.orderedAt ? 'outage' : 'before'
}

/** Counts one query and its answer, and reads the turning points off it: the first answer without the member, and the first with it again. */
export function seeAnswer(tally: Tally, seen: AnswerSeen): void {
  tally.queries++
  if (seen.rcode === 'LOST') {
    tally.unanswered++
    note(tally, 'unanswered query', seen.sentAt, 'no reply')
    return
  }
  const wrong = judgeAnswer(tally, seen)
  if (wrong === undefined) return
  tally.wrong++
  note(tally, 'wrong answer', seen.sentAt, wrong)
}

/** Why an answer is wrong, or undefined. An answer is judged by when it was asked for. */
function judgeAnswer(tally: Tally, { sentAt, at, rcode, targets }: AnswerSeen): string | undefined {
  if (rcode !== 'NOERROR') return rcode
  if (targets.length === 0) return 'no address'
  const names = targets.includes(tally.member)
  const phase = phaseAt(tally, sentAt)
  if (phase === 'before') {
    // The order may reach the fleet while an answer is under way.
    return names || tally.orderedAt !== undefined ? undefined : `${targets.join(', ')} instead of ${tally.member}`
  }
  if (phase === 'outage') {
    if (!names) {
      tally.leftAt ??= at
      for (const target of targets) tally.instead.add(target)
      return undefined
    }
    // Asked before the order to start, answered after it.
    if (tally.startedAt !== undefined) {
      tally.returnedAt ??= at
      return undefined
    }
    return tally.leftAt !== undefined && sentAt > tally.leftAt ? `${tally.member} again, after it had left` : undefined
  }
  if (names) {
    tally.returnedAt ??= at
    return undefined
  }
  return tally.returnedAt !== undefined && sentAt > tally.returnedAt ? `${targets.join(', ')} again, after ${tally.member} had returned` : undefined
}

/** Counts one request. */
export function seeRequest(tally: Tally, { target, sentAt, at, failure }: RequestSeen): void {
  const phase = phaseAt(tally, sentAt)
  tally.requests++
  tally.byTarget.set(target, (tally.byTarget.get(target) ?? 0) + 1)
  if (target === tally.member && phase === 'outage') tally.lastClientAt = Math.max(tally.lastClientAt ?? sentAt, sentAt)
  if (failure === undefined) {
    tally.latencies[phase].push(at - sentAt)
    return
  }
  tally.failed++
  if (target !== tally.member) tally.failedElsewhere++
  if (phase === 'recovery' || (tally.clientsGoneAt !== undefined && sentAt > tally.clientsGoneAt)) tally.failedLate++
  tally.failures.set(failure, (tally.failures.get(failure) ?? 0) + 1)
  note(tally, 'failed request', sentAt, `${target}: ${failure}`)
}

function note(tally: Tally, what: Incident['what'], sentAt: number, detail: string): void {
  if (tally.incidents.length >= INCIDENTS) return
  tally.incidents.push({ what, phase: phaseAt(tally, sentAt), atMs: Math.round(sentAt - (tally.orderedAt ?? sentAt)), detail })
}

/** The value that `share` (0 to 1) of the samples do not exceed: nearest rank; undefined without samples. */
export function percentile(samples: readonly number[], share: number): number | undefined {
  if (samples.length === 0) return undefined
  const sorted = [...samples].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
}
