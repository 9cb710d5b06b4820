import { isSerialAfter } from '../zone/index.ts'

// When a secondary zone asks its primaries, transfers, and expires (RFC 1034 §4.3.5, RFC 1996 §4): states and events in,
// states and actions out. Times are milliseconds since the epoch; numbers of primaries count from 0.

/** What is held of a zone: from its SOA, seconds within bounds. */
export interface Held {
  readonly serial: number
  readonly refresh: number
  readonly retry: number
  readonly expire: number
}

export interface SecondaryState {
  /** Absent before the first transfer. */
  readonly held?: Held
  /** When a primary last said that what is held is current; absent: it is not known. */
  readonly refreshedAt?: number
  readonly isExpired: boolean
  readonly phase: 'idle' | 'asking' | 'transferring'
  /** The primary at work, or next in turn. */
  readonly primary: number
  /** Primaries that have failed in this round. */
  readonly tried: number
  /** Rounds in a row that failed. */
  readonly failures: number
  /** While idle: when the next round begins. */
  readonly dueAt: number
  /** When the last round ended. */
  readonly endedAt: number
  /** A notification came while another round was under way. */
  readonly again?: { readonly primary: number; readonly serial?: number } | undefined
  /** The whole zone is wanted, whatever its serial. */
  readonly isWhole: boolean
}

export type SecondaryEvent =
  | { readonly kind: 'tick' }
  | { readonly kind: 'notified'; readonly primary: number; readonly serial?: number }
  | { readonly kind: 'wanted'; readonly isWhole: boolean }
  /** The primary's SOA. */
  | { readonly kind: 'told'; readonly soa: Held }
  /** What was transferred is in service. */
  | { readonly kind: 'taken'; readonly soa: Held }
  /** The primary at work has nothing newer, or failed. */
  | { readonly kind: 'same' }
  | { readonly kind: 'failed'; readonly reason: string }

export type SecondaryAction =
  | { readonly kind: 'ask'; readonly primary: number }
  | { readonly kind: 'transfer'; readonly primary: number; readonly isWhole: boolean }
  | { readonly kind: 'expire' }
  | { readonly kind: 'trouble'; readonly primary: number; readonly reason: string }

export interface Step {
  readonly state: SecondaryState
  readonly actions: readonly SecondaryAction[]
}

/** What stays the same for a zone. */
export interface SecondaryFacts {
  readonly primaries: number
  /** From 0 up to 1. */
  random(): number
}

/** Seconds: least and most of what a SOA may ask for. */
const BOUNDS = { refresh: [2, 28 * 86_400], retry: [1, 14 * 86_400], expire: [3, 366 * 86_400] } as const
/** Before anything is held: the first wait, and the longest; milliseconds. */
const FIRST_WAIT = 2000
const LONGEST_WAIT = 600_000
/** Between the end of a round and the next that a notification begins; milliseconds. */
const NOTIFY_SPACE = 250

/** The four numbers of a SOA's RDATA that matter here, within bounds. */
export function heldOf(soa: Uint8Array): Held {
  const view = new DataView(soa.buffer, soa.byteOffset, soa.byteLength)
  const field = (back: number): number => view.getUint32(soa.length - back)
  const within = (what: keyof typeof BOUNDS, value: number): number => Math.min(BOUNDS[what][1], Math.max(BOUNDS[what][0], value))
  return { serial: field(20), refresh: within('refresh', field(16)), retry: within('retry', field(12)), expire: within('expire', field(8)) }
}

/** A zone at the start of the server: what was stored of it, and since when that is current. */
export function startSecondary(now: number, held?: Held, refreshedAt?: number): SecondaryState {
  return {
    ...(held !== undefined && { held, refreshedAt: Math.min(now, refreshedAt ?? now) }),
    isExpired: false, phase: 'idle', primary: 0, tried: 0, failures: 0, dueAt: now, endedAt: 0, isWhole: false
  }
}

/** When `tick` is next due: to begin a round, or to expire. */
export function nextTick(state: SecondaryState): number {
  const expiresAt = expiryOf(state)
  if (state.phase !== 'idle') return expiresAt
  return Math.min(state.dueAt, expiresAt)
}

/** When what is held expires; Infinity when nothing is held, or it has. */
export function expiryOf({ held, refreshedAt, isExpired }: SecondaryState): number {
  return held === undefined || isExpired ? Infinity : refreshedAt! + held.expire * 1000
}

/** What an event leads to. */
export function stepSecondary(before: SecondaryState, event: SecondaryEvent, now: number, facts: SecondaryFacts): Step {
  const isDue = now >= expiryOf(before)
  const state: SecondaryState = isDue ? { ...before, isExpired: true } : before
  const { state: after, actions } = react(state, event, now, facts)
  // A zone that is refreshed in the moment it expires does not.
  return { state: after, actions: isDue && after.isExpired ? [{ kind: 'expire' }, ...actions] : actions }
}

