import type { Reading } from './reading.ts'
import type { Node, Order, View } from './tree.ts'

/** What a verb makes of its text: its arms and its own settings. */
export type Parsed = Pick<Node, 'scores' | 'arms' | 'count' | 'within' | 'sticky'>

/** One kind of policy. It orders candidates; health is not its business (choose.ts). */
export interface Verb {
  /** What it does, in one line, for help and documentation. */
  readonly does: string
  /** Whether the place has a say in its order. */
  readonly usesPlace: boolean
  /** Whether the client's network has a say in the order of a node; absent: never. */
  usesNetwork?(node: Node): boolean
  /** Whether the network that a query came from has a say; absent: no. */
  readonly usesSource?: boolean
  /** Whether it goes by round trips, so that the network has a say where some were measured; absent: no. */
  readonly usesMeasured?: boolean
  /** Whether it goes by the length of AS paths, likewise where some are known; absent: no. */
  readonly usesPaths?: boolean
  /** Which of its branches a viewer may come to: any; its own and the default; its own alone. Absent: any. */
  readonly reaches?: 'default' | 'one'
  /** Whether its branches are answered together, not one in the place of another. */
  readonly together: boolean
  /** Keys that may stand beside the verb. */
  readonly options: readonly string[]
  /** Reads what stands under the verb; tells every fault to `reading`, and then returns undefined. */
  parse(value: unknown, options: Readonly<Record<string, unknown>>, reading: Reading): Parsed | undefined
  /** Pure. */
  order(node: Node, number: number, view: View): Order
  /** What it decided for a place, in a few words, for `explain`. */
  say(node: Node, view: View): string
  /** More of it, a line each, where health has a part in its order. @param levels of its branches, as a ranked order has them */
  details?(node: Node, view: View, levels: readonly number[]): string[]
}
