import type { Verdict } from './table.ts'

// The verdict on one target, judged purely: what it was, what happened, the time now -> what it is and which probes to start.
//
//   rounds   a full check at the target's own place in each round and a light one half a round apart from it
//   confirm  a failure, or an answer that is SLOW_MS late, starts overlapping probes until `fall` in a row have failed
//            or one that began after the failure has passed
//   watch    a target that is down is probed every WATCH_MS, and every PACE_MS from its first pass until `rise` have passed
//   told     who runs the target may know better: gone takes it down at once and probes are not believed until it is back
//
// All times are milliseconds of a clock that never goes back.

/** `light` asks for the head of an answer; the others read it to its end. */
export type ProbeKind = 'full' | 'light' | 'burst'

export interface VerdictSettings {
  /** Failures in a row that take it down. */
  readonly fall: number
  /** Passes in a row that bring it back. */
  readonly rise: number
  /** How long it stays down at the third fall in a short time; doubles with each further one. */
  readonly holdDownMs: number
  /** Its place in a round, 0 to 1. */
  readonly place: number
}

/** A probe under way. */
export interface Flight {
  readonly id: number
  readonly kind: ProbeKind
  readonly startedAt: number
}

export interface TargetState {
  readonly verdict: Verdict
  /** Why the verdict is what it is, in a few words. */
  readonly why: string
  readonly fails: number
  readonly passes: number
  /** The last failure was a refusal, which takes no time. */
  readonly refused: boolean
  /** What was told of it while it cannot answer: `exited with 1`. No probe is under way then. */
  readonly gone?: string
  /** It was told to be back and is probed at the fast pace until then. */
  readonly expectedUntil: number
  readonly flights: readonly Flight[]
  readonly lastProbeAt: number
  /** When the latest probe that passed began: older ones that fail later prove nothing. */
  readonly lastPassAt: number
  /** When the latest pass was counted: those that were under way then say nothing new. */
  readonly countedAt: number
  readonly fullAt?: number
  readonly lightAt?: number
  /** Falls, of which half are forgotten in each FORGET_MS; while it is held down none are. */
  readonly falls: number
  readonly fallsAt: number
  readonly heldUntil: number
  readonly nextId: number
}

export type HealthEvent =
  /** A round begins. `atOnce`: the first one, which also asks everybody now. */
  | { readonly kind: 'round'; readonly lengthMs: number; readonly atOnce?: boolean }
  /** Nothing but time has passed: the turn before asked to be woken. */
  | { readonly kind: 'time' }
  | { readonly kind: 'answer'; readonly id: number; readonly passed: boolean; readonly refused?: boolean; readonly why: string }
  /** It has ended or hangs. `planned`: somebody wanted that, so it does not count as a flap. */
  | { readonly kind: 'gone'; readonly why: string; readonly planned?: boolean }
  /** It is being started: nothing can be said of it yet. */
  | { readonly kind: 'starting' }
  /** It says that it serves: let the probes find out. */
  | { readonly kind: 'back' }

export interface Turn {
  readonly state: TargetState
  /** Probes to start now. Flights of the state before that are gone from this one may be given up. */
  readonly start: readonly Flight[]
  /** When to send `time`. */
  readonly wakeAt: number
}

/** Why it is gone that is being started. */
export const STARTING = 'starting'
export const PACE_MS = 1000
export const SLOW_MS = 2000
const REFUSED_PACE_MS = 200
const WATCH_MS = 3000
const EXPECTED_MS = 30_000
/** Probes of one target under way at once, of all kinds; of `full` and `light` one each. */
const MOST_FLIGHTS = 4
const FORGET_MS = 120_000
const HELD_FROM_FALL = 3
/** Shorter rounds need no light check between their full ones. */
const SHORTEST_WITH_LIGHT_MS = 5000
const LONGEST_HOLD = 32

/** A target of which nothing is known, or what was known before a restart. */
export function firstState(now: number, known?: { verdict: Verdict; why: string; falls: number }): TargetState {
  const { verdict, why, falls } = known ?? { verdict: 'UNKNOWN' as const, why: 'not checked yet', falls: 0 }
  const never = Number.NEGATIVE_INFINITY
  const idle = { fails: 0, passes: 0, refused: false, flights: [], lastProbeAt: never, lastPassAt: never, countedAt: never, expectedUntil: never, heldUntil: never }
  return { ...idle, verdict, why, falls, fallsAt: now, nextId: 1 }
}

