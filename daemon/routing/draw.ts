import type { Alternative } from './types.ts'

// How one of several alternatives is drawn for a client: at random, or by who asks, so that the same client draws the same.
// By who asks goes one branch at a time, from the outermost node inwards: what happens below one branch moves nobody of another.

/** What a sticky choice goes by: where the client is, or the name that is asked for. */
export type StickyBy = 'client' | 'name'

/** A node whose branches are drawn by who asks. */
export interface Sticky {
  readonly by: StickyBy
  /** Of the node's name: so that two nodes do not draw alike. */
  readonly seed: number
  /**
   * `exact`: rendezvous hashing by weight over every key of its own; shares are as the weights say. `bounded`: over SLOTS parts
   * of the hash space, each branch of at most BOUND times its share; to draw costs the same for any number of branches.
   */
  readonly shares: 'exact' | 'bounded'
  /** Per branch: a number of its own, which does not change with its place among the others. */
  readonly ids: readonly number[]
}

/** A branch that was taken at a sticky node on the way to an alternative. */
export interface Fork {
  readonly sticky: Sticky
  readonly branch: number
  /** Above 0. */
  readonly weight: number
}

/** An alternative and the sticky branches it lies behind, outermost first. */
export interface Found extends Alternative {
  readonly forks?: readonly Fork[]
}

/** Leads to one alternative of a choice, by its number there. */
export type Draw =
  | { readonly kind: 'one'; readonly alternative: number }
  /** `upTo`: of 2^32 random numbers how many lead to this part or one before it. */
  | { readonly kind: 'random'; readonly upTo: readonly number[]; readonly of: readonly Draw[] }
  | { readonly kind: 'exact'; readonly by: StickyBy; readonly seed: number; readonly ids: readonly number[]; readonly weights: readonly number[]; readonly of: readonly Draw[] }
  | { readonly kind: 'bounded'; readonly by: StickyBy; readonly seed: number; readonly ids: readonly number[]; readonly slots: Uint16Array; readonly of: readonly Draw[] }

/** Parts of the hash space that `bounded` shares out: a power of two. */
export const SLOTS = 4096
/** How many times its share of the hash space a branch may have at most. */
export const BOUND = 1.25

/** Shares of the hash space that have been computed, by what they were computed from: many choices have the same. */
export type KnownShares = Map<string, Uint16Array>
/** Forgotten past so many: 8 KiB each. */
const MOST_SHARES = 256

interface Building {
  numberOf(alternative: Alternative): number
  readonly known: KnownShares
}

/** @param found what a choice came to @param numberOf the number of an alternative in it @returns undefined when no sticky node had a say */
export function drawOf(found: readonly Found[], numberOf: (alternative: Alternative) => number, known: KnownShares = new Map()): Draw | undefined {
  return found.some(({ forks }) => forks !== undefined && forks.length > 0) ? build(found, { numberOf, known }) : undefined
}

function build(found: readonly Found[], building: Building): Draw {
  const groups = new Map<unknown, Found[]>()
  for (const each of found) add(groups, each.forks?.[0]?.sticky.seed ?? each, each)
  const parts = [...groups.values()].map((group) => ({ weight: sumOf(group), draw: group[0]!.forks?.[0] === undefined ? one(building.numberOf(group[0]!)) : keyed(group, building) }))
  if (parts.length === 1) return parts[0]!.draw
  const total = parts.reduce((sum, { weight }) => sum + weight, 0)
  let sum = 0
  const upTo = parts.map(({ weight }, index) => (index === parts.length - 1 ? 0xffffffff : Math.floor(((sum += weight) / total) * 0x100000000)))
  return { kind: 'random', upTo, of: parts.map(({ draw }) => draw) }
}

/** All of them lie behind the same sticky node. */
function keyed(group: readonly Found[], building: Building): Draw {
  const { sticky } = group[0]!.forks![0]!
  const arms = new Map<number, Found[]>()
  for (const each of group) add(arms, each.forks![0]!.branch, { ...each, forks: each.forks!.slice(1) })
  const of = [...arms.values()].map((behind) => build(behind, building))
  if (of.length === 1) return of[0]!
  const ids = [...arms.keys()].map((branch) => sticky.ids[branch]!)
  const weights = [...arms.keys()].map((branch) => group.find(({ forks }) => forks![0]!.branch === branch)!.forks![0]!.weight)
  const { by, seed } = sticky
  return sticky.shares === 'exact' ? { kind: 'exact', by, seed, ids, weights, of } : { kind: 'bounded', by, seed, ids, slots: sharesFor(seed, ids, weights, building.known), of }
}

