import { LINK_OCTETS, makeLinks, makeQueue, push, unlink } from './queue.ts'
import type { EvictionPolicy } from './types.ts'

/**
 * SIEVE (Zhang et al., NSDI 2024): a queue by arrival whose hand, going from the oldest to the newest, spares what was used
 * since it last came by. A use costs one store.
 */
export const sieve: EvictionPolicy = {
  about: 'in order of arrival, past what was used since the hand last came by',
  slotOctets: LINK_OCTETS + 1,
  ghostOctets: 0,
  make: ({ slots }) => {
    const queue = makeQueue(makeLinks(slots))
    const { newer } = queue.links
    const visited = new Uint8Array(slots)
    let hand = 0
    const take = (slot: number): void => {
      if (hand === slot) hand = newer[slot]!
      unlink(queue, slot)
    }
    return {
      add: (slot) => {
        visited[slot] = 0
        push(queue, slot)
      },
      use: (slot) => void (visited[slot] = 1),
      remove: take,
      evict: () => {
        let slot = hand === 0 ? queue.oldest : hand
        while (slot !== 0 && visited[slot] === 1) {
          visited[slot] = 0
          slot = newer[slot] === 0 ? queue.oldest : newer[slot]!
        }
        hand = slot
        if (slot !== 0) take(slot)
        return slot
      }
    }
  }
}
