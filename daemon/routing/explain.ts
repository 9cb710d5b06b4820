import { isAnswerable, isForcedOut, isSuspect, forcedOf, limitOf, verdictOf } from '../../healthchecks/table.ts'
import { byRank, choose, isCandidate, levelsOf, wordOf, type Judge } from './choose.ts'
import { simplify } from './simplify.ts'
import { leavesOf, type Order, type Policies, type View } from './tree.ts'
import type { Candidate, Choice, Explanation, Step } from './types.ts'
import { VERBS } from './verbs.ts'

/** Runs `choose` on an order as answers do, without what stands in it twice, and says by the order as it came from its policy why it came out so. */
export function explain(order: Order, policies: Policies, view: View, judge: Judge): Explanation {
  const choice = choose(simplify(order), judge)
  const telling: Telling = { policies, view, judge, steps: [], skipped: undefined }
  const leaves = [...leavesOf(order)]
  if (leaves.length === 0 || leaves.some((target) => isCandidate(target, judge))) tell(order, telling, 0)
  else telling.steps.push({ depth: 0, text: `no target of it has an IPv${judge.family} address` })
  const steps = [...telling.steps, { depth: 0, text: outcome(choice, judge) }]
  const shares = sharesOf(choice)
  const candidates = [...leavesOf(order)].map((target) => candidate(target, view, judge, shares, choice))
  return { choice, steps, candidates }
}

interface Telling {
  readonly policies: Policies
  readonly view: View
  readonly judge: Judge
  readonly steps: Step[]
  /** The step before, when it tells of targets that were skipped: the next one for the same reason joins it. */
  skipped: { readonly step: number; readonly depth: number; readonly reason: string; readonly names: string[] } | undefined
}

/** Tells what happens in an order, down to the targets that were looked at. True when it can answer. */
function tell(order: Order, telling: Telling, depth: number): boolean {
  const { policies, view, judge, steps } = telling
  if (order.kind === 'target') return tellTarget(order.target, telling, depth)
  if (order.kind === 'nothing') {
    telling.steps.push({ depth, text: 'answered with nothing' })
    return true
  }
  if (order.kind === 'or-else') {
    if (tell(order.of, telling, depth)) return true
    const { otherwise } = order
    const label = order.node < 0 ? '' : `${policies.nodes[order.node]!.label}: `
    steps.push({ depth, text: `${label}${allDown(order, judge)}` })
    return typeof otherwise === 'object' ? tell(otherwise, telling, depth + 1) : choose(order, judge).alternatives.length > 0 || otherwise === 'empty'
  }
  const node = policies.nodes[order.node]!
  steps.push({ depth, text: `${node.label}: ${node.verb}: ${VERBS[node.verb]!.say(node, view)}` })
  // A list without end helps nobody: the first that answers is told, the rest stands among the candidates.
  if (order.kind === 'first-of') return order.of.some((part) => tell(part, telling, depth + 1))
  if (order.kind === 'ranked') {
    for (const text of VERBS[node.verb]!.details?.(node, view, levelsOf(order.of, judge)) ?? []) steps.push({ depth: depth + 1, text })
    return byRank(order, judge).some((part) => tell(part, telling, depth + 1))
  }
  if (order.kind === 'top') return tellTop(order, telling, depth + 1)
  const parts = order.of.map((part) => tell(part, telling, depth + 1))
  return parts.includes(true)
}

/** Down to the last that is taken: as `choose` goes. */
function tellTop({ of, count, reach }: Order & { kind: 'top' }, telling: Telling, depth: number): boolean {
  let taken = 0
  let end = of.length
  for (let place = 0; place < end && taken < count; place++) {
    const part = of[place]!
    // One that is to be empty when down is told, and leaves its place to the next.
    if (!tell(part, telling, depth) || choose(part, telling.judge).alternatives.length === 0) continue
    if (++taken === 1) end = reach[place]!
  }
  return taken > 0
}

function tellTarget(target: number, telling: Telling, depth: number): boolean {
  const { judge, steps } = telling
  const { name } = judge.targets[target]!
  if (isCandidate(target, judge) && isUp(target, judge)) {
    steps.push({ depth, text: `${name} is ${stateOf(target, judge)}: taken` })
    return true
  }
  const reason = isCandidate(target, judge) ? stateOf(target, judge) : `without an IPv${judge.family} address`
  const { skipped } = telling
  const joins = skipped !== undefined && skipped.step === steps.length - 1 && skipped.depth === depth && skipped.reason === reason
  const names = joins ? [...skipped.names, name] : [name]
  const step = joins ? skipped.step : steps.length
  steps[step] = { depth, text: `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} ${reason}: skipped` }
  telling.skipped = { step, depth, reason, names }
  return false
}

