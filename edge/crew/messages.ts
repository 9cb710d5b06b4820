import type { MessagePort } from 'node:worker_threads'
import type { Counters, Injection, Setup } from '../../core/channel.ts'
import type { Purge } from '../../core/purge.ts'
import type { BodyFile } from '../bodies/index.ts'
import type { PassMark, StoredObject, VaryMark } from '../cache/index.ts'
import type { Framing, RequestHead } from '../http/index.ts'
import type { MeasuredRow } from '../viewers/index.ts'
import type { CrewMemory } from './shared.ts'

// What the threads of an edge say to each other.

/** A body: short ones as text, one character an octet, which costs a message least. */
export type Octets = string | Uint8Array

/** An object that is lent: with its octets, or the file in which they lie, which the owner holds until it has heard `borrowed`. */
export type LentWord = Omit<StoredObject, 'body'> & { readonly body: Uint8Array | BodyFile }

/** What its owner has made of it, and holds under that name; or that nothing can be. */
export interface LentMade {
  readonly name: string
  readonly held: LentWord | PassMark
}

/** Between workers, in batches. `id` is that of the one who asked, for both directions. */
export type MateWord =
  /** Answer this in my place. */
  | { readonly kind: 'ask'; readonly id: number; readonly request: RequestHead; readonly address: string; readonly closes: boolean; readonly wanted: boolean }
  /** The client is gone. */
  | { readonly kind: 'gone'; readonly id: number }
  /** The client has taken so many octets. */
  | { readonly kind: 'took'; readonly id: number; readonly octets: number }
  | { readonly kind: 'inform'; readonly id: number; readonly head: string }
  | { readonly kind: 'whole'; readonly id: number; readonly head: string; readonly body: Octets | undefined }
  | { readonly kind: 'open'; readonly id: number; readonly head: string; readonly framing: Framing }
  | { readonly kind: 'piece'; readonly id: number; readonly octets: Octets }
  | { readonly kind: 'finish'; readonly id: number }
  | { readonly kind: 'abort'; readonly id: number }
  /** What you asked for, to be answered by yourself for a while. `changes`: how often what has its hash was changed until now. */
  | { readonly kind: 'lent'; readonly primary: string; readonly changes: number; readonly vary: VaryMark | undefined; readonly key: string; readonly object: LentWord; readonly made: LentMade | undefined; readonly pin: number | undefined }
  /** What was lent under that number has been taken, or not. */
  | { readonly kind: 'borrowed'; readonly pin: number }
  /** What is held under these is void; it says `forgotten`. */
  | { readonly kind: 'forget'; readonly number: number; readonly primaries: readonly string[] }
  | { readonly kind: 'forgotten'; readonly number: number }
  /** To the first worker: how long the way to a viewer is. */
  | { readonly kind: 'measured'; readonly row: MeasuredRow }

/** Which of the workers of an edge one is, and what it shares with the others. */
export interface CrewPlace {
  readonly worker: number
  readonly workers: number
  readonly memory: CrewMemory
}

/** What a thread is started with. */
export interface ThreadData {
  readonly setup: Setup
  readonly place: CrewPlace
}

/** From the lead to a worker. */
export type ToThread =
  /** A way to another worker; the one before is over. */
  | { readonly kind: 'mate'; readonly worker: number; readonly port: MessagePort }
  | { readonly kind: 'purge'; readonly purge: Purge }
  | { readonly kind: 'origins'; readonly down: readonly string[] }
  | { readonly kind: 'inject'; readonly injection: Injection | undefined }
  /** Take nothing more, and finish what is under way within this long; it says `drained`, and still answers the others. */
  | { readonly kind: 'drain'; readonly withinMs: number }
  | { readonly kind: 'end' }

/** From a worker to the lead. */
export type FromThread =
  | { readonly kind: 'ready'; readonly listening: readonly string[] }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'beat'; readonly counters: Counters; readonly trouble: string | undefined }
  | { readonly kind: 'purged'; readonly number: number }
  | { readonly kind: 'drained' }
