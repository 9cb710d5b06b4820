import { LINK_OCTETS, makeLinks, makeQueue, push, unlink, type Links, type Queue } from './queue.ts'

/** The longest wait falls with this power of the size: with 1 the most requests would be hits, with 0 the most octets. */
const BY_SIZE = 0.6
/** Sizes within a power of two queue together. */
const CLASSES = 32
const WEIGHTS = Float64Array.from({ length: CLASSES }, (_, at) => 2 ** (at * BY_SIZE))

const classOf = (size: number): number => 31 - Math.clz32(size)

/** How much shorter an object of this size may wait than one of another size. */
export const weightOf = (size: number, other: number): number => WEIGHTS[classOf(size)]! / WEIGHTS[classOf(other)]!

/** What queues over the same slots share: each slot is in one of them at most. */
export interface Sized {
  readonly links: Links
  /** Octets of each slot, from 1 up. */
  readonly sizes: Uint32Array
  /** When each came into its queue. */
  readonly since: Uint32Array
  /** Counted by whoever owns the queues, up to 2^32 and from 0 again. */
  now: number
}

export const SIZED_OCTETS = LINK_OCTETS + 8

export const makeSized = (slots: number): Sized => ({ links: makeLinks(slots), sizes: new Uint32Array(slots), since: new Uint32Array(slots), now: 0 })

/**
 * A queue whose next is not always the first to have come: it is a queue for each power of two of size, and of those at their ends the
 * one whose wait weighs most is next. Where all are alike it is a queue as any other.
 */
export interface SizedQueue {
  readonly shared: Sized
  readonly queues: readonly Queue[]
  octets: number
  count: number
  largest: number
}

export const makeSizedQueue = (shared: Sized): SizedQueue => ({ shared, queues: Array.from({ length: CLASSES }, () => makeQueue(shared.links)), octets: 0, count: 0, largest: 0 })

export function pushSized(queue: SizedQueue, slot: number): void {
  const { sizes, since, now } = queue.shared
  const size = sizes[slot]!
  const at = classOf(size)
  if (at > queue.largest) queue.largest = at
  since[slot] = now
  push(queue.queues[at]!, slot)
  queue.octets += size
  queue.count++
}

export function unlinkSized(queue: SizedQueue, slot: number): void {
  const size = queue.shared.sizes[slot]!
  unlink(queue.queues[classOf(size)]!, slot)
  queue.octets -= size
  queue.count--
}

/** 0 when it is empty. */
export function nextOf({ shared, queues, largest }: SizedQueue): number {
  const { since, now } = shared
  let next = 0
  let most = 0
  for (let at = 0; at <= largest; at++) {
    const slot = queues[at]!.oldest
    if (slot === 0) continue
    const weight = (((now - since[slot]!) >>> 0) + 1) * WEIGHTS[at]!
    if (weight <= most) continue
    most = weight
    next = slot
  }
  return next
}
