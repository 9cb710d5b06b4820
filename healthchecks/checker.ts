import type { After, Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import { ProbeDriver, type DriverContext, type SavedTarget } from './driver.ts'
import type { Plan, ProbePlan } from './plan.ts'
import type { Probe } from './probe.ts'
import { probe as realProbe, type ProbeSpec } from './probes.ts'
import type { startRounds } from './rounds.ts'
import type { Forced } from './table.ts'
import { WatchedTarget, type CheckTarget, type Settler, type TargetReport, type VerdictChange } from './target.ts'

export interface CheckerOptions {
  readonly holdDownMs: number
  readonly clock: Clock
  readonly after: After
  readonly log: Logger
  readonly rounds: typeof startRounds
  readonly probe?: Probe<ProbeSpec>
  /** What was known before a restart. */
  readonly known?: readonly SavedTarget[]
  /** Makes of our own view of a target what its word is to say. */
  readonly settler?: Settler
  /** Called after a verdict has changed. */
  changed?(change: VerdictChange): void
}

/** Knowledge older than this is none. */
const BELIEVED_MS = 300_000
const FIRST_ROUND_MS = 3000
/** Steps of the golden ratio lie evenly over a round, however many there are and whenever they came. */
const GOLDEN = 0.618033988749895

interface Rounds {
  lengthMs: number
  readonly end: () => void
  readonly drivers: Set<ProbeDriver>
}

/** Keeps the health words of its targets up to date; it begins without any. The same probe wanted by several targets runs once. */
export class Checker {
  readonly #options: CheckerOptions
  readonly #context: DriverContext
  readonly #known: ReadonlyMap<string, SavedTarget>
  readonly #targets = new Map<string, WatchedTarget>()
  readonly #drivers = new Map<string, { readonly driver: ProbeDriver; users: number }>()
  readonly #rounds = new Map<string, Rounds>()
  readonly #forced = new Map<string, Forced>()
  readonly #waiting = new Set<() => void>()
  #made = 0
  #isClosed = false
  #lastAddedAt: number

  constructor(options: CheckerOptions) {
    const { clock, after, log, probe = realProbe, holdDownMs, known = [] } = options
    this.#options = options
    this.#context = { clock, after, log, probe, holdDownMs }
    this.#known = new Map(known.filter((each) => isBelieved(each, clock.now())).map((each) => [each.name, each]))
    this.#lastAddedAt = clock.elapsed()
  }

  /** From now on these are checked too, at once first. A name that is there already is not. */
  add(targets: readonly CheckTarget[]): void {
    const { clock, settler } = this.#options
    const fresh: ProbeDriver[] = []
    for (const target of targets) {
      const { name, plan } = target
      if (this.#targets.has(name)) continue
      for (const { what } of leaves(plan)) if ('probe' in what) this.#use(what.probe, name, fresh)
      const driverOf = ({ what }: Plan): ProbeDriver | undefined => ('probe' in what ? this.#drivers.get(keyOf(what.probe))?.driver : undefined)
      this.#targets.set(name, new WatchedTarget(target, driverOf, clock, this.#forced.get(name) ?? 'none', this.#known.get(name), (change) => this.#judged(change), settler))
      this.#lastAddedAt = clock.elapsed()
    }
    for (const driver of fresh) this.#join(driver)
  }

  /** From now on these are not. Their words stay as they are. */
  remove(names: readonly string[]): void {
    for (const name of names) {
      const watched = this.#targets.get(name)
      if (watched === undefined) continue
      watched.close()
      this.#targets.delete(name)
      for (const { what } of leaves(watched.target.plan)) if ('probe' in what) this.#leave(what.probe)
    }
    this.#judged(undefined)
  }

  /** Resolves when something is known of every target, or FIRST_ROUND_MS after the last was added. */
  settled(): Promise<void> {
    const { clock, after } = this.#options
    const isSettled = (): boolean => this.#isClosed || [...this.#targets.values()].every(({ isKnown }) => isKnown)
    return new Promise((resolve) => {
      const look = (): void => {
        if (isSettled()) finish()
      }
      const finish = (): void => {
        cancel()
        this.#waiting.delete(look)
        this.#waiting.delete(finish)
        resolve()
      }
      const cancel = after(Math.max(0, this.#lastAddedAt + FIRST_ROUND_MS - clock.elapsed()), finish)
      this.#waiting.add(look)
      look()
    })
  }

  /** What somebody who knows better says of a target. `planned`: it is meant to be gone. Unknown names are ignored. */
  evidence(name: string, said: 'gone' | 'starting' | 'back', why: string, planned = false): void {
    this.#targets.get(name)?.tell(said, why, planned)
  }

  /** Holds for a name that is not there yet as well. */
  force(name: string, forced: Forced): void {
    if (forced === 'none') this.#forced.delete(name)
    else this.#forced.set(name, forced)
    this.#targets.get(name)?.force(forced)
  }

  /** What the settler says may have changed. */
  restate(): void {
    for (const target of this.#targets.values()) target.restate()
  }

  report(name: string): TargetReport | undefined {
    return this.#targets.get(name)?.report()
  }

  /** For `known` of the next start. */
  save(): readonly SavedTarget[] {
    const drivers = [...this.#drivers.values()].map(({ driver }) => driver.save())
    return [...drivers, ...[...this.#targets.values()].map((target) => target.save())]
  }

  close(): void {
    this.#isClosed = true
    for (const { end } of this.#rounds.values()) end()
    for (const { driver } of this.#drivers.values()) driver.close()
    for (const look of this.#waiting) look()
  }

  #judged(change: VerdictChange | undefined): void {
    if (change !== undefined) {
      const { name, before, now, why } = change
      // What comes up at a start stands in the start-up text already.
      const level = before === 'UNKNOWN' && now === 'UP' ? 'debug' : 'info'
      this.#options.log[level]({ target: name, before, now, why }, `${name} is ${now}: ${why}`)
      this.#options.changed?.(change)
    }
    for (const look of this.#waiting) look()
  }

  #use(plan: ProbePlan, target: string, fresh: ProbeDriver[]): void {
    const key = keyOf(plan)
    const found = this.#drivers.get(key)
    if (found !== undefined) {
      found.users++
      return
    }
    const place = (this.#made++ * GOLDEN) % 1
    const driver = new ProbeDriver(key, plan, place, this.#context, this.#known.get(key) ?? this.#known.get(target))
    this.#drivers.set(key, { driver, users: 1 })
    fresh.push(driver)
  }

  #leave(plan: ProbePlan): void {
    const key = keyOf(plan)
    const used = this.#drivers.get(key)
    if (used === undefined || --used.users > 0) return
    used.driver.close()
    this.#drivers.delete(key)
    const rounds = this.#rounds.get(plan.every)
    rounds?.drivers.delete(used.driver)
    if (rounds?.drivers.size !== 0) return
    rounds.end()
    this.#rounds.delete(plan.every)
  }

  /** Takes part in the rounds of its expression; the first of them begins for it at once. */
  #join(driver: ProbeDriver): void {
    const { every } = driver.plan
    const rounds = this.#rounds.get(every)
    if (rounds !== undefined) {
      rounds.drivers.add(driver)
      driver.handle({ kind: 'round', lengthMs: rounds.lengthMs, atOnce: true })
      return
    }
    const drivers = new Set([driver])
    let lengthMs = 0
    const end = this.#options.rounds(every, (length, first) => {
      lengthMs = length
      const known = this.#rounds.get(every)
      if (known !== undefined) known.lengthMs = length
      for (const each of drivers) each.handle({ kind: 'round', lengthMs: length, atOnce: first })
    })
    this.#rounds.set(every, { lengthMs, end, drivers })
  }
}

/** The same key, the same probe. */
function keyOf({ spec, ...settings }: ProbePlan): string {
  return JSON.stringify([spec, settings])
}

/** The probes of a plan; what is disabled asks nothing. */
function leaves(plan: Plan): Plan[] {
  if (plan.disabled) return []
  return 'of' in plan.what ? plan.what.of.flatMap(leaves) : [plan]
}

/** Neither too old nor, after the wall clock was set, from the future. */
function isBelieved(saved: SavedTarget, now: number): boolean {
  const age = now - saved.checkedAt
  return age >= 0 && age <= BELIEVED_MS
}
