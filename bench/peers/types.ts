import type { Run } from '../dns-load.ts'

/** What a server is to serve: the small zone, with names answered by country or without, or the large one. */
export type Data = 'bench' | 'routed' | 'million'

export interface StartOptions {
  /** A folder of its own, which is there. */
  readonly folder: string
  /** Free over UDP and TCP at 127.0.0.1, and the nine above it. */
  readonly port: number
  /** UDP workers, threads or processes, as the server has them. */
  readonly workers: number
  readonly data: Data
  /** Where the large zone and the database of places lie. */
  readonly files: { readonly million: string; readonly places: string }
}

export interface Running {
  /** Of every process of the server. */
  pids(): number[]
  stop(): Promise<void>
}

/** One server, as it is started for the benches. */
export interface Peer {
  readonly name: string
  readonly serves: readonly Data[]
  readonly transports: readonly ('udp' | 'tcp')[]
  /** How far its answers are looked at; absent: each must be the right one. */
  readonly check?: Run['check']
  /** What it is and how it differs from the others, a line for the results. */
  about(): string
  /** Why it takes no part; undefined when it does. */
  missing(): string | undefined
  /** Rejects when it does not come up. */
  start(options: StartOptions): Promise<Running>
}
