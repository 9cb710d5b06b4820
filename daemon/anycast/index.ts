// Which anycast prefixes this PoP announces, and how: one health state drives answers and announcements.
//
//   (questions to the own listeners, own edges) -> evidence.ts -> Finding; other PoPs -> leases.ts -> Lease
//   decide.ts   purely: Finding, Leases, pin, history, now -> announced | demoted | withdrawn, with the reasons
//   speaker.ts  whoever speaks BGP for us: bird-speaker.ts (include file, control socket, reading back), exabgp-speaker.ts
//   anycast.ts  puts these together every second; deadman*.ts does so in a process of its own when the daemon is dead or hangs
//
// Must never hold up an answer, withdraw for what others say, or trust that what was ordered was done.
export { Deadman, type DeadmanOptions } from './deadman.ts'
export { Anycast, type AnycastOptions } from './anycast.ts'
export { readAnycastState } from './state.ts'
export type { OwnEdge } from './evidence.ts'
export { renderInclude } from './include.ts'
export type { AnycastStatus, PinRequest, PrefixStatus } from './status.ts'
export type { Intent } from './types.ts'
