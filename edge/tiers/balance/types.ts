/** One of the origins over which is balanced. */
export interface Balanced {
  readonly name: string
  readonly weight: number
  /** Requests to it under way. */
  underWay(): number
  /** Milliseconds that its next answer should take to begin; 0 when that is not known. */
  expected(now: number): number
}

/** A request that is to be sent to one of them. */
export interface Sought {
  readonly key: string
  /** The viewer's address, as far as it is known. */
  viewer(): string
}

/**
 * A way to balance: made once for a group, then asked for each request. Tells the numbers of all members in the order in which
 * they should be asked. It knows nothing of health: who must not be asked is left out afterwards.
 */
export type Balance = (members: readonly Balanced[]) => (sought: Sought, now: number) => readonly number[]

/** The numbers of all members, those with the least value first; equals in their order. */
export function ascending(count: number, valueOf: (member: number) => number): number[] {
  const values = Array.from({ length: count }, (_, member) => valueOf(member))
  return values.map((_, member) => member).sort((one, other) => values[one]! - values[other]! || one - other)
}
