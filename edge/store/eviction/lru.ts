import { LINK_OCTETS, makeLinks, makeQueue, push, unlink } from './queue.ts'
import type { EvictionPolicy } from './types.ts'

/** What has not been used for longest goes. One pass over much that is asked for once sweeps everything out. */
export const lru: EvictionPolicy = {
  about: 'least recently used first',
  slotOctets: LINK_OCTETS,
  ghostOctets: 0,
  make: ({ slots }) => {
    const queue = makeQueue(makeLinks(slots))
    return {
      add: (slot) => push(queue, slot),
      use: (slot) => {
        if (queue.newest === slot) return
        unlink(queue, slot)
        push(queue, slot)
      },
      remove: (slot) => unlink(queue, slot),
      evict: () => {
        const slot = queue.oldest
        if (slot !== 0) unlink(queue, slot)
        return slot
      }
    }
  }
}
