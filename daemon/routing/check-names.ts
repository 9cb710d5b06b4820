import type { Fault } from '../../core/trouble.ts'
import { positionOf } from './check-reach.ts'
import type { Draft } from './draft.ts'
import type { Branch, Node, Policies } from './tree.ts'
import type { Target } from './types.ts'
import { VERBS } from './verbs.ts'

// CNAME targets: which policies lead to one, and where one cannot stand. A name with a CNAME has nothing beside it (RFC 1034
// §3.6.2): neither other answers of its policy nor other data of its zone.

/** Numbers of the policies that may answer a CNAME, with all that they name. */
export function policiesWithNames(policies: Policies, targets: readonly Target[]): ReadonlySet<number> {
  const isName = finder(policies, targets)
  return new Set([...policies.policies.keys()].filter((policy) => isName({ kind: 'policy', policy })))
}

/** Branches that lead to a CNAME, at nodes that answer several of theirs together. */
export function findMixed(draft: Draft): Fault[] {
  const { policies, targets } = draft
  const isName = finder(policies, targets)
  return policies.nodes.flatMap((node, number): Fault[] => {
    if (!answersSeveral(node)) return []
    const arm = node.arms.find(({ to }) => isName(to))
    if (arm === undefined) return []
    const { key } = arm
    return [{ ...positionOf(draft, number, arm), severity: 'error', reason: `${key} leads to a CNAME, which cannot be answered beside others`, hint: `${node.verb} answers several together: choose one by failover or weighted` }]
  })
}

function answersSeveral({ verb, arms, count }: Node): boolean {
  return VERBS[verb]!.together && arms.length > 1 && count !== 1
}

/** Whether a branch leads to a CNAME. */
function finder({ nodes, policies }: Policies, targets: readonly Target[]): (branch: Branch) => boolean {
  if (!targets.some(({ cname }) => cname !== undefined)) return () => false
  const known = new Map<string, boolean>()
  const look = (branch: Branch): boolean => {
    if (branch.kind === 'nothing') return false
    if (branch.kind === 'target') return targets[branch.target]!.cname !== undefined
    const key = branch.kind === 'policy' ? `policy ${branch.policy}` : `node ${branch.node}`
    let found = known.get(key)
    if (found === undefined) {
      // Policies that lead in a circle are refused elsewhere.
      known.set(key, false)
      found = branch.kind === 'policy' ? look(policies[branch.policy]!.root) : below(nodes[branch.node]!)
      known.set(key, found)
    }
    return found
  }
  const below = ({ arms, onAllDown }: Node): boolean => arms.some(({ to }) => look(to)) || (typeof onAllDown === 'object' && look({ kind: 'policy', policy: onAllDown.policy }))
  return look
}
