/** What the process that sends is told to do. */
export interface Run {
  readonly port: number
  /** Of the server. */
  readonly workers: number
  readonly seconds: number
  /** Queries a second that are offered; absent: the next leaves when an answer has come. */
  readonly rate?: number
  /** How answers are checked: `right` needs the one right address, `any` one of the targets, `none` nothing (the floor parses nothing). */
  readonly check: 'right' | 'any' | 'none'
}

/** What carries queries: UDP sockets or TCP connections. */
export interface Wires {
  /** Opens what is needed to ask a port. */
  open(port: number, workers: number): void
  /** Sends up to `count` queries of those that are next, as far as it can. */
  send(count: number): void
  /** Takes in what has arrived, or arrives before so many milliseconds have passed. */
  receive(waitMs: number): void
}
