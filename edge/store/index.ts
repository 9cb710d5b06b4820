// Where responses are held: in memory within a limit in octets that counts everything, in an order of leaving that is chosen by
// name; and on disk.
//
// An object is a record of octets in the blocks of an arena, found over a table of typed arrays by the hash of its key: no
// JavaScript object stands for it until it is asked for. Those asked for last are kept ready to answer beside it, within the same
// limit. DiskTier keeps what is used a second time in files; makeWarm brings it back when memory no longer has it. A policy of eviction is a file under eviction/ and a row of its table; it sees slots, sizes and hashes only.
//
// It must never know of sockets, clients, tiers or what HTTP says about freshness.
export { evictionPolicies } from './eviction/policies.ts'
export { DiskTier, type DiskOptions } from './disk/disk.ts'
export type { EvictionName } from '../../core/config-cdn.ts'
export type { Eviction, EvictionPolicy } from './eviction/types.ts'
export { ghostsFor, MemoryStore } from './memory.ts'
export { hashOf } from './table.ts'
export { makeWarm, type Warm } from './warm.ts'
