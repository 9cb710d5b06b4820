// Is a target up: probes, hysteresis, schedule, and the table that everything else reads. Knows nothing of DNS or caching:
// it is told targets and a clock, and says verdicts. A plan (`plan.ts`) says what probes a check comes to for a target;
// `verdict.ts` judges one of them, purely; `driver.ts` does what that asks for, with timers and probes; `target.ts` makes one
// verdict of them; `table.ts` is one word a target in shared memory, which readers read plainly. A kind of probe is a file.
export { firstShare, nextShares, type LoadOf, type ShareState } from './capacity.ts'
export { Checker, type CheckerOptions } from './checker.ts'
export type { SavedTarget } from './driver.ts'
export { planCheck, type Plan, type PlanTarget } from './plan.ts'
export type { Probe, ProbeResult } from './probe.ts'
export { probe, type ProbeSpec } from './probes.ts'
export { startRounds } from './rounds.ts'
export {
  forcedOf, freshWord, healthWord, isAnswerable, isForcedOut, isSuspect, limitOf, limitWord, makeHealthTable, setHealth, setLimits, verdictOf,
  type Forced, type HealthTable, type Limit, type Verdict
} from './table.ts'
export type { CheckTarget, OwnView, Settler, TargetReport, VerdictChange } from './target.ts'
