// HTTP caching as law. Everything here is told the time and knows no socket.
//
// judge says whether a response may be stored and for how long it is fresh (RFC 9111); isNotModified answers conditional
// requests (RFC 9110 §13); keys are texts. Held is what is kept under a key: an object or a mark. Fill is a body that is still coming, read by any number of readers.
//
// It must never know of sockets, clients, tiers or configuration.
export { isNotModified, type Validators } from './conditional.ts'
export { Fill, type Backing, type Reader, type Sink } from './fill.ts'
export { objectId, POLICY_PARTS, primaryKey, variantKey, type Asked, type Varying } from './key.ts'
export { readRequestControl, type RequestControl } from './control.ts'
export { ageAt, initialAge, isFresh, judge, LAWFUL, mayBeStale, staleFor, varyNames, type Freshness, type NoStoreReason, type Received, type Times, type Verdict } from './law.ts'
export { lengthOf, type BodyOnDisk, type Held, type Holder, type PassMark, type StoredObject, type VaryMark } from './held.ts'
export { lookup, type Found } from './lookup.ts'
export { isSameRepresentation, missingOf, MOST_PIECES, packParts, partsKey, pieceKey, readContentRange, slicesOf, unpackParts, withPieces, type ContentRange, type Parts, type Piece } from './parts.ts'
export { rangeHolds, wantedRange, type Range } from './range.ts'
export { mergeFields } from './refresh.ts'
