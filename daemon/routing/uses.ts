import type { Branch, Policies } from './tree.ts'
import { VERBS } from './verbs.ts'

/** Which of a viewer's properties have a say in a policy. */
export interface Uses {
  readonly place: boolean
  readonly network: boolean
  readonly source: boolean
}

/** What there is to go by: round trips that were measured, AS paths. */
export interface Known {
  readonly isMeasured: boolean
  readonly hasPaths: boolean
}

/** What every policy goes by, with all that it names. */
export function usesOf(policies: Policies, known: Known): Uses[] {
  return policies.policies.map(({ root }) => {
    const uses = { place: false, network: false, source: false }
    look(root, policies, known, uses, new Set())
    return uses
  })
}

function look(branch: Branch, policies: Policies, known: Known, uses: { -readonly [Key in keyof Uses]: boolean }, seen: Set<number>): void {
  if (branch.kind === 'target' || branch.kind === 'nothing') return
  if (branch.kind === 'policy') {
    if (seen.has(branch.policy)) return
    seen.add(branch.policy)
    return look(policies.policies[branch.policy]!.root, policies, known, uses, seen)
  }
  const node = policies.nodes[branch.node]!
  const verb = VERBS[node.verb]!
  uses.place ||= verb.usesPlace
  uses.network ||= verb.usesNetwork?.(node) === true || (known.isMeasured && verb.usesMeasured === true) || (known.hasPaths && verb.usesPaths === true)
  uses.source ||= verb.usesSource === true
  for (const { to } of node.arms) look(to, policies, known, uses, seen)
  if (typeof node.onAllDown === 'object') look({ kind: 'policy', policy: node.onAllDown.policy }, policies, known, uses, seen)
}
