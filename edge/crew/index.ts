// Several workers of one edge: threads that listen on one port, and are one cache.
//
//   Lead (main thread) ── starts, watches and tells ──> threads, each a whole worker with a store of its own
//   worker <── asks and answers (messages.ts) ──> worker
//
// Each key has its owner (owner.ts), by its hash; whoever takes a request for a key of another has that one answer it, and passes
// the answer on as it comes (Mates, Carried). So there is one fetch for a key, whichever connection asks. What is asked for again
// and again is lent for a while (lent.ts). Limits, and how those above fare, are counted in memory that all share (shared.ts).
//
// It must never know what a request is for, or whether an answer may be held.
export { makeCrew } from './crew.ts'
export { startCrew, type RunningCrew } from './lead.ts'
export type { CrewPlace, FromThread, ThreadData, ToThread } from './messages.ts'
export { joinMemory } from './shared.ts'
