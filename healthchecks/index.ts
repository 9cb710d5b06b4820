// Is a target up: probes, hysteresis, schedule, and the table that everything else reads. Knows nothing of DNS or caching:
// it is told targets and a clock, and says verdicts. `verdict.ts` judges, purely; `checker.ts` drives it with timers and
// probes; `table.ts` is one word a target in shared memory, which readers read plainly.
export { BELIEVED_MS, startChecker, type Checker, type CheckerOptions, type CheckTarget, type SavedTarget, type TargetReport } from './checker.ts'
export { probe, type Probe, type ProbeResult, type ProbeSpec } from './probe.ts'
export { startRounds } from './rounds.ts'
export { forcedOf, healthWord, isAnswerable, isForcedOut, isSuspect, makeHealthTable, setHealth, verdictOf, type Forced, type HealthTable, type Verdict } from './table.ts'
