import { GHOST_OCTETS, makeGhosts } from './ghosts.ts'
import { makeSized, makeSizedQueue, nextOf, pushSized, SIZED_OCTETS, unlinkSized, weightOf } from './sized.ts'
import type { Capacity, Eviction, EvictionPolicy } from './types.ts'

/** Share of what is held that is on trial. */
const SMALL = 0.1
/** The most uses that are counted. */
const MOST_USES = 3

/**
 * S3-FIFO (Yang et al., SOSP 2023): a short trial, a main part for what was used there, and the hashes of what failed: who comes back
 * soon goes to the main part at once. A use costs one store. Beyond the paper, the large wait less long than the small: on trial, in the
 * main part and among those that left. Where all are alike it is the paper's, but that one use on trial is enough to stay.
 */
export const s3Fifo: EvictionPolicy = {
  about: 'a short trial, after which only what was used stays, the large less long; whoever comes back soon is not tried again',
  slotOctets: SIZED_OCTETS + 6,
  ghostOctets: GHOST_OCTETS,
  make
}

function make({ slots, ghosts: count }: Capacity): Eviction {
  const sized = makeSized(slots)
  const trial = makeSizedQueue(sized)
  const main = makeSizedQueue(sized)
  const isMain = new Uint8Array(slots)
  const uses = new Uint8Array(slots)
  const hashes = new Uint32Array(slots)
  const ghosts = makeGhosts(count)
  const isTrialFull = (): boolean => trial.octets >= SMALL * (trial.octets + main.octets)
  const stay = (slot: number): void => {
    isMain[slot] = 1
    pushSized(main, slot)
  }
  const evictFromTrial = (): number => {
    for (let slot = nextOf(trial); slot !== 0; slot = nextOf(trial)) {
      unlinkSized(trial, slot)
      if (uses[slot] === 0) {
        ghosts.add(hashes[slot]!)
        return slot
      }
      uses[slot] = 0
      stay(slot)
      if (!isTrialFull()) return 0
    }
    return 0
  }
  const evictFromMain = (): number => {
    for (let slot = nextOf(main); slot !== 0; slot = nextOf(main)) {
      unlinkSized(main, slot)
      if (uses[slot] === 0) return slot
      uses[slot]!--
      pushSized(main, slot)
    }
    return 0
  }
  /** How many may have left since it did, for an object to be remembered: as many as the main part holds, for one of mean size. */
  const horizon = (size: number): number => {
    const mean = (trial.octets + main.octets + size) / (trial.count + main.count + 1)
    return Math.max(1, main.count * weightOf(mean, size))
  }
  return {
    add: (slot, octets, hash) => {
      const size = Math.max(1, Math.min(octets, 0xffffffff))
      sized.now = (sized.now + 1) >>> 0
      sized.sizes[slot] = size
      uses[slot] = 0
      hashes[slot] = hash
      if (ghosts.take(hash, horizon(size))) return stay(slot)
      isMain[slot] = 0
      pushSized(trial, slot)
    },
    use: (slot) => {
      if (uses[slot]! < MOST_USES) uses[slot]!++
    },
    remove: (slot) => unlinkSized(isMain[slot] === 1 ? main : trial, slot),
    evict: () => (isTrialFull() ? evictFromTrial() : 0) || evictFromMain() || evictFromTrial()
  }
}
