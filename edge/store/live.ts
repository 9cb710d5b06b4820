import type { Held } from '../cache/index.ts'

/** What is ready to answer, and for which version of which slot. */
export interface Live {
  readonly held: Held
  readonly slot: number
  readonly version: number
  /** Octets it is counted with. */
  readonly size: number
}

/**
 * What was used last, as objects ready to answer: two generations. What is used moves to the younger; when that is full it becomes the
 * older one, and what was not used since is forgotten at once.
 */
export class Lively {
  #young = new Map<string, Live>()
  #old = new Map<string, Live>()
  #youngOctets = 0
  #oldOctets = 0

  get octets(): number {
    return this.#youngOctets + this.#oldOctets
  }

  /** @param most octets for each generation */
  get(key: string, most: number): Live | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.add(key, old, most)
    return old
  }

  /** Nothing is taken in that is larger than a generation. */
  add(key: string, live: Live, most: number): void {
    this.delete(key)
    if (live.size > most) return
    if (this.#youngOctets + live.size > most) {
      this.#old = this.#young
      this.#oldOctets = this.#youngOctets
      this.#young = new Map()
      this.#youngOctets = 0
    }
    this.#young.set(key, live)
    this.#youngOctets += live.size
  }

  delete(key: string): void {
    const young = this.#young.get(key)
    if (young !== undefined && this.#young.delete(key)) this.#youngOctets -= young.size
    const old = this.#old.get(key)
    if (old !== undefined && this.#old.delete(key)) this.#oldOctets -= old.size
  }

  clear(): void {
    this.#young = new Map()
    this.#old = new Map()
    this.#youngOctets = this.#oldOctets = 0
  }
}
