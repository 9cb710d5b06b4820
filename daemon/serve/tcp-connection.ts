import type { Address } from '../../core/address.ts'
import type { Listener } from './types.ts'

// What carries TCP connections: system calls of our own (tcp-native.ts) or node:net (tcp-net.ts).

/** One connection, as whoever answers on it sees it. */
export interface Connection {
  /** Sends octets behind those that were sent before; they may be changed once this returns. `sent`: the system has them all. */
  write(octets: Uint8Array, sent?: () => void): void
  /** Sends the first `length` octets of the carrier's `out`. */
  writeOut(length: number): void
  /** Sends what is left, then tells the other side the end. */
  end(): void
  /** Sends what is left, then closes. */
  destroySoon(): void
  /** Closes at once. */
  destroy(): void
  /** Reads no more, reads again. */
  pause(): void
  resume(): void
  readonly isDestroyed: boolean
  /** Octets that wait for the system to take them, and those it has taken. */
  readonly unsent: number
  readonly taken: number
}

/** What happens to a connection. */
export interface Events {
  /** The first `length` octets of `chunk` have come. `lent`: they change once this returns. */
  data(chunk: Buffer, length: number, lent: boolean): void
  /** Nothing waits for the system any more. */
  drained(): void
  /** The other side sends no more. */
  ended(): void
  closed(): void
}

/** Called for each connection that comes; without events it is closed. */
export type OnConnection = (connection: Connection, from: Address) => Events | undefined

export interface Carrier {
  /** Where answers are put together before they are written: room for many. */
  readonly out: Buffer
  /** @throws with `code` and `listener` when the address cannot be used */
  listen(listener: Listener, onConnection: OnConnection): Promise<void>
  /** Runs something once others have had their turn. */
  later(run: () => void): void
  /** While something is expected from another thread it is looked for more often. */
  expects(isSo: () => boolean): void
  /** Stops listening. */
  stopListening(): void
  /** Nothing is served any more. */
  close(): void
}
