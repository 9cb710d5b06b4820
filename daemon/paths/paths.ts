import { createHash } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import { parseAddress } from '../../core/address.ts'
import type { After, Clock } from '../../core/clock.ts'
import type { Config } from '../../core/config.ts'
import type { Logger } from '../../core/log.ts'
import { messageOf } from '../../core/trouble.ts'
import { MOST_ROWS, type PathSource } from './rows.ts'
import { findRoute, piecesOf, prefixText, type PathTables } from './table.ts'
import type { FromPathsThread, PathsThreadData, ToPathsThread } from './thread.ts'

/** What other PoPs are told and say of this kind. */
export interface PathsChannel {
  put(kind: 'paths', key: string, value: Uint8Array): void
  /** Undefined while nothing of it is to be believed. */
  heard(kind: 'paths', pop: string): ReadonlyMap<string, Uint8Array> | undefined
}

export interface PathsOptions {
  readonly config: Config
  /** Absent where there are no other PoPs. */
  readonly channel?: PathsChannel | undefined
  readonly clock: Clock
  readonly after: After
  readonly log: Logger
}

/** What our own BIRD has of the way to an address. */
export interface PathFound {
  readonly prefix: string
  /** ASes on the way, prepends counted, and without them. */
  readonly path: number
  readonly hops: number
  readonly origin?: number
}

export interface PathsStatus {
  /** Routes of each family; absent while none have been read. */
  readonly routes?: { readonly ipv4: number; readonly ipv6: number }
  /** When they were read, wall time, and how long that took. */
  readonly readAt?: number
  readonly tookMs?: number
  /** Rows that other PoPs are told. */
  readonly rows: number
  /** Why BIRD could not be read when it was last tried. */
  readonly trouble?: string
  /** PoPs whose rows are known, and how many entries they come in. */
  readonly heard: Readonly<Record<string, number>>
}

export interface Paths {
  find(address: string): PathFound | undefined
  status(): PathsStatus
  /** What policies are to go by is told there from now on. */
  tellTo(changed: (sources: readonly PathSource[]) => void): void
  close(): Promise<void>
}

/** Rows of all PoPs together. */
const MOST_TOGETHER = 65_536
const LOOK_MS = 2000
const RESTART_MS = 5000

/** Starts reading the routes of BIRD; undefined when the configuration has no `paths:`. */
export function startPaths({ config, channel, clock, after, log }: PathsOptions): Paths | undefined {
  const { paths: settings, pops } = config
  if (settings === undefined) return undefined
  const others = Object.keys(pops?.others ?? {})
  const data: PathsThreadData = { socket: settings.socket, of: listed(settings), everyMs: settings.every, patienceMs: settings.patience, rows: Math.min(MOST_ROWS, Math.floor(MOST_TOGETHER / (others.length + 1))) }
  const now: { tables?: PathTables; own: ReadonlyMap<string, Uint8Array>; status: Omit<PathsStatus, 'heard'>; told: string; changed?: (sources: readonly PathSource[]) => void; isClosed: boolean } = { own: new Map(), status: { rows: 0 }, told: '', isClosed: false }
  const edgesOf = (pop: string | undefined): string[] => Object.entries(config.edges).flatMap(([name, edge]) => (edge.pop === pop ? [name] : []))

  const tell = (): void => {
    const sources = [{ edges: edgesOf(pops?.name), values: [...now.own.values()] }, ...others.map((pop) => ({ edges: edgesOf(pop), values: [...(channel?.heard('paths', pop)?.values() ?? [])] }))]
    const known = sources.filter(({ edges, values }) => edges.length > 0 && values.length > 0)
    const print = printOf(known)
    if (now.changed === undefined || print === now.told) return
    now.told = print
    now.changed(known)
  }
  const takeOwn = (entries: ReadonlyMap<string, Uint8Array>): void => {
    for (const key of now.own.keys()) if (!entries.has(key)) channel?.put('paths', key, new Uint8Array(0))
    for (const [key, value] of entries) channel?.put('paths', key, value)
    now.own = entries
    tell()
  }
  const take = (message: FromPathsThread): void => {
    if (message.kind === 'trouble') {
      if (message.reason !== now.status.trouble) log.warn(`AS paths are not read: ${message.reason}`)
      now.status = { ...now.status, trouble: message.reason }
      return
    }
    const { tables, v4, v6, rows, tookMs, left, entries } = message
    if (now.tables === undefined || now.status.trouble !== undefined) log.info(`AS paths to ${v4 + v6} prefixes are read from BIRD`)
    if (left > 0) log.warn(`BIRD has ${left} routes more than are kept`)
    if (now.tables !== undefined) giveBack(worker, now.tables)
    now.tables = tables
    now.status = { routes: { ipv4: v4, ipv6: v6 }, readAt: clock.now(), tookMs: Math.round(tookMs), rows }
    takeOwn(entries)
  }
  let worker = start()
  function start(): Worker {
    const started = startThread(data)
    started.on('message', take)
    started.on('error', (error) => log.error(`the reader of AS paths died: ${messageOf(error)}`))
    started.on('exit', () => {
      if (!now.isClosed) cancelRestart = after(RESTART_MS, () => void (worker = start()))
    })
    return started
  }
  let cancelRestart = (): void => undefined
  const look = (): void => {
    cancelLook = after(LOOK_MS, look)
    tell()
  }
  let cancelLook = after(LOOK_MS, look)
  return {
    find: (text) => findPath(now.tables, text),
    status: () => ({ ...now.status, heard: Object.fromEntries(others.flatMap((pop) => {
      const size = channel?.heard('paths', pop)?.size ?? 0
      return size === 0 ? [] : [[pop, size] as const]
    })) }),
    tellTo: (changed) => {
      now.changed = changed
      tell()
    },
    close: async () => {
      now.isClosed = true
      cancelLook()
      cancelRestart()
      await worker.terminate()
    }
  }
}

/** The thread that reads, as `thread.ts` has it. Its tables lie outside of its heap, and what it throws away for each route is collected soon. */
export const startThread = (workerData: PathsThreadData): Worker => new Worker(new URL('./thread.js', import.meta.url), { workerData, resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64 } })

/** Its memory takes in the next table. */
export function giveBack(worker: Worker, tables: PathTables): void {
  const pieces: ToPathsThread = piecesOf(tables)
  worker.postMessage(pieces, pieces.map(({ buffer }) => buffer))
}

/** What BIRD is asked to list. */
function listed({ tables, upstreams }: NonNullable<Config['paths']>): string[] {
  return tables.flatMap((table) => (upstreams.length === 0 ? [`table ${table}`] : upstreams.map((name) => `table ${table} protocol ${name}`)))
}

/** The same for the same. */
function printOf(sources: readonly PathSource[]): string {
  const hash = createHash('sha1')
  for (const { edges, values } of sources) {
    hash.update(edges.join(' '))
    for (const value of values) hash.update(value)
  }
  return hash.digest('hex')
}

function findPath(tables: PathTables | undefined, text: string): PathFound | undefined {
  const address = parseAddress(text)
  const found = tables === undefined || address === undefined ? undefined : findRoute(tables, address)
  return found && { prefix: prefixText(found.prefix), path: found.path, hops: found.hops, ...(found.origin !== undefined && { origin: found.origin }) }
}
