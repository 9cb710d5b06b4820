import type { After, Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import { TargetDriver, type CheckTarget, type SavedTarget, type TargetReport } from './driver.ts'
import { probe as realProbe, type Probe, type ProbeSpec } from './probe.ts'
import type { Forced } from './table.ts'
import type { HealthEvent } from './verdict.ts'

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
const BELIEVED_MS = 300_000
const FIRST_ROUND_MS = 3000

/** Keeps the health words of the targets up to date: judges what happens with `verdict.ts` and does what that asks for. */
export function startChecker(options: CheckerOptions): Checker {
  const { clock, after, log, settings, probe = realProbe } = options
  const drivers = new Map<string, TargetDriver>()
  let markFirstRound = (): void => undefined
  const firstRound = new Promise<void>((resolve) => {
    markFirstRound = resolve
  })
  const cancelFirstRound = after(FIRST_ROUND_MS, () => markFirstRound())
  const judged = (changed: boolean): void => {
    if (changed) options.changed?.()
    if ([...drivers.values()].every((each) => each.isKnown)) markFirstRound()
  }
  const context = { clock, after, log, probe, timeoutMs: settings.timeoutMs, judged }
  for (const [at, target] of options.targets.entries()) {
    const known = options.known?.find((each) => each.name === target.name && isBelieved(each, clock.now()))
    drivers.set(target.name, new TargetDriver(target, { ...settings, place: at / options.targets.length }, context, known))
  }
  return {
    firstRound,
    round: (lengthMs, first) => {
      for (const driver of drivers.values()) driver.handle({ kind: 'round', lengthMs, atOnce: first })
    },
    evidence: (name, said, why, planned = false) => {
      const event: HealthEvent = said === 'gone' ? { kind: 'gone', why, planned } : { kind: said }
      drivers.get(name)?.handle(event)
    },
    force: (name, forced) => drivers.get(name)?.force(forced),
    report: (name) => drivers.get(name)?.report(),
    save: () => [...drivers.values()].map((driver) => driver.save()),
    close: () => {
      cancelFirstRound()
      for (const driver of drivers.values()) driver.close()
      markFirstRound()
    }
  }
}

/** Neither too old nor, after the wall clock was set, from the future. */
function isBelieved(saved: SavedTarget, now: number): boolean {
  const age = now - saved.checkedAt
  return age >= 0 && age <= BELIEVED_MS
}
