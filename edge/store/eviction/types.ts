/**
 * The order in which objects leave, over the numbers (slots) under which the store knows them: 1 and up, less than the
 * number of slots told at the making. What a use costs is paid by each hit.
 */
export interface Eviction {
  /** A new object. @param size octets @param hash of its key, for those that remember what has left */
  add(slot: number, size: number, hash: number): void
  use(slot: number): void
  /** It is gone for another reason than this order. */
  remove(slot: number): void
  /** Takes out what is to go next; 0 when nothing is held. */
  evict(): number
}

export interface Capacity {
  readonly slots: number
  /** How many that have left can be remembered. */
  readonly ghosts: number
}

export interface EvictionPolicy {
  readonly about: string
  make(capacity: Capacity): Eviction
  /** Octets of memory for each slot in use, and for each that can be remembered. */
  readonly slotOctets: number
  readonly ghostOctets: number
}
