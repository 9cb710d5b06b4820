import { HEAP_OCTETS, makeHeap } from './heap.ts'
import type { EvictionPolicy } from './types.ts'

/**
 * What has been used least goes, with dynamic aging (LFU-DA, Arlitt et al. 1999): a use counts from the value of what left
 * last, so that what was popular once does not stay for ever.
 */
export const lfu: EvictionPolicy = {
  about: 'least frequently used first; old uses fade',
  slotOctets: HEAP_OCTETS + 4,
  ghostOctets: 0,
  make: ({ slots }) => {
    const heap = makeHeap(slots)
    const uses = new Uint32Array(slots)
    let age = 0
    return {
      add: (slot) => {
        uses[slot] = 1
        heap.set(slot, age + 1)
      },
      use: (slot) => heap.set(slot, age + ++uses[slot]!),
      remove: (slot) => heap.remove(slot),
      evict: () => {
        const slot = heap.top()
        if (slot === 0) return 0
        age = heap.valueOf(slot)
        heap.remove(slot)
        return slot
      }
    }
  }
}