function allDown(order: Order & { kind: 'or-else' }, judge: Judge): string {
  if (![...leavesOf(order.of)].some((target) => isCandidate(target, judge))) return `no target with an IPv${judge.family} address`
  if (typeof order.otherwise === 'object') return 'all down: on to the policy named by on-all-down'
  if (order.otherwise === 'empty') return 'all down: answered with nothing (on-all-down: empty)'
  return order.otherwise === 'last-good' ? 'all down: the last that was up answers (on-all-down: last-good)' : 'all down: answered as if all were up (on-all-down: all)'
}

function outcome(choice: Choice, { targets }: Judge): string {
  const names = (list: readonly number[]): string => list.map((target) => targets[target]!.name).join(' + ')
  const { alternatives } = choice
  const answer = alternatives.length === 0 ? 'no address' : alternatives.map(({ weight, targets: list }) => (alternatives.length === 1 ? names(list) : `${names(list)} ${percent(weight)}`)).join(', ')
  const failOpen = choice.failOpen ? '; all were down (fail-open)' : ''
  return `answer: ${answer}${failOpen}`
}

function candidate(target: number, view: View, judge: Judge, shares: ReadonlyMap<number, number>, choice: Choice): Candidate {
  const kilometres = view.kilometres(target)
  const trip = view.milliseconds(target)
  const share = shares.get(target)
  return {
    target: judge.targets[target]!.name,
    ...(judge.targets[target]!.check !== undefined && { check: judge.targets[target]!.check }),
    state: stateOf(target, judge),
    ...(kilometres !== undefined && { kilometres: Math.round(kilometres) }),
    ...(trip !== undefined && (trip.measured === undefined ? { milliseconds: Math.round(trip.ms) } : { milliseconds: Number(trip.ms.toFixed(trip.ms < 10 ? 1 : 0)), samples: trip.measured.samples })),
    chosen: share !== undefined,
    why: share === undefined ? whySkipped(target, judge) : whyTaken(target, share, judge, choice)
  }
}

function whyTaken(target: number, share: number, judge: Judge, choice: Choice): string {
  const part = share < 0.9995 ? `${percent(share)} of the answers` : 'answered'
  return choice.failOpen && !isUp(target, judge) ? `${part}, as if up: all are down` : part
}

function whySkipped(target: number, judge: Judge): string {
  if (!isCandidate(target, judge)) return `skipped: no IPv${judge.family} address`
  if (isUp(target, judge)) return 'not needed: one before it answers'
  const word = wordOf(target, judge)
  return isForcedOut(word) ? `skipped: forced ${forcedOf(word)} by an operator` : 'skipped: down'
}

function isUp(target: number, judge: Judge): boolean {
  return !judge.targets[target]!.checked || isAnswerable(wordOf(target, judge))
}

function stateOf(target: number, judge: Judge): string {
  if (!judge.targets[target]!.checked) return 'not checked'
  const word = wordOf(target, judge)
  const forced = forcedOf(word)
  return [verdictOf(word), ...(isSuspect(word) ? ['suspect'] : []), ...(forced === 'none' ? [] : [forced === 'drain' ? 'drained' : `forced ${forced}`]), ...limitsOf(target, judge)].join(', ')
}

/** What its load leaves it, where that is not all. */
function limitsOf(target: number, { targets, health }: Judge): string[] {
  const { keeps, takes, ramp } = limitOf(health.limits[targets[target]!.word ?? target])
  const percents = (part: number): string => `${Math.round(part * 100)} %`
  return [
    ...(keeps < 1 ? [`over its capacity (keeps ${percents(keeps)} of its own)`] : takes < 1 ? [`nearly full (takes ${percents(takes)} of what others shed)`] : []),
    ...(ramp < 1 ? [`coming back (${percents(ramp)} of its weight)`] : [])
  ]
}

/** Each answered target's part of the answers. */
function sharesOf({ alternatives }: Choice): Map<number, number> {
  const shares = new Map<number, number>()
  for (const { weight, targets } of alternatives) for (const target of targets) shares.set(target, (shares.get(target) ?? 0) + weight)
  return shares
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`
}
