import type { Role } from '../../core/channel.ts'
import type { PurgeOrder, PurgeTold } from '../../core/purge.ts'
import type { AnycastStatus } from '../anycast/index.ts'
import type { PathFound, PathsStatus } from '../paths/index.ts'
import type { PopsStatus } from '../pops/index.ts'
import type { Candidate, Step } from '../routing/types.ts'

export type { DrainReply, WhereReply } from '../traffic/index.ts'

// What the admin API takes and gives, as JSON. Types only: the command line compiles against this file.
//
//   GET  /v1/status                                -> Status
//   GET  /v1/pops                                  -> PopsStatus
//   GET  /v1/forces                                -> ForcesReply
//   GET  /v1/anycast                               -> AnycastStatus
//   GET  /v1/explain?name=&from=&type=&assume=&at= -> Explanation
//   GET  /v1/safe?edges=                           -> DrainReply
//   GET  /v1/where?what=&assume=                   -> WhereReply
//   GET  /v1/latency?network=                      -> LatencyReply
//   GET  /v1/queries?lastMs=                       -> QueriesReply
//   POST /v1/stop    {name, now?, forMs?}          -> StopReply
//   POST /v1/start   {name}                        -> Done
//   POST /v1/kill    {name, forMs?}                -> Done
//   POST /v1/pause   {name, forMs?}                -> Done
//   POST /v1/inject  {name, injection?, forMs?}    -> Done
//   POST /v1/force   {name, state, why?, forMs?, everywhere?} -> ForceReply
//   POST /v1/pin     {prefix?, state, why?, forMs?, isForced?} -> Done
//   POST /v1/reload  {force?}                      -> ReloadReply
//   POST /v1/purge   {what, isTag?, soft?}         -> PurgeReply
//   POST /v1/flush   {zone?, dryRun?}              -> FlushReply
//   POST /v1/refresh {zone, whole?}                -> Done
//
// Every call carries `Authorization: Bearer TOKEN`. Errors are 4xx and 5xx with ErrorReply. Times are wall milliseconds.

export type { AnycastStatus, PinRequest, PrefixStatus } from '../anycast/index.ts'
export type { PathsStatus } from '../paths/index.ts'
export type { PopsStatus, PopStatus } from '../pops/index.ts'

export interface StopRequest {
  readonly name: string
  /** Exit at once instead of serving on until the last TTL has run out. */
  readonly now?: boolean
  /** Undo the stop by itself after this long. */
  readonly forMs?: number
}

/** The member has left the answers; its process is asked to end after this long. */
export interface StopReply {
  readonly exitsInMs: number
}

export interface StartRequest {
  readonly name: string
}

export interface ForceRequest {
  readonly name: string
  readonly state: 'up' | 'down' | 'drain' | 'none'
  readonly why?: string
  readonly forMs?: number
  /** At all PoPs. */
  readonly everywhere?: boolean
}

export interface ForceReply extends Done {
  /** With `everywhere`: the other PoPs; those that are not heard now learn of it when they are. */
  readonly pops?: readonly { readonly name: string; readonly isHeard: boolean }[]
}

export interface ForcesReply {
  /** Wall time of this answer. */
  readonly now: number
  readonly forces: readonly (ForceStatus & { readonly name: string })[]
}

export interface ReloadRequest {
  /** Take also what looks like an accident: an empty zone file, or one that lost over half its records. */
  readonly force?: boolean
}

export interface RefreshRequest {
  /** A secondary zone, with its final dot or without. */
  readonly zone: string
  /** Transfer it whole, whatever its serial. */
  readonly whole?: boolean
}

export interface Done {
  readonly done: true
  /** Whom a pattern took. */
  readonly names?: readonly string[]
}

export interface ReloadReply {
  readonly zones: readonly ZoneStatus[]
  /** Faults in the one line they are shown in; what they stand in kept its old contents. */
  readonly faults: readonly string[]
}

export interface FlushRequest {
  /** One zone by its name; absent: every zone that updates have changed. */
  readonly zone?: string
  /** Say what would be written, and write nothing. */
  readonly dryRun?: boolean
}

export interface FlushReply {
  /** Those that were asked for: without a name, those that there is something to say of. */
  readonly zones: readonly FlushedZone[]
}

/** What was written back into the files of a zone. */
export interface FlushedZone {
  readonly origin: string
  /** What is served, and stands in the file now. */
  readonly serial: number
  readonly file: string
  /** `+` and `-` before the records that were written and taken out. Empty: there was nothing to write. */
  readonly lines: readonly string[]
  /** Files that were written, and how each is kept as it was. */
  readonly files: readonly { readonly file: string; readonly backup: string }[]
  /** Why nothing was written. */
  readonly faults: readonly string[]
}

