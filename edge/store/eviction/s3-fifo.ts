import { GHOST_OCTETS, makeGhosts } from './ghosts.ts'
import { LINK_OCTETS, makeLinks, makeQueue, push, unlink } from './queue.ts'
import type { Capacity, Eviction, EvictionPolicy } from './types.ts'

/** Share of what is held that is on trial. */
const SMALL = 0.1
/** The most uses that are counted. */
const MOST_USES = 3

/** Uses on trial that make an object stay, by its size as a share of the mean. */
const usesToStay = (share: number): number => (share <= 0.5 ? 1 : share < 2 ? 2 : 3)
/** From this share of the mean on, nothing comes back untried, and its uses count for one round only. */
const LARGE = 4

/**
 * S3-FIFO (Yang et al., SOSP 2023): a small queue on trial, a main one for what was used there, and the hashes of what failed: who
 * comes back soon goes to the main queue at once. A use costs one store. Beyond the paper, the small have to prove less than the
 * large: where sizes differ it misses fewer requests for hardly more octets; where all are alike it is the paper's.
 */
export const s3Fifo: EvictionPolicy = {
  about: 'a short trial, after which only what was used stays; whoever comes back soon is not tried again',
  slotOctets: LINK_OCTETS + 10,
  ghostOctets: GHOST_OCTETS,
  make
}

/** The queues, as `where` has them for each slot. */
const [TRIAL, MAIN] = [0, 1] as const

function make({ slots, ghosts: count }: Capacity): Eviction {
  const links = makeLinks(slots)
  const queues = [makeQueue(links), makeQueue(links)] as const
  const [trial, main] = queues
  const octets: [number, number] = [0, 0]
  const counts: [number, number] = [0, 0]
  const where = new Uint8Array(slots)
  const uses = new Uint8Array(slots)
  const sizes = new Uint32Array(slots)
  const hashes = new Uint32Array(slots)
  const ghosts = makeGhosts(count)
  const enter = (slot: number, queue: typeof TRIAL | typeof MAIN): void => {
    where[slot] = queue
    push(queues[queue], slot)
    octets[queue] += sizes[slot]!
    counts[queue]++
  }
  const leave = (slot: number): void => {
    const queue = where[slot] === TRIAL ? TRIAL : MAIN
    unlink(queues[queue], slot)
    octets[queue] -= sizes[slot]!
    counts[queue]--
  }
  const isTrialFull = (): boolean => octets[TRIAL] >= SMALL * (octets[TRIAL] + octets[MAIN])
  const share = (slot: number): number => (sizes[slot]! * (counts[TRIAL] + counts[MAIN] + 1)) / (octets[TRIAL] + octets[MAIN] + sizes[slot]!)
  const evictFromTrial = (): number => {
    for (let slot = trial.oldest; slot !== 0; slot = trial.oldest) {
      const needed = usesToStay(share(slot))
      leave(slot)
      if (uses[slot]! < needed) {
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
    for (let slot = main.oldest; slot !== 0; slot = main.oldest) {
      leave(slot)
      if (uses[slot] === 0) return slot
      uses[slot] = share(slot) < LARGE ? uses[slot]! - 1 : 0
      enter(slot, MAIN)
    }
    return 0
  }
  return {
    add: (slot, size, hash) => {
      uses[slot] = 0
      sizes[slot] = size
      hashes[slot] = hash
      enter(slot, share(slot) < LARGE && ghosts.take(hash, Math.max(counts[MAIN], 1)) ? MAIN : TRIAL)
    },
    use: (slot) => {
      if (uses[slot]! < MOST_USES) uses[slot]!++
    },
    remove: leave,
    evict: () => (isTrialFull() ? evictFromTrial() : 0) || evictFromMain() || evictFromTrial()
  }
}
