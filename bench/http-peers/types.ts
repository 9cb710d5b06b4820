/** Where a server stands and what it asks. */
export interface Place {
  /** A folder of its own, which is not there yet. */
  readonly folder: string
  /** Free at 127.0.0.1, and those of `TLS_PORTS` and `PARENT_PORTS` above it. */
  readonly port: number
  /** Port of the origin at 127.0.0.1. */
  readonly origin: number
  /** For HTTPS, as PEM files. */
  readonly tls: { readonly certificate: string; readonly key: string }
  /** Absent: one. */
  readonly workers?: number
}

/** A server that runs, or two of which the one asks the other. */
export interface Running {
  readonly pids: readonly number[]
  /** The last of what it said, for when it does not answer. */
  said(): string
  end(): Promise<void>
}

/** One caching server, as it is started for the benches; who is asked for several workers and has no notion of them starts with one. */
export interface HttpPeer {
  readonly name: string
  readonly ours?: true
  /** What it does not speak, and is left out of. */
  readonly lacks?: readonly ('TLS' | 'HTTP/2')[]
  /** Why it takes no part; undefined when it does. */
  missing(): string | undefined
  version(): string
  start(place: Place): Promise<Running>
  /** It, and another one of it before the origin, which holds nothing at first either. */
  startTwo(place: Place): Promise<Running>
}

/** HTTPS is so many ports above HTTP; the second of two tiers likewise. */
export const TLS_PORTS = 10
export const PARENT_PORTS = 5
/** The name that is asked for. */
export const HOST = 'bench.nearcast.test'
