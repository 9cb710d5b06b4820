import { formatDuration } from '../../core/quantity.ts'
import type { AnycastState } from './state.ts'

// Whether the daemon is dead, judged purely: it is when it is gone or has not written down for long that it lives, and its listeners
// do not answer. As long as they answer, nothing is gained by withdrawing.

export interface DaemonSeen {
  readonly state: Pick<AnycastState, 'pid' | 'at' | 'hasEnded'>
  /** Its process is there. */
  readonly isThere: boolean
  /** What is wrong with its listeners; undefined while one of them answers. */
  readonly listeners: string | undefined
  /** Since when it is watched, wall time. */
  readonly startedAt: number
  readonly now: number
  /** Nobody will watch after this. */
  readonly isEnding: boolean
}

export interface JudgeRules {
  readonly everyMs: number
  /** How long one that ended as it was asked to, or has not begun yet, may take to come back. */
  readonly restartMs: number
}

/** `absent`: not there, and expected back. */
export type DaemonVerdict = { readonly is: 'alive' } | { readonly is: 'absent' } | { readonly is: 'dead'; readonly why: string }

/** Longest silence of a daemon that lives, in intervals of its checks, and at least. */
const SILENT_INTERVALS = 2
const LEAST_SILENT_MS = 2000

export function judgeDaemon({ state, isThere, listeners, startedAt, now, isEnding }: DaemonSeen, { everyMs, restartMs }: JudgeRules): DaemonVerdict {
  const { pid, at, hasEnded } = state
  // Of a clock that was set back a daemon that lives writes down the new time within a second.
  const age = Math.abs(now - at)
  const isSilent = age > Math.max(LEAST_SILENT_MS, SILENT_INTERVALS * everyMs)
  const isGone = hasEnded || !isThere
  if (!isGone && !isSilent) return { is: 'alive' }
  if (isGone && isEnding) return { is: 'dead', why: hasEnded ? `the daemon (pid ${pid}) was ended` : `the daemon (pid ${pid}) is gone` }
  // Its threads answer, whatever its main thread does; and of a daemon that is not ours nothing is known but that it answers.
  if (listeners === undefined) return isGone && !hasEnded ? { is: 'absent' } : isSilent && isThere ? { is: 'alive' } : { is: 'absent' }
  // It last wrote before this process began: it may be about to start, as we were.
  if (at < startedAt && now - startedAt < restartMs) return { is: 'absent' }
  if (hasEnded) return age < restartMs ? { is: 'absent' } : { is: 'dead', why: `the daemon (pid ${pid}) was ended ${formatDuration(age)} ago, and has not come back` }
  return { is: 'dead', why: isThere ? `the daemon (pid ${pid}) has hung for ${formatDuration(age)} (${listeners})` : `the daemon (pid ${pid}) is gone (${listeners})` }
}
