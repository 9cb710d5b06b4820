import type { LatencyImage } from './latencies.ts'

/** What a network is beside where it is: what of the operator's lists it lies in, whose it is, and how far the edges are. */
export interface Network {
  /** The lists that hold a prefix it lies in, each with the length of the longest such prefix; longest first. */
  readonly in: readonly (readonly [name: string, length: number])[]
  /** Its autonomous system, where some list or measurement asks for that one. */
  readonly asn?: number
  /** The lists that hold its autonomous system. */
  readonly as?: readonly string[]
  /** Its row in the table of measured round trips. */
  readonly row?: number
  /** Autonomous systems on the way to edges, by their names. */
  readonly paths?: Readonly<Record<string, number>>
}

/** Network 0: nothing is known of the address. */
export const NO_NETWORK = 0

export const UNKNOWN_NETWORK: Network = { in: [] }

/**
 * Which network an address is in: flat tables over shared memory, read by every thread.
 * `find…` return `network << 8 | length`, where all addresses that share the first `length` bits are in that network.
 */
export interface Networks {
  /** @param address the four octets as an unsigned number */
  find4(address: number): number
  /** Reads 16 octets from `at`. IPv4-mapped addresses are what their IPv4 address is; 6to4 ones are what they are listed as. */
  find6(bytes: Uint8Array, at: number): number
  /** How many networks there are; their numbers go from 0 (NO_NETWORK) to `size - 1`. */
  readonly size: number
  /** Round trips that were measured; absent where none was. */
  readonly latencies?: LatencyImage | undefined
  /** Some network has AS paths. */
  readonly hasPaths?: boolean
  /** Decoded from the tables when asked for: not for the hot path. */
  network(number: number): Network
}

/** What `openNetworks` needs to read the same tables in another thread. */
export interface NetworksImage {
  /** Everything; layout in networks-table.ts. */
  readonly tables: SharedArrayBuffer
  readonly hasPaths?: boolean
  /** Shared memory too. */
  readonly latencies?: LatencyImage | undefined
}
