// Who stands above this worker, and how the tiers of a fleet speak to each other.
//
// routeOf and originsOf turn the configuration into a Route: regionals that share the keys on a Ring, shields, the origin. ask
// sends a question to the first Parent on it that is alive and goes past one that is not; TierAuth proves both ends to each
// other; CDN-Loop ends circles (RFC 8586).
//
// It must never know what is cached or how a viewer is answered.
export { ask, type Asker, type AnswerReceiver, type Question } from './ask.ts'
export { makeTierAuth, TIER_FIELD, type TierAuth } from '../../core/tier-auth.ts'
export { makeLiveness, type Liveness } from './liveness.ts'
export { hasPassed, withNode } from './loop.ts'
export { makeRing, type Ring } from './ring.ts'
export { originsOf, routeOf, type Parent, type Route } from './route.ts'
