import type { After, Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { Probe, ProbeSpec } from './probe.ts'
import { healthWord, setHealth, type Forced, type HealthTable, type Verdict } from './table.ts'
import { firstState, isSuspected, judge, recentFalls, type Flight, type HealthEvent, type TargetState, type VerdictSettings } from './verdict.ts'

export interface CheckTarget {
  readonly name: string
  readonly spec: ProbeSpec
  /** The word that is kept up to date. */
  readonly table: HealthTable
  readonly index: number
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

/** What the drivers of all targets share. */
export interface DriverContext {
  readonly clock: Clock
  readonly after: After
  readonly log: Logger
  readonly timeoutMs: number
  readonly probe: Probe<ProbeSpec>
  /** After every event, with whether the verdict has changed. */
  readonly judged: (changed: boolean) => void
}

/** One target with what keeps its word up to date: its state, its one timer and its probes under way. */
export class TargetDriver {
  readonly #target: CheckTarget
  readonly #settings: VerdictSettings
  readonly #context: DriverContext
  readonly #underWay = new Map<number, AbortController>()
  #state: TargetState
  #forced: Forced = 'none'
  #since: number
  #checkedAt: number
  #heard = false
  #checkMs: number | undefined
  #cancelWake: () => void = () => undefined
  #closed = false

  /** @param known what was known before a restart, when that is still believed */
  constructor(target: CheckTarget, settings: VerdictSettings, context: DriverContext, known: SavedTarget | undefined) {
    this.#target = target
    this.#settings = settings
    this.#context = context
    this.#state = firstState(context.clock.elapsed(), known)
    this.#since = known?.since ?? context.clock.now()
    this.#checkedAt = known?.checkedAt ?? 0
    this.#publish()
  }

  /** A check has ended since the start, or there is nothing to check. */
  get isKnown(): boolean {
    return this.#heard || this.#state.gone !== undefined
  }

  handle(event: HealthEvent): void {
    if (this.#closed) return
    const { clock, after, judged } = this.#context
    const before = this.#state
    const now = clock.elapsed()
    const { state, start, wakeAt } = judge(before, event, now, this.#settings)
    this.#state = state
    this.#cancelWake()
    if (wakeAt < Number.POSITIVE_INFINITY) this.#cancelWake = after(Math.max(1, wakeAt - now), () => this.handle({ kind: 'time' }))
    const wanted = new Set(state.flights.map((flight) => flight.id))
    for (const id of this.#underWay.keys()) if (!wanted.has(id)) this.#giveUp(id)
    for (const flight of start) void this.#launch(flight)
    this.#publish()
    const changed = state.verdict !== before.verdict
    if (changed) this.#tellChange(before.verdict)
    judged(changed)
  }

  force(forced: Forced): void {
    this.#forced = forced
    this.#publish()
  }

  save(): SavedTarget {
    const { verdict, why } = this.#state
    const falls = recentFalls(this.#state, this.#context.clock.elapsed())
    return { name: this.#target.name, verdict, why, since: this.#since, checkedAt: this.#checkedAt, falls }
  }

  report(): TargetReport {
    const timed = this.#checkMs === undefined ? {} : { checkMs: this.#checkMs }
    return { ...this.save(), suspect: isSuspected(this.#state, this.#context.clock.elapsed()), forced: this.#forced, ...timed }
  }

  close(): void {
    this.#closed = true
    this.#cancelWake()
    for (const id of this.#underWay.keys()) this.#giveUp(id)
  }

  async #launch(flight: Flight): Promise<void> {
    const { probe, timeoutMs, clock, after, log } = this.#context
    const { name, spec } = this.#target
    const controller = new AbortController()
    this.#underWay.set(flight.id, controller)
    const result = await probe(spec, { kind: flight.kind, timeoutMs, clock, after, signal: controller.signal })
    if (!this.#underWay.delete(flight.id)) return
    this.#heard = true
    this.#checkedAt = clock.now()
    if (result.passed) this.#checkMs = result.ms
    else log.debug({ target: name, why: result.why }, `a check of ${name} failed: ${result.why}`)
    this.handle({ kind: 'answer', id: flight.id, passed: result.passed, refused: result.refused === true, why: result.why })
  }

  #giveUp(id: number): void {
    this.#underWay.get(id)?.abort()
    this.#underWay.delete(id)
  }

  #publish(): void {
    const word = healthWord(this.#state.verdict, this.#forced, isSuspected(this.#state, this.#context.clock.elapsed()))
    setHealth(this.#target.table, this.#target.index, word)
  }

  #tellChange(before: Verdict): void {
    const { verdict, why } = this.#state
    const { name } = this.#target
    this.#since = this.#context.clock.now()
    // What comes up at a start stands in the start-up text already.
    const level = before === 'UNKNOWN' && verdict === 'UP' ? 'debug' : 'info'
    this.#context.log[level]({ target: name, before, now: verdict, why }, `${name} is ${verdict}: ${why}`)
  }
}
