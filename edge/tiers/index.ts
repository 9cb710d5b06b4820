// Who stands above this worker, and how the tiers of a fleet speak to each other.
//
// routeOf turns the configuration into a Route: neighbours, regionals that share the keys on a Ring, shields, a group of origins
// with a way to balance (balance/, one file each, listed in balances.ts). ask sends a question to the first Parent on it that
// is alive and goes past one that is not; how each fares is noted in its Standing. TierAuth proves both ends to each other;
// CDN-Loop ends circles (RFC 8586).
//
// It must never know what is cached or how a viewer is answered.
export { ask } from './ask.ts'
export { hashText } from './hash.ts'
export { guard, type AnswerReceiver, type Asker, type Question } from './asker.ts'
export { makeTierAuth, TIER_FIELD, type TierAuth } from '../../core/tier-auth.ts'
export { LINE_WORDS, makeLedger, type Ledger, type Tally } from './ledger.ts'
export { makeLiveness, type Liveness } from './liveness.ts'
export { hasPassed, withNode } from './loop.ts'
export { originsOf } from './origins.ts'
export type { OriginGroup, Parent } from './parent.ts'
export { makeRing, type Ring } from './ring.ts'
export { equalsOf, routeOf, type Route } from './route.ts'
export { HELD_FIELD } from './send.ts'
export { ledgerNames, makeStandings, type Standing, type Standings } from './standing.ts'
