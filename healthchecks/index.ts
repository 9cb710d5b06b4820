// Is a target up: probes, hysteresis, schedule, and the table that everything else reads. Knows nothing of DNS or caching:
// it is told targets and a clock, and says verdicts.
export { forcedOf, healthWord, isAnswerable, isForcedOut, isSuspect, makeHealthTable, setHealth, verdictOf, type Forced, type HealthTable, type Verdict } from './table.ts'
