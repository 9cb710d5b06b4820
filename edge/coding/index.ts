// Content codings: what may be compressed, and the work itself, which node:zlib does on threads of its own.
//
// readCompression resolves what a behaviour says; wishFor tells in which coding a stored response is to be answered; encode and
// decode make one body of another, within bounds.
//
// It must never know of sockets, clients' connections or stores.
export { decode, encode, OFFERED } from './codec.ts'
export { readCompression, wishFor, type Compression, type Wish } from './compression.ts'
export { describeCoded, describeHeld, describePlain } from './describe.ts'
