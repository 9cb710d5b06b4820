import { HEAP_OCTETS, makeHeap } from './heap.ts'
import type { EvictionPolicy } from './types.ts'

/**
 * Greedy-Dual-Size-Frequency (Cherkasova 1998): uses for each octet, counted from the value of what left last. Many small objects
 * stay before few large ones: more requests are hits, fewer octets.
 */
export const gdsf: EvictionPolicy = {
  about: 'fewest uses an octet first; old uses fade',
  slotOctets: HEAP_OCTETS + 8,
  ghostOctets: 0,
  make: ({ slots }) => {
    const heap = makeHeap(slots)
    const uses = new Uint32Array(slots)
    const sizes = new Uint32Array(slots)
    let age = 0
    const value = (slot: number): number => age + uses[slot]! / sizes[slot]!
    return {
      add: (slot, size) => {
        uses[slot] = 1
        sizes[slot] = Math.max(1, Math.min(size, 0xffffffff))
        heap.set(slot, value(slot))
      },
      use: (slot) => {
        uses[slot]!++
        heap.set(slot, value(slot))
      },
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
