import type { MessagePort } from 'node:worker_threads'
import type { Counters, Injection } from '../core/channel.ts'
import type { Purge } from '../core/purge.ts'

/** An edge, regional or shield that runs. */
export interface RunningWorker {
  /** `http://127.0.10.1:8080`, one for each listener. */
  readonly listening: readonly string[]
  counters(): Counters
  /** What it goes on without, in words for the operator; undefined while nothing fails. */
  trouble(): string | undefined
  /** From now on requests fare as a rehearsal says; absent: as they should. */
  inject(injection: Injection | undefined): void
  /** These origins are down by their checks, and the others are not: they are asked last. */
  downOrigins(names: readonly string[]): void
  /** What is held, on its way or on disk, and is subject to it is answered no more, at once or when this resolves. */
  purge(purge: Purge): void | Promise<void>
  /** Finishes what is under way within this long. @param drained waited for before it lets go of what it fetches with */
  close(withinMs: number, drained?: () => Promise<void>): Promise<void>
}

/** One of several of an edge. */
export interface RunningMate extends RunningWorker {
  /** A way to another one. */
  join(worker: number, port: MessagePort): void
}
