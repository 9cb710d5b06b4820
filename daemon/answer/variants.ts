import { TYPE } from '../wire/index.ts'
import type { Choice, Target } from '../routing/types.ts'

/** One of the answers a decision allows: addresses in their order, and how often it is given. */
export interface Variant {
  /** Of 2^32 answers, how many are this one or one before it. */
  readonly upTo: number
  readonly addresses: readonly Uint8Array[]
}

/** A rotated answer has no more orders than this. */
const MOST_ROTATIONS = 8

/** The answers of type A or AAAA that a choice allows; none when no target of it has an address of that family. */
export function variantsOf(choice: Choice, targets: readonly Target[], type: number): Variant[] {
  const shares = choice.alternatives.flatMap(({ weight, targets: members }) => {
    const addresses = members.flatMap((member) => (type === TYPE.A ? targets[member]!.ipv4 : targets[member]!.ipv6))
    return addresses.length === 0 ? [] : [{ weight, addresses }]
  })
  const total = shares.reduce((sum, { weight }) => sum + weight, 0)
  const variants: Variant[] = []
  let sum = 0
  for (const { weight, addresses } of shares) {
    // Weight 0 is a last resort: it counts only where nothing else is left.
    const share = total === 0 ? 1 / shares.length : weight / total
    if (share === 0) continue
    const rotations = choice.rotate ? Math.min(addresses.length, MOST_ROTATIONS) : 1
    for (let turn = 0; turn < rotations; turn++) {
      sum += share / rotations
      variants.push({ upTo: Math.min(0xffffffff, Math.floor(sum * 0x100000000)), addresses: [...addresses.slice(turn), ...addresses.slice(0, turn)] })
    }
  }
  const last = variants.pop()
  if (last !== undefined) variants.push({ ...last, upTo: 0xffffffff })
  return variants
}
