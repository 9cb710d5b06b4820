import type { MessagePort } from 'node:worker_threads'
import type { Prefix } from '../../core/address.ts'

/** Where a query came from: the octets of its address stand in `bytes` from `at` on. One object, changed from query to query. */
export interface Source {
  family: 4 | 6
  bytes: Uint8Array
  at: number
}

/** What turns the octets of a query into those of its answer. Each thread has its own. */
export interface Responder {
  /**
   * Reads the query at `query[start]…` and writes the answer to `out[outStart]…`, `outSize` octets at most.
   * Synchronous, and throws nothing.
   * @returns the length of the answer; 0 for none; HAND_OVER
   */
  answer(query: Uint8Array, start: number, length: number, source: Readonly<Source>, transport: 'udp' | 'tcp', out: Uint8Array, outStart: number, outSize: number): number
  /** Told of each query of several that have come together, before the first of them is answered: it may look at what it will need. */
  expect?(query: Uint8Array, start: number, length: number, source: Readonly<Source>): void
  /** Answers what it has just said HAND_OVER to, where it cannot be handed over; to the same place. */
  decline(): number
  /** Answers from this world from now on. */
  use(world: unknown): void
  /** Told the time before each batch of queries, in milliseconds since 1970: all threads go by one clock. */
  tick?(now: number): void
}

/** What a responder may have to say; each is logged now and then, however often it is said. */
export interface Reports {
  /** What should not happen; it answers all the same. */
  trouble(reason: string): void
  /** What an operator may want to know of. */
  notice(text: string): void
}

/** Told by a responder: the message is for the exchange. */
export const HAND_OVER = -1

/** A module that makes responders, by its address: each thread loads it for itself and calls its `openResponder`. */
export interface ResponderModule {
  /**
   * Opens one. `data` and `world` have crossed a thread boundary: plain values and shared memory.
   */
  openResponder(data: unknown, world: unknown, reports: Reports): Responder
}

/** A serving thread's end of the way to the exchange. `waiting` counts what was handed over and is not yet taken up. */
export interface Lane {
  readonly port: MessagePort
  readonly waiting: Int32Array
}

/** What a thread is started with. */
export interface ThreadData {
  readonly kind: 'native' | 'dgram' | 'tcp native' | 'tcp'
  /** Slot 0 counts the messages that were sent to threads: one that has seen all need not look for more. */
  readonly control: Int32Array
  /** Totals of this thread, by the names in TRAFFIC. */
  readonly traffic: Float64Array
  readonly responder: { readonly module: string; readonly data: unknown }
  readonly world: unknown
  readonly worldNumber: number
  readonly listeners: readonly Listener[]
  readonly tcp: TcpLimits
  /** Under load it may wait a little, so that queries gather. */
  readonly gathers: boolean
  readonly lane?: Lane
  /** A bit for each descriptor that the thread holds by itself (`tcp native`), for whoever starts in its place. */
  readonly held: Int32Array
}

/** One address that is listened on. */
export interface Listener {
  readonly family: 4 | 6
  readonly address: string
  readonly port: number
  /** Answers must leave from the address that was asked, which the kernel tells per datagram. */
  readonly wildcard: boolean
  /** The open socket, where the thread is handed one (`native`). */
  readonly fd?: number
}

/** Numbers of connections at once, and times in milliseconds. */
export interface TcpLimits {
  readonly clients: number
  readonly clientsPerAddress: number
  readonly clientsPerNetwork: number
  /** Bits of an address that make a network. */
  readonly ipv4Prefix: number
  readonly ipv6Prefix: number
  /** Held to none of the limits of a client. */
  readonly exempt: readonly Prefix[]
  readonly idleMs: number
  /** A message that has begun is complete, and an answer taken, within this. */
  readonly transferMs: number
  readonly lifetimeMs: number
}

export type ToThread = { readonly kind: 'world'; readonly number: number; readonly world: unknown } | { readonly kind: 'lane'; readonly lane: Lane } | { readonly kind: 'stop' }

export type FromThread =
  | { readonly kind: 'ready' }
  /** It answers from this world now. */
  | { readonly kind: 'using'; readonly number: number }
  | { readonly kind: 'refused'; readonly code: string; readonly listener: Listener; readonly reason: string }
  /** Something that should not happen; the thread goes on. */
  | { readonly kind: 'trouble'; readonly reason: string }
  | { readonly kind: 'notice'; readonly text: string }

/** Slots of a thread's totals. `beat` moves whenever the thread is alive. */
export const TRAFFIC = ['beat', 'received', 'answered', 'unsent', 'faults', 'tcpOpen', 'tcpAccepted', 'tcpCrowded', 'tcpShed', 'handedOver', 'declined', 'tcpSlow'] as const
export type Traffic = Record<(typeof TRAFFIC)[number], number>
export const BEAT = 0
export const RECEIVED = 1
export const ANSWERED = 2
export const UNSENT = 3
export const FAULTS = 4
export const TCP_OPEN = 5
export const TCP_ACCEPTED = 6
export const TCP_CROWDED = 7
export const TCP_SHED = 8
export const HANDED_OVER = 9
export const DECLINED = 10
export const TCP_SLOW = 11
