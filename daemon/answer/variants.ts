import { nameFromText, TYPE } from '../wire/index.ts'
import type { Choice, Target } from '../routing/types.ts'

/** One of the answers a decision allows: addresses in their order, and how often it is given. */
export interface Variant {
  /** Of 2^32 answers, how many are this one or one before it. */
  readonly upTo: number
  readonly addresses: readonly Uint8Array[]
  /** In the place of addresses: the name, in wire form, that a CNAME leads to. */
  readonly cname?: Uint8Array
  /** Of the choice: which of its alternatives this is. */
  readonly alternative: number
}

/** A rotated answer has no more orders than this. */
const MOST_ROTATIONS = 8
/** Orders of a shuffled answer that begin with the same address, where there are not many answers to shuffle. */
const MOST_SECONDS = 2

/**
 * The answers of type A or AAAA that a choice allows; none when no target of it has an address of that family.
 * @param isWhole alternatives without such an address are answers too, empty ones
 */
export function variantsOf(choice: Choice, targets: readonly Target[], type: number, isWhole = false): Variant[] {
  const shares = choice.alternatives.flatMap(({ weight, targets: members }, alternative) => {
    const cname = nameOf(members, targets)
    const addresses = members.flatMap((member) => (type === TYPE.A ? targets[member]!.ipv4 : targets[member]!.ipv6))
    return addresses.length === 0 && cname === undefined && !isWhole ? [] : [{ weight, addresses, alternative, cname }]
  })
  const total = shares.reduce((sum, { weight }) => sum + weight, 0)
  const variants: Variant[] = []
  let sum = 0
  for (const { weight, addresses, alternative, cname } of shares) {
    // Weight 0 is a last resort: it counts only where nothing else is left.
    const share = total === 0 ? 1 / shares.length : weight / total
    if (share === 0) continue
    const orders = choice.shuffle ? shufflesOf(addresses, shares.length > MOST_ROTATIONS ? 1 : MOST_SECONDS) : choice.rotate ? rotationsOf(addresses) : [addresses]
    for (const each of orders) {
      sum += share / orders.length
      variants.push({ upTo: Math.min(0xffffffff, Math.floor(sum * 0x100000000)), addresses: each, alternative, ...(cname !== undefined && { cname }) })
    }
  }
  const last = variants.pop()
  if (last !== undefined) variants.push({ ...last, upTo: 0xffffffff })
  return variants
}

/** A CNAME stands alone: policies that could answer one beside others are refused when they are read. */
function nameOf(members: readonly number[], targets: readonly Target[]): Uint8Array | undefined {
  const name = members.map((member) => targets[member]!.cname).find((each) => each !== undefined)
  const wire = name === undefined ? undefined : nameFromText(name)
  if (typeof wire === 'string') throw new Error(`${name} is no name: ${wire}`)
  return wire
}

function rotationsOf<Item>(items: readonly Item[]): (readonly Item[])[] {
  return Array.from({ length: Math.min(items.length, MOST_ROTATIONS) }, (_, turn) => [...items.slice(turn), ...items.slice(0, turn)])
}

/**
 * Few orders that do what a shuffle is for: each item is first as often as any other, and what follows it differs, so that
 * those who find it dead do not all go to one neighbour. Each walks round by a step that has no divisor with the length.
 */
function shufflesOf<Item>(items: readonly Item[], seconds: number): (readonly Item[])[] {
  const { length } = items
  if (length < 2) return [items]
  const steps = Array.from({ length: length - 1 }, (_, index) => index + 1).filter((step) => divisor(step, length) === 1)
  return items.flatMap((_, start) =>
    Array.from({ length: Math.min(steps.length, seconds) }, (_, turn) => {
      const step = steps[(start + turn) % steps.length]!
      return items.map((_, place) => items[(start + place * step) % length]!)
    })
  )
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b)
}
