/** Numbers that look random and come back with their seed. */
export interface Random {
  /** A whole number from 0 up to `below`, which it never is. */
  below(below: number): number
  /** True about so many times in a hundred. */
  percent(chance: number): boolean
  pick<T>(list: readonly T[]): T
}

/** mulberry32. */
export function makeRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (most: number): number => Math.floor(next() * most)
  return { below, percent: (chance) => below(100) < chance, pick: (list) => list[below(list.length)]! }
}