/** A round trip that was measured. */
export interface MeasuredTrip {
  readonly edge: string
  /** The median, milliseconds. */
  readonly ms: number
  readonly samples: number
  /** At least so many addresses had a part in it. */
  readonly addresses: number
  /** When it was last told, and by whom: the edge itself, or browsers by way of another edge. */
  readonly at: number
  readonly by: 'edge' | 'browsers'
}

export interface MeasuredNetwork {
  /** A /24 or /48. */
  readonly network: string
  /** Nearest first. */
  readonly trips: readonly MeasuredTrip[]
}

export interface LatencyReply {
  /** Networks of which something is known. */
  readonly known: number
  /** Those asked for, most samples first, 1000 at most. */
  readonly networks: readonly MeasuredNetwork[]
  /** Whole autonomous systems (`AS4766`) and countries (`KR`) that enough is known of; where a network is asked for, its own. */
  readonly wholes: readonly { readonly name: string; readonly trips: readonly Pick<MeasuredTrip, 'edge' | 'ms' | 'samples'>[] }[]
}

/** Queries counted by name and country: '' stands for names without a row of their own, and for countries that are not known. */
export interface QueriesReply {
  /** All of them, those for names that no policy steers too. */
  readonly total: number
  readonly since: number
  readonly until: number
  readonly names: Readonly<Record<string, Readonly<Record<string, number>>>>
}

export interface ErrorReply {
  readonly error: string
  /** The paths that exist, when the one asked for does not. */
  readonly known?: readonly string[]
}

export interface ZoneStatus {
  /** With its final dot. */
  readonly origin: string
  readonly serial: number
  readonly records: number
  /** As the operator named it: `zones/nearcast.test.zone`; `its primaries` for a secondary zone. */
  readonly file: string
  /**
   * `old`: the file has faults and what it said before is served; `last-good`: the same, from a copy kept over a restart.
   * Of secondary zones: `transferred`; `awaited`: nothing has come from a primary yet; `expired`: not refreshed for too long.
   */
  readonly state: 'current' | 'old' | 'last-good' | 'transferred' | 'awaited' | 'expired'
}

/** How a secondary zone stands with its primaries. */
export interface SecondaryStatus {
  /** With its final dot. */
  readonly zone: string
  readonly state: 'current' | 'awaited' | 'expired'
  readonly serial?: number
  /** The primary that is asked, or that what is held came from. */
  readonly primary: string
  /** When a primary last said that what is held is current. */
  readonly refreshedAt?: number
  /** When one is asked next; absent while one is. */
  readonly nextAt?: number
  readonly expiresAt?: number
  /** What was wrong with the last that was asked. */
  readonly trouble?: string
}

export interface ForceStatus {
  readonly state: 'up' | 'down' | 'drain'
  readonly why: string
  readonly since: number
  /** When it is undone by itself. */
  readonly until?: number
  /** It holds at every PoP, and was ordered at this one. */
  readonly everywhere?: string
}

export interface MemberStatus {
  readonly name: string
  readonly role: Role
  readonly city: string
  readonly addresses: readonly string[]
  /** Whom it fetches from. */
  readonly parent?: string
  /** Of its process; all absent while the supervisor has not told. */
  readonly pid?: number
  readonly process?: 'starting' | 'running' | 'hung' | 'stopping' | 'stopped' | 'failed'
  readonly processSince?: number
  readonly processWhy?: string
  /** What it goes on without: a disk that fails. */
  readonly trouble?: string
  readonly restarts?: number
  /** Absent for members that are not checked: origins and the daemon. */
  readonly health?: 'UNKNOWN' | 'UP' | 'DOWN'
  /** The check that its health comes from, where that is not the default one. */
  readonly check?: string
  /** A failure is being confirmed. */
  readonly suspect?: boolean
  /** Since when and why its health is as it is. */
  readonly since?: number
  readonly why?: string
  /** When it was last heard of by a check. */
  readonly checkedAt?: number
  /** Round trip of the last check that passed. */
  readonly checkMs?: number
  /** Where other vantage points see it differently: `down here, up at 3 of 4 vantage points: answered as up`. */
  readonly elsewhere?: string
  readonly forced?: ForceStatus
  /** Whether DNS answers name it: edges alone. */
  readonly answerable?: boolean
  /** Of edges: what it has to serve, smoothed, and what it can, in requests per second or what its metrics tell. */
  readonly load?: number
  readonly capacity?: number
  /** Of edges: what part of its own it keeps, what part of others' surplus it takes, and what part of its weight it has. */
  readonly limits?: { readonly keeps: number; readonly takes: number; readonly ramp: number }
  /** A stop is pending: when its process is asked to end. */
  readonly exitsAt?: number
  readonly requestsPerSecond?: number
  readonly hitRatio?: number
}

