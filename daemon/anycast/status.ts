import type { SpeakerView } from './speaker.ts'
import type { Announcement, Finding, Lease, Pin } from './types.ts'

// What is told of announcements, as JSON.

export interface PrefixStatus {
  readonly name: string
  readonly prefix: string
  readonly addresses: readonly string[]
  readonly serves: 'dns' | 'edges'
  /** As it is intended; what is sent stands with the sessions. */
  readonly state: Announcement
  /** Wall times, milliseconds, these too. */
  readonly since: number
  readonly holdUntil?: number
  readonly reasons: readonly string[]
  readonly alarms: readonly string[]
  readonly grade: Finding['grade']
  readonly flaps: number
  /** Withdrawn for so long that nothing comes in any more. */
  readonly isSettled: boolean
  readonly pin?: Pin
  /** Why it could not be withdrawn here now, whatever happened; absent: it could. */
  readonly kept?: string
  /** What other PoPs say of it. */
  readonly others: readonly Lease[]
}

export interface AnycastStatus {
  readonly now: number
  readonly pop: string
  readonly pops: { readonly total: number; readonly heard: number; readonly quorum: number }
  readonly minPops: number
  readonly maxWithdrawn: number
  readonly prefixes: readonly PrefixStatus[]
  readonly speaker: SpeakerView
  readonly deadman?: { readonly pid: number; readonly at: number; readonly isActing: boolean; readonly acts: number; readonly why: string; /** PoPs that are heard, and their dead-men are not. */ readonly unheard?: readonly string[] }
}

export interface PinRequest {
  /** Its name, or the prefix itself; absent: all. */
  readonly prefix?: string | undefined
  readonly state: Announcement | 'drain' | 'none'
  readonly why: string
  readonly forMs?: number | undefined
  readonly isForced?: boolean | undefined
}
