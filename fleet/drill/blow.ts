/** What a drill does to members of the fleet. */
export interface Blow {
  readonly kind: BlowKind
  /** Names of members, or `half`: every second edge. */
  readonly members: readonly string[]
  /** Of `slow`. */
  readonly delayMs?: number
  /** Of `error`. */
  readonly status?: number
}

export type BlowKind = keyof typeof BLOWS

/** Every kind of blow, one row each: what it is called in a report. */
export const BLOWS = {
  stop: { called: 'planned stop' },
  kill: { called: 'unannounced death' },
  pause: { called: 'hang' },
  'black-hole': { called: 'silence: requests are taken and none is answered' },
  slow: { called: 'slowness' },
  error: { called: 'errors' },
  flap: { called: 'flapping' }
} as const
