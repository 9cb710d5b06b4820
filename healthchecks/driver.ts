import type { After, Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { ProbePlan } from './plan.ts'
import type { Probe } from './probe.ts'
import type { ProbeSpec } from './probes.ts'
import type { Verdict } from './table.ts'
import { firstState, isSuspected, judge, recentFalls, STARTING, type Flight, type HealthEvent, type TargetState } from './verdict.ts'

/** What is kept over restarts: of a probe, or of a target. Wall times. */
export interface SavedTarget {
  readonly name: string
  readonly verdict: Verdict
  readonly why: string
  readonly since: number
  readonly checkedAt: number
  readonly falls: number
}

/** What the drivers of all probes share. */
export interface DriverContext {
  readonly clock: Clock
  readonly after: After
  readonly log: Logger
  readonly probe: Probe<ProbeSpec>
  readonly holdDownMs: number
}

/** How one probe of one target stands, with what keeps that up to date: its state, its one timer and its probes under way. */
export class ProbeDriver {
  readonly name: string
  readonly plan: ProbePlan
  /** Told after every event. */
  readonly listeners = new Set<() => void>()
  readonly #place: number
  readonly #context: DriverContext
  readonly #underWay = new Map<number, AbortController>()
  readonly #startedAt: number
  #state: TargetState
  #checkedAt: number
  #heard = false
  #checkMs: number | undefined
  #load: { readonly load: number; readonly capacity?: number } | undefined
  #cancelWake: () => void = () => undefined
  #closed = false

  /**
   * @param name by which it is known over restarts
   * @param place its place in a round, 0 to 1
   * @param known what was known before a restart, when that is still believed
   */
  constructor(name: string, plan: ProbePlan, place: number, context: DriverContext, known: SavedTarget | undefined) {
    this.name = name
    this.plan = plan
    this.#place = place
    this.#context = context
    this.#startedAt = context.clock.elapsed()
    this.#state = firstState(this.#startedAt, known)
    this.#checkedAt = known?.checkedAt ?? 0
  }

  get verdict(): Verdict {
    return this.#state.verdict
  }

  get why(): string {
    return this.#state.why
  }

  get isSuspect(): boolean {
    return isSuspected(this.#state, this.#context.clock.elapsed())
  }

  /** A check has ended since the start, or there is nothing to check. */
  get isKnown(): boolean {
    const { gone } = this.#state
    return this.#heard || (gone !== undefined && gone !== STARTING)
  }

  /** By the clock that never goes back. */
  get startedAt(): number {
    return this.#startedAt
  }

  /** Wall time of the last check that ended; 0: none has. */
  get checkedAt(): number {
    return this.#checkedAt
  }

  /** Of the last check that passed. */
  get checkMs(): number | undefined {
    return this.#checkMs
  }

  /** What the target last said of its load, while it is up. */
  get load(): { readonly load: number; readonly capacity?: number } | undefined {
    return this.#state.verdict === 'UP' ? this.#load : undefined
  }

  get falls(): number {
    return recentFalls(this.#state, this.#context.clock.elapsed())
  }

  handle(event: HealthEvent): void {
    if (this.#closed) return
    const { clock, after, holdDownMs } = this.#context
    const { fall, rise } = this.plan
    const now = clock.elapsed()
    const { state, start, wakeAt } = judge(this.#state, event, now, { fall, rise, holdDownMs, place: this.#place })
    this.#state = state
    this.#cancelWake()
    if (wakeAt < Number.POSITIVE_INFINITY) this.#cancelWake = after(Math.max(1, wakeAt - now), () => this.handle({ kind: 'time' }))
    const wanted = new Set(state.flights.map((flight) => flight.id))
    for (const id of this.#underWay.keys()) if (!wanted.has(id)) this.#giveUp(id)
    for (const flight of start) void this.#launch(flight)
    for (const listener of this.listeners) listener()
  }

  save(): SavedTarget {
    const { verdict, why } = this.#state
    return { name: this.name, verdict, why, since: this.#checkedAt, checkedAt: this.#checkedAt, falls: this.falls }
  }

  close(): void {
    this.#closed = true
    this.#cancelWake()
    for (const id of this.#underWay.keys()) this.#giveUp(id)
  }

  async #launch(flight: Flight): Promise<void> {
    const { probe, clock, after, log } = this.#context
    const { spec, timeoutMs, connectMs } = this.plan
    const controller = new AbortController()
    this.#underWay.set(flight.id, controller)
    const result = await probe(spec, { kind: flight.kind, timeoutMs, connectMs, clock, after, signal: controller.signal })
    if (!this.#underWay.delete(flight.id)) return
    this.#heard = true
    this.#checkedAt = clock.now()
    if (result.load !== undefined) this.#load = { load: result.load, ...(result.capacity !== undefined && { capacity: result.capacity }) }
    if (result.passed) this.#checkMs = result.ms
    else log.debug({ target: this.name, why: result.why }, `a check of ${this.name} failed: ${result.why}`)
    this.handle({ kind: 'answer', id: flight.id, passed: result.passed, refused: result.refused === true, why: result.why })
  }

  #giveUp(id: number): void {
    this.#underWay.get(id)?.abort()
    this.#underWay.delete(id)
  }
}
