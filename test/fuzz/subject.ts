import type { Random } from '../helpers/random.ts'

/** A part of the program that is fed what nobody would send. */
export interface Subject {
  readonly name: string
  /** Feeds it one input. @throws Broken when it does what it must never do */
  feed(random: Random): void | Promise<void>
  /** Ends what it has started. */
  close?(): Promise<void>
}
