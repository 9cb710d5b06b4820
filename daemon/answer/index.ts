// What daemon/answer.ts is made of: putting an answer together from the zones, keeping it ready, and counting.
//
//   assemble: Query -> Reply (sections as bytes) + what the zones said
//   Prepared: (node, type, place class) -> the same bytes, ready to be copied
//
// Must never know a socket.
export { assemble } from './assemble.ts'
export { addressesAt } from './addresses.ts'
export { forgetImage, makeAssembly, type Assembly } from './assembly.ts'
export { COOKIE, judgeCookie, makeCookieJar, useSecrets, type CookieJar } from './cookie.ts'
export { lookAhead } from './ahead.ts'
export { COUNT, COUNTERS, makeCounters, OUTCOMES, RCODE_SLOTS, readCounters, type CounterName } from './counters.ts'
export { closedGate, HAND_OVER, type Gate } from './gate.ts'
export { drawVariant } from './drawn.ts'
export { expandHints } from './hints.ts'
export { identityOctets, introduce, type Identity } from './identity.ts'
export { classByNetwork, nextRandom, placeOf, type Source } from './place.ts'
export { forgetOld, keep } from './keep.ts'
export { ENTRY, findForClass, findPrepared, forgetSteered, makePrepared, STATE, VARIANT, type Prepared } from './prepared.ts'
export { findQuestion, noteQuestion } from './questions.ts'
export { finish, HEADER, movePointers, optLength, putBody, putWords, type Exchange, type Transport } from './send.ts'
export { beginSteering, leadsOn, makeSteering, steer, type Steered, type Steering } from './steering.ts'
export { countQuery, makeTally, NOT_LOOKED_FOR, openTally, TALLY, tallyCountry, turnTally, type Tally } from './tally.ts'
export { putUnknownKey } from './unknown-key.ts'
export { variantsOf, type Variant } from './variants.ts'
