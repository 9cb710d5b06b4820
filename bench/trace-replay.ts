import { hashOf } from '../edge/store/index.ts'
import type { Eviction } from '../edge/store/index.ts'
import { makeHeap } from '../edge/store/eviction/heap.ts'
import type { Trace } from './trace-files.ts'

/** Shares of requests, and of the octets asked for, that a cache did not have. */
export interface Misses {
  readonly objects: number
  readonly octets: number
}

/** Plays a trace to an order of eviction; the numbers of the trace are its slots. @param capacity octets, or objects where all are alike */
export function replay({ requests, objects, sizes }: Trace, capacity: number, order: Eviction): Misses {
  const isHeld = new Uint8Array(objects + 1)
  let held = 0
  let [missed, missedOctets, octets] = [0, 0, 0]
  for (const slot of requests) {
    const size = sizes === undefined ? 1 : sizes[slot]!
    octets += size
    if (isHeld[slot] === 1) {
      order.use(slot)
      continue
    }
    missed++
    missedOctets += size
    if (size > capacity) continue
    while (held + size > capacity) {
      const gone = order.evict()
      isHeld[gone] = 0
      held -= sizes === undefined ? 1 : sizes[gone]!
    }
    order.add(slot, size, hashOf(String(slot), 1))
    isHeld[slot] = 1
    held += size
  }
  return { objects: missed / requests.length, octets: missedOctets / octets }
}

/** Belady's order, which knows the future: what will be asked for last, or never again, goes first. With sizes it is no lower bound. */
export function belady({ requests, objects }: Trace): Eviction {
  const nextUse = new Float64Array(requests.length)
  const seen = new Float64Array(objects + 1).fill(Infinity)
  for (let at = requests.length - 1; at >= 0; at--) {
    nextUse[at] = seen[requests[at]!]!
    seen[requests[at]!] = at
  }
  const heap = makeHeap(objects + 1)
  // Of each slot: the request that is to come next. `seen` holds the first of each now.
  const coming = seen
  const touch = (slot: number): void => {
    const next = nextUse[coming[slot]!]!
    coming[slot] = next
    heap.set(slot, next === Infinity ? -Number.MAX_VALUE : -next)
  }
  return {
    add: touch,
    use: touch,
    remove: (slot) => heap.remove(slot),
    evict: () => {
      const slot = heap.top()
      heap.remove(slot)
      return slot
    }
  }
}
