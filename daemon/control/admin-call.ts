import type { AdminOptions } from './admin.ts'
import type { Stops } from './admin-stop.ts'
import type { Done, DrainReply, ErrorReply, Explanation, FlushReply, QueriesReply, LatencyReply, PopsStatus, ReloadReply, Status, StopReply, WhereReply } from './api.ts'

// What a call of the admin API is.

export interface Reply {
  readonly status: number
  readonly body: Status | Explanation | DrainReply | WhereReply | QueriesReply | StopReply | ReloadReply | FlushReply | LatencyReply | PopsStatus | Done | ErrorReply
}

export interface Call {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** `input` is the JSON body of a POST, the query parameters of a GET. */
  answer(input: unknown, control: Control): Promise<Reply> | Reply
}

export type Control = Pick<AdminOptions, 'setup' | 'traffic' | 'asked' | 'health' | 'fleet' | 'clock' | 'log' | 'status' | 'explain' | 'reload' | 'refresh' | 'flush' | 'latencies'> & { readonly stops: Stops }

/** `{error}` with this status: one line that says what was expected. */
export const refuse = (status: number, error: string): Reply => ({ status, body: { error } })
