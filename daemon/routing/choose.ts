import { isAnswerable, isForcedOut, isSuspect, type HealthTable } from '../../healthchecks/index.ts'
import { drawOf, type Found, type Fork, type KnownShares, type Sticky } from './draw.ts'
import { leavesOf, type Order } from './tree.ts'
import type { Alternative, Choice, Family, Target } from './types.ts'

// The one place that applies health to what policies ordered.

/** What decides whether a target can answer. */
export interface Judge {
  readonly targets: readonly Target[]
  readonly health: HealthTable
  readonly family?: Family | undefined
  /** Keeps what is costly to compute from one choice to the next. */
  readonly shares?: KnownShares
}

/** How far health is believed: `healthy`; then all but what an operator holds down; then all. */
type Trust = 'healthy' | 'not-forced-out' | 'all'

/** What came up on the way. */
interface Notes {
  rotate: boolean
  shuffle: boolean
  failOpen: boolean
  unsettled: boolean
}

/**
 * Takes the first that can answer. When none can, what the nodes say under `on-all-down` holds, from the inside out, and
 * above them all: as if all were up, save what an operator holds down; that too only when there is nothing else.
 */
export function choose(order: Order, judge: Judge): Choice {
  const notes: Notes = { rotate: false, shuffle: false, failOpen: false, unsettled: false }
  let found = pick(order, 'healthy', judge, notes)
  for (const trust of ['not-forced-out', 'all'] as const) {
    if (found !== undefined) break
    found = pick(order, trust, judge, notes)
    notes.failOpen ||= found !== undefined
  }
  const alternatives = merged((found ?? []).map(({ weight, targets }) => ({ weight, targets })))
  const draw = drawOf(found ?? [], ({ targets }) => alternatives.findIndex((each) => each.targets.join() === targets.join()), judge.shares)
  return { alternatives, ...(draw !== undefined && { draw }), rotate: notes.rotate, shuffle: notes.shuffle, failOpen: notes.failOpen, unsettled: notes.unsettled }
}

/** Whether a target has an address of the family asked for, or a name that leads to one. */
export function isCandidate(target: number, { targets, family }: Judge): boolean {
  if (family === undefined) return true
  const { ipv4, ipv6, cname } = targets[target]!
  return cname !== undefined || (family === 4 ? ipv4 : ipv6).length > 0
}

/** The word of a target in the health table. */
export function wordOf(target: number, { targets, health }: Judge): number {
  return health.words[targets[target]!.word ?? target] ?? 0
}

function mayAnswer(target: number, trust: Trust, judge: Judge): boolean {
  if (trust === 'all' || !judge.targets[target]!.checked) return true
  const word = wordOf(target, judge)
  return trust === 'healthy' ? isAnswerable(word) : !isForcedOut(word)
}

/** Alternatives with shares that add up to 1, or undefined when none can answer. */
function pick(order: Order, trust: Trust, judge: Judge, notes: Notes): readonly Found[] | undefined {
  switch (order.kind) {
    case 'target':
      return pickTarget(order.target, trust, judge, notes)
    case 'nothing':
      return []
    case 'first-of':
      for (const part of order.of) {
        const found = pick(part, trust, judge, notes)
        if (found !== undefined) return found
      }
      return undefined
    case 'split':
      return pickSplit(order, trust, judge, notes)
    case 'set':
      return pickSet(order, trust, judge, notes)
    case 'top':
      return pickTop(order, trust, judge, notes)
    case 'or-else':
      return pick(order.of, trust, judge, notes) ?? pickElse(order, trust, judge, notes)
  }
}

function pickTarget(target: number, trust: Trust, judge: Judge, notes: Notes): readonly Found[] | undefined {
  if (!isCandidate(target, judge)) return undefined
  if (judge.targets[target]!.checked && isUnsettled(wordOf(target, judge))) notes.unsettled = true
  return mayAnswer(target, trust, judge) ? [{ weight: 1, targets: [target] }] : undefined
}

function isUnsettled(word: number): boolean {
  return !isAnswerable(word) || isSuspect(word)
}

function pickSplit(order: Order & { kind: 'split' }, trust: Trust, judge: Judge, notes: Notes): readonly Found[] | undefined {
  for (const isLastResort of [false, true]) {
    const found = order.of.flatMap((part, index) => {
      const weight = order.weights[index]!
      if ((weight === 0) !== isLastResort) return []
      const alternatives = pick(part, trust, judge, notes)
      return alternatives === undefined ? [] : [{ weight: isLastResort ? 1 : weight, alternatives, branch: index }]
    })
    if (found.length > 0) return mixed(order.sticky === undefined ? found : found.map((part) => behind(order.sticky!, part)))
  }
  return undefined
}

