/** Shares by the names of targets; '' stands for no address at all. */
export type NamedShares = ReadonlyMap<string, number>

/** Part of somebody's viewers that goes from one target to another; '' is no address. */
export interface Move {
  readonly from: string
  readonly to: string
  readonly share: number
}

/** Differences below this are rounding. */
const LEAST = 1e-6

/**
 * Who moves from where to where between two distributions. What one loses goes to those that gain, in proportion: two
 * distributions say no more than that.
 */
export function movesBetween(before: NamedShares, after: NamedShares): Move[] {
  const lost: [string, number][] = []
  const gained: [string, number][] = []
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const difference = (after.get(name) ?? 0) - (before.get(name) ?? 0)
    if (difference > LEAST) gained.push([name, difference])
    else if (difference < -LEAST) lost.push([name, -difference])
  }
  const total = gained.reduce((sum, [, share]) => sum + share, 0)
  return lost.flatMap(([from, left]) => gained.map(([to, share]) => ({ from, to, share: (left * share) / total })))
}

/** Shares of numbered targets by their names, filled up with what gets no address. */
export function named(shares: ReadonlyMap<number, number>, targets: readonly { readonly name: string }[]): NamedShares {
  const found = new Map<string, number>()
  let sum = 0
  for (const [target, share] of shares) {
    const { name } = targets[target]!
    found.set(name, (found.get(name) ?? 0) + share)
    sum += share
  }
  if (1 - sum > LEAST) found.set('', 1 - sum)
  return found
}
