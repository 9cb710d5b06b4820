import { gdsf } from './gdsf.ts'
import { hotWarm } from './hot-warm.ts'
import { lfu } from './lfu.ts'
import { lru } from './lru.ts'
import { s3Fifo } from './s3-fifo.ts'
import { sieve } from './sieve.ts'
import type { EvictionPolicy } from './types.ts'
import type { EvictionName } from '../../../core/config-cdn.ts'

/** What `cache.eviction` may say: one row each. */
export const evictionPolicies: Readonly<Record<EvictionName, EvictionPolicy>> = {
  lru,
  lfu,
  'hot-lru+warm-lfu': hotWarm,
  sieve,
  's3-fifo': s3Fifo,
  gdsf
}
