import type { Explanation } from './api.ts'
import { checkedName } from '../routing/index.ts'

/**
 * An explanation that also says why a target is down, and where vantage points do not see it alike: below the step that tells of
 * it, and beside the candidate.
 * @param note what there is to say of a target by the name by which it is checked, if anything
 */
export function tellPoints(explanation: Explanation, note: (target: string) => string | undefined): Explanation {
  // What they see now says nothing of what was.
  if (explanation.question.at !== undefined) return explanation
  const notes = new Map(explanation.candidates.flatMap(({ target, state, check }) => {
    const text = state.endsWith('(assumed)') ? undefined : note(checkedName({ name: target, ...(check !== undefined && { check }) }))
    return text === undefined ? [] : [[target, text] as const]
  }))
  if (notes.size === 0) return explanation
  const steps = explanation.steps.flatMap((step) => {
    const told = /^([a-z0-9., :-]+) (?:is|are) .*: (?:taken|skipped)$/.exec(step.text)?.[1]?.split(', ') ?? []
    return [step, ...told.flatMap((target) => (notes.has(target) ? [{ depth: step.depth + 1, text: `${target}: ${notes.get(target)}` }] : []))]
  })
  const candidates = explanation.candidates.map((each) => (notes.has(each.target) ? { ...each, why: `${each.why}; ${notes.get(each.target)}` } : each))
  return { ...explanation, steps, candidates }
}
