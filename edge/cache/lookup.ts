import { variantKey } from './key.ts'
import { isFresh } from './law.ts'
import type { Holder, StoredObject } from './held.ts'

/** What the store has for a request. `key` is that of the variant where there are several. */
export type Found =
  | { readonly kind: 'fresh'; readonly key: string; readonly object: StoredObject }
  | { readonly kind: 'stale'; readonly key: string; readonly object: StoredObject }
  /** `vary`: other variants are held. */
  | { readonly kind: 'miss'; readonly key: string; readonly vary: boolean }
  /** Not to be waited for: the last answer could not be shared. */
  | { readonly kind: 'pass'; readonly key: string }

/**
 * Looks a request up (RFC 9111 §4).
 * @param valueOf the request's value of a field, named in lower case
 */
export function lookup(store: Holder, primary: string, valueOf: (name: string) => string | undefined, now: number): Found {
  let key = primary
  let held = store.get(key)
  const vary = held?.kind === 'vary'
  if (held?.kind === 'vary') {
    key = variantKey(primary, held, valueOf)
    held = store.get(key)
  }
  if (held?.kind === 'object') return { kind: isFresh(held, now) ? 'fresh' : 'stale', key, object: held }
  if (held?.kind === 'pass' && now < held.until) return { kind: 'pass', key }
  return { kind: 'miss', key, vary }
}
