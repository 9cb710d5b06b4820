/** Octets for each slot in use: its hash, its place in the chain, and a chain's head. */
export const TABLE_OCTETS = 12
/** Chains are not let grow longer than this by those who know how to make keys meet. */
export const LONGEST_CHAIN = 64
/** Slots for each chain, on average, before there are more chains. */
const LOAD = 1

/**
 * Slots by a hash of 32 bits: chains over typed arrays, one more chain at a time as slots come (linear hashing, Litwin 1980), so that no
 * request waits while a large table grows. The arrays are as large as they may ever be; the machine gives their memory when it is
 * first used.
 */
export interface Table {
  readonly hashes: Uint32Array
  /** The next slot of the chain; 0 at its end. */
  readonly next: Uint32Array
  first(hash: number): number
  add(slot: number, hash: number): void
  remove(slot: number): void
}

const FEWEST = 16

export function makeTable(slots: number): Table {
  const hashes = new Uint32Array(slots)
  const next = new Uint32Array(slots)
  const heads = new Uint32Array(2 ** Math.ceil(Math.log2(Math.max(FEWEST, slots))))
  let mask = FEWEST - 1
  let split = 0
  let count = 0
  const bucketOf = (hash: number): number => {
    const wide = hash & (mask * 2 + 1)
    return wide <= mask + split ? wide : hash & mask
  }
  const grow = (): void => {
    if (mask + split + 1 >= heads.length) return
    let slot = heads[split]!
    const [low, high] = [split, split + mask + 1]
    split++
    heads[low] = 0
    while (slot !== 0) {
      const after = next[slot]!
      const bucket = (hashes[slot]! & (mask * 2 + 1)) === high ? high : low
      next[slot] = heads[bucket]!
      heads[bucket] = slot
      slot = after
    }
    if (split <= mask) return
    mask = mask * 2 + 1
    split = 0
  }
  return {
    hashes,
    next,
    first: (hash) => heads[bucketOf(hash)]!,
    add: (slot, hash) => {
      hashes[slot] = hash
      const bucket = bucketOf(hash)
      next[slot] = heads[bucket]!
      heads[bucket] = slot
      if (++count > (mask + split + 1) * LOAD) grow()
    },
    remove: (slot) => {
      const bucket = bucketOf(hashes[slot]!)
      let at = heads[bucket]!
      if (at === slot) heads[bucket] = next[slot]!
      else {
        while (next[at] !== slot) at = next[at]!
        next[at] = next[slot]!
      }
      count--
    }
  }
}

/** A hash of a text that nobody can foresee who does not know the seed. */
export function hashOf(text: string, seed: number): number {
  let hash = seed
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x9e3779b1)
    hash = (hash << 13) | (hash >>> 19)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
