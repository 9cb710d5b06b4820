import type { Measurement, Network, Place } from '../../geodb/index.ts'
import type { Sticky, StickyBy } from './draw.ts'
import type { Target } from './types.ts'

// Two trees. What the operator wrote, compiled: policies -> nodes -> arms. And what it comes to for one place: an Order.

/** Where an arm leads: a target, a policy by number, a node written on the spot, or to no address at all. */
export type Branch =
  | { readonly kind: 'target'; readonly target: number }
  | { readonly kind: 'policy'; readonly policy: number }
  | { readonly kind: 'node'; readonly node: number }
  | { readonly kind: 'nothing' }

/** One branch of a node, under the key it has there: a name, `country-KR`, `default`. */
export interface Arm {
  readonly key: string
  readonly to: Branch
  /** Its key or its place under the verb, for messages; absent where the branch stands there alone. */
  readonly at?: string | number
  /** Of `weighted`. */
  readonly weight?: number
  /** Of `geoproximity`. */
  readonly bias?: number
}

/** What is answered when every target below a node is down. Where a node says nothing, the node above it decides. */
export type OnAllDown = 'all' | 'last-good' | 'empty' | { readonly policy: number }

export interface Node {
  readonly verb: string
  /** For people: `policy video`, `video.KR`. */
  readonly label: string
  readonly arms: readonly Arm[]
  /** How many are answered at once, where that is not all. */
  readonly count?: number
  /** Of `closest`: how many times as far as the nearest may be answered. */
  readonly within?: number
  /** Of `weighted` and `hash`: what a client's choice goes by, where that is not chance. */
  readonly sticky?: StickyBy
  /** Of `score`. */
  readonly scores?: ScoreWeights
  readonly onAllDown?: OnAllDown
}

/** How much each term counts; above 0 in sum. */
export interface ScoreWeights {
  readonly path: number
  readonly latency: number
  readonly capacity: number
  readonly health: number
}

export interface Policies {
  readonly nodes: readonly Node[]
  readonly policies: readonly { readonly name: string; readonly root: Branch }[]
}

/**
 * The candidates of a policy for one place, in the order in which it would take them. Says nothing of health.
 * `node` is the node it comes from, for `explain`; it has no say in the choice.
 */
export type Order =
  | { readonly kind: 'target'; readonly target: number }
  /** No address, which is an answer like any other. */
  | { readonly kind: 'nothing' }
  /** The first of them that can answer. */
  | { readonly kind: 'first-of'; readonly node: number; readonly of: readonly Order[] }
  /** One of those that can answer, by weight; those of weight 0 when none else can. `sticky`: drawn by who asks, not by chance. */
  | { readonly kind: 'split'; readonly node: number; readonly of: readonly Order[]; readonly weights: readonly number[]; readonly sticky?: Sticky }
  /** All of those that can answer together, or `count` of them in turn. Their records are rotated, or shuffled. */
  | { readonly kind: 'set'; readonly node: number; readonly of: readonly Order[]; readonly count?: number; readonly shuffle?: true }
  /** The first `count` of those that can answer together, none of them at or behind `reach` of the first of them. */
  | { readonly kind: 'top'; readonly node: number; readonly of: readonly Order[]; readonly count: number; readonly reach: readonly number[] }
  /**
   * The first of them that can answer, by an order that their health has a part in: `ranks` has each part three times, with the
   * state at which it stands there: 2 up, 1 suspect, 0 neither. Which of the three holds is found where health is known.
   */
  | { readonly kind: 'ranked'; readonly node: number; readonly of: readonly Order[]; readonly ranks: readonly (readonly [part: number, level: number])[] }
  /** `of`; when all of it is down, `otherwise`. */
  | { readonly kind: 'or-else'; readonly node: number; readonly of: Order; readonly otherwise: 'all' | 'last-good' | 'empty' | Order }

/** A round trip in milliseconds, and what of it was measured; without that it comes from the distance. */
export interface RoundTrip {
  readonly ms: number
  readonly measured?: Pick<Measurement, 'samples' | 'of'>
}

/** What a verb may look at when it orders: a place and networks, and nothing that changes from query to query. */
export interface View {
  readonly place: Place
  /** The client's: of its subnet where the query has one, else of the address it came from. */
  readonly network: Network
  /** Of the address that the query came from, whatever client subnet it has. */
  readonly source: Network
  readonly targets: readonly Target[]
  /** Great-circle distance from the place to a target; undefined when either has no coordinates. */
  kilometres(target: number): number | undefined
  /** The round trip from the network to a target where it was measured, else what the distance stands for; undefined when neither is known. */
  milliseconds(target: number): RoundTrip | undefined
  /** Autonomous systems on the way from the network to a target; undefined when nobody knows. */
  pathLength(target: number): number | undefined
  /** Some round trip from there was measured. */
  readonly isMeasured: boolean
  /** The order of what an arm leads to. */
  order(branch: Branch): Order
}

/** Every target of an order, first to last, each once. */
export function leavesOf(order: Order, into: Set<number> = new Set()): Set<number> {
  if (order.kind === 'target') into.add(order.target)
  else if (order.kind === 'nothing') return into
  else if (order.kind === 'or-else') {
    leavesOf(order.of, into)
    if (typeof order.otherwise === 'object') leavesOf(order.otherwise, into)
  } else for (const part of order.of) leavesOf(part, into)
  return into
}