function react(state: SecondaryState, event: SecondaryEvent, now: number, facts: SecondaryFacts): Step {
  switch (event.kind) {
    case 'tick':
      return state.phase === 'idle' && now >= state.dueAt ? begin(state, state.primary) : stay(state)
    case 'notified':
      return notified(state, event, now)
    case 'wanted': {
      const whole = event.isWhole ? { ...state, isWhole: true } : state
      return state.phase === 'idle' ? begin(whole, state.primary) : stay({ ...whole, again: { primary: state.primary } })
    }
    case 'told':
      return state.phase === 'asking' ? compare(state, event.soa, now, facts) : stay(state)
    case 'taken':
      return refreshed({ ...state, held: event.soa, isExpired: false, isWhole: false }, now, facts)
    case 'same':
      // What has expired meanwhile is not put in service again without having come from a primary.
      if (state.isExpired) return { state: { ...state, phase: 'transferring' }, actions: [{ kind: 'transfer', primary: state.primary, isWhole: true }] }
      return refreshed(state, now, facts)
    case 'failed':
      return failed(state, event.reason, now, facts)
  }
}

const stay = (state: SecondaryState): Step => ({ state, actions: [] })

/** What is needed whole is transferred at once; anything else is asked after first. */
function begin(state: SecondaryState, primary: number): Step {
  const isWhole = state.isWhole || state.held === undefined
  const actions: SecondaryAction[] = [isWhole ? { kind: 'transfer', primary, isWhole } : { kind: 'ask', primary }]
  return { state: { ...state, phase: isWhole ? 'transferring' : 'asking', primary, tried: 0, again: undefined }, actions }
}

function notified(state: SecondaryState, { primary, serial }: { readonly primary: number; readonly serial?: number }, now: number): Step {
  const { held, isExpired, phase } = state
  // What is held already is no news, but for a zone that has expired.
  if (serial !== undefined && held !== undefined && !isExpired && !isSerialAfter(serial, held.serial)) return stay(state)
  if (phase !== 'idle') return stay({ ...state, again: { primary, ...(serial !== undefined && { serial }) } })
  const soonest = state.endedAt + NOTIFY_SPACE
  return now >= soonest ? begin(state, primary) : stay({ ...state, primary, dueAt: Math.min(state.dueAt, soonest) })
}

function compare(state: SecondaryState, soa: Held, now: number, facts: SecondaryFacts): Step {
  const { held, isExpired, primary } = state
  const isWhole = held === undefined || isExpired
  if (isWhole || isSerialAfter(soa.serial, held.serial)) return { state: { ...state, phase: 'transferring' }, actions: [{ kind: 'transfer', primary, isWhole }] }
  if (soa.serial === held.serial) return refreshed(state, now, facts)
  return failed(state, `has serial ${soa.serial}, which comes before ${held.serial}, which is held`, now, facts)
}

function refreshed(state: SecondaryState, now: number, { random }: SecondaryFacts): Step {
  const { held } = state
  const dueAt = now + held!.refresh * 1000 * (0.9 + 0.1 * random())
  return end({ ...state, refreshedAt: now, failures: 0, dueAt }, now)
}

function failed(state: SecondaryState, reason: string, now: number, { primaries, random }: SecondaryFacts): Step {
  const { held, primary, failures, isWhole } = state
  const trouble: SecondaryAction = { kind: 'trouble', primary, reason }
  const next = (primary + 1) % primaries
  const tried = state.tried + 1
  if (tried < primaries) {
    const { state: turned, actions } = begin({ ...state, primary: next }, next)
    return { state: { ...turned, tried, again: state.again }, actions: [trouble, ...actions] }
  }
  const wait = held === undefined || isWhole ? Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.min(failures, 20)) : held.retry * 1000
  const { state: ended, actions } = end({ ...state, primary: next, failures: failures + 1, dueAt: now + wait * (0.75 + 0.25 * random()) }, now)
  return { state: ended, actions: [trouble, ...actions] }
}

/** The end of a round; what came in meanwhile and is still news begins another. */
function end(before: SecondaryState, now: number): Step {
  const { again } = before
  const state: SecondaryState = { ...before, phase: 'idle', tried: 0, endedAt: now, again: undefined }
  if (again === undefined) return stay(state)
  if (again.serial !== undefined && state.held !== undefined && !state.isExpired && !isSerialAfter(again.serial, state.held.serial)) return stay(state)
  return stay({ ...state, primary: again.primary, dueAt: Math.min(state.dueAt, now + NOTIFY_SPACE) })
}
