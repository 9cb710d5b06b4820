import type { Setup } from '../../core/channel.ts'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { suggestion } from '../../core/suggest.ts'
import type { FleetRequests } from './admin-fleet.ts'
import type { Stops } from './admin-stop.ts'
import type { AnycastStatus, DaemonStatus, Done, DrainReply, ErrorReply, Explanation, FlushReply, ForceReply, ForcesReply, QueriesReply, LatencyReply, MemberStatus, PopsStatus, PurgeReply, ReloadReply, Status, StopReply, WhereReply } from './api.ts'
import type { Everywhere } from './everywhere.ts'
import type { ExplainQuestion } from './explain.ts'
import type { Health } from './health.ts'
import type { Latencies } from './latencies.ts'
import type { Past } from './explain-past.ts'
import type { Anycast } from '../anycast/index.ts'
import type { Answer, Asked, Question, Trouble } from '../traffic/index.ts'

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

/** What calls have to do with. */
export interface Control {
  readonly setup: Setup
  readonly clock: Clock
  readonly log: Logger
  readonly health: Health
  readonly fleet: FleetRequests
  /** Absent where there are no other PoPs. */
  readonly everywhere?: Everywhere | undefined
  /** Absent where nothing is measured. */
  readonly latencies?: Latencies | undefined
  /** Absent where nothing is announced. */
  readonly anycast?: Pick<Anycast, 'status' | 'pin'> | undefined
  status(): DaemonStatus
  /** A text says what is wrong with the question. */
  explain(question: ExplainQuestion): Explanation | string
  /** What was in service at a wall time, as far as that is kept. */
  inService(at: number): Promise<Pick<Past, 'since' | 'policies' | 'views'>>
  reload(force: boolean): Promise<ReloadReply>
  /** Questions about all viewers; for people, and answered apart from what serves. */
  traffic(question: Question): Promise<Answer | Trouble>
  /** Queries counted from a wall time on. */
  asked?(since: number): Promise<Asked>
  /** Of one zone, by its name with its final dot, or of all. */
  flush(zone: string | undefined, isDry: boolean): Promise<FlushReply>
  /** Asks the primaries of a zone (its name with the final dot) now. False: it is no secondary zone. */
  refresh(zone: string, isWhole: boolean): boolean
  readonly stops: Stops
}

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
