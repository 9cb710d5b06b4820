import type { Fault } from '../../core/trouble.ts'
import { findBlocked, type Answers } from './check-answers.ts'
import type { Draft } from './draft.ts'
import { isPrefixKey } from './networks.ts'
import type { Arm, Node } from './tree.ts'
import { VERBS } from './verbs.ts'

// Branches that nobody ever comes to, whatever is up. They are refused where that is certain; what may still be reached, but
// probably not as its writer thought, is a warning.

/** Where an arm stands. */
export function positionOf({ file, nodePaths }: Draft, number: number, { at }: Arm, key = false): ReturnType<Draft['file']['position']> {
  return file.position(at === undefined ? nodePaths[number]! : [...nodePaths[number]!, at], key)
}

/** What each verb has to say of its arms. */
export function findUnreachable(draft: Draft, answers: Answers): Fault[] {
  return draft.policies.nodes.flatMap((node, number) => [...inOrder(draft, number, node, answers), ...atLast(draft, number, node, answers), ...unplaced(draft, number, node, answers), ...behindAll(draft, number, node, answers), ...unheard(draft, number, node, answers)])
}

/** Arms of a failover behind one that always answers, or answers even when it is down. */
function inOrder(draft: Draft, number: number, { verb, arms }: Node, answers: Answers): Fault[] {
  if (verb !== 'failover') return []
  const never = findBlocked(arms, answers.always, answers)
  if (never !== undefined) return [refused(draft, number, never.arm, `${never.by.key} before it always answers`)]
  const late = findBlocked(arms, answers.evenDown, answers)
  if (late === undefined) return []
  const reason = `${late.arm.key} is reached only where an operator has forced out all of ${late.by.key}, which answers even when it is down`
  return [{ ...positionOf(draft, number, late.arm), severity: 'warning', reason }]
}

/** Last resorts beside what always answers. */
function atLast(draft: Draft, number: number, { verb, arms }: Node, answers: Answers): Fault[] {
  if (verb !== 'weighted') return []
  const positive = arms.filter(({ weight = 0 }) => weight > 0)
  return arms.filter(({ weight }) => weight === 0).flatMap((arm): Fault[] => {
    const blocked = findBlocked([...positive, arm], answers.always, answers)
    return blocked?.arm === arm ? [refused(draft, number, arm, `a weight of 0 is a last resort, and ${blocked.by.key} always answers`)] : []
  })
}

/** By nearness, branches without a place come last, in the order written: of those the first that always answers ends it. */
function unplaced(draft: Draft, number: number, { verb, arms }: Node, answers: Answers): Fault[] {
  if (verb !== 'latency' && verb !== 'geoproximity') return []
  const blocked = findBlocked(arms.filter(({ to }) => !answers.hasPlace(to)), answers.always, answers)
  return blocked === undefined ? [] : [refused(draft, number, blocked.arm, `neither it nor ${blocked.by.key} is anywhere on the map, and that stands before it and always answers`)]
}

/** Every place is within both families' whole space. */
const WHOLE = { 4: '0.0.0.0/0', 6: '::/0' } as const

/** Places behind prefixes that hold everybody. */
function behindAll(draft: Draft, number: number, { verb, arms }: Node, answers: Answers): Fault[] {
  if (verb !== 'geolocation') return []
  const whole = ([4, 6] as const).map((family) => arms.find(({ key }) => key === WHOLE[family]))
  // Who comes by IPv4 may ask for addresses of either family.
  if (!whole.every((arm) => arm !== undefined && ([4, 6] as const).every((family) => answers.always(arm.to, family)))) return []
  return arms.filter(({ key }) => key !== 'default' && !isPrefixKey(key)).slice(0, 1).map((arm) => refused(draft, number, arm, `${WHOLE[4]} and ${WHOLE[6]} hold everybody and always answer`, true))
}

/** `on-all-down` of a node that always answers. */
function unheard(draft: Draft, number: number, node: Node, answers: Answers): Fault[] {
  if (node.onAllDown === undefined) return []
  const { reaches } = VERBS[node.verb]!
  const families = ([4, 6] as const).filter((family) => answers.may({ kind: 'node', node: number }, family))
  if (reaches === 'one' || families.length === 0 || !families.every((family) => answers.armsAlways(node, family))) return []
  return [{ ...draft.file.position([...draft.nodePaths[number]!.slice(0, -1), 'on-all-down'], true), severity: 'warning', reason: 'on-all-down is never heard: this node always answers' }]
}

export function refused(draft: Draft, number: number, arm: Arm, why: string, key = false): Fault {
  return { ...positionOf(draft, number, arm, key), severity: 'error', reason: `${shownKey(arm.key)} is never reached: ${why}` }
}

/** A key as it would be written. */
export const shownKey = (key: string): string => key.replace(/^(city|subdivision|country|continent)-/, '')
