/** Fewer than these are in the cache anyway. */
const FEW = 4096
/** Parts of a table that are filled one after the other. */
const PARTS = 10

/** Items in the order in which to put them into a table, and the hash of each. */
export interface SlotOrder {
  readonly items: Uint32Array
  readonly hashes: Int32Array
}

/**
 * The order in which to put many hashes into an open hash table: part of the table by part, so that each stays in the processor's
 * cache while it is filled. Those with the same hash stay in their order.
 * @param hashes one an item, from 0 on
 * @param mask slots of the table less one
 */
export function slotOrder(hashes: Int32Array | Uint32Array, count: number, mask: number): SlotOrder {
  const items = new Uint32Array(count)
  const sorted = new Int32Array(count)
  const shift = count < FEW ? 32 : Math.max(0, 32 - Math.clz32(mask) - PARTS)
  if (shift === 32) {
    for (let item = 0; item < count; item++) items[item] = item
    sorted.set(hashes.subarray(0, count))
    return { items, hashes: sorted }
  }
  const ends = new Uint32Array((mask >>> shift) + 2)
  for (let item = 0; item < count; item++) ends[((hashes[item]! & mask) >>> shift) + 1]!++
  for (let part = 1; part < ends.length; part++) ends[part]! += ends[part - 1]!
  for (let item = 0; item < count; item++) {
    const hash = hashes[item]!
    const at = ends[(hash & mask) >>> shift]!++
    items[at] = item
    sorted[at] = hash
  }
  return { items, hashes: sorted }
}
