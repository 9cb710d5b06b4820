import { GHOST_OCTETS, makeGhosts } from './ghosts.ts'
import { LINK_OCTETS, makeLinks, makeQueue, push, unlink, type Queue } from './queue.ts'
import type { Capacity, Eviction, EvictionPolicy } from './types.ts'

/** Share of what is held that is on trial. */
const SMALL = 0.1
/** The most uses that are counted. */
const MOST_USES = 3
/** The longest wait falls with this power of the size: with 1 the most requests would be hits, with 0 the most octets. */
const BY_SIZE = 0.6
/** Sizes within a power of two queue together. */
const CLASSES = 32
const WEIGHTS = Float64Array.from({ length: CLASSES }, (_, at) => 2 ** (at * BY_SIZE))

const classOf = (size: number): number => 31 - Math.clz32(size)

/**
 * S3-FIFO (Yang et al., SOSP 2023): a short trial, a main part for what was used there, and the hashes of what failed: who comes back
 * soon goes to the main part at once. A use costs one store. Beyond the paper, either part is a queue for each power of two of size, and
 * the next to leave is, of those at their ends, the one whose wait weighs most: the large wait less long than the small, on trial, in
 * the main part and among those that left. Where all are alike there is one queue, as in the paper.
 */
export const s3Fifo: EvictionPolicy = {
  about: 'a short trial, after which only what was used stays, the large less long; whoever comes back soon is not tried again',
  slotOctets: LINK_OCTETS + 14,
  ghostOctets: GHOST_OCTETS,
  make
}

const [TRIAL, MAIN] = [0, 1] as const

interface Part {
  readonly queues: readonly Queue[]
  octets: number
  count: number
}

function make({ slots, ghosts: count }: Capacity): Eviction {
  const links = makeLinks(slots)
  const makePart = (): Part => ({ queues: Array.from({ length: CLASSES }, () => makeQueue(links)), octets: 0, count: 0 })
  const parts = [makePart(), makePart()] as const
  const [trial, main] = parts
  /** Of each slot: which part it is in, how often it was used, how large it is, when it came into its queue. */
  const where = new Uint8Array(slots)
  const uses = new Uint8Array(slots)
  const sizes = new Uint32Array(slots)
  const since = new Uint32Array(slots)
  const hashes = new Uint32Array(slots)
  const ghosts = makeGhosts(count)
  /** Counted in objects that come. */
  let now = 0
  let largest = 0

  const enter = (slot: number, part: typeof TRIAL | typeof MAIN): void => {
    const size = sizes[slot]!
    const { queues } = parts[part]
    where[slot] = part
    since[slot] = now
    push(queues[classOf(size)]!, slot)
    parts[part].octets += size
    parts[part].count++
  }
  const leave = (slot: number): void => {
    const part = parts[where[slot] === TRIAL ? TRIAL : MAIN]
    const size = sizes[slot]!
    unlink(part.queues[classOf(size)]!, slot)
    part.octets -= size
    part.count--
  }
  /** Whose turn it is in a part; 0 when it is empty. */
  const next = ({ queues }: Part): number => {
    let chosen = 0
    let most = 0
    for (let at = 0; at <= largest; at++) {
      const slot = queues[at]!.oldest
      if (slot === 0) continue
      const waited = (((now - since[slot]!) >>> 0) + 1) * WEIGHTS[at]!
      if (waited <= most) continue
      most = waited
      chosen = slot
    }
    return chosen
  }
  const isTrialFull = (): boolean => trial.octets >= SMALL * (trial.octets + main.octets)
  const evictFromTrial = (): number => {
    for (let slot = next(trial); slot !== 0; slot = next(trial)) {
      leave(slot)
      if (uses[slot] === 0) {
        ghosts.add(hashes[slot]!)
        return slot
      }
      uses[slot] = 0
      enter(slot, MAIN)
      if (!isTrialFull()) return 0
    }
    return 0
  }
  const evictFromMain = (): number => {
    for (let slot = next(main); slot !== 0; slot = next(main)) {
      leave(slot)
      if (uses[slot] === 0) return slot
      uses[slot]!--
      enter(slot, MAIN)
    }
    return 0
  }
  /** How many may have left since it did, for an object to be remembered: as many as the main part holds, for one of middling size. */
  const horizon = (size: number): number => {
    const mean = (trial.octets + main.octets + size) / (trial.count + main.count + 1)
    return Math.max(1, (main.count * WEIGHTS[classOf(mean)]!) / WEIGHTS[classOf(size)]!)
  }
  return {
    add: (slot, octets, hash) => {
      const size = Math.max(1, Math.min(octets, 0xffffffff))
      now = (now + 1) >>> 0
      largest = Math.max(largest, classOf(size))
      uses[slot] = 0
      sizes[slot] = size
      hashes[slot] = hash
      enter(slot, ghosts.take(hash, horizon(size)) ? MAIN : TRIAL)
    },
    use: (slot) => {
      if (uses[slot]! < MOST_USES) uses[slot]!++
    },
    remove: leave,
    evict: () => (isTrialFull() ? evictFromTrial() : 0) || evictFromMain() || evictFromTrial()
  }
}
