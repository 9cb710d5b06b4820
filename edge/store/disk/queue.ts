/** A record that waits to be written. */
export interface Pending {
  readonly id: Buffer
  readonly record: Buffer
  /** Octets of what is held; 0: it says that it was deleted. */
  readonly length: number
  /** The segment with what it replaces or deletes: it must not come back. */
  readonly replaces: number | undefined
  /** Of the same id, on its way to disk when this one came; until this one is there. */
  before: Pending | undefined
  /** Where it was written. */
  segment: number | undefined
}

/** Octets that are written in one go, if there are as many. */
const ONE_WRITE = 1024 * 1024

/** Records that wait to be written, or are being written, in their order. */
export class Queue {
  readonly #waiting: Pending[] = []
  /** The latest of each id: older ones do not count. */
  readonly #latest = new Map<string, Pending>()
  #octets = 0

  /** Octets of what waits and what is being written. */
  get octets(): number {
    return this.#octets
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  latest(id: Buffer): Pending | undefined {
    return this.#latest.get(id.toString('latin1'))
  }

  push(pending: Pending): void {
    this.#waiting.push(pending)
    this.#latest.set(pending.id.toString('latin1'), pending)
    this.#octets += pending.record.length
  }

  /** Takes out what is written next, one at least. @param room octets that the rest should fit */
  take(room: number): Pending[] {
    let count = 0
    let size = 0
    for (const { record } of this.#waiting) {
      if (count > 0 && (size + record.length > ONE_WRITE || size + record.length > room)) break
      count++
      size += record.length
    }
    return this.#waiting.splice(0, count)
  }

  takeAll(): Pending[] {
    return this.#waiting.splice(0)
  }

  /** It has been written, or given up. */
  forget(pending: Pending): void {
    this.#octets -= pending.record.length
    const name = pending.id.toString('latin1')
    if (this.#latest.get(name) === pending) this.#latest.delete(name)
  }
}
