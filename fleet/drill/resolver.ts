/** What a resolver learned from one answer: whom to ask for content, and for how long that may be believed. */
export interface Held {
  /** The member that the address belongs to, or the address itself when it is no member's. */
  readonly target: string
  readonly address: string
  /** On the drill's own clock, milliseconds. */
  readonly expiresAt: number
}

/** The cache of one client: it holds one answer and believes it until its TTL has run out, never longer (RFC 1034 §5.3.3). */
export interface Resolver {
  /** The answer still believed at `now`; undefined when the name must be asked for again. */
  held(now: number): Held | undefined
  /**
   * Takes an answer that came at `now`.
   * @param share part of the TTL that is left, 0 to 1: a resolver that others filled before hands out the rest only
   */
  take(answer: { target: string; address: string; ttl: number }, now: number, share?: number): Held
}

export function makeResolver(): Resolver {
  let cached: Held | undefined
  return {
    held: (now) => (cached !== undefined && now < cached.expiresAt ? cached : undefined),
    take: ({ target, address, ttl }, now, share = 1) => (cached = { target, address, expiresAt: now + ttl * 1000 * share })
  }
}

/** How many sends are due: a steady rate, kept after small delays, but without a burst after a long one. */
export interface Pace {
  due(now: number): number
}

/** A pace of `rate` a second from `start` on; at most one second's worth is made up for. */
export function makePace(rate: number, start: number): Pace {
  let from = start
  let sent = 0
  return {
    due(now) {
      let owed = Math.floor(((now - from) * rate) / 1000) - sent
      if (owed > rate) {
        from = now
        sent = 0
        owed = 1
        return owed
      }
      sent += Math.max(0, owed)
      return Math.max(0, owed)
    }
  }
}
