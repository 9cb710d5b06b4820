/** So many at once, and so many more each second; what is beyond that ends a connection. */
export class Allowance {
  readonly #most: number
  readonly #perMs: number
  #left: number
  #since: number

  constructor(most: number, perSecond: number, now: number) {
    this.#most = this.#left = most
    this.#perMs = perSecond / 1000
    this.#since = now
  }

  /** Takes one; false when there is none left. */
  take(now: number): boolean {
    this.#left = Math.min(this.#most, this.#left + (now - this.#since) * this.#perMs) - 1
    this.#since = now
    return this.#left >= 0
  }
}