/** Judges one event. Pure. */
export function judge(before: TargetState, event: HealthEvent, now: number, settings: VerdictSettings): Turn {
  const state = release(afterEvent(before, event, now, settings), now, settings)
  return startDue(state, now, settings)
}

/** A failure is being confirmed, or an answer is late: the target may be about to fall. */
export function isSuspected(state: TargetState, now: number): boolean {
  if (state.verdict === 'DOWN' || state.gone !== undefined) return false
  return state.fails > 0 || state.flights.some((flight) => isLate(flight, state, now))
}

/** How many recent falls count now. */
export function recentFalls(state: TargetState, now: number): number {
  return state.falls * 0.5 ** (Math.max(0, now - state.fallsAt) / FORGET_MS)
}

function afterEvent(state: TargetState, event: HealthEvent, now: number, settings: VerdictSettings): TargetState {
  switch (event.kind) {
    case 'time':
      return state
    case 'round':
      return beginRound(state, event.lengthMs, event.atOnce === true, now, settings)
    case 'answer': {
      const flight = state.flights.find((each) => each.id === event.id)
      if (flight === undefined) return state
      const rest = { ...state, flights: state.flights.filter((each) => each !== flight) }
      return event.passed ? afterPass(rest, flight, now, settings) : afterFailure(rest, flight, event, now, settings)
    }
    case 'gone':
      return goDown({ ...state, gone: event.why }, event.why, now, settings, event.planned === true)
    case 'starting': {
      // With us: what was known before holds until it says that it serves.
      const isWithUs = state.verdict === 'UP' && state.lastPassAt === Number.NEGATIVE_INFINITY
      const starting = { ...state, gone: STARTING }
      return state.verdict === 'UNKNOWN' || isWithUs ? { ...starting, why: STARTING, fails: 0, flights: [] } : goDown(starting, STARTING, now, settings, true)
    }
    case 'back':
      return comeBack(state, now)
  }
}

function beginRound(state: TargetState, lengthMs: number, atOnce: boolean, now: number, settings: VerdictSettings): TargetState {
  const half = (settings.place + 0.5) % 1
  const light = lengthMs >= SHORTEST_WITH_LIGHT_MS ? { lightAt: now + half * lengthMs } : {}
  const planned = { ...state, fullAt: now + settings.place * lengthMs, ...light }
  return atOnce ? { ...planned, expectedUntil: Math.max(state.expectedUntil, now + 1), lastProbeAt: Number.NEGATIVE_INFINITY } : planned
}

/** The head of an answer alone raises nobody and clears nobody. */
function afterPass(state: TargetState, flight: Flight, now: number, settings: VerdictSettings): TargetState {
  if (flight.kind === 'light') return state
  const isNew = state.passes === 0 || flight.startedAt >= state.countedAt
  const counted = isNew ? { passes: state.passes + 1, countedAt: now } : {}
  const passed = { ...state, ...counted, fails: 0, refused: false, lastPassAt: Math.max(state.lastPassAt, flight.startedAt) }
  if (state.verdict === 'UNKNOWN') return { ...passed, verdict: 'UP', why: 'passed its first check' }
  // Up as it was before a restart: from now on by what was seen.
  if (state.verdict === 'UP') return state.lastPassAt === Number.NEGATIVE_INFINITY ? { ...passed, why: 'passed its first check' } : passed
  return { ...passed, passes: Math.min(passed.passes, settings.rise) }
}

function afterFailure(state: TargetState, flight: Flight, event: { refused?: boolean; why: string }, now: number, settings: VerdictSettings): TargetState {
  if (flight.startedAt < state.lastPassAt) return state
  const failed = { ...state, passes: 0, fails: state.fails + 1, refused: event.refused === true }
  if (state.verdict === 'DOWN') return { ...failed, why: event.why }
  if (failed.fails < settings.fall) return failed
  return goDown(failed, `${settings.fall} checks in a row failed: ${event.why}`, now, settings, false)
}

function goDown(state: TargetState, why: string, now: number, settings: VerdictSettings, planned: boolean): TargetState {
  const down = { ...state, verdict: 'DOWN' as const, why, fails: 0, passes: 0, flights: [], expectedUntil: Number.NEGATIVE_INFINITY }
  if (state.verdict !== 'UP' || planned) return down
  const falls = recentFalls(state, now) + 1
  const beyond = Math.round(falls) - HELD_FROM_FALL
  const heldUntil = beyond < 0 ? state.heldUntil : now + settings.holdDownMs * Math.min(LONGEST_HOLD, 2 ** beyond)
  return { ...down, falls, fallsAt: Math.max(now, heldUntil), heldUntil }
}

