import { isAnswerable, isForcedOut, isSuspect, limitOf, type HealthTable } from '../../healthchecks/table.ts'
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
  /** Some target could not take all of what it was asked to. */
  limited: boolean
}

/** Whose share is asked of a target: `own`, by its order; `others`, which those before it cannot keep; `any`: limits of load do not count. */
type Share = 'own' | 'others' | 'any'

/** What an order comes to. Shares add up to 1. */
interface Picked {
  readonly found: readonly Found[]
  /** What part of the share it was asked to take it does take. */
  readonly part: number
  /** Whom the rest falls back to when nobody takes it. */
  readonly rest: readonly Found[]
  /** What part of its weight it has, a while after it was down. */
  readonly ramp: number
}

/** Less than this is not shed. */
const LEAST_PART = 1 / 512

/**
 * Takes the first that can answer. When none can, what the nodes say under `on-all-down` holds, from the inside out, and
 * above them all: as if all were up, save what an operator holds down; that too only when there is nothing else.
 * One that may keep only a part of its own leaves the rest to the next, as far as these may take it; what nobody may take it keeps.
 */
export function choose(order: Order, judge: Judge): Choice {
  const notes: Notes = { rotate: false, shuffle: false, failOpen: false, unsettled: false, limited: false }
  let found = pickWithin(order, judge, notes)
  for (const trust of ['not-forced-out', 'all'] as const) {
    if (found !== undefined) break
    found = pick(order, trust, judge, notes, 'any')?.found
    notes.failOpen ||= found !== undefined
  }
  // Shares come out the same however an order is written.
  const exact = (weight: number): number => (notes.limited ? Math.round(weight * 1e12) / 1e12 : weight)
  const alternatives = merged((found ?? []).map(({ weight, targets }) => ({ weight, targets }))).flatMap(({ weight, targets }) => (exact(weight) > 0 ? [{ weight: exact(weight), targets }] : []))
  const draw = drawOf(found ?? [], ({ targets }) => alternatives.findIndex((each) => each.targets.join() === targets.join()), judge.shares)
  return { alternatives, ...(draw !== undefined && { draw }), rotate: notes.rotate, shuffle: notes.shuffle, failOpen: notes.failOpen, unsettled: notes.unsettled }
}

