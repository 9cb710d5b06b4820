// What the edges have measured of their viewers' round trips, in one table: network (/24, /48) x edge.
//
//   makeLatencyTable  take(what an edge tells) -> rows of networks; told() -> the image that policies read, once it differs
//
// Rows of autonomous systems and of countries are medians over their networks. What is told is refused unless it is of a
// viewer's network and has enough addresses and samples, and is held to what light allows; it ages out, and is bounded. What
// policies read changes only where a figure has moved for good. Knows no socket, no file and no health; the time is passed in.
export { systemName } from './image.ts'
export type { Figures } from './settle.ts'
export { makeLatencyTable, type KnownCell, type LatencyTable, type TableOptions, type Where, type WhereOf } from './table.ts'
