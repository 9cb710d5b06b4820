import type { Outcome, Waiter } from './coming.ts'
import type { Desk } from './flight.ts'
import { guard } from './tiers/index.ts'

/** Those who wait for one fetch, in the order in which they came. */
export class Waiters {
  readonly #desk: Pick<Desk, 'fault'>
  readonly #waiting = new Set<Waiter>()
  #planned: (() => void) | undefined

  constructor(desk: Pick<Desk, 'fault'>, first: Waiter) {
    this.#desk = desk
    this.#waiting.add(first)
  }

  /** Some are about to be told. */
  get isPlanned(): boolean {
    return this.#planned !== undefined
  }

  get size(): number {
    return this.#waiting.size
  }

  has(waiter: Waiter): boolean {
    return this.#waiting.has(waiter)
  }

  add(waiter: Waiter): void {
    this.#waiting.add(waiter)
  }

  delete(waiter: Waiter): void {
    this.#waiting.delete(waiter)
  }

  /** Tells all what it comes to for them; nobody waits any more. */
  tell(outcome: (waiter: Waiter) => Outcome): void {
    for (const waiter of this.#takeAll()) if (!guard(this.#desk, () => waiter.tell(outcome(waiter)))) waiter.giveUp?.()
  }

  /** The same at the end of this turn of the event loop, or when `tellNow` is called before. @param run does what is planned */
  tellSoon(outcome: (waiter: Waiter) => Outcome, run: (tell: () => void) => void): void {
    this.#planned = () => this.tell(outcome)
    process.nextTick(run, () => this.tellNow())
  }

  /** Tells what is planned. */
  tellNow(): void {
    const planned = this.#planned
    this.#planned = undefined
    planned?.()
  }

  /** They could not be told, by a fault of ours. */
  giveUp(): void {
    for (const waiter of this.#takeAll()) waiter.giveUp?.()
  }

  #takeAll(): readonly Waiter[] {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    return waiting
  }
}
