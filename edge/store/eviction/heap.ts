/** Slots by a value, the smallest on top; among equal ones the one that got its value first. */
export interface Heap {
  set(slot: number, value: number): void
  remove(slot: number): void
  /** The slot with the smallest value; 0 when there is none. */
  top(): number
  valueOf(slot: number): number
}

export const HEAP_OCTETS = 24

export function makeHeap(slots: number): Heap {
  const values = new Float64Array(slots)
  const since = new Float64Array(slots)
  /** Where a slot stands, from 1; 0: nowhere. */
  const places = new Uint32Array(slots)
  const heap = new Uint32Array(slots)
  let size = 0
  let clock = 0
  const before = (a: number, b: number): boolean => {
    const difference = values[a]! - values[b]!
    return difference < 0 || (difference === 0 && since[a]! < since[b]!)
  }
  const stand = (slot: number, place: number): void => {
    heap[place] = slot
    places[slot] = place
  }
  const rise = (slot: number, from: number): number => {
    let place = from
    while (place > 1 && before(slot, heap[place >>> 1]!)) {
      stand(heap[place >>> 1]!, place)
      place >>>= 1
    }
    return place
  }
  const sink = (slot: number, from: number): number => {
    let place = from
    for (;;) {
      let child = place * 2
      if (child > size) return place
      if (child < size && before(heap[child + 1]!, heap[child]!)) child++
      if (!before(heap[child]!, slot)) return place
      stand(heap[child]!, place)
      place = child
    }
  }
  const settle = (slot: number, place: number): void => stand(slot, sink(slot, rise(slot, place)))
  return {
    set: (slot, value) => {
      values[slot] = value
      since[slot] = clock++
      settle(slot, places[slot] === 0 ? ++size : places[slot]!)
    },
    remove: (slot) => {
      const place = places[slot]!
      if (place === 0) return
      places[slot] = 0
      const last = heap[size--]!
      if (last !== slot) settle(last, place)
    },
    top: () => (size === 0 ? 0 : heap[1]!),
    valueOf: (slot) => values[slot]!
  }
}
