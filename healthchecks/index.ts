// Is a target up: probes, hysteresis, schedule, and the table that everything else reads. Knows nothing of DNS or caching:
// it is told targets and a clock, and says verdicts. `verdict.ts` judges, purely; `driver.ts` does what it asks for, with timers and
// probes; `table.ts` is one word a target in shared memory, which readers read plainly.
export { startChecker, type Checker, type CheckerOptions } from './checker.ts'
export type { CheckTarget, SavedTarget, TargetReport } from './driver.ts'
export { probe, type Probe, type ProbeResult, type ProbeSpec } from './probe.ts'
export { startRounds } from './rounds.ts'
export { forcedOf, healthWord, isAnswerable, isForcedOut, isSuspect, makeHealthTable, setHealth, verdictOf, type Forced, type HealthTable, type Verdict } from './table.ts'
