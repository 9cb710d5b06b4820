// What the decision about announcements is made of: plain values, and JSON.

export type Announcement = 'announced' | 'demoted' | 'withdrawn'

/** What was found out here of one prefix. `unknown`: nothing yet. `poor`: it serves, and another PoP would serve better. `bad`: it does not serve. */
export interface Finding {
  readonly grade: 'unknown' | 'good' | 'poor' | 'bad'
  /** What is not as it should be, in a few words each. */
  readonly why: readonly string[]
}

/** What another PoP says of one prefix, and is to be believed now. */
export interface Lease {
  readonly pop: string
  readonly state: Announcement
  /** It serves there. */
  readonly isWell: boolean
  /** It is about to withdraw. */
  readonly isLeaving: boolean
}

/** What an operator holds a prefix to. Wall times. */
export interface Pin {
  readonly state: Announcement | 'drain'
  readonly why: string
  readonly since: number
  readonly until?: number | undefined
  /** Even if that leaves too few PoPs. */
  readonly isForced?: boolean | undefined
}

/** What is remembered of a prefix. Wall times. */
export interface PrefixHistory {
  readonly state: Announcement
  readonly since: number
  /** Since when there was no reason to stay announced. */
  readonly badSince?: number | undefined
  /** Since when there has been every reason to be announced. */
  readonly wellSince?: number | undefined
  /** Since when it has served, well or not. */
  readonly servesSince?: number | undefined
  /** Fell from announced on local evidence this often, and last when. */
  readonly flaps: number
  readonly flappedAt?: number | undefined
  /** It fell on local evidence, and has not been announced since. */
  readonly hasFallen: boolean
}

export interface Rules {
  /** This PoP. */
  readonly pop: string
  /** All PoPs there are, heard or not, this one included. */
  readonly total: number
  /** PoPs that must be heard, this one included, for a withdrawal. */
  readonly quorum: number
  readonly minPops: number
  readonly maxWithdrawn: number
  /** Milliseconds, all of these. */
  readonly demoteMs: number
  readonly holdMs: number
  readonly longestHoldMs: number
  readonly decayMs: number
  readonly drainMs: number
  readonly settleMs: number
}

/** What is to be announced, and why. */
export interface Intent {
  readonly state: Announcement
  readonly since: number
  /** In a line each, the one that decided first. */
  readonly reasons: readonly string[]
  /** What an operator ought to look at. */
  readonly alarms: readonly string[]
  /** What others are told. */
  readonly isWell: boolean
  readonly isLeaving: boolean
  /** When it may be announced again, where it waits for that. */
  readonly holdUntil?: number | undefined
  /** Withdrawn for so long that no query comes in any more. */
  readonly isSettled: boolean
  readonly flaps: number
}
