// How far networks are by BGP: for each prefix that BIRD has a route to, the length of its AS path and whose it is.
//
//   listing.ts   what `show route primary all` says, taken as it comes in, in whatever pieces
//   table.ts     prefix -> (length of the path, distinct ASes on it, origin), twelve octets each: routes.ts, sort.ts
//   digest.ts    a table in so many rows and no more, so that other PoPs can have it; rows.ts: as entries that they are told
//   read.ts      BIRD's socket -> table; thread.ts: does so ever again in a thread of its own
//   paths.ts     our table and the digests of all PoPs -> what policies go by and `explain` tells
//
// Must never hold up the daemon's main thread, grow without bound whatever BIRD or a PoP says, or change anything in BIRD.
export { readDigests, type PathSource } from './rows.ts'
export { giveBack, startPaths, startThread, type PathFound, type Paths, type PathsStatus } from './paths.ts'
export { piecesOf } from './table.ts'
export { tellPath } from './tell.ts'
