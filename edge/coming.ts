import type { ContentRange, Fill, Freshness, NoStoreReason, StoredObject, Times } from './cache/index.ts'
import type { Compression } from './coding/index.ts'
import type { UpstreamTrouble } from './http/index.ts'
import type { FieldList } from './message/index.ts'
import type { Parent, Route } from './tiers/index.ts'

// What those who wait for a fetch are told of it, and what a fetch is told.

/** What the heads of many who wait for one response have in common, rendered once. */
export interface SharedHead {
  /** Why it was fetched, in the words of Cache-Status. */
  readonly forward: string
  /** The head but for the request id and what follows it. */
  readonly text: string
  /** The viewer's Accept-Encoding matters. */
  readonly coded: boolean
}

/** A response that is coming: what is known when its head is here. */
export interface Coming {
  /** Made for whoever is answered first, and used for the others. */
  shared: SharedHead | undefined
  /** Under which it is held, if it is. */
  readonly key: string
  readonly status: number
  readonly lines: string
  /** Field lines for the one who asked, which are not held. */
  readonly alone: string
  readonly length: number | undefined
  /** Which part of the whole it is, of a 206 that says so. */
  readonly part: ContentRange | undefined
  readonly etag: string | undefined
  readonly lastModified: string | undefined
  readonly fill: Fill
  /** Cache-Status of the tiers above; undefined when there is none. */
  readonly statusAbove: string | undefined
  /** Its Cache-Tag; empty when it has none. */
  readonly tags: string
  /** Whole seconds; undefined when it came straight from its origin. */
  readonly age: number | undefined
  readonly stored: { readonly freshness: Freshness } | { readonly not: NoStoreReason | 'too-large' | 'outdated' }
}

/** What a fetch comes to for one of those who wait for it. */
export type Outcome =
  | { readonly kind: 'coming'; readonly coming: Coming; readonly leader: boolean }
  /** What came is an error, for which the stored response may stand in. */
  | { readonly kind: 'standing-in'; readonly object: StoredObject; readonly instead: string }
  /** The stored response was good still: 304. */
  | { readonly kind: 'refreshed'; readonly object: StoredObject; readonly statusAbove: string | undefined; readonly leader: boolean }
  /** The answer is not for everybody: fetch for yourself. */
  | { readonly kind: 'released' }
  /** The answer is for other request fields than yours: look again, now that it is known which count. */
  | { readonly kind: 'other-variant' }
  | { readonly kind: 'failed'; readonly trouble: UpstreamTrouble; readonly parent: Parent }

export interface Waiter {
  /** Its request's value of a field. */
  valueOf(name: string): string | undefined
  /** An interim response came; only whoever began the fetch hears of it. */
  inform?(status: number, fields: FieldList): void
  tell(outcome: Outcome): void
  /** It could not be told, by a fault of ours. */
  giveUp?(): void
}

export interface Plan {
  readonly primary: string
  /** Of the variant, when it is known. */
  readonly key: string
  readonly host: string
  readonly target: string
  /** Of the request to send, less the conditions. */
  readonly fields: FieldList
  readonly route: Route
  /** The cache policy makes further parts of the key. */
  readonly parted: boolean
  readonly times: Times
  readonly defaultIfError: number
  /** What viewers may get in another coding than it comes in. */
  readonly compression: Compression | undefined
  readonly authorized: boolean
  /** The part that is asked for, as the request has it; empty for the whole. */
  readonly run: string
  /** The stale response to ask about: one that is whole, or the list of the parts that are held of it. */
  readonly object: StoredObject | undefined
  /** Others may join. */
  readonly open: boolean
}
