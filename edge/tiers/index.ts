// Who stands above this worker, and how the tiers of a fleet speak to each other.
//
// tiersAbove and originsOf turn the configuration into Parents, nearest first; ask sends a question to the first that is
// alive and goes past one that is not; TierAuth proves both ends to each other; CDN-Loop ends circles (RFC 8586).
//
// It must never know what is cached or how a viewer is answered.
export { ask, type Asker, type AnswerReceiver, type Question } from './ask.ts'
export { makeTierAuth, TIER_FIELD, type TierAuth } from '../../core/tier-auth.ts'
export { makeLiveness, type Liveness } from './liveness.ts'
export { hasPassed, withNode } from './loop.ts'
export { originsOf, tiersAbove, type Parent } from './route.ts'
