import type { Fault } from '../../core/trouble.ts'
import { buildNetworks, networksInUse, openNetworks, type Network } from '../../geodb/index.ts'
import { findBlocked, type Answers } from './check-answers.ts'
import { positionOf, refused } from './check-reach.ts'
import type { Draft } from './draft.ts'
import { armsWithin, type NetworkPlan } from './networks.ts'
import type { Arm, Branch, Node } from './tree.ts'

// Branches by network that others cover: seen in the table of networks itself, which has each combination of lists and
// prefixes that some address lies in.

/** With more than these it is not looked for: it is for what people write by hand. */
const MOST_PREFIXES = 20_000
const MOST_LOOKS = 1_000_000

export function findCovered(draft: Draft, { named }: NetworkPlan, answers: Answers): Fault[] {
  const nodes = [...draft.policies.nodes.entries()].filter(([, { verb, arms }]) => ['network', 'view', 'geolocation'].includes(verb) && arms.filter(({ key }) => named.some(({ name }) => name === key)).length > 1)
  const prefixes = named.reduce((sum, { prefixes: { v4, v6 } }) => sum + v4.count + v6.count, 0)
  if (nodes.length === 0 || prefixes > MOST_PREFIXES) return []
  const image = buildNetworks({ named })!
  const table = openNetworks(image)
  if (nodes.length * table.size > MOST_LOOKS) return []
  const networks = [...networksInUse(image)].map((number) => table.network(number))
  return nodes.flatMap(([number, node]) => coveredAt(draft, number, node, networks, answers))
}

function coveredAt(draft: Draft, number: number, node: Node, networks: readonly Network[], answers: Answers): Fault[] {
  /** Of each branch, the branches of all who lie in it, in the order in which they go by them. */
  const ways = new Map<Arm, (readonly Arm[])[]>()
  for (const network of networks) {
    const within = armsWithin(node.arms, network)
    for (const arm of within) ways.set(arm, [...(ways.get(arm) ?? []), within])
  }
  return [...ways].flatMap(([arm, lists]): Fault[] => {
    const before = lists.map((list) => (node.verb === 'view' ? (list[0] === arm ? undefined : list[0]) : blockerOf(list, arm, answers)))
    if (before.every((each) => each !== undefined)) {
      const by = [...new Set(before.map((each) => each!.key))].slice(0, 3).join(', ')
      return [refused(draft, number, arm, node.verb === 'view' ? `everybody in it goes by ${by}` : `everybody in it goes by ${by}, which always answers`, true)]
    }
    const behind = lists.map((list) => list[list.indexOf(arm) + 1])
    const same = behind.find((each) => each !== undefined)
    const isIdle = same !== undefined && behind.every((each) => each !== undefined && isSame(each.to, arm.to))
    return isIdle ? [{ ...positionOf(draft, number, arm, true), severity: 'warning', reason: `${arm.key} changes nothing: ${same.key} around it leads to the same` }] : []
  })
}

/** Who answers before an arm in any case. */
function blockerOf(list: readonly Arm[], arm: Arm, answers: Answers): Arm | undefined {
  const blocked = findBlocked(list.slice(0, list.indexOf(arm) + 1), answers.always, answers)
  return blocked?.by
}

const isSame = (one: Branch, other: Branch): boolean => one.kind !== 'node' && JSON.stringify(one) === JSON.stringify(other)
