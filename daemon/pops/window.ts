/** How far behind the latest a message may come in and still be taken once. */
const REACH = 64n
const FULL = (1n << REACH) - 1n

/** Which messages of a session have come in already, as RFC 4303 §3.4.3 keeps them: the latest number, and a bit for each of the 64 up to it. */
export class ReplayWindow {
  #latest = 0
  #seen = 0n

  /** True once for each number; false for one that came before, or that lies too far behind to tell. */
  take(sequence: number): boolean {
    if (sequence > this.#latest) {
      const step = BigInt(sequence - this.#latest)
      this.#seen = step >= REACH ? 1n : ((this.#seen << step) | 1n) & FULL
      this.#latest = sequence
      return true
    }
    const behind = BigInt(this.#latest - sequence)
    if (sequence < 1 || behind >= REACH || (this.#seen & (1n << behind)) !== 0n) return false
    this.#seen |= 1n << behind
    return true
  }
}
