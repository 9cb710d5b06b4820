import type { Fault } from '../../core/trouble.ts'
import { answersOf, memo } from './check-answers.ts'
import { findMixed } from './check-names.ts'
import { findCovered } from './check-networks.ts'
import { findUnreachable } from './check-reach.ts'
import { findStrangers } from './check-within.ts'
import type { Draft, Reference } from './draft.ts'
import type { NetworkPlan } from './networks.ts'
import { VERBS } from './verbs.ts'

/** Candidates that one policy may come to with everything it names: shared names multiply. */
const MAX_CANDIDATES = 10_000
/** Policies that name one another in a row: each is a level of recursion. */
const MAX_CHAIN = 100
/** Verbs that answer now one branch, now another. */
const SPLITS: readonly string[] = ['weighted', 'hash']
/** Combinations of answers that one policy may come to. */
const MAX_ALTERNATIVES = 1024

/** What one node alone cannot show: loops, branches that are never reached, policies that grow beyond measure. @param networks what branches by network go by */
export function checkPolicies(draft: Draft, networks: NetworkPlan): Fault[] {
  const loops = findLoops(draft)
  if (loops.length > 0) return loops
  const answers = answersOf(draft.policies, draft.targets)
  return [...findUnreachable(draft, answers), ...findStrangers(draft), ...findCovered(draft, networks, answers), ...findMixed(draft), ...findTooLarge(draft)]
}

/** Each loop once, at the reference that closes it, with its whole path. */
export function findLoops({ policies: { policies }, references }: Draft): Fault[] {
  const faults: Fault[] = []
  const done = new Set<number>()
  const path: number[] = []
  const leading = new Map<number, Reference[]>()
  for (const reference of references) {
    const list = leading.get(reference.from)
    if (list === undefined) leading.set(reference.from, [reference])
    else list.push(reference)
  }
  const visit = (policy: number): void => {
    path.push(policy)
    for (const { to, at } of leading.get(policy) ?? []) {
      const start = path.indexOf(to)
      if (start >= 0) {
        const names = [...path.slice(start), to].map((number) => policies[number]!.name)
        faults.push({ ...at(), severity: 'error', reason: `policies lead in a loop: ${names.join(' -> ')}` })
      } else if (path.length > MAX_CHAIN) faults.push({ ...at(), severity: 'error', reason: `policies lead from one to the next through more than ${MAX_CHAIN} names` })
      else if (!done.has(to)) visit(to)
    }
    path.pop()
    done.add(policy)
  }
  for (const policy of policies.keys()) if (!done.has(policy)) visit(policy)
  return faults
}

function findTooLarge({ policies, file }: Draft): Fault[] {
  const { nodes } = policies
  const candidates = memo(policies, (branch): number => {
    if (branch.kind === 'target' || branch.kind === 'nothing') return 1
    if (branch.kind === 'policy') return candidates(policies.policies[branch.policy]!.root, undefined)
    const { arms, onAllDown } = nodes[branch.node]!
    const own = arms.reduce((sum, { to }) => sum + candidates(to, undefined), 0)
    return own + (typeof onAllDown === 'object' ? candidates(policies.policies[onAllDown.policy]!.root, undefined) : 0)
  })
  const alternatives = memo(policies, (branch): number => {
    if (branch.kind === 'target' || branch.kind === 'nothing') return 1
    if (branch.kind === 'policy') return alternatives(policies.policies[branch.policy]!.root, undefined)
    const { arms, onAllDown, verb, count } = nodes[branch.node]!
    const each = arms.map(({ to }) => alternatives(to, undefined))
    const product = each.reduce((total, number) => total * number, verb === 'closest' || count === undefined ? 1 : arms.length)
    const own = VERBS[verb]!.together ? product : SPLITS.includes(verb) ? each.reduce((sum, number) => sum + number, 0) : Math.max(...each)
    return Math.max(own, typeof onAllDown === 'object' ? alternatives(policies.policies[onAllDown.policy]!.root, undefined) : 0)
  })
  return policies.policies.flatMap(({ name, root }): Fault[] => {
    const at = file.position(['policies', name], true)
    if (candidates(root, undefined) > MAX_CANDIDATES) return [{ ...at, severity: 'error', reason: `policy ${name} comes to more than ${MAX_CANDIDATES} candidates with all that it names` }]
    if (alternatives(root, undefined) > MAX_ALTERNATIVES) return [{ ...at, severity: 'error', reason: `policy ${name} comes to more than ${MAX_ALTERNATIVES} different answers` }]
    return []
  })
}

/** A warning for each policy that nothing in `used` leads to. */
export function unusedPolicies({ policies: { policies }, references, file }: Draft, used: ReadonlySet<string>): Fault[] {
  const reached = new Set<number>()
  const reach = (policy: number): void => {
    if (reached.has(policy)) return
    reached.add(policy)
    for (const { from, to } of references) if (from === policy) reach(to)
  }
  for (const [number, { name }] of policies.entries()) if (used.has(name)) reach(number)
  return policies.flatMap(({ name }, number): Fault[] =>
    reached.has(number) ? [] : [{ ...file.position(['policies', name], true), severity: 'warning', reason: `policy ${name} is used by no zone and no other policy` }]
  )
}
