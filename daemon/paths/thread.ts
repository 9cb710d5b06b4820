import { parentPort, workerData } from 'node:worker_threads'
import { systemAfter, systemClock } from '../../core/clock.ts'
import { messageOf } from '../../core/trouble.ts'
import { digestOf } from './digest.ts'
import { readPaths, type ReadPaths } from './read.ts'
import { entriesOf, SHARE_OF_IPV4 } from './rows.ts'
import { columnsOf } from './table.ts'

// The entry of the thread that reads BIRD's routes ever again. What was read before goes on being used meanwhile.

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

const { socket, of, everyMs, patienceMs, rows: most } = workerData as PathsThreadData
/** While BIRD cannot be read it is tried more often. */
const RETRY_MS = 5000

const say = (message: FromPathsThread): void => parentPort!.postMessage(message)

async function round(sizes?: ReadPaths): Promise<void> {
  let read = sizes
  let isRead = false
  try {
    read = await readPaths({ socket, of, patienceMs, clock: systemClock, after: systemAfter, ...(sizes !== undefined && { sizes }) })
    isRead = true
    const [v4, v6] = columnsOf(read.tables)
    const rows4 = digestOf(v4, Math.floor(most * SHARE_OF_IPV4))
    const rows6 = digestOf(v6, most - Math.floor(most * SHARE_OF_IPV4))
    const rows = [...rows4, ...rows6]
    say({ kind: 'read', ...read, rows: rows.length, entries: entriesOf(rows) })
  } catch (error) {
    say({ kind: 'trouble', reason: messageOf(error) })
  }
  systemAfter(isRead ? everyMs : Math.min(everyMs, RETRY_MS), () => void round(read))
}

void round()
