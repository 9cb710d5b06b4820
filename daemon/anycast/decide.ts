import { formatDuration } from '../../core/quantity.ts'
import type { Announcement, Finding, Intent, Lease, Pin, PrefixHistory, Rules } from './types.ts'

// What to announce of one prefix, decided purely.
//
//   1  An operator's pin wins over what is found here; what is found here wins over nothing: as long as nothing is known, all stays.
//   2  Only what is found here, or an operator, makes a prefix less than announced. What others say can only hold that up.
//   3  Before it is withdrawn it is demoted, so long that the other PoPs have heard of it.
//   4  It is withdrawn only if as many other PoPs as `min-pops` announce it and are well, if enough are heard at all, and if it makes
//      no more than `max-withdrawn`. Else it stays, demoted, and that is an alarm. An operator may force it. Another PoP counts only by
//      what it said once it knew that this one is about to withdraw: of PoPs that rely on each other in a ring, one was told first,
//      and knew of the last when it went. So no delay, and no process that gets no turn for seconds, makes all go at once.
//   5  It is announced again once all has been well for the hold, which doubles with every flap; at once when too few others are left.

export interface Situation {
  readonly finding: Finding
  /** Of the other PoPs that are heard, those that may announce it too. */
  readonly leases: readonly Lease[]
  /** PoPs that are heard, this one included. */
  readonly heard: number
  /** Of those with a lease, by name, which may have said what they say without knowing that this PoP is about to withdraw. */
  readonly unaware?: ReadonlySet<string> | undefined
  readonly pin?: Pin | undefined
  readonly history: PrefixHistory
  readonly now: number
}

export interface Decided {
  readonly intent: Intent
  readonly history: PrefixHistory
}

export const noHistory = (now: number): PrefixHistory => ({ state: 'withdrawn', since: now, flaps: 0, hasFallen: false })

/** Doublings past this make no difference to any hold. */
const MOST_DOUBLINGS = 24
const RANK: Readonly<Record<Announcement, number>> = { announced: 2, demoted: 1, withdrawn: 0 }

interface Wish {
  readonly state: Announcement
  readonly reasons: readonly string[]
  readonly alarms?: readonly string[]
  readonly holdUntil?: number
}

export function decide(found: Situation, rules: Rules): Decided {
  const { finding, now } = found
  const history = remember(found, rules)
  // Of a clock that was set back since, a pin too is as old as what is remembered.
  const situation = found.pin === undefined || found.pin.since <= now ? found : { ...found, pin: { ...found.pin, since: history.since } }
  const wanted = wish({ ...situation, history }, rules)
  const { state, reasons, alarms = [], holdUntil } = wanted.state === 'withdrawn' && history.state !== 'withdrawn' ? leave(wanted, { ...situation, history }, rules) : wanted
  const isSame = state === history.state
  const fell = finding.grade !== 'unknown' && situation.pin === undefined && history.state === 'announced' && state !== 'announced'
  const next: PrefixHistory = {
    ...history,
    state,
    since: isSame ? history.since : now,
    hasFallen: state !== 'announced' && (history.hasFallen || fell),
    ...(fell && { flaps: history.flaps + 1, flappedAt: now })
  }
  const intent: Intent = {
    state,
    since: next.since,
    reasons,
    alarms,
    isWell: finding.grade === 'good' || finding.grade === 'poor',
    isLeaving: state !== 'withdrawn' && (wanted.state === 'withdrawn' || situation.pin?.state === 'drain'),
    ...(holdUntil !== undefined && { holdUntil }),
    isSettled: state === 'withdrawn' && now - next.since >= rules.settleMs,
    flaps: next.flaps
  }
  return { intent, history: next }
}

/** Brings the history up to now: since when all is well or bad, and flaps that no longer count. */
function remember({ finding, history, now }: Situation, { decayMs }: Rules): PrefixHistory {
  const { grade } = finding
  // A clock that was set back begins every wait anew.
  const past = (at: number | undefined): number | undefined => (at === undefined || at > now ? undefined : at)
  const since = past(history.since) ?? now
  const decayed = history.flappedAt === undefined ? 0 : Math.max(0, Math.floor((now - history.flappedAt) / decayMs))
  const flaps = Math.max(0, history.flaps - decayed)
  return {
    ...history,
    since,
    wellSince: grade === 'good' ? (past(history.wellSince) ?? now) : grade === 'unknown' ? past(history.wellSince) : undefined,
    servesSince: grade === 'good' || grade === 'poor' ? (past(history.servesSince) ?? now) : grade === 'unknown' ? past(history.servesSince) : undefined,
    badSince: grade === 'bad' ? (past(history.badSince) ?? now) : undefined,
    flaps,
    flappedAt: flaps === 0 ? undefined : decayed === 0 ? (past(history.flappedAt) ?? now) : history.flappedAt! + decayed * decayMs
  }
}