/** A target of policies that is no member and has a check. Its name is its check and what it is: `web@192.0.2.7`. */
export type TargetStatus = Pick<MemberStatus, 'name' | 'health' | 'check' | 'suspect' | 'since' | 'why' | 'checkedAt' | 'checkMs' | 'forced'>

/** Since when what answers are made from has been in service. Wall times. */
export interface InService {
  readonly policies?: number
  readonly places?: number
  /** Lists of networks, autonomous systems, and what was measured. */
  readonly networks?: number
  /** By origin in lower case, with the final dot; '' for all others. */
  readonly zones: Readonly<Record<string, number>>
}

/** What the daemon knows of itself beside its members. */
export interface DaemonStatus {
  readonly version: string
  readonly startedAt: number
  /** `127.0.0.1:5300/udp` and so on. */
  readonly listening: readonly string[]
  readonly geo: { readonly about: string; readonly local: string }
  /** Names that are answered by a policy. */
  readonly names: readonly string[]
  /** The greatest TTL of a routed record, in seconds: how long a client may go on using an edge that has left the answers. */
  readonly routedTtl: number
  readonly zones: readonly ZoneStatus[]
  /** Those that only some networks see, by view; absent where there are no views. */
  readonly viewZones?: Readonly<Record<string, readonly ZoneStatus[]>>
  readonly since?: InService
  readonly secondaries: readonly SecondaryStatus[]
  /** Absent where there are no other PoPs. */
  readonly pops?: PopsStatus
  /** Absent where no AS paths are read. */
  readonly paths?: PathsStatus
  /** Absent where nothing is announced. */
  readonly anycast?: AnycastStatus
  /** `lastAt` is of the last reload that was tried. */
  readonly reload: { readonly lastAt?: number; readonly faults: readonly string[] }
  readonly queries: { readonly total: number; readonly perSecond: number; readonly counters: Readonly<Record<string, number>> }
}

export interface Status extends DaemonStatus {
  /** Edges in the order of nearcast.yaml, then regionals, shields, the demo origin, the daemon. */
  readonly members: readonly MemberStatus[]
  readonly targets: readonly TargetStatus[]
}

/** How one question is decided, in the order in which it is decided. */
export interface Explanation {
  /** `assume`: the health that was supposed. */
  readonly question: { readonly name: string; readonly type: string; readonly from: string; readonly assume?: string; readonly at?: string }
  readonly outcome: 'routed' | 'found' | 'nodata' | 'nxdomain' | 'delegation' | 'alias' | 'notours'
  /** The zone the name is in; absent when it is in none of ours. */
  readonly zone?: { readonly origin: string; readonly serial: number }
  /** Records met on the way, in zone-file form: the CNAMEs followed, the ROUTE found, the wildcard that matched. */
  readonly records: readonly string[]
  /** Where the client is, and who said so. Absent when the place has no say. */
  readonly place?: { readonly text: string; readonly prefix: string; readonly source: string }
  /** What is known of its network, and the prefix for which that holds. Absent when networks have no say. */
  readonly network?: { readonly text: string; readonly prefix: string }
  /** How far BIRD has the client from here. Absent where no AS paths are read or none leads there. */
  readonly path?: PathFound
  readonly policy?: string
  /** Everything in order, for people. */
  readonly steps: readonly Step[]
  /** In the order in which the policy takes them; empty for names without a policy. */
  readonly candidates: readonly Candidate[]
  readonly failOpen: boolean
  /** A target in question is suspect or down: the TTL is cut. */
  readonly unsettled: boolean
  /** With `at`: what of the answer is as of now, since when that has been in service, and whether it was at that time. */
  readonly asOfNow?: readonly { readonly text: string; readonly since?: number; readonly isSame: boolean }[]
  /** With `at`, where the policies were others then: wall times at which those came into service and left it. */
  readonly policiesOfThen?: { readonly since: number; readonly until: number }
  /** What the answerer itself said to this question. */
  readonly answer: {
    readonly rcode: string
    readonly authoritative: boolean
    readonly answers: readonly string[]
    readonly authorities: readonly string[]
    /** Smallest TTL of the answer section. */
    readonly ttl?: number
    /** The client prefix the answer holds for, such as 168.126.0.0/16; 0.0.0.0/0 holds for everybody. */
    readonly scope?: string
    /** What it said beside (RFC 8914), such as that every target was down. */
    readonly extendedError?: string
  }
}

/** Exactly one of a URL, a prefix that ends in `*` and, with `isTag`, a tag. */
export interface PurgeRequest {
  readonly what: string
  readonly isTag?: boolean
  readonly soft?: boolean
}

/** Which caches have it; `what` as they know it. */
export interface PurgeReply extends PurgeTold {
  readonly kind: PurgeOrder['kind']
  readonly what: string
}