/** Draws for one client. `client` and `name` are 32 bits each, of any kind; `random` gives 32 bits. @returns the number of an alternative */
export function drawFor(draw: Draw, client: number, name: number, random: () => number): number {
  let at = draw
  for (;;) {
    switch (at.kind) {
      case 'one':
        return at.alternative
      case 'random': {
        const pick = random() >>> 0
        let part = 0
        while (pick > at.upTo[part]!) part++
        at = at.of[part]!
        break
      }
      default:
        at = at.of[stepOf(at, client, name)]!
    }
  }
}

/** The branch that a client takes at one node. */
export function stepOf(at: Extract<Draw, { readonly kind: 'exact' | 'bounded' }>, client: number, name: number): number {
  const key = mix((at.by === 'client' ? client : name) ^ at.seed)
  return at.kind === 'exact' ? rendezvous(key, at.ids, at.weights) : at.slots[key & (SLOTS - 1)]!
}

/** Whether a client's own network, rather than its name or chance, may decide. */
export function goesByClient(draw: Draw): boolean {
  return (draw.kind === 'exact' || draw.kind === 'bounded') && draw.by === 'client' ? true : draw.kind !== 'one' && draw.of.some(goesByClient)
}

/** 32 bits of a text, the same everywhere and always. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (const octet of Buffer.from(text)) hash = Math.imul(hash ^ octet, 0x01000193)
  return mix(hash)
}

/** The finalizer of MurmurHash3: every bit of the argument turns half of the result's. */
export function mix(value: number): number {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

/**
 * The branch of the least -ln(u) / weight, with u in (0, 1) of key and branch: each is the least as often as its weight says, and
 * one that goes or comes moves only what it had or takes (Thaler and Ravishankar 1998; with weights, Schindelhauer and Schomaker 2005).
 */
function rendezvous(key: number, ids: readonly number[], weights: readonly number[]): number {
  let best = 0
  let least = Infinity
  for (let branch = 0; branch < ids.length; branch++) {
    const score = -Math.log(((mix(key ^ ids[branch]!) >>> 0) + 0.5) / 0x100000000) / weights[branch]!
    if (score >= least) continue
    least = score
    best = branch
  }
  return best
}

function sharesFor(seed: number, ids: readonly number[], weights: readonly number[], known: KnownShares): Uint16Array {
  const key = `${seed} ${ids.join()} ${weights.join()}`
  let slots = known.get(key)
  if (slots === undefined) {
    if (known.size >= MOST_SHARES) known.clear()
    known.set(key, (slots = shareOut(seed, ids, weights)))
  }
  return slots
}

/**
 * Each slot goes to the first branch in its own order of preference that has room (Mirrokni, Thorup and Zadimoghaddam 2016, with
 * slots for balls): by rendezvous, so that a branch that goes gives its slots to all others by their weights, and only the few
 * that meet a full branch go on.
 */
function shareOut(seed: number, ids: readonly number[], weights: readonly number[]): Uint16Array {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const room = weights.map((weight) => Math.ceil((BOUND * SLOTS * weight) / total))
  const slots = new Uint16Array(SLOTS)
  const open = ids.map((_, branch) => branch)
  for (let slot = 0; slot < SLOTS; slot++) {
    const key = mix(slot ^ mix(seed))
    const branch = open[rendezvous(key, open.map((each) => ids[each]!), open.map((each) => weights[each]!))]!
    slots[slot] = branch
    if (--room[branch]! === 0) open.splice(open.indexOf(branch), 1)
  }
  return slots
}

function one(alternative: number): Draw {
  return { kind: 'one', alternative }
}

function sumOf(group: readonly Found[]): number {
  return group.reduce((sum, { weight }) => sum + weight, 0)
}

function add<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}
