// What is to be dropped by every cache of a fleet, as its processes say it to one another.

/** `what`: DISTRIBUTION TARGET for a URL and a prefix, the tag itself for a tag. */
export interface PurgeOrder {
  readonly kind: 'url' | 'prefix' | 'tag'
  readonly what: string
  /** What is held becomes stale, rather than being dropped. */
  readonly soft: boolean
}

/** An order with its number: what was asked for under a lower one is subject to it. `all`: stands for those that were forgotten. */
export interface Purge extends Omit<PurgeOrder, 'kind'> {
  readonly kind: PurgeOrder['kind'] | 'all'
  readonly number: number
  /** Wall time, milliseconds. */
  readonly at: number
}

/** Who has it: told now, not running (they are told before they serve again), silent (they have it to come). */
export interface PurgeTold {
  readonly number: number
  readonly told: readonly string[]
  readonly later: readonly string[]
  readonly silent: readonly string[]
}

/** How many are remembered one by one. */
export const MOST_PURGES = 10_000
export const LONGEST_TAG = 1024
