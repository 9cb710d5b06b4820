import type { Clock } from '../core/clock.ts'
import type { ProbeDriver, SavedTarget } from './driver.ts'
import type { Plan } from './plan.ts'
import { healthWord, setHealth, type Forced, type HealthTable, type Verdict } from './table.ts'

export interface CheckTarget {
  readonly name: string
  readonly plan: Plan
  /** The word that is kept up to date. */
  readonly table: HealthTable
  readonly index: number
  /** Told whenever it was written anew. */
  wrote?(word: number, why: string): void
}

export interface TargetReport extends SavedTarget {
  readonly check: string
  readonly suspect: boolean
  readonly forced: Forced
  /** Of the last check that passed. */
  readonly checkMs?: number
  /** What a metrics check of it last told. */
  readonly load?: number
  readonly capacity?: number
}

/** A verdict that has changed. Wall time. */
export interface VerdictChange {
  readonly name: string
  readonly at: number
  readonly before: Verdict
  readonly now: Verdict
  readonly why: string
}

/** What our own checks say of a target, before anybody else is asked. */
export interface OwnView {
  readonly verdict: Verdict
  readonly suspect: boolean
  /** Who runs it says that it has ended or hangs. */
  readonly gone: boolean
  readonly since: number
  readonly why: string
}

/** Makes of our own view what the word is to say. */
export interface Settler {
  settle(target: CheckTarget, own: OwnView): { readonly verdict: Verdict; readonly suspect: boolean }
  /** The target is checked no more. */
  forget(name: string): void
}

/** How a part of a plan stands. */
interface Judged {
  readonly verdict: Verdict
  readonly suspect: boolean
  readonly why: string
}

/** One target with its word: what its plan makes of its probes, what was told of it, what it is forced to. */
export class WatchedTarget {
  readonly target: CheckTarget
  readonly drivers: ReadonlySet<ProbeDriver>
  readonly #clock: Clock
  readonly #settler: Settler | undefined
  readonly #driverOf: (plan: Plan) => ProbeDriver | undefined
  #forced: Forced
  #gone: string | undefined
  #judged: Judged
  #since: number
  readonly #changed: (change: VerdictChange | undefined) => void
  readonly #listener = (): void => this.#judge()