/** What is found here, or an operator, asks for. */
function wish(situation: Situation, rules: Rules): Wish {
  const { finding, pin, history, now } = situation
  if (pin !== undefined) return pinned(pin, situation, rules)
  switch (finding.grade) {
    case 'unknown':
      return { state: history.state, reasons: ['nothing is known here yet: as it was'] }
    case 'bad':
      return { state: 'withdrawn', reasons: finding.why }
    case 'poor':
      return history.state === 'withdrawn' ? awaited('demoted', finding.why, situation, rules) : { state: 'demoted', reasons: finding.why }
    case 'good':
      return history.state === 'announced' ? { state: 'announced', reasons: [`all that it needs is well, for ${formatDuration(now - history.wellSince!)}`] } : awaited('announced', ['all that it needs is well'], situation, rules)
  }
}

/** Better than it is, once the hold is over. */
function awaited(state: Announcement, why: readonly string[], situation: Situation, rules: Rules): Wish {
  const { history, now, leases } = situation
  // What never was announced, or was held by an operator, has nothing to wait for.
  if (!history.hasFallen) return { state, reasons: why }
  const from = (state === 'announced' ? history.wellSince : history.servesSince) ?? now
  const hold = holdOf(history.flaps, rules)
  if (now - from >= hold) return { state, reasons: why }
  const serving = servingElsewhere(leases)
  if (history.state === 'withdrawn' && serving < rules.minPops) return { state, reasons: [...why, `not held back: ${count(serving)} announce it, and min-pops is ${rules.minPops}`] }
  const flapped = history.flaps > 1 ? `, for it fell ${history.flaps} times` : ''
  return { state: history.state, reasons: [`held back for ${formatDuration(from + hold - now)} more of ${formatDuration(hold)}${flapped}`, ...why], holdUntil: from + hold }
}

/** How long all must have been well: doubled with every flap past the first. */
export function holdOf(flaps: number, { holdMs, longestHoldMs }: Pick<Rules, 'holdMs' | 'longestHoldMs'>): number {
  return Math.min(longestHoldMs, holdMs * 2 ** Math.min(MOST_DOUBLINGS, Math.max(0, flaps - 1)))
}

function pinned(pin: Pin, { now, finding, history }: Situation, { drainMs }: Rules): Wish {
  const told = `${pin.state === 'drain' ? 'drained' : `pinned ${pin.state}`} by an operator: ${pin.why}`
  const against = finding.grade === 'bad' && pin.state !== 'withdrawn' && pin.state !== 'drain' ? [`announced by a pin, and does not serve: ${finding.why.join('; ')}`] : []
  if (pin.state !== 'drain') return { state: pin.state, reasons: [told, ...finding.why], alarms: against }
  if (history.state === 'withdrawn' || now - pin.since >= drainMs) return { state: 'withdrawn', reasons: [told] }
  return { state: 'demoted', reasons: [told, `withdrawn in ${formatDuration(pin.since + drainMs - now)}`] }
}

/** From announced to withdrawn by way of demoted, if at all. */
function leave(wanted: Wish, { leases, heard, unaware, pin, history, now }: Situation, rules: Rules): Wish {
  const stay = (why: string, alarms: readonly string[] = []): Wish => ({ state: RANK[history.state] > 0 ? 'demoted' : 'withdrawn', reasons: [...wanted.reasons, why], alarms })
  if (history.state === 'announced') return stay('demoted first')
  if (pin?.state === 'withdrawn' && pin.isForced === true) return wanted
  // The others have to have heard of it for so long.
  const demotedFor = now - Math.max(history.since, pin?.since ?? history.badSince ?? now)
  if (demotedFor < rules.demoteMs) return stay(`withdrawn in ${formatDuration(rules.demoteMs - demotedFor)}`)
  if (pin?.isForced === true) return wanted
  const refused = mayNotLeave(leases, heard, rules)
  if (refused !== undefined) return stay(`kept announced, demoted: ${refused}`, [`cannot be withdrawn: ${refused}`])
  return mayNotLeave(leases, heard, rules, unaware) === undefined ? wanted : stay(`withdrawn once the other PoPs know of it: not yet ${[...unaware!].join(', ')}`)
}

const NOBODY: ReadonlySet<string> = new Set()

/** Why this PoP may not withdraw; undefined when it may. Who is `unaware` counts as withdrawn. */
export function mayNotLeave(leases: readonly Lease[], heard: number, { pop, total, quorum, minPops, maxWithdrawn }: Rules, unaware = NOBODY): string | undefined {
  if (heard < quorum) return `no quorum (${heard} of ${total} PoPs heard, ${quorum} needed)`
  const serving = servingElsewhere(leases.filter((lease) => !unaware.has(lease.pop)))
  if (serving < minPops) return `${count(serving)} would be left, and min-pops is ${minPops}`
  // Of those that are about to leave at the same moment, the first by name go.
  const gone = leases.filter((lease) => lease.state === 'withdrawn' || unaware.has(lease.pop) || (lease.isLeaving && lease.pop < pop)).length + (total - heard)
  return gone + 1 > maxWithdrawn ? `${gone} of the other PoPs ${gone === 1 ? 'has' : 'have'} withdrawn it or are not heard, and max-withdrawn is ${maxWithdrawn}` : undefined
}

/** Other PoPs that announce it and serve there. */
const servingElsewhere = (leases: readonly Lease[]): number => leases.filter(({ state, isWell, isLeaving }) => state !== 'withdrawn' && isWell && !isLeaving).length

const count = (pops: number): string => `${pops === 0 ? 'none' : pops} of the other PoPs`
