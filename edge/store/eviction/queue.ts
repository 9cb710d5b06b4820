/** Queues over slots: each slot is in one queue of its links at most. 0 is no slot. */
export interface Links {
  readonly newer: Uint32Array
  readonly older: Uint32Array
}

export interface Queue {
  readonly links: Links
  newest: number
  oldest: number
}

export const LINK_OCTETS = 8

export const makeLinks = (slots: number): Links => ({ newer: new Uint32Array(slots), older: new Uint32Array(slots) })
export const makeQueue = (links: Links): Queue => ({ links, newest: 0, oldest: 0 })

export function push(queue: Queue, slot: number): void {
  const { newer, older } = queue.links
  newer[slot] = 0
  older[slot] = queue.newest
  if (queue.newest !== 0) newer[queue.newest] = slot
  queue.newest = slot
  if (queue.oldest === 0) queue.oldest = slot
}

export function unlink(queue: Queue, slot: number): void {
  const { newer, older } = queue.links
  const after = newer[slot]!
  const before = older[slot]!
  if (after === 0) queue.newest = before
  else older[after] = before
  if (before === 0) queue.oldest = after
  else newer[before] = after
}