/** The healthy ones, each within its limits; what is over stays where it would be without them. */
function pickWithin(order: Order, judge: Judge, notes: Notes): readonly Found[] | undefined {
  const picked = pick(order, 'healthy', judge, notes, 'own')
  if (picked === undefined || picked.part > 1 - LEAST_PART) return picked?.found
  // By who asks, branches have their shares within their node already.
  if (picked.part > 0 && picked.found.some(({ forks }) => forks !== undefined)) return picked.found
  return mixed([{ weight: picked.part, alternatives: picked.found }, { weight: 1 - picked.part, alternatives: picked.rest }])
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

/** Undefined when none can answer. */
function pick(order: Order, trust: Trust, judge: Judge, notes: Notes, share: Share): Picked | undefined {
  switch (order.kind) {
    case 'target':
      return pickTarget(order.target, trust, judge, notes, share)
    case 'nothing':
      return whole([])
    case 'first-of':
      return pickFirst(order.of, share, (part, whose) => pick(part, trust, judge, notes, whose))
    case 'ranked':
      return pickFirst(byRank(order, judge), share, (part, whose) => pick(part, trust, judge, notes, whose))
    case 'split':
      return pickSplit(order, share, (part, whose) => pick(part, trust, judge, notes, whose))
    case 'set':
      return pickSet(order, notes, (part) => pick(part, trust, judge, notes, share))
    case 'top':
      return pickTop(order, share, (part, whose) => pick(part, trust, judge, notes, whose))
    case 'or-else':
      return pick(order.of, trust, judge, notes, share) ?? pickElse(order, trust, judge, notes, share)
  }
}

type PickPart = (part: Order, share: Share) => Picked | undefined

const whole = (found: readonly Found[]): Picked => ({ found, part: 1, rest: found, ramp: 1 })

function pickTarget(target: number, trust: Trust, judge: Judge, notes: Notes, share: Share): Picked | undefined {
  if (!isCandidate(target, judge)) return undefined
  const { checked, word = target } = judge.targets[target]!
  if (checked && isUnsettled(wordOf(target, judge))) notes.unsettled = true
  if (!mayAnswer(target, trust, judge)) return undefined
  const found = [{ weight: 1, targets: [target] }]
  if (!checked) return whole(found)
  const { keeps, takes, ramp } = limitOf(judge.health.limits[word])
  const part = share === 'any' ? 1 : share === 'own' ? keeps : takes
  if (part < 1 || ramp < 1) notes.limited = true
  return { found, part, rest: found, ramp }
}

/** What one cannot keep goes to the next. */
function pickFirst(of: readonly Order[], share: Share, pickPart: PickPart): Picked | undefined {
  const taken: { weight: number; alternatives: readonly Found[] }[] = []
  let owner: Picked | undefined
  let left = 1
  for (const part of of) {
    const picked = pickPart(part, owner === undefined ? share : 'others')
    if (picked === undefined) continue
    owner ??= picked
    if (picked.part > 0) taken.push({ weight: left * picked.part, alternatives: picked.found })
    left *= 1 - picked.part
    if (left < LEAST_PART || share === 'any') break
  }
  if (owner === undefined) return undefined
  return { found: taken.length === 0 ? owner.found : mixed(taken), part: left < LEAST_PART ? 1 : 1 - left, rest: owner.rest, ramp: owner.ramp }
}

/** The parts of a ranked order as their health has them now. */
export function byRank({ of, ranks }: Order & { kind: 'ranked' }, judge: Judge): Order[] {
  const levels = levelsOf(of, judge)
  return ranks.flatMap(([part, level]) => (levels[part] === level ? [of[part]!] : []))
}

/** Of each part how well the best of its targets is: 2 up, 1 suspect, 0 neither. */
export function levelsOf(parts: readonly Order[], judge: Judge): number[] {
  const levelOf = (target: number): number => {
    if (!isCandidate(target, judge)) return 0
    if (!judge.targets[target]!.checked) return 2
    const word = wordOf(target, judge)
    return isAnswerable(word) ? (isSuspect(word) ? 1 : 2) : 0
  }
  return parts.map((part) => Math.max(0, ...[...leavesOf(part)].map(levelOf)))
}

function isUnsettled(word: number): boolean {
  return !isAnswerable(word) || isSuspect(word)
}

function pickSplit(order: Order & { kind: 'split' }, share: Share, pickPart: PickPart): Picked | undefined {
  for (const isLastResort of [false, true]) {
    const parts = order.of.flatMap((part, branch) => {
      const weight = order.weights[branch]!
      const picked = (weight === 0) === isLastResort ? pickPart(part, share) : undefined
      if (picked === undefined) return []
      const own = (isLastResort ? 1 : weight) * (share === 'any' ? 1 : picked.ramp)
      return [{ branch, part, own, picked, alternatives: picked.found, weight: own * picked.part }]
    })
    if (parts.length === 0) continue
    const total = sum(parts.map(({ own }) => own))
    const shared = share === 'own' ? handOn(parts, pickPart) : parts
    const taken = sum(shared.map(({ weight }) => weight))
    const used = taken > 0 ? shared.filter(({ weight }) => weight > 0) : parts.map((each) => ({ ...each, weight: each.own }))
    const shedding = parts.filter(({ own, weight }) => own - weight > 0).map(({ own, weight, picked }) => ({ weight: own - weight, alternatives: picked.rest }))
    // Where one branch is left there is nothing to draw.
    const isOne = used.filter(({ alternatives }) => alternatives.length > 0).length < 2
    const found = mixed(order.sticky === undefined || isOne ? used : used.map((each) => behind(order.sticky!, each)))
    return { found, part: Math.min(1, taken / total), rest: shedding.length === 0 ? found : mixed(shedding), ramp: Math.max(...parts.map(({ picked }) => picked.ramp)) }
  }
  return undefined
}

interface SplitPart {
  readonly branch: number
  readonly part: Order
  /** Its weight, and what part of that it takes. */
  readonly own: number
  readonly weight: number
  readonly picked: Picked
  readonly alternatives: readonly Found[]
}

/** What some branches cannot keep is offered to those that keep all of their own, by weight; each takes what it can. */
function handOn(parts: readonly SplitPart[], pickPart: PickPart): readonly SplitPart[] {
  const surplus = sum(parts.map(({ own, weight }) => own - weight))
  const open = sum(parts.map(({ own, picked }) => (picked.part < 1 ? 0 : own)))
  if (surplus < LEAST_PART || open === 0) return parts
  return parts.map((each) => {
    const more = each.picked.part < 1 ? undefined : pickPart(each.part, 'others')
    if (more === undefined || more.part === 0) return each
    const taken = (surplus * each.own * more.part) / open
    return { ...each, weight: each.weight + taken, alternatives: mixed([{ weight: each.weight, alternatives: each.alternatives }, { weight: taken, alternatives: more.found }]) }
  })
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

/** All of a branch lies behind the sticky node that it belongs to. */
function behind(sticky: Sticky, { weight, alternatives, branch }: { weight: number; alternatives: readonly Found[]; branch: number }): { weight: number; alternatives: readonly Found[] } {
  const fork: Fork = { sticky, branch, weight }
  return { weight, alternatives: alternatives.map((each) => ({ ...each, forks: [fork, ...(each.forks ?? [])] })) }
}

/** With `count`, one alternative for each run of `count` neighbours, so that every member is in an equal share of them. */
function pickSet(order: Order & { kind: 'set' }, notes: Notes, pickPart: (part: Order) => Picked | undefined): Picked | undefined {
  const picked = order.of.flatMap((part) => pickPart(part) ?? [])
  if (picked.length === 0) return undefined
  const members = picked.filter(({ found }) => found.length > 0)
  if (members.length === 0) return whole([])
  if (order.shuffle === true) notes.shuffle = true
  else notes.rotate = true
  const ramp = Math.max(...members.map((member) => member.ramp))
  return inLevels(members.map(({ part }) => part), ramp, (level) => {
    const present = members.filter(({ part }) => part >= level).map(({ found }) => found)
    const count = order.count ?? present.length
    if (count >= present.length) return together(present)
    return mixed(present.map((_, start) => ({ weight: 1, alternatives: together(Array.from({ length: count }, (_, step) => present[(start + step) % present.length]!)) })))
  })
}

/** A part that is to be empty when down leaves its place to the next, and so does one that may not take this share. */
function pickTop(order: Order & { kind: 'top' }, share: Share, pickPart: PickPart): Picked | undefined {
  const parts: number[] = []
  let ramp = 0
  let isEmpty = false
  /** Those that take this part at least. */
  const walk = (level: number): readonly Found[] | undefined => {
    const members: (readonly Found[])[] = []
    let isSkipped = false
    let end = order.of.length
    for (let place = 0; place < end && members.length < order.count; place++) {
      const member = pickPart(order.of[place]!, isSkipped ? 'others' : share)
      if (member?.found.length === 0) isEmpty = true
      if (member === undefined || member.found.length === 0) continue
      parts.push(member.part)
      ramp = Math.max(ramp, member.ramp)
      if (member.part < level) isSkipped = true
      else if (members.push(member.found) === 1) end = order.reach[place]!
    }
    return members.length === 0 ? undefined : together(members)
  }
  const all = walk(0)
  if (all === undefined) return isEmpty ? whole([]) : undefined
  if (parts.every((part) => part === 1)) return { ...whole(all), ramp }
  // Those that stand in for others show their parts only once these are passed over.
  for (const level of new Set(parts)) walk(level)
  walk(1)
  return inLevels(parts, ramp, walk)
}

/**
 * Members that are answered together and take different parts: up to the least of these all stand in the answer, from there on
 * those that take more.
 * @param at the answer of those that take this part at least
 */
function inLevels(parts: readonly number[], ramp: number, at: (level: number) => readonly Found[] | undefined): Picked {
  const levels = [...new Set(parts)].filter((part) => part > 0).sort((a, b) => a - b)
  const found: { weight: number; alternatives: readonly Found[] }[] = []
  let below = 0
  let taken = 0
  for (const level of levels) {
    const alternatives = at(level)
    if (alternatives !== undefined) {
      found.push({ weight: level - below, alternatives })
      taken += level - below
    }
    below = level
  }
  const rest = at(0) ?? []
  return { found: found.length === 0 ? rest : mixed(found), part: taken, rest, ramp }
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
function pickElse({ of, otherwise }: Order & { kind: 'or-else' }, trust: Trust, judge: Judge, notes: Notes, share: Share): Picked | undefined {
  if (typeof otherwise === 'object') return pick(otherwise, trust, judge, notes, share)
  const candidates = [...leavesOf(of)].filter((target) => isCandidate(target, judge))
  if (candidates.length === 0) return undefined
  if (otherwise === 'empty') return whole([])
  const last = otherwise === 'last-good' ? lastGood(candidates, judge) : undefined
  const found = last === undefined ? pick(of, 'not-forced-out', judge, notes, 'any') : whole([{ weight: 1, targets: [last] }])
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
