import type { Arm, Branch, Node, Policies } from './tree.ts'
import type { Family, Target } from './types.ts'
import { VERBS } from './verbs.ts'

/** What can be said of branches whatever their health. */
export interface Answers {
  /** It has an answer of that family in it at all. */
  may(branch: Branch, family: Family): boolean
  /** It always has one. */
  always(branch: Branch, family: Family): boolean
  /** It has one whatever checks find; what an operator forces out may leave it without. */
  evenDown(branch: Branch, family: Family): boolean
  /** The arms of a node alone always have one, whatever it says of the case that they have none. */
  armsAlways(node: Node, family: Family): boolean
  /** Some target of it is somewhere on the map. */
  hasPlace(branch: Branch): boolean
}

/** Only for policies without loops. */
export function answersOf(policies: Policies, targets: readonly Target[]): Answers {
  const { nodes } = policies
  const rootOf = (policy: number): Branch => policies.policies[policy]!.root
  const may = memo(policies, (branch, family: Family): boolean => {
    if (branch.kind === 'nothing') return true
    if (branch.kind === 'target') return hasFamily(targets[branch.target]!, family)
    if (branch.kind === 'policy') return may(rootOf(branch.policy), family)
    return nodes[branch.node]!.arms.some(({ to }) => may(to, family))
  })
  const armsHave = ({ arms, verb }: Node, family: Family, have: (branch: Branch, family: Family) => boolean): boolean => {
    const { reaches } = VERBS[verb]!
    if (reaches === 'one') return arms.every(({ to }) => have(to, family))
    return arms.some(({ to, key }) => (reaches !== 'default' || key === 'default') && have(to, family))
  }
  const always = memo(policies, (branch, family: Family): boolean => {
    if (branch.kind === 'nothing') return true
    if (branch.kind === 'target') return !targets[branch.target]!.checked && hasFamily(targets[branch.target]!, family)
    if (branch.kind === 'policy') return always(rootOf(branch.policy), family)
    const node = nodes[branch.node]!
    if (armsHave(node, family, always)) return true
    const { onAllDown } = node
    if (typeof onAllDown === 'object') return always(rootOf(onAllDown.policy), family)
    return onAllDown === 'empty' && may(branch, family)
  })
  const evenDown = memo(policies, (branch, family: Family): boolean => {
    if (branch.kind === 'nothing' || branch.kind === 'target') return always(branch, family)
    if (branch.kind === 'policy') return evenDown(rootOf(branch.policy), family)
    const node = nodes[branch.node]!
    if (node.onAllDown !== undefined) return may(branch, family) || always(branch, family)
    return armsHave(node, family, evenDown)
  })
  const place = memo(policies, (branch): boolean => {
    if (branch.kind === 'nothing') return false
    if (branch.kind === 'target') return targets[branch.target]!.at !== undefined
    if (branch.kind === 'policy') return place(rootOf(branch.policy), undefined)
    const { arms, onAllDown } = nodes[branch.node]!
    return arms.some(({ to }) => place(to, undefined)) || (typeof onAllDown === 'object' && place(rootOf(onAllDown.policy), undefined))
  })
  return { may, always, evenDown, armsAlways: (node, family) => armsHave(node, family, always), hasPlace: (branch) => place(branch, undefined) }
}

/** The first arm whose every family some arm before it has already, and the first of those. */
export function findBlocked(arms: readonly Arm[], have: Answers['always'], { may }: Pick<Answers, 'may'>): { readonly arm: Arm; readonly by: Arm } | undefined {
  for (const [index, arm] of arms.entries()) {
    const families = ([4, 6] as const).filter((family) => may(arm.to, family))
    const before = arms.slice(0, index)
    if (families.length > 0 && families.every((family) => before.some(({ to }) => have(to, family)))) return { arm, by: before.find(({ to }) => have(to, families[0]!))! }
  }
  return undefined
}

export function hasFamily(target: Target, family: Family): boolean {
  return target.cname !== undefined || (family === 4 ? target.ipv4 : target.ipv6).length > 0
}

/** Each policy and node once: names are shared, and what they stand for may be large. Only for policies without loops. */
export function memo<Argument extends Family | undefined, Result>({ policies }: Policies, compute: (branch: Branch, argument: Argument) => Result): (branch: Branch, argument: Argument) => Result {
  const known = new Map<string, Result>()
  return (branch, argument) => {
    if (branch.kind === 'target' || branch.kind === 'nothing') return compute(branch, argument)
    const key = `${branch.kind === 'policy' ? `policy ${policies[branch.policy]!.name}` : branch.node} ${argument}`
    let result = known.get(key)
    if (result === undefined) {
      result = compute(branch, argument)
      known.set(key, result)
    }
    return result
  }
}