function comeBack(state: TargetState, now: number): TargetState {
  const { gone, ...rest } = state
  if (gone === undefined && state.verdict === 'UP') return state
  const why = state.verdict === 'DOWN' ? 'back; being checked' : 'not checked yet'
  return { ...rest, why, fails: 0, passes: 0, flights: [], expectedUntil: now + EXPECTED_MS, lastProbeAt: Number.NEGATIVE_INFINITY }
}

/** A target that is down comes back once it has passed often enough and is not held. */
function release(state: TargetState, now: number, settings: VerdictSettings): TargetState {
  if (state.verdict !== 'DOWN' || state.passes < settings.rise || state.gone !== undefined) return state
  if (now < state.heldUntil) return { ...state, why: `passes its checks, but fell ${Math.round(state.falls)} times: held down` }
  return { ...state, verdict: 'UP', why: `${settings.rise} checks in a row passed`, expectedUntil: Number.NEGATIVE_INFINITY }
}

/** Until when the next probe outside the rounds has to wait; infinite when none is called for. */
function nextProbeAt(state: TargetState, now: number, settings: VerdictSettings): number {
  if (state.gone !== undefined || state.flights.length >= MOST_FLIGHTS) return Number.POSITIVE_INFINITY
  // The passes that bring a target back lie PACE_MS apart, however late the first of them came.
  const since = state.verdict === 'DOWN' && state.passes > 0 ? Math.max(state.lastProbeAt, state.countedAt) : state.lastProbeAt
  return since + pace(state, now, settings)
}

function pace(state: TargetState, now: number, settings: VerdictSettings): number {
  if (isSuspected(state, now)) return state.refused && state.verdict === 'UP' ? REFUSED_PACE_MS : PACE_MS
  if (now < state.expectedUntil) return PACE_MS
  if (state.verdict !== 'DOWN') return Number.POSITIVE_INFINITY
  return state.passes > 0 && state.passes < settings.rise ? PACE_MS : WATCH_MS
}

function startDue(judged: TargetState, now: number, settings: VerdictSettings): Turn {
  let state = judged
  const start: Flight[] = []
  const launch = (kind: ProbeKind): void => {
    const flight = { id: state.nextId, kind, startedAt: now }
    start.push(flight)
    // The light one says nothing of a recovery, so the watch does not wait for it.
    const paced = kind !== 'light' || state.verdict !== 'DOWN'
    state = { ...state, flights: [...state.flights, flight], nextId: state.nextId + 1, lastProbeAt: paced ? now : state.lastProbeAt }
  }
  const { fullAt, lightAt, ...unplanned } = state
  const due = (at: number | undefined): boolean => at !== undefined && at <= now
  const mayLaunch = (kind: ProbeKind): boolean =>
    state.gone === undefined && state.flights.length < MOST_FLIGHTS && !state.flights.some((flight) => flight.kind === kind)
  const later = { ...(fullAt === undefined || due(fullAt) ? {} : { fullAt }), ...(lightAt === undefined || due(lightAt) ? {} : { lightAt }) }
  state = { ...unplanned, ...later }
  if (nextProbeAt(state, now, settings) <= now) launch('burst')
  if (due(fullAt) && mayLaunch('full')) launch('full')
  if (due(lightAt) && mayLaunch('light')) launch('light')
  return { state, start, wakeAt: wakeAt(state, now, settings) }
}

function wakeAt(state: TargetState, now: number, settings: VerdictSettings): number {
  const late = state.flights.map((flight) => flight.startedAt + SLOW_MS).filter((at) => at > now)
  const held = state.verdict === 'DOWN' && state.passes >= settings.rise ? state.heldUntil : Number.POSITIVE_INFINITY
  return Math.min(state.fullAt ?? Number.POSITIVE_INFINITY, state.lightAt ?? Number.POSITIVE_INFINITY, nextProbeAt(state, now, settings), held, ...late)
}

function isLate(flight: Flight, state: TargetState, now: number): boolean {
  return now - flight.startedAt >= SLOW_MS && flight.startedAt >= state.lastPassAt
}
