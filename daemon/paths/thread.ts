import { parentPort, workerData } from 'node:worker_threads'
import { systemAfter, systemClock } from '../../core/clock.ts'
import { messageOf } from '../../core/trouble.ts'
import { collector, trimMemory } from '../reclaim.ts'
import { digestOf } from './digest.ts'
import { readPaths, type ReadPaths } from './read.ts'
import { entriesOf, SHARE_OF_IPV4 } from './rows.ts'
import type { Piece } from './routes.ts'
import { piecesOf } from './table.ts'

// The entry of the thread that reads BIRD's routes ever again. What was read before goes on being used meanwhile; once it is no
// longer, its memory comes back here for the reading after.

export interface PathsThreadData {
  readonly socket: string
  readonly of: readonly string[]
  readonly everyMs: number
  readonly patienceMs: number
  /** Rows of the digest. */
  readonly rows: number
}

export type FromPathsThread =
  | ({ readonly kind: 'read'; readonly entries: ReadonlyMap<string, Uint8Array>; readonly rows: number } & ReadPaths)
  | { readonly kind: 'trouble'; readonly reason: string }

/** Memory of a table that is no longer used. */
export type ToPathsThread = readonly Piece[]

const { socket, of, everyMs, patienceMs, rows: most } = workerData as PathsThreadData
/** While BIRD cannot be read it is tried more often. */
const RETRY_MS = 5000
/** What has been let go is freed by then. */
const FREED_MS = 250

const say = (message: FromPathsThread, handedOver: readonly ArrayBuffer[] = []): void => parentPort!.postMessage(message, handedOver)
const collect = collector()
const spare: Piece[] = []

async function round(): Promise<void> {
  let isRead = false
  try {
    const read = await readPaths({ socket, of, patienceMs, spare, clock: systemClock, after: systemAfter })
    isRead = true
    const { v4, v6 } = read.tables
    const rows4 = digestOf(v4, Math.floor(most * SHARE_OF_IPV4))
    const rows6 = digestOf(v6, most - Math.floor(most * SHARE_OF_IPV4))
    const rows = [...rows4, ...rows6]
    say({ kind: 'read', ...read, rows: rows.length, entries: entriesOf(rows) }, piecesOf(read.tables).map(({ buffer }) => buffer))
  } catch (error) {
    say({ kind: 'trouble', reason: messageOf(error) })
  }
  systemAfter(isRead ? everyMs : Math.min(everyMs, RETRY_MS), () => void round())
  // This thread has nothing to do for minutes.
  systemAfter(0, collect)
  systemAfter(FREED_MS, trimMemory)
}

// This keeps the thread: its timers do not.
parentPort!.on('message', (pieces: ToPathsThread) => void spare.push(...pieces))
void round()
