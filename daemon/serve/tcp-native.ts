import { BACKLOG } from './tcp-net.ts'
import { NativeConnection, watch, type Calls } from './tcp-native-connection.ts'
import type { Carrier, OnConnection } from './tcp-connection.ts'
import { openTcpSocket } from './tcp-socket.ts'
import { gather, makePace, notePace, type Pace } from './pace.ts'
import * as sys from './system.ts'
import type { NativeMemory, System } from './system.ts'
import type { Listener } from './types.ts'

// TCP by system calls of our own: one loop waits for whatever happens on any connection, reads into memory that all share, and
// writes answers from where they were put together. Node's own events (timers, messages of other threads) have their turn
// between, at latest after TURN_MS.

/** Things that are told of by one call. */
const MOST_EVENTS = 128
const TURN_MS = 5
/** How long it waits where nothing happens: then it looks at messages of other threads. */
const WAIT_MS = 100
/** Connections taken up in one go. */
const MOST_ACCEPTED = 64
/** Where no connection can be taken up (out of descriptors), it is tried again after this long. */
const RETRY_MS = 100
const ADDRESS_SIZE = 28
/** Octets that are read at once. */
const INCOMING = 1 << 16

interface Door {
  readonly fd: number
  readonly listener: Listener
  readonly onConnection: OnConnection
}

export interface NativeOptions {
  /** Octets of `Carrier.out`. */
  readonly outSize: number
  /** A bit for each descriptor that is open here, kept over a restart of the thread: those of the thread before are closed. */
  readonly held: Int32Array
  /** Under load it may wait a little, so that queries gather. */
  readonly gathers: boolean
  /** Milliseconds. */
  elapsed(): number
}

/** Opens what carries TCP connections in this thread, or says why that cannot be had now. */
export function openNativeCarrier(system: System, options: NativeOptions): Carrier | string {
  closeHeld(system, options.held)
  const queue = system.epoll_create1(sys.EPOLL_CLOEXEC)
  return queue < 0 ? `epoll_create1: error ${system.errno()}` : new NativeCarrier(system, queue, options)
}

class NativeCarrier implements Carrier {
  readonly out: Buffer
  readonly #system: System
  readonly #held: Int32Array
  readonly #calls: Calls
  readonly #pace: Pace
  readonly #connections = new Map<number, NativeConnection>()
  readonly #doors = new Map<number, Door>()
  /** Memory for what happened, and for the address of whoever comes. */
  readonly #events: NativeMemory
  readonly #view: DataView
  readonly #peer: NativeMemory
  #afterwards: (() => void)[] = []
  #isOver = false
  #expects = (): boolean => false

