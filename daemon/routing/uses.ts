import type { Branch, Policies } from './tree.ts'
import { VERBS } from './verbs.ts'

/** Which of a viewer's properties have a say in a policy. */
export interface Uses {
  readonly place: boolean
  readonly network: boolean
  readonly source: boolean
}

/** What every policy goes by, with all that it names. @param isMeasured there are round trips that were measured */
export function usesOf(policies: Policies, isMeasured: boolean): Uses[] {
  return policies.policies.map(({ root }) => {
    const uses = { place: false, network: false, source: false }
    look(root, policies, isMeasured, uses, new Set())
    return uses
  })
}

function look(branch: Branch, policies: Policies, isMeasured: boolean, uses: { -readonly [Key in keyof Uses]: boolean }, seen: Set<number>): void {
  if (branch.kind === 'target' || branch.kind === 'nothing') return
  if (branch.kind === 'policy') {
    if (seen.has(branch.policy)) return
    seen.add(branch.policy)
    return look(policies.policies[branch.policy]!.root, policies, isMeasured, uses, seen)
  }
  const node = policies.nodes[branch.node]!
  const verb = VERBS[node.verb]!
  uses.place ||= verb.usesPlace
  uses.network ||= verb.usesNetwork?.(node) === true || (isMeasured && verb.usesMeasured === true)
  uses.source ||= verb.usesSource === true
  for (const { to } of node.arms) look(to, policies, isMeasured, uses, seen)
  if (typeof node.onAllDown === 'object') look({ kind: 'policy', policy: node.onAllDown.policy }, policies, isMeasured, uses, seen)
}
