import { suggestion } from '../../core/suggest.ts'
import type { AdminOptions } from './admin.ts'
import type { Stops } from './admin-stop.ts'
import type { AnycastStatus, Done, DrainReply, ErrorReply, Explanation, FlushReply, ForceReply, ForcesReply, QueriesReply, LatencyReply, MemberStatus, PopsStatus, PurgeReply, ReloadReply, Status, StopReply, WhereReply } from './api.ts'

// What a call of the admin API is.

export interface Reply {
  readonly status: number
  readonly body: Status | Explanation | DrainReply | WhereReply | QueriesReply | StopReply | ReloadReply | FlushReply | LatencyReply | PopsStatus | AnycastStatus | ForcesReply | ForceReply | PurgeReply | Done | ErrorReply
}

export interface Call {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** `input` is the JSON body of a POST, the query parameters of a GET. */
  answer(input: unknown, control: Control): Promise<Reply> | Reply
}

export type Control = Pick<AdminOptions, 'setup' | 'everywhere' | 'traffic' | 'asked' | 'health' | 'fleet' | 'clock' | 'log' | 'status' | 'explain' | 'policiesAt' | 'reload' | 'refresh' | 'flush' | 'latencies' | 'anycast'> & { readonly stops: Stops }

/** `{error}` with this status: one line that says what was expected. */
export const refuse = (status: number, error: string): Reply => ({ status, body: { error } })

/** A member by its name; 404 with what was probably meant. */
export function findMember(wanted: string, { health }: Control): MemberStatus | Reply {
  const members = health.members()
  const member = members.find((each) => each.name === wanted)
  if (member !== undefined) return member
  const hint = suggestion(
    wanted,
    members.map((each) => each.name)
  )
  return refuse(404, `there is no member ${wanted}${hint === undefined ? '' : ` (${hint})`}`)
}
