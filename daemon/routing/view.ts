import { readNetworkArms } from './network.ts'
import { armsWithin } from './networks.ts'
import type { Arm, Node, View } from './tree.ts'
import type { Verb } from './verb.ts'

/**
 * By the network that the query came from, whatever client subnet it carries: anybody may write what he likes into that
 * (RFC 7871 §11.1), and it must open nothing. The branch of the longest prefix alone, or else `default`: when all of it is
 * down nobody is let into another view. `empty` as a branch is no address at all. Autonomous systems are no keys here.
 */
export const view: Verb = {
  does: 'by the network that the query came from, whatever its client subnet; one branch alone',
  usesPlace: false,
  usesSource: true,
  reaches: 'one',
  together: false,
  options: [],
  parse(value, _options, reading) {
    const arms = readNetworkArms(value, reading, false)
    return arms && { arms }
  },
  order: (node, number, seen) => ({ kind: 'first-of', node: number, of: [seen.order(armFor(node, seen).to)] }),
  say: (node, seen) => `a query from there goes by ${armFor(node, seen).key} alone`
}

function armFor({ arms }: Node, { source }: View): Arm {
  return armsWithin(arms, source)[0] ?? arms.find(({ key }) => key === 'default')!
}
