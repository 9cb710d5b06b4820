// What the load saw, and when. Pure: it is told times and keeps counts; all times are the drill's own clock, in milliseconds.

/** `before` the blow, `outage` from the order on, `recovery` from the order to start again on. */
export type Phase = 'before' | 'outage' | 'recovery'

export interface AnswerSeen {
  readonly sentAt: number
  readonly at: number
  readonly rcode: string
  /** The members named, or addresses that are no member's. */
  readonly targets: readonly string[]
  readonly ttl: number
  /** The struck edge that whoever asked is answered with when all is well; absent: none. */
  readonly home?: string
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

/** The turning points of one struck member. */
export interface Turn {
  detectedAt?: number
  /** First answer without it, when it should have named it. */
  leftAt?: number
  /** Whether the answer asked for last named it, and how often that has changed to no. */
  isOut: boolean
  leaves: number
  exitedAt?: number
  /** First answer with it again, asked for after the order to start. */
  returnedAt?: number
}

export interface Tally {
  /** Every member that is struck, edges or not. */
  readonly turns: ReadonlyMap<string, Turn>
  /** How answers are judged: whether a struck edge is to leave them, and whether it may come and go. */
  readonly manner: 'leaves' | 'stays' | 'flaps'
  queries: number
  unanswered: number
  wrong: number
  requests: number
  failed: number
  /** Of those, the ones that another member failed. */
  failedElsewhere: number
  /** Of those, the ones sent after the last TTL had run out, the members' return included. */
  failedLate: number
  /** Requests by the member that they went to. */
  readonly byTarget: Map<string, number>
  /** Failures by what was wrong. */
  readonly failures: Map<string, number>
  readonly latencies: Record<Phase, number[]>
  readonly incidents: Incident[]
  orderedAt?: number
  startedAt?: number
  /** Whom clients were sent to instead. */
  readonly instead: Set<string>
  /** Last request that went to a struck member before it was started again. */
  lastClientAt?: number
  /** When the last client's answer had run out. */
  clientsGoneAt?: number
  /** When DNS last answered, and the longest that it did not. */
  answeredAt?: number
  silentMs: number
  /** When a query or a request that came to nothing was last sent, once all was to be well again. */
  troubledAt?: number
}

/** Incidents kept word for word; past that they are counted alone. */
const INCIDENTS = 50

export function makeTally(members: readonly string[], manner: Tally['manner'] = 'leaves'): Tally {
  return {
    turns: new Map(members.map((member) => [member, { isOut: false, leaves: 0 }])),
    manner,
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
    instead: new Set(),
    silentMs: 0
  }
}

/** The phase in which something sent at `at` fell. */
export function phaseAt(tally: Tally, at: number): Phase {
  if (tally.startedAt !== undefined && at >= tally.startedAt) return 'recovery'
  return tally.orderedAt !== undefined && at >= tally.orderedAt ? 'outage' : 'before'
}

/** Counts one query and its answer, and reads the turning points off it: the first answer without a struck edge, and the first with it again. */
export function seeAnswer(tally: Tally, seen: AnswerSeen): void {
  tally.queries++
  if (seen.rcode === 'LOST') {
    tally.unanswered++
    trouble(tally, seen.sentAt)
    note(tally, 'unanswered query', seen.sentAt, 'no reply')
    return
  }
  if (tally.answeredAt !== undefined) tally.silentMs = Math.max(tally.silentMs, seen.at - tally.answeredAt)
  tally.answeredAt = Math.max(tally.answeredAt ?? seen.at, seen.at)
  const wrong = judgeAnswer(tally, seen)
  if (wrong === undefined) return
  tally.wrong++
  note(tally, 'wrong answer', seen.sentAt, wrong)
}

/** Why an answer is wrong, or undefined. An answer is judged by when it was asked for. */
function judgeAnswer(tally: Tally, seen: AnswerSeen): string | undefined {
  const { rcode, targets, home, sentAt } = seen
  if (rcode !== 'NOERROR') return rcode
  if (targets.length === 0) return 'no address'
  const turn = home === undefined ? undefined : tally.turns.get(home)
  if (home === undefined || turn === undefined) return undefined
  const phase = phaseAt(tally, sentAt)
  const names = targets.includes(home)
  if (names === turn.isOut) {
    turn.isOut = !names
    if (turn.isOut) turn.leaves++
  }
  if (phase === 'before') {
    // The order may reach the fleet while an answer is under way.
    return names || tally.orderedAt !== undefined ? undefined : `${targets.join(', ')} instead of ${home}`
  }
  if (phase === 'recovery') return judgeRecovery(tally, turn, seen, home)
  if (!names) {
    turn.leftAt ??= seen.at
    for (const target of targets) tally.instead.add(target)
    return tally.manner === 'stays' ? `${targets.join(', ')} instead of ${home}, which should have stayed` : undefined
  }
  // Asked before the order to start, answered after it.
  if (tally.startedAt !== undefined) {
    turn.returnedAt ??= seen.at
    return undefined
  }
  return tally.manner === 'leaves' && turn.leftAt !== undefined && sentAt > turn.leftAt ? `${home} again, after it had left` : undefined
}

function judgeRecovery(tally: Tally, turn: Turn, { at, sentAt, targets }: AnswerSeen, home: string): string | undefined {
  if (targets.includes(home)) {
    turn.returnedAt ??= at
    return undefined
  }
  return tally.manner !== 'flaps' && turn.returnedAt !== undefined && sentAt > turn.returnedAt ? `${targets.join(', ')} again, after ${home} had returned` : undefined
}

/** Counts one request. */
export function seeRequest(tally: Tally, { target, sentAt, at, failure }: RequestSeen): void {
  const phase = phaseAt(tally, sentAt)
  const isStruck = tally.turns.has(target)
  tally.requests++
  tally.byTarget.set(target, (tally.byTarget.get(target) ?? 0) + 1)
  if (isStruck && phase === 'outage') tally.lastClientAt = Math.max(tally.lastClientAt ?? sentAt, sentAt)
  if (failure === undefined) {
    tally.latencies[phase].push(at - sentAt)
    return
  }
  tally.failed++
  if (!isStruck) tally.failedElsewhere++
  if (phase === 'recovery' || (tally.clientsGoneAt !== undefined && sentAt > tally.clientsGoneAt)) tally.failedLate++
  tally.failures.set(failure, (tally.failures.get(failure) ?? 0) + 1)
  trouble(tally, sentAt)
  note(tally, 'failed request', sentAt, `${target}: ${failure}`)
}

function trouble(tally: Tally, sentAt: number): void {
  if (phaseAt(tally, sentAt) === 'recovery') tally.troubledAt = Math.max(tally.troubledAt ?? sentAt, sentAt)
}

function note(tally: Tally, what: Incident['what'], sentAt: number, detail: string): void {
  if (tally.incidents.length >= INCIDENTS) return
  tally.incidents.push({ what, phase: phaseAt(tally, sentAt), atMs: Math.round(sentAt - (tally.orderedAt ?? sentAt)), detail })
}

/** The latest of a turning point over all struck members that have one; undefined while one of them is missing. */
export function latest(turns: Iterable<Turn>, point: 'detectedAt' | 'leftAt' | 'exitedAt' | 'returnedAt'): number | undefined {
  let last: number | undefined
  for (const turn of turns) {
    const at = turn[point]
    if (at === undefined) return undefined
    last = Math.max(last ?? at, at)
  }
  return last
}

/** The value that `share` (0 to 1) of the samples do not exceed: nearest rank; undefined without samples. */
export function percentile(samples: readonly number[], share: number): number | undefined {
  if (samples.length === 0) return undefined
  const sorted = [...samples].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
}
