/** What an edge tells the daemon of the round trips of its viewers. */
export interface LatencyReport {
  readonly edge: string
  /** Of its process, and milliseconds since that started: what a later question begins at. */
  readonly boot: string
  readonly at: number
  readonly rows: readonly LatencyRow[]
}

export interface LatencyRow {
  /** A /24 or /48. */
  readonly network: string
  readonly edge: string
  /** The median round trip, milliseconds. */
  readonly ms: number
  readonly samples: number
  readonly addresses: number
}

/** Paths of an edge that are its own under every host. */
export const OWN_PATHS = '/.nearcast/'
export const LATENCY_PATH = `${OWN_PATHS}latency`
