import type { Lane, Source } from './types.ts'

// What a serving thread cannot answer in place goes to the exchange thread by a lane of its own, and never makes it wait.

/** Where a reply goes: out of the very socket, to and from the very addresses; or back by the lane, to a client of the thread. */
export type Return =
  | { readonly kind: 'socket'; readonly fd: number; readonly name: Uint8Array; readonly control: Uint8Array }
  | { readonly kind: 'lane'; readonly client: number }

/** A message on its way to the exchange. */
export interface Handed {
  readonly kind: 'handed'
  readonly message: Uint8Array
  readonly family: 4 | 6
  readonly address: Uint8Array
  readonly transport: 'udp' | 'tcp'
  readonly to: Return
}

/** Down a lane: a message, or of a client: so many more of its replies have left, it is gone. */
export type ToExchange = Handed | { readonly kind: 'sent'; readonly client: number } | { readonly kind: 'gone'; readonly client: number }

/** Back up a lane: one of the messages that answer a client's. `last` without a message: nothing is said; `broken`: what was begun cannot be ended. */
export interface Reply {
  readonly kind: 'more' | 'last' | 'broken'
  readonly client: number
  readonly message?: Uint8Array
}

/** Messages that wait in a lane. */
const MOST_WAITING = 64
/** Messages handed over in a second: by a thread, and of one client (one slot of many, by its address). */
const MOST_PER_SECOND = 2000
const MOST_OF_CLIENT = 500
const SLOTS = 1024

/** What a serving thread hands messages over by; it may be without a lane for moments. */
export interface Handover {
  use(lane: Lane | undefined): void
  /** False: it cannot be taken now. */
  offer(message: Uint8Array, source: Readonly<Source>, transport: 'udp' | 'tcp', to: Return): boolean
  tell(message: ToExchange): void
}

export function makeHandover(elapsed: () => number, onReply: (reply: Reply) => void): Handover {
  const slots = new Uint16Array(SLOTS)
  let lane: Lane | undefined
  let second = 0
  let count = 0
  const mayPass = (source: Readonly<Source>): boolean => {
    const now = Math.floor(elapsed() / 1000)
    if (now !== second) {
      second = now
      count = 0
      slots.fill(0)
    }
    const slot = slotOf(source)
    return ++count <= MOST_PER_SECOND && ++slots[slot]! <= MOST_OF_CLIENT
  }
  return {
    use: (next) => {
      lane?.port.close()
      lane = next
      lane?.port.on('message', onReply)
      // A thread does not live on for its lane alone.
      lane?.port.unref()
    },
    offer: (message, source, transport, to) => {
      if (lane === undefined || Atomics.load(lane.waiting, 0) >= MOST_WAITING || !mayPass(source)) return false
      Atomics.add(lane.waiting, 0, 1)
      const address = source.bytes.slice(source.at, source.at + (source.family === 4 ? 4 : 16))
      lane.port.postMessage({ kind: 'handed', message, family: source.family, address, transport, to } satisfies Handed)
      return true
    },
    tell: (message) => lane?.port.postMessage(message)
  }
}

/** By the IPv4 address, or the /64 of an IPv6 one. */
function slotOf({ family, bytes, at }: Readonly<Source>): number {
  let hash: number = family
  for (let octet = 0; octet < (family === 4 ? 4 : 8); octet++) hash = Math.imul(hash ^ bytes[at + octet]!, 0x01000193)
  return (hash ^ (hash >>> 15)) & (SLOTS - 1)
}
