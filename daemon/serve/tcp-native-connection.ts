import type { Connection, Events } from './tcp-connection.ts'
import * as sys from './system.ts'
import type { NativeMemory, System } from './system.ts'

/** What all connections of a thread share. */
export interface Calls {
  readonly system: System
  /** The descriptor that tells of events. */
  readonly queue: number
  /** Where answers are put together, and where octets are read into; `chunk` is the latter. */
  readonly out: NativeMemory
  readonly incoming: NativeMemory
  readonly chunk: Buffer
  /** Memory for one event. */
  readonly event: NativeMemory
  /** Closes a descriptor. */
  forget(fd: number): void
}

/** Says what is watched for on a descriptor. */
export function watch({ system, queue, event }: Calls, operation: number, fd: number, events: number): void {
  const view = new DataView(event.bytes.buffer, event.bytes.byteOffset)
  view.setUint32(0, events, true)
  view.setInt32(sys.EPOLL_EVENT.DATA, fd, true)
  system.epoll_ctl(queue, operation, fd, event.address)
}

/** Octets that the system takes before it has sent them. */
const MOST_AHEAD = 64 << 10

/** Octets that the system would not take yet. */
interface Waiting {
  readonly octets: Buffer
  at: number
  readonly sent?: () => void
}

/** A connection by its descriptor. */
export class NativeConnection implements Connection {
  readonly #calls: Calls
  readonly #fd: number
  #events: Events | undefined
  #waiting: Waiting[] = []
  #unsent = 0
  #taken = 0
  #isPaused = false
  #isDestroyed = false
  /** The other side has told its end; ours is told once nothing waits, or has been. */
  #hasEnded = false
  #end: 'no' | 'wanted' | 'told' | 'for both' = 'no'
  /** What is watched for now. */
  #watched = 0

  constructor(calls: Calls, fd: number) {
    this.#calls = calls
    this.#fd = fd
  }

  get isDestroyed(): boolean {
    return this.#isDestroyed
  }

  get unsent(): number {
    return this.#unsent
  }

  get taken(): number {
    return this.#taken
  }

  /** Begins to read; closes where nobody listens to it. */
  begin(events: Events | undefined): void {
    this.#events = events
    if (events === undefined) {
      this.destroy()
      return
    }
    // Answers are whole when they are written: none waits for more.
    this.#setOption(sys.TCP_NODELAY, 1)
    // The system would take megabytes ahead of a slow client, and not tell for as long as those take that any have left.
    this.#setOption(sys.TCP_NOTSENT_LOWAT, MOST_AHEAD)
    this.#watch(sys.EPOLL_CTL_ADD)
  }

  /** Something has happened. */
  attend(events: number): void {
    if ((events & sys.EPOLLOUT) !== 0) this.#flush()
    if (this.#isDestroyed) return
    if ((events & sys.EPOLLIN) !== 0) this.#receive()
    else if ((events & (sys.EPOLLERR | sys.EPOLLHUP)) !== 0) this.destroy()
  }

  write(octets: Uint8Array, sent?: () => void): void {
    if (this.#isDestroyed || this.#end !== 'no') return
    const taken = this.#unsent === 0 ? this.#send(octets) : 0
    if (taken < 0) return
    if (taken < octets.length) this.#queue(octets.subarray(taken), sent)
    else sent?.()
  }

  writeOut(length: number): void {
    if (this.#isDestroyed || this.#end !== 'no') return
    const { out } = this.#calls
    const taken = this.#unsent === 0 ? this.#sendAt(out.address, length) : 0
    if (taken >= 0 && taken < length) this.#queue(out.bytes.subarray(taken, length))
  }

  end(): void {
    if (this.#isDestroyed || this.#end !== 'no') return
    this.#end = 'wanted'
    this.#finish()
  }

  destroySoon(): void {
    if (this.#isDestroyed) return
    this.#end = 'for both'
    this.#finish()
  }

  destroy(): void {
    if (this.#isDestroyed) return
    this.#isDestroyed = true
    this.#waiting = []
    this.#unsent = 0
    this.#calls.forget(this.#fd)
    this.#events?.closed()
  }

  pause(): void {
    this.#isPaused = true
    this.#watch()
  }

  resume(): void {
    this.#isPaused = false
    this.#watch()
  }

  #receive(): void {
    const { system, incoming, chunk } = this.#calls
    const got = system.recv(this.#fd, incoming.address, incoming.bytes.length, sys.MSG_DONTWAIT)
    if (got > 0) {
      this.#events!.data(chunk, got, true)
    } else if (got === 0) {
      this.#hasEnded = true
      this.#watch()
      this.#events!.ended()
      this.#finish()
    } else if (!isForNow(system.errno())) {
      this.destroy()
    }
  }

  /** Takes a copy of what is to be sent once the system has room. */
  #queue(octets: Uint8Array, sent?: () => void): void {
    this.#waiting.push({ octets: Buffer.from(octets), at: 0, ...(sent !== undefined && { sent }) })
    this.#unsent += octets.length
    this.#watch()
  }

  /** Sends by way of the shared memory; what is longer, which is seldom, comes with the next call. @returns as `#sendAt` */
  #send(octets: Uint8Array): number {
    const { out } = this.#calls
    const piece = octets.subarray(0, out.bytes.length)
    out.bytes.set(piece)
    return this.#sendAt(out.address, piece.length)
  }

  /** @returns the octets that were taken; -1: the connection is gone */
  #sendAt(address: number, length: number): number {
    const { system } = this.#calls
    const taken = system.send(this.#fd, address, length, sys.MSG_DONTWAIT | sys.MSG_NOSIGNAL)
    if (taken < 0) {
      if (isForNow(system.errno())) return 0
      this.destroy()
      return -1
    }
    this.#taken += taken
    return taken
  }

  #flush(): void {
    for (let first = this.#waiting[0]; first !== undefined && !this.#isDestroyed; first = this.#waiting[0]) {
      const taken = this.#send(first.octets.subarray(first.at))
      if (taken <= 0) return
      first.at += taken
      this.#unsent -= taken
      if (first.at < first.octets.length) return
      this.#waiting.shift()
      first.sent?.()
    }
    if (this.#isDestroyed) return
    this.#watch()
    this.#events!.drained()
    this.#finish()
  }

  /** Tells our end once nothing waits; with both ends told it is over. */
  #finish(): void {
    if (this.#isDestroyed || this.#unsent > 0 || this.#end === 'no') return
    if (this.#end === 'wanted') {
      this.#end = 'told'
      this.#calls.system.shutdown(this.#fd, sys.SHUT_WR)
    }
    if (this.#hasEnded || this.#end === 'for both') this.destroy()
  }

  #watch(operation: number = sys.EPOLL_CTL_MOD): void {
    const wanted = (this.#isPaused || this.#hasEnded ? 0 : sys.EPOLLIN) | (this.#unsent > 0 ? sys.EPOLLOUT : 0)
    if (this.#isDestroyed || (wanted === this.#watched && operation === sys.EPOLL_CTL_MOD)) return
    this.#watched = wanted
    watch(this.#calls, operation, this.#fd, wanted)
  }

  #setOption(option: number, value: number): void {
    const { system, event } = this.#calls
    new DataView(event.bytes.buffer, event.bytes.byteOffset).setInt32(0, value, true)
    system.setsockopt(this.#fd, sys.IPPROTO_TCP, option, event.address, 4)
  }
}

/** Nothing is there, or no room, just now. */
const isForNow = (errno: number): boolean => errno === sys.EAGAIN || errno === sys.EINTR
