import type { Address } from '../../core/address.ts'
import type { Clock } from '../../core/clock.ts'
import type { Loader } from '../control/index.ts'
import type { World } from '../world.ts'
import type { FactBook } from './facts.ts'
import type { History } from './history.ts'
import type { Request } from './request.ts'
import type { Rules } from './rules.ts'
import type { Slots } from './slots.ts'

/** What the handlers of the exchange work with. */
export interface Context {
  readonly rules: Rules
  readonly clock: Clock
  /** The world of this moment. Whoever works for long keeps the one begun with. */
  world(): World
  /** The answer to an ordinary query. */
  answer(request: Request): Uint8Array | undefined
  /** How the contents of zones came about. */
  readonly history: History
  readonly facts: FactBook
  readonly slots: Slots
  /** Number of the place that a peer's transfers are made for. */
  placeOf(request: Request, world: World): number
  /** The loader, by way of the main thread. */
  readonly loader: Pick<Loader, 'change' | 'replace' | 'expire'>
  /** A primary of a secondary zone, by its place in the zone's list, says that its zone has changed. */
  notified(zone: string, primary: number, serial: number | undefined): void
  readonly updates: Updates
  log(level: 'info' | 'warn' | 'error', text: string): void
  /** Something refused, which anybody can bring about as often as they like: logged now and then. */
  refused(text: string): void
  /** The same, of updates. */
  refusedUpdate(text: string): void
  sourceText(source: Address): string
  keyText(name: Uint8Array): string
}

/** Takes the updates of all zones. */
export interface Updates {
  serve(request: Request, context: Context): Promise<Uint8Array>
}
