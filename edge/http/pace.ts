/**
 * How fast a client brings or takes what it is waited for: it may rest for `idleMs` at most, and must come to `leastRate` octets a
 * millisecond in the long run, with `idleMs` to spare. Time in which it is not the client who is waited for does not count.
 */
export class Pace {
  readonly #limits: { readonly idleMs: number; readonly leastRate: number }
  #octets = 0
  #waited = 0
  #since: number | undefined

  constructor(limits: { readonly idleMs: number; readonly leastRate: number }) {
    this.#limits = limits
  }

  add(octets: number): void {
    this.#octets += octets
  }

  /** The client is waited for from now on. @returns until when, in milliseconds */
  wait(now: number): number {
    this.rest(now)
    this.#since = now
    const { idleMs, leastRate } = this.#limits
    return now + Math.min(idleMs, Math.max(0, idleMs + this.#octets / leastRate - this.#waited))
  }

  /** It is not waited for any more. */
  rest(now: number): void {
    if (this.#since !== undefined) this.#waited += now - this.#since
    this.#since = undefined
  }
}
