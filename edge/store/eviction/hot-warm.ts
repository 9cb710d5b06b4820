import { HEAP_OCTETS, makeHeap } from './heap.ts'
import { LINK_OCTETS, makeLinks, makeQueue, push, unlink } from './queue.ts'
import type { EvictionPolicy } from './types.ts'

/** Share of what is held that is hot. */
const HOT = 0.2

/** The latest by LRU; what falls out of there is warm, and leaves by how often it was used. A use of what is warm makes it hot again. */
export const hotWarm: EvictionPolicy = {
  about: 'a fifth by recency, the rest by frequency',
  slotOctets: LINK_OCTETS + HEAP_OCTETS + 9,
  ghostOctets: 0,
  make: ({ slots }) => {
    const hot = makeQueue(makeLinks(slots))
    const warm = makeHeap(slots)
    const isHot = new Uint8Array(slots)
    const uses = new Uint32Array(slots)
    const sizes = new Uint32Array(slots)
    let hotOctets = 0
    let warmOctets = 0
    let age = 0
    const heat = (slot: number): void => {
      isHot[slot] = 1
      push(hot, slot)
      hotOctets += sizes[slot]!
    }
    const leave = (slot: number): void => {
      if (isHot[slot] === 1) {
        unlink(hot, slot)
        hotOctets -= sizes[slot]!
      } else {
        warm.remove(slot)
        warmOctets -= sizes[slot]!
      }
    }
    const cool = (): void => {
      for (let slot = hot.oldest; slot !== 0 && hotOctets > HOT * (hotOctets + warmOctets); slot = hot.oldest) {
        leave(slot)
        isHot[slot] = 0
        warm.set(slot, age + uses[slot]!)
        warmOctets += sizes[slot]!
      }
    }
    return {
      add: (slot, size) => {
        sizes[slot] = size
        uses[slot] = 1
        heat(slot)
      },
      use: (slot) => {
        uses[slot]!++
        leave(slot)
        heat(slot)
      },
      remove: leave,
      evict: () => {
        cool()
        const slot = warm.top() === 0 ? hot.oldest : warm.top()
        if (slot === 0) return 0
        if (isHot[slot] === 0) age = warm.valueOf(slot)
        leave(slot)
        return slot
      }
    }
  }
}
