import type { MessagePort } from 'node:worker_threads'
import { PassingMap } from '../../core/passing.ts'
import type { Carried } from './carried.ts'
import type { MateWord } from './messages.ts'

/**
 * Another worker of the same edge. What is said to it goes out together, once all connections that have something for us were read:
 * sixteen words in one message cost a third of sixteen messages.
 */
export class Mate {
  /** What it has asked of us, by its numbers. */
  readonly carried = new PassingMap<number, Carried>()
  readonly #port: MessagePort
  /** Bodies lent to it that it has not taken yet. */
  readonly #pinned = new Map<number, Buffer>()
  #nextPin = 0
  #words: MateWord[] = []
  #transfers: ArrayBuffer[] = []

  /** @param lost told when it is gone */
  constructor(port: MessagePort, hear: (word: MateWord) => void, lost: () => void) {
    this.#port = port
    port.on('message', (words: readonly MateWord[]) => {
      for (const word of words) hear(word)
    })
    port.on('close', lost)
  }

  say(word: MateWord, transfer?: ArrayBuffer): void {
    if (this.#words.length === 0) setImmediate(() => this.#flush())
    this.#words.push(word)
    if (transfer !== undefined) this.#transfers.push(transfer)
  }

  pin(body: Buffer): number {
    this.#pinned.set(this.#nextPin, body)
    return this.#nextPin++
  }

  unpin(pin: number): void {
    this.#pinned.delete(pin)
  }

  close(): void {
    this.#port.close()
  }

  #flush(): void {
    const words = this.#words
    const transfers = this.#transfers
    this.#words = []
    this.#transfers = []
    this.#port.postMessage(words, transfers)
  }
}