/** All of a branch lies behind the sticky node that it belongs to. */
function behind(sticky: Sticky, { weight, alternatives, branch }: { weight: number; alternatives: readonly Found[]; branch: number }): { weight: number; alternatives: readonly Found[] } {
  const fork: Fork = { sticky, branch, weight }
  return { weight, alternatives: alternatives.map((each) => ({ ...each, forks: [fork, ...(each.forks ?? [])] })) }
}

/** With `count`, one alternative for each run of `count` neighbours, so that every member is in an equal share of them. */
function pickSet(order: Order & { kind: 'set' }, trust: Trust, judge: Judge, notes: Notes): readonly Found[] | undefined {
  const found = order.of.flatMap((part) => {
    const member = pick(part, trust, judge, notes)
    return member === undefined ? [] : [member]
  })
  if (found.length === 0) return undefined
  const members = found.filter((member) => member.length > 0)
  if (members.length === 0) return []
  if (order.shuffle === true) notes.shuffle = true
  else notes.rotate = true
  const count = order.count ?? members.length
  if (count >= members.length) return together(members)
  return mixed(members.map((_, start) => ({ weight: 1, alternatives: together(Array.from({ length: count }, (_, step) => members[(start + step) % members.length]!)) })))
}

/** A part that is to be empty when down leaves its place to the next. */
function pickTop(order: Order & { kind: 'top' }, trust: Trust, judge: Judge, notes: Notes): readonly Found[] | undefined {
  const members: (readonly Found[])[] = []
  let isEmpty = false
  let end = order.of.length
  for (let place = 0; place < end && members.length < order.count; place++) {
    const member = pick(order.of[place]!, trust, judge, notes)
    if (member?.length === 0) isEmpty = true
    if (member === undefined || member.length === 0) continue
    if (members.push(member) === 1) end = order.reach[place]!
  }
  if (members.length > 0) return together(members)
  return isEmpty ? [] : undefined
}

/** Every combination of one alternative from each member. */
function together(members: readonly (readonly Found[])[]): readonly Found[] {
  let combined: Found[] = [{ weight: 1, targets: [] }]
  for (const member of members) {
    combined = combined.flatMap((left) => member.map((right) => withForks({ weight: left.weight * right.weight, targets: [...new Set([...left.targets, ...right.targets])] }, [...(left.forks ?? []), ...(right.forks ?? [])])))
  }
  return merged(combined)
}

/** Distributions in one, each by its weight. */
function mixed(all: readonly { weight: number; alternatives: readonly Found[] }[]): readonly Found[] {
  // A part that is to be empty when down leaves its share to the others.
  const parts = all.filter(({ alternatives }) => alternatives.length > 0)
  if (parts.length === 1) return parts[0]!.alternatives
  const sum = parts.reduce((total, { weight }) => total + weight, 0)
  return merged(parts.flatMap(({ weight, alternatives }) => alternatives.map((alternative) => ({ ...alternative, weight: (alternative.weight * weight) / sum }))))
}

function withForks(alternative: Alternative, forks: readonly Fork[]): Found {
  return forks.length === 0 ? alternative : { ...alternative, forks }
}

/** The same answer in two places is one alternative, unless other sticky branches lead there. */
function merged(alternatives: readonly Found[]): readonly Found[] {
  const known = new Map<string, Found>()
  for (const alternative of alternatives) {
    const key = `${alternative.targets.join()}${alternative.forks?.map(({ sticky, branch }) => ` ${sticky.seed}:${branch}`).join('') ?? ''}`
    const same = known.get(key)
    known.set(key, same === undefined ? alternative : { ...same, weight: same.weight + alternative.weight })
  }
  return [...known.values()]
}

/** What a node says for when all below it is down. */
function pickElse({ of, otherwise }: Order & { kind: 'or-else' }, trust: Trust, judge: Judge, notes: Notes): readonly Found[] | undefined {
  if (typeof otherwise === 'object') return pick(otherwise, trust, judge, notes)
  const candidates = [...leavesOf(of)].filter((target) => isCandidate(target, judge))
  if (candidates.length === 0) return undefined
  if (otherwise === 'empty') return []
  const last = otherwise === 'last-good' ? lastGood(candidates, judge) : undefined
  const found = last === undefined ? pick(of, 'not-forced-out', judge, notes) : [{ weight: 1, targets: [last] }]
  notes.failOpen ||= found !== undefined
  return found
}

/** Of those not held down by an operator, the one that went last; undefined when none is known to have been up. */
export function lastGood(candidates: readonly number[], judge: Judge): number | undefined {
  const { targets, health } = judge
  let best: number | undefined
  let latest = 0
  for (const target of candidates) {
    const lastUp = health.lastUp[targets[target]!.word ?? target] ?? 0
    if (!targets[target]!.checked || lastUp <= latest || isForcedOut(wordOf(target, judge))) continue
    latest = lastUp
    best = target
  }
  return best
}
