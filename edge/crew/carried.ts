import type { Connection, Framing, Watcher } from '../http/index.ts'
import type { MateWord, Octets } from './messages.ts'

/** Octets under way to the other worker, and on from there to the client, beyond which the answer waits. */
const WINDOW = 512 * 1024
/** Bodies up to this go as text. */
const AS_TEXT = 16 * 1024

type Say = (word: MateWord, transfer?: ArrayBuffer) => void

/** A request that another worker has taken: its answer goes there, and from there to the client. Of GET and HEAD alone, which have no content. */
export class Carried implements Connection {
  readonly remoteAddress: string
  readonly closesAfter: boolean
  /** What is answered should be lent as well. */
  isWanted: boolean
  readonly #id: number
  /** Says something to whoever asks. */
  readonly say: Say
  /** Holds a body that is lent to whoever asks, until that is done. @returns its number */
  readonly pin: (body: Buffer) => number
  readonly #over: () => void
  #watcher: Watcher | undefined
  #ahead = 0
  #isFull = false
  #isOver = false

  /** @param options `over` is told when nothing more is said of it */
  constructor(options: { id: number; address: string; closes: boolean; wanted: boolean; say: Say; pin: (body: Buffer) => number; over: () => void }) {
    this.#id = options.id
    this.remoteAddress = options.address
    this.closesAfter = options.closes
    this.isWanted = options.wanted
    this.say = options.say
    this.pin = options.pin
    this.#over = options.over
  }

  whole(head: string, body?: Buffer, end = ''): void {
    if (this.#isOver) return
    const octets = body === undefined ? undefined : octetsOf(body)
    this.say({ kind: 'whole', id: this.#id, head: head + end, body: octets }, transferOf(octets))
    this.#end()
  }

  lends(): boolean {
    return false
  }

  open(head: string, framing: Framing, watcher: Watcher): void {
    if (this.#isOver) return
    this.#watcher = watcher
    this.say({ kind: 'open', id: this.#id, head, framing })
  }

  inform(head: string): void {
    if (!this.#isOver) this.say({ kind: 'inform', id: this.#id, head })
  }

  watch(watcher: Watcher): void {
    this.#watcher = watcher
  }

  write(piece: Buffer): boolean {
    if (this.#isOver) return false
    const octets = octetsOf(piece)
    this.say({ kind: 'piece', id: this.#id, octets }, transferOf(octets))
    this.#ahead += piece.length
    this.#isFull = this.#ahead >= WINDOW
    return !this.#isFull
  }

  finish(): void {
    if (this.#isOver) return
    this.say({ kind: 'finish', id: this.#id })
    this.#end()
  }

  abort(): void {
    if (this.#isOver) return
    this.say({ kind: 'abort', id: this.#id })
    this.#end()
  }

  /** The client has taken so many octets. */
  took(octets: number): void {
    this.#ahead -= octets
    if (!this.#isFull || this.#ahead > WINDOW / 2) return
    this.#isFull = false
    this.#watcher?.drained()
  }

  /** The client is gone, or the worker that has it. */
  gone(): void {
    const watcher = this.#watcher
    this.#end()
    watcher?.gone()
  }

  /** There is no content to be read, and no other protocol to go on with. */
  readBody(): void {}
  pauseBody(): void {}
  resumeBody(): void {}
  switchTo(): void {
    this.abort()
  }

  #end(): void {
    this.#isOver = true
    this.#watcher = undefined
    this.#over()
  }
}

/** A body as it goes into a message: in memory of its own, which is handed over. */
const octetsOf = (body: Buffer): Octets => (body.length <= AS_TEXT ? body.toString('latin1') : Uint8Array.prototype.slice.call(body))

const transferOf = (octets: Octets | undefined): ArrayBuffer | undefined => (typeof octets === 'object' ? (octets.buffer as ArrayBuffer) : undefined)
