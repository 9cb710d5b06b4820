import { hashText } from './hash.ts'

/** Points of each member: with so many the shares of equals differ by a few percent. */
const POINTS = 256
/** So few fetches under way say nothing of a member's load: below this a key stays with its owner. */
const LEAST_BOUND = 16

/**
 * A consistent ring with bounded loads (Mirrokni, Thorup and Zadimoghaddam, 2017): a key belongs to the member whose point
 * follows it, and goes on to the next one while that has more than its bound. A member that joins or leaves moves only the keys
 * that come to it or were its own.
 */
export interface Ring {
  /** Members in the order in which they should be asked for a key: its owner first, each once. */
  order(key: string): readonly number[]
  /**
   * As `order`, with the members beyond their bound put behind the others.
   * @param loadOf fetches under way at a member
   * @param isUsable whether a member counts at all; those that do not come last
   */
  bounded(key: string, loadOf: (member: number) => number, bound: number, isUsable: (member: number) => boolean): readonly number[]
}

/** @param names of the members; their numbers are their places in it, and its order has no influence on who owns what */
export function makeRing(names: readonly string[]): Ring {
  const count = names.length * POINTS
  const points = names.flatMap((name, member) => Array.from({ length: POINTS }, (_, point) => ({ hash: hashText(`${name}#${point}`), member, name })))
  // Two points may fall on one place: their names decide, so that everybody has the same ring.
  points.sort((one, other) => one.hash - other.hash || (one.name < other.name ? -1 : 1))
  const hashes = Uint32Array.from(points, ({ hash }) => hash)
  const owners = Uint16Array.from(points, ({ member }) => member)
  const order = (key: string): number[] => {
    const found: number[] = []
    let at = firstAfter(hashes, hashText(key))
    for (let step = 0; step < count && found.length < names.length; step++, at++) {
      const member = owners[at % count]!
      if (!found.includes(member)) found.push(member)
    }
    return found
  }
  return {
    order,
    bounded: (key, loadOf, bound, isUsable) => {
      const all = order(key)
      if (all.length < 2) return all
      const usable = all.filter(isUsable)
      const total = usable.reduce((sum, member) => sum + loadOf(member), 0)
      const most = Math.max(LEAST_BOUND, Math.ceil((bound * (total + 1)) / Math.max(1, usable.length)))
      const free = usable.filter((member) => loadOf(member) < most)
      return [...free, ...all.filter((member) => !free.includes(member))]
    }
  }
}

/** The place of the first of the ascending numbers that is not below one; their count where none is. */
function firstAfter(sorted: Uint32Array, wanted: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle]! < wanted) low = middle + 1
    else high = middle
  }
  return low
}
