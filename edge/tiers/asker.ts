import type { Clock } from '../../core/clock.ts'
import type { TierAuth } from '../../core/tier-auth.ts'
import type { FieldList } from '../message/index.ts'
import type { Receiver, UpstreamClient, UpstreamTrouble } from '../http/index.ts'
import type { Budget } from './budget.ts'
import type { Liveness } from './liveness.ts'
import type { Parent } from './parent.ts'

export interface Question {
  readonly method: string
  /** By which its owner is chosen where several parents share the keys. */
  readonly key: string
  /** The viewer's host. */
  readonly host: string
  readonly target: string
  /** All but Host and the proof. */
  readonly fields: FieldList
  /** As in `UpstreamRequest`: it goes to another parent only where the first cannot have understood any of it. */
  readonly once?: boolean
}

/** As `Receiver`, with who answered. Trouble is told only when no parent is left to ask, or in mid-body. */
export interface AnswerReceiver extends Pick<Receiver, 'connected' | 'drained' | 'inform'> {
  head(status: number, fields: FieldList, parent: Parent): void
  data(piece: Buffer): void
  end(): void
  trouble(trouble: UpstreamTrouble, parent: Parent): void
}

/** What asking needs. */
export interface Asker {
  readonly client: Pick<UpstreamClient, 'fetch' | 'close'>
  readonly auth: TierAuth
  readonly liveness: Liveness
  readonly clock: Clock
  /** From 0 up to 1. */
  readonly chance: () => number
  /** What may be asked of a second regional as well. */
  readonly hedges: Budget
  /** Who is to be told when a silent tier turns out to hang, by its name. */
  readonly suspects: Map<string, ((trouble: UpstreamTrouble) => void)[]>
  /** A parent is skipped from now on, or used again. */
  changed(parent: Parent, state: 'dead' | 'back', detail: string): void
  /** The number of the last purge that is known here. */
  purged(): number
  /** A request is sent. */
  sent(): void
  /** A fault of ours: it is said. */
  fault(error: unknown): void
}

/** Does what a callback is for; a fault of ours in it is said. @returns whether there was none */
export function guard(asker: Pick<Asker, 'fault'>, work: () => void): boolean {
  try {
    work()
    return true
  } catch (error) {
    asker.fault(error)
    return false
  }
}
