import type { After, Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import { probe as realProbe, type Probe, type ProbeSpec } from './probe.ts'
import { healthWord, setHealth, type Forced, type HealthTable, type Verdict } from './table.ts'
import { firstState, isSuspected, judge, recentFalls, type Flight, type HealthEvent, type TargetState, type VerdictSettings } from './verdict.ts'

export interface CheckTarget {
  readonly name: string
  readonly spec: ProbeSpec
  /** The word that is kept up to date. */
  readonly table: HealthTable
  readonly index: number
}

export interface CheckerOptions {
  readonly targets: readonly CheckTarget[]
  readonly settings: { readonly timeoutMs: number; readonly fall: number; readonly rise: number; readonly holdDownMs: number }
  readonly clock: Clock
  readonly after: After
  readonly log: Logger
  readonly probe?: Probe<ProbeSpec>
  /** What was known before a restart. */
  readonly known?: readonly SavedTarget[]
  /** Called after a verdict has changed. */
  changed?(): void
}

/** What is kept of a target over restarts. Wall times. */
export interface SavedTarget {
  readonly name: string
  readonly verdict: Verdict
  readonly why: string
  readonly since: number
  readonly checkedAt: number
  readonly falls: number
}

export interface TargetReport extends SavedTarget {
  readonly suspect: boolean
  readonly forced: Forced
  /** Of the last check that passed. */
  readonly checkMs?: number
}

export interface Checker {
  /** Resolves when something is known of every target, or after FIRST_ROUND_MS. */
  readonly firstRound: Promise<void>
  /** Begins a round of checks of this length, spread over it; `first` asks everybody at once as well. */
  round(lengthMs: number, first: boolean): void
  /** What somebody who knows better says of a target. `planned`: it is meant to be gone. Unknown names are ignored. */
  evidence(name: string, said: 'gone' | 'starting' | 'back', why: string, planned?: boolean): void
  force(name: string, forced: Forced): void
  report(name: string): TargetReport | undefined
  /** For `known` of the next start. */
  save(): readonly SavedTarget[]
  close(): void
}

/** Knowledge older than this is none. */
export const BELIEVED_MS = 300_000
const FIRST_ROUND_MS = 3000

/** One target with what drives it: its state, its one timer and its probes under way. */
interface Driven {
  readonly target: CheckTarget
  readonly settings: VerdictSettings
  state: TargetState
  forced: Forced
  since: number
  checkedAt: number
  /** A check has ended since the start. */
  heard: boolean
  checkMs?: number
  readonly underWay: Map<number, AbortController>
  wake(): void
}

/** Keeps the health words of the targets up to date: judges what happens with `verdict.ts` and does what that asks for. */
export function startChecker(options: CheckerOptions): Checker {
  const { clock, after, log, probe = realProbe } = options
  const all = new Map(options.targets.map((target, at): [string, Driven] => [target.name, drive(target, at / options.targets.length, options)]))
  let closed = false
  let markFirstRound = (): void => undefined
  const firstRound = new Promise<void>((resolve) => (markFirstRound = resolve))
  after(FIRST_ROUND_MS, markFirstRound)

  const handle = (one: Driven, event: HealthEvent): void => {
    if (closed) return
    const before = one.state
    const now = clock.elapsed()
    const { state, start, wakeAt } = judge(before, event, now, one.settings)
    one.state = state
    one.wake()
    if (wakeAt < Number.POSITIVE_INFINITY) one.wake = after(Math.max(1, wakeAt - now), () => handle(one, { kind: 'time' }))
    const wanted = new Set(state.flights.map((flight) => flight.id))
    for (const [id, controller] of one.underWay) if (!wanted.has(id)) giveUp(one, id, controller)
    for (const flight of start) void launch(one, flight)
    publish(one)
    if (state.verdict !== before.verdict) {
      one.since = clock.now()
      log.info({ target: one.target.name, before: before.verdict, now: state.verdict, why: state.why }, `${one.target.name} is ${state.verdict}: ${state.why}`)
      options.changed?.()
    }
    if (event.kind !== 'round' && [...all.values()].every((each) => each.heard || each.state.gone !== undefined)) markFirstRound()
  }

  const publish = (one: Driven): void => {
    const word = healthWord(one.state.verdict, one.forced, isSuspected(one.state, clock.elapsed()))
    setHealth(one.target.table, one.target.index, word)
  }

  const launch = async (one: Driven, flight: Flight): Promise<void> => {
    const controller = new AbortController()
    one.underWay.set(flight.id, controller)
    const result = await probe(one.target.spec, { kind: flight.kind, timeoutMs: options.settings.timeoutMs, clock, after, signal: controller.signal })
    if (!one.underWay.delete(flight.id)) return
    one.checkedAt = clock.now()
    one.heard = true
    if (result.passed) one.checkMs = result.ms
    else log.debug({ target: one.target.name, why: result.why }, `a check of ${one.target.name} failed: ${result.why}`)
    handle(one, { kind: 'answer', id: flight.id, passed: result.passed, refused: result.refused === true, why: result.why })
  }

  for (const one of all.values()) publish(one)
  return {
    firstRound,
    round: (lengthMs, first) => {
      for (const one of all.values()) handle(one, { kind: 'round', lengthMs, atOnce: first })
    },
    evidence: (name, said, why, planned = false) => {
      const one = all.get(name)
      if (one !== undefined) handle(one, said === 'gone' ? { kind: 'gone', why, planned } : { kind: said })
    },
    force: (name, forced) => {
      const one = all.get(name)
      if (one === undefined) return
      one.forced = forced
      publish(one)
    },
    report: (name) => {
      const one = all.get(name)
      return one === undefined ? undefined : reportOf(one, clock)
    },
    save: () => [...all.values()].map((one) => savedOf(one, clock)),
    close: () => {
      closed = true
      for (const one of all.values()) {
        one.wake()
        for (const [id, controller] of one.underWay) giveUp(one, id, controller)
      }
    }
  }
}

function drive(target: CheckTarget, place: number, { clock, settings, known }: CheckerOptions): Driven {
  const wall = clock.now()
  const saved = known?.find((each) => each.name === target.name)
  const age = saved === undefined ? Number.POSITIVE_INFINITY : wall - saved.checkedAt
  const believed = age >= 0 && age <= BELIEVED_MS ? saved : undefined
  const own = { fall: settings.fall, rise: settings.rise, holdDownMs: settings.holdDownMs, place }
  return {
    target,
    settings: own,
    state: firstState(clock.elapsed(), believed),
    forced: 'none',
    since: believed?.since ?? wall,
    checkedAt: believed?.checkedAt ?? 0,
    heard: false,
    underWay: new Map(),
    wake: () => undefined
  }
}

function giveUp(one: Driven, id: number, controller: AbortController): void {
  one.underWay.delete(id)
  controller.abort()
}

function savedOf(one: Driven, clock: Clock): SavedTarget {
  const { verdict, why } = one.state
  return { name: one.target.name, verdict, why, since: one.since, checkedAt: one.checkedAt, falls: recentFalls(one.state, clock.elapsed()) }
}

function reportOf(one: Driven, clock: Clock): TargetReport {
  const timed = one.checkMs === undefined ? {} : { checkMs: one.checkMs }
  return { ...savedOf(one, clock), suspect: isSuspected(one.state, clock.elapsed()), forced: one.forced, ...timed }
}