  /**
   * @param changed told after every judgement, with what has changed
   * @param settler absent: the word says what our own checks say
   */
  constructor(target: CheckTarget, driverOf: (plan: Plan) => ProbeDriver | undefined, clock: Clock, forced: Forced, known: SavedTarget | undefined, changed: (change: VerdictChange | undefined) => void, settler?: Settler) {
    this.#settler = settler
    this.target = target
    this.#driverOf = driverOf
    this.#clock = clock
    this.#forced = forced
    this.#changed = changed
    this.drivers = new Set(leavesOf(target.plan).flatMap((plan) => driverOf(plan) ?? []))
    this.#judged = this.#evaluate(target.plan)
    this.#since = known?.verdict === this.#judged.verdict ? known.since : clock.now()
    for (const driver of this.drivers) driver.listeners.add(this.#listener)
    this.restate()
  }

  /** Something is known of every probe of it, or it needs none. */
  get isKnown(): boolean {
    return this.#gone !== undefined || [...this.drivers].every((driver) => driver.isKnown)
  }

  get verdict(): Verdict {
    return this.#judged.verdict
  }

  force(forced: Forced): void {
    this.#forced = forced
    this.restate()
  }

  tell(said: 'gone' | 'starting' | 'back', why: string, planned: boolean): void {
    this.#gone = said === 'gone' ? why : undefined
    for (const driver of this.drivers) driver.handle(said === 'gone' ? { kind: 'gone', why, planned } : { kind: said })
    this.#judge()
  }

  report(): TargetReport {
    const drivers = [...this.drivers]
    const times = drivers.flatMap(({ checkMs }) => (checkMs === undefined ? [] : [checkMs]))
    const told = drivers.find(({ load }) => load !== undefined)?.load
    return {
      name: this.target.name,
      check: this.target.plan.check,
      verdict: this.#judged.verdict,
      why: this.#judged.why,
      since: this.#since,
      checkedAt: Math.max(0, ...drivers.map(({ checkedAt }) => checkedAt)),
      falls: Math.max(0, ...drivers.map(({ falls }) => falls)),
      suspect: this.#judged.suspect,
      forced: this.#forced,
      ...(times.length > 0 && { checkMs: Math.max(...times) }),
      ...told
    }
  }

  save(): SavedTarget {
    const { name, verdict, why, since, checkedAt, falls } = this.report()
    return { name, verdict, why, since, checkedAt, falls }
  }

  close(): void {
    for (const driver of this.drivers) driver.listeners.delete(this.#listener)
    this.#settler?.forget(this.target.name)
  }

  #judge(): void {
    const before = this.#judged.verdict
    this.#judged = this.#evaluate(this.target.plan)
    const { verdict, why } = this.#judged
    if (verdict !== before) this.#since = this.#clock.now()
    this.restate()
    if (verdict === before) return this.#changed(undefined)
    this.#changed({ name: this.target.name, at: this.#since, before, now: verdict, why })
  }

  /** Writes the word: also when what others say of the target has changed. */
  restate(): void {
    const { table, index } = this.target
    const { verdict, suspect, why } = this.#judged
    const settled = this.#settler?.settle(this.target, { verdict, suspect, gone: this.#gone !== undefined, since: this.#since, why }) ?? this.#judged
    const word = healthWord(settled.verdict, this.#forced, settled.suspect)
    if (setHealth(table, index, word)) this.target.wrote?.(word, why)
  }

  #evaluate(plan: Plan): Judged {
    if (this.#gone !== undefined) return { verdict: 'DOWN', suspect: false, why: this.#gone }
    return evaluate(plan, this.#driverOf)
  }
}

/** Down parts that are named in a reason. */
const MOST_NAMED = 3
const OPPOSITE: Readonly<Record<Verdict, Verdict>> = { UP: 'DOWN', DOWN: 'UP', UNKNOWN: 'UNKNOWN' }

function evaluate(plan: Plan, driverOf: (plan: Plan) => ProbeDriver | undefined): Judged {
  const { check, inverted, disabled, what } = plan
  if (disabled) return { verdict: inverted ? 'DOWN' : 'UP', suspect: false, why: `check ${check} is disabled` }
  const own = 'of' in what ? calculate(what.of, what.atLeast, driverOf) : judgedBy(driverOf(plan)!)
  return inverted ? { ...own, verdict: OPPOSITE[own.verdict], why: `inverted: ${own.why}` } : own
}

function judgedBy({ verdict, isSuspect, why }: ProbeDriver): Judged {
  return { verdict, suspect: isSuspect, why }
}

/** Up when enough of them are; down when enough of them cannot be; until then it is not known. Suspect when one more failure would take it down. */
function calculate(of: readonly Plan[], atLeast: number, driverOf: (plan: Plan) => ProbeDriver | undefined): Judged {
  const parts = of.map((plan) => ({ check: plan.check, ...evaluate(plan, driverOf) }))
  const up = parts.filter(({ verdict }) => verdict === 'UP')
  const down = parts.filter(({ verdict }) => verdict === 'DOWN')
  const verdict = up.length >= atLeast ? 'UP' : parts.length - down.length < atLeast ? 'DOWN' : 'UNKNOWN'
  const sure = up.filter(({ suspect }) => !suspect).length
  const named = down.slice(0, MOST_NAMED).map(({ check, why }) => `; ${check}: ${why}`)
  return { verdict, suspect: verdict === 'UP' && sure < atLeast, why: `${up.length} of ${parts.length} pass, ${atLeast} needed${named.join('')}` }
}

function leavesOf(plan: Plan): Plan[] {
  if (plan.disabled) return []
  return 'of' in plan.what ? plan.what.of.flatMap(leavesOf) : [plan]
}