  constructor(system: System, queue: number, { outSize, held, elapsed, gathers }: NativeOptions) {
    const out = system.alloc(outSize)
    const incoming = system.alloc(INCOMING)
    this.out = Buffer.from(out.bytes.buffer, out.bytes.byteOffset, out.bytes.length)
    this.#system = system
    this.#held = held
    this.#pace = makePace(system, gathers)
    this.#peer = system.alloc(ADDRESS_SIZE + 4)
    this.#events = system.alloc(MOST_EVENTS * sys.EPOLL_EVENT.SIZE)
    this.#view = new DataView(this.#events.bytes.buffer, this.#events.bytes.byteOffset)
    this.#calls = {
      system, queue: hold(held, queue), out, incoming, event: system.alloc(sys.EPOLL_EVENT.SIZE),
      chunk: Buffer.from(incoming.bytes.buffer, incoming.bytes.byteOffset, incoming.bytes.length),
      forget: (fd) => {
        this.#connections.delete(fd)
        this.#close(fd)
      }
    }
    void this.#run(elapsed)
  }

  async listen(listener: Listener, onConnection: OnConnection): Promise<void> {
    const fd = hold(this.#held, openTcpSocket(this.#system, listener, BACKLOG))
    this.#doors.set(fd, { fd, listener, onConnection })
    watch(this.#calls, sys.EPOLL_CTL_ADD, fd, sys.EPOLLIN)
  }

  later(run: () => void): void {
    this.#afterwards.push(run)
  }

  expects(isSo: () => boolean): void {
    this.#expects = isSo
  }

  stopListening(): void {
    for (const fd of this.#doors.keys()) {
      this.#doors.delete(fd)
      this.#close(fd)
    }
    // Whoever ends has timers to go by.
    this.#expects = () => true
  }

  close(): void {
    this.#isOver = true
  }

  async #run(elapsed: () => number): Promise<void> {
    let turn = 0
    while (!this.#isOver) {
      const mayWait = this.#afterwards.length === 0
      const isExpecting = this.#expects()
      // What another thread sends wakes Node's own loop alone: while it is expected, the waiting is done there.
      gather(this.#pace, this.#system)
      const count = turn === 0 ? 0 : this.#attend(mayWait && !isExpecting ? WAIT_MS : 0)
      const now = elapsed()
      notePace(this.#pace, count, now)
      if (count > 0 && mayWait && now - turn < TURN_MS) continue
      await new Promise<void>((resolve) => void (isExpecting && count === 0 && mayWait ? setTimeout(resolve, 1) : setImmediate(resolve)))
      const due = this.#afterwards
      this.#afterwards = []
      for (const each of due) each()
      turn = elapsed()
    }
    closeHeld(this.#system, this.#held)
  }

  /** Sees to what has happened, waiting for it if need be; how much that was. */
  #attend(waitMs: number): number {
    const count = this.#system.epoll_wait(this.#calls.queue, this.#events.address, MOST_EVENTS, waitMs)
    let knocked: Door[] | undefined
    for (let index = 0; index < count; index++) {
      const at = index * sys.EPOLL_EVENT.SIZE
      const fd = this.#view.getInt32(at + sys.EPOLL_EVENT.DATA, true)
      const connection = this.#connections.get(fd)
      const door = connection === undefined ? this.#doors.get(fd) : undefined
      if (connection !== undefined) connection.attend(this.#view.getInt32(at, true))
      else if (door !== undefined) (knocked ??= []).push(door)
    }
    // Last, since those that come may get the descriptors of those that have just gone.
    if (knocked !== undefined) for (const door of knocked) this.#accept(door)
    return Math.max(0, count)
  }

  #accept({ fd: door, listener: { family }, onConnection }: Door): void {
    const { bytes, address } = this.#peer
    for (let count = 0; count < MOST_ACCEPTED && this.#doors.has(door); count++) {
      new DataView(bytes.buffer, bytes.byteOffset).setUint32(ADDRESS_SIZE, ADDRESS_SIZE, true)
      const fd = this.#system.accept4(door, address, address + ADDRESS_SIZE, sys.SOCK_NONBLOCK | sys.SOCK_CLOEXEC)
      if (fd < 0) {
        if (this.#system.errno() === sys.EMFILE || this.#system.errno() === sys.ENFILE) this.#rest(door)
        return
      }
      hold(this.#held, fd)
      const connection = new NativeConnection(this.#calls, fd)
      this.#connections.set(fd, connection)
      connection.begin(onConnection(connection, { family, bytes: bytes.slice(family === 4 ? 4 : 8, family === 4 ? 8 : 24) }))
    }
  }

  /** Leaves a door alone for a while, out of descriptors. */
  #rest(door: number): void {
    watch(this.#calls, sys.EPOLL_CTL_MOD, door, 0)
    setTimeout(() => this.#doors.has(door) && watch(this.#calls, sys.EPOLL_CTL_MOD, door, sys.EPOLLIN), RETRY_MS)
  }

  #close(fd: number): void {
    release(this.#held, fd)
    this.#system.close(fd)
  }
}

/** Descriptors that are noted; one beyond is not, and would be lost with its thread. */
function hold(held: Int32Array, fd: number): number {
  if (fd >>> 5 < held.length) held[fd >>> 5]! |= 1 << (fd & 31)
  return fd
}

function release(held: Int32Array, fd: number): void {
  if (fd >>> 5 < held.length) held[fd >>> 5]! &= ~(1 << (fd & 31))
}

function closeHeld(system: System, held: Int32Array): void {
  for (let fd = 0; fd < held.length * 32; fd++) {
    if ((held[fd >>> 5]! & (1 << (fd & 31))) === 0) continue
    release(held, fd)
    system.close(fd)
  }
}
