import { z } from 'zod'
import { compress, conditions, errorPages, perhaps } from './config-cache.ts'
import { certificateKeys, needBothOfCertificate } from './config-http.ts'
import { pop } from './config-pops.ts'
import { formatSize } from './quantity.ts'
import { addresses, coordinates, duration, hostname, label, labels, place, region, size } from './config-values.ts'

const checkName = label.default('default').meta({ description: 'check that says whether it is up: a name under `checks`' })

export const edge = z.strictObject({
  address: addresses('where viewers reach it; it listens on these'),
  city: z.string().min(1).meta({ description: 'shown in tables' }),
  at: coordinates,
  region,
  parent: labels('regional cache, or shield, that it fetches from; several regionals share the keys on a ring; absent: straight from the origin').optional(),
  check: checkName,
  pop,
  workers: z.int().min(1).max(64).default(1).meta({ description: 'threads that serve on its port, each for a core, and are one cache: they share its memory, its disk and the limits of `http`' }),
  capacity: z.int().min(1).default(5000).meta({ description: 'requests per second that it can take' })
})

export const regional = z.strictObject({
  address: addresses('where edges reach it'),
  city: z.string().default('').meta({ description: 'shown in tables' }),
  region,
  at: place,
  shield: label.optional().meta({ description: 'origin shield that it fetches from; absent: straight from the origin' }),
  check: checkName,
  pop
})

export const shield = z.strictObject({
  address: addresses('where regional caches reach it'),
  city: z.string().default('').meta({ description: 'shown in tables' }),
  region,
  at: place,
  check: checkName,
  pop
})

const behaviour = z.strictObject({
  path: z.string().regex(/^\/[\x21-\x7e]*$/, { message: 'expected a path pattern that begins with /, with * and ? as wildcards' }).meta({ description: 'path pattern; the first behaviour that matches applies' }),
  when: conditions,
  origin: label.meta({ description: 'the origin, or the group of origins, it is fetched from' }),
  policy: label.default('rfc9111').meta({ description: 'what makes the key and how long responses are held: `rfc9111`, `cloudfront`, or a name under `cache-policies`' }),
  bypass: z.boolean().default(false).meta({ description: 'nothing is answered from the cache, nor held: requests go to the origin as they are' }),
  compress,
  'default-ttl': perhaps('freshness of responses that state none; absent: that of the policy'),
  'stale-if-error': duration('how long past its freshness a response may stand in for an error of the origin where it does not say so itself (RFC 5861); never one that must be revalidated', '0s')
})

export const distribution = z.strictObject({
  aliases: z.array(hostname).default([]).meta({ description: 'further host names it answers for' }),
  shield: label.optional().meta({ description: 'shield that its fetches pass, whatever the regional names; absent: that of the regional' }),
  'fallback-shield': label.optional().meta({ description: 'shield that takes over while the other is dead; with both gone the origin is asked' }),
  ...certificateKeys,
  'error-pages': errorPages,
  behaviours: z.array(behaviour).min(1).meta({ description: 'what is fetched from where, in order' })
}).superRefine(needBothOfCertificate)

/** The orders in which objects leave a full memory. */
const EVICTIONS = ['lru', 'lfu', 'hot-lru+warm-lfu', 'sieve', 's3-fifo', 'gdsf'] as const
export type EvictionName = (typeof EVICTIONS)[number]

/** Of each worker: segments of it are to hold more than a few objects. */
export const LEAST_DISK = 16 * 1024 * 1024

export const cache = z
  .strictObject({
    memory: size('memory for stored responses, of each edge, regional and shield; objects and their overhead together', '64MiB'),
    eviction: z.enum(EVICTIONS).default('s3-fifo').meta({ description: 'which stored responses leave when memory is full' }),
    sendfile: z.boolean().default(true).meta({ description: 'stored bodies of 32 KiB and more lie in files of memory, from which Linux sends them without a copy; `false`: they are written as smaller ones are' }),
    disk: size('disk for responses that were asked for more than once, of each edge, regional and shield, in `cache/` of the state folder; they outlast a restart; 0B: none', '0B').refine((octets) => octets === 0 || octets >= LEAST_DISK, { error: ({ input }) => `expected 0B or at least 16MiB, found ${formatSize(Number(input))}` }),
    tags: z.enum(['hide', 'show']).default('hide').meta({ description: 'whether edges show viewers the Cache-Tag of a response, by which it can be purged' }),
    'largest-object': size('larger responses pass through unstored; with a disk it may be larger than memory: what would take more than a quarter of that is held on disk alone, up to half of the disk', '16MiB')
  })
  .prefault({})
  .meta({ description: 'the caches of edges, regionals and shields' })
