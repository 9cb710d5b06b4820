import { constants } from 'node:os'
import type { Config } from './config.ts'
import { signalOnParentDeath } from './native.ts'
import type { Purge, PurgeOrder, PurgeTold } from './purge.ts'

// What the supervisor and its processes say to each other over the channel between them.

export type Role = 'daemon' | 'edge' | 'regional' | 'shield' | 'origin'

/** The ports in use, once chosen: what `auto` and a taken port came to. */
export interface Ports {
  readonly dns: number
  readonly http: number
  /** Present when HTTPS is configured. */
  readonly https?: number
  readonly admin: number
}

/** A file of keys: as the operator calls it, where it is (absolute), and its text at the start. Never logged. */
export interface KeyFile {
  readonly label: string
  readonly path: string
  readonly text: string
  /** Of TSIG keys: whoever signs with one of them may transfer every zone. */
  readonly mayTransferAll?: boolean
}

/** Everything a process is told at its start. It reads no environment and no arguments. */
export interface Setup {
  readonly role: Role
  readonly name: string
  readonly config: Config
  readonly ports: Ports
  /** Absolute paths. */
  readonly stateFolder: string
  readonly zonesFolder: string
  /** As the operator named them, for messages: `zones/`. */
  readonly zonesLabel: string
  /** Shared by the tiers of one fleet, 64 hexadecimal digits. Never logged. */
  readonly tierSecret: string
  /** Asked for by every call of the admin API. Never logged. The daemon alone gets it. */
  readonly adminToken?: string
  /** Files of keys, which have been checked. Never logged. The daemon alone gets them. */
  readonly keyFiles?: readonly KeyFile[]
  /** The file with the key that PoPs share, which has been checked. Never logged. The daemon alone gets it. */
  readonly popKeys?: KeyFile
  /** What was purged before it started. Workers alone get them. */
  readonly purges?: readonly Purge[]
  /** Log lines are read by a person (a terminal) rather than by a machine. */
  readonly readable: boolean
}

/** Totals since the process started. */
export interface Counters {
  requests: number
  hits: number
  /** Fetches sent to a parent or to the origin. */
  fetches: number
  errors: number
  bytesSent: number
  /** Octets held by the cache. */
  stored: number
  objects: number
}

/** How the supervisor sees one process. */
export interface Member {
  readonly name: string
  readonly role: Role
  readonly pid?: number
  /** `stopped` by an operator; `hung` has missed its heartbeats; `failed` waits for its next restart. */
  readonly state: 'starting' | 'running' | 'hung' | 'stopping' | 'stopped' | 'failed'
  /** Wall time of the last change of `state`, milliseconds. */
  readonly since: number
  /** Why it is in this state, in a few words: `exited with 1`, `killed by SIGKILL`. */
  readonly why: string
  readonly restarts: number
  readonly counters?: Counters
  /** What it goes on without: `its disk fails, memory alone takes in what is new: ENOSPC: …`. */
  readonly trouble?: string
  /** Over the last seconds. */
  readonly requestsPerSecond?: number
  /** Share of requests answered from its cache over the last minute, 0 to 1; absent without requests. */
  readonly hitRatio?: number
}

/** `stop` lets it finish what is under way; the others are rehearsals: `kill` is SIGKILL, `pause` SIGSTOP, `inject` makes it behave badly. `start` ends them all. */
export type FleetVerb = 'stop' | 'start' | 'kill' | 'pause' | 'inject'

/** What a rehearsal makes a worker do to every request, those of checks included: say nothing, wait (milliseconds), or answer with an error status. */
export type Injection = { readonly kind: 'silence' } | { readonly kind: 'delay'; readonly ms: number } | { readonly kind: 'error'; readonly status: number }

/** From the supervisor. `setup` is always the first. */
export type ToProcess =
  | { readonly kind: 'setup'; readonly setup: Setup }
  /** Finish what is under way within this long, then exit with 0. */
  | { readonly kind: 'stop'; readonly withinMs: number }
  /** To the daemon: all members, sent when a state changes and each second for the counters. */
  | { readonly kind: 'fleet'; readonly members: readonly Member[] }
  /** To a worker: the origins that are down by their checks. */
  | { readonly kind: 'origins'; readonly down: readonly string[] }
  /** To a worker or the demo origin; absent: it is well again. */
  | { readonly kind: 'inject'; readonly injection?: Injection }
  /** To a worker: from now on this is not to be answered; it says `purged`. */
  | { readonly kind: 'purge'; readonly purge: Purge }
  /** To the daemon: the answer to its request of the same id. */
  | { readonly kind: 'reply'; readonly id: number; readonly error?: string; readonly purged?: PurgeTold }

/** To the supervisor. */
export type FromProcess =
  /** Every listener is bound and the process serves. */
  | { readonly kind: 'ready'; readonly listening: readonly string[]; readonly notes?: readonly string[] }
  /** It cannot start, for a reason that a restart does not mend. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** Every HEARTBEAT_MS. */
  | { readonly kind: 'heartbeat'; readonly counters?: Counters; readonly trouble?: string }
  /** From the daemon, for the workers: the origins that are down by their checks. */
  | { readonly kind: 'origins'; readonly down: readonly string[] }
  /** From a worker: it has the purge of this number. */
  | { readonly kind: 'purged'; readonly number: number }
  /** From the daemon, for the admin API. */
  | { readonly kind: 'purge'; readonly id: number; readonly order: PurgeOrder }
  /** From the daemon, for the admin API. With `forMs` the supervisor undoes it by itself after that long. */
  | { readonly kind: 'request'; readonly id: number; readonly verb: FleetVerb; readonly name: string; readonly forMs?: number; readonly injection?: Injection }

export const HEARTBEAT_MS = 250
/** A process that has not been heard for this long hangs. */
export const HUNG_AFTER_MS = 750

/** The supervisor's end of the channel, as a process of the fleet sees it. */
export interface Channel {
  send(message: FromProcess): void
}

/** Told how the fleet is, from what was said last on. */
export type Hear = (members: readonly Member[]) => void

/**
 * Attaches this process to its supervisor: waits for `setup`, then sends heartbeats. When the supervisor is gone the process ends at once.
 * @param run starts the work; what it returns is told every later message. What it gives to `meanwhile` is told of the fleet until then
 * @param counters totals that go with every heartbeat; `trouble` likewise, what it goes on without, if there is something
 */
export function attach(run: (setup: Setup, channel: Channel, meanwhile: (hear: Hear) => void) => Promise<(message: ToProcess) => void>, counters?: () => Counters, trouble: () => string | undefined = () => undefined): void {
  const { send } = process
  if (send === undefined) throw new Error('this process is started by nearcast up')
  let last: readonly Member[] | undefined
  let hear: Hear | undefined
  const channel: Channel = {
    send: (message) => {
      if (process.connected) process.send!(message, undefined, undefined, () => undefined)
    }
  }
  const meanwhile = (told: Hear): void => {
    hear = told
    if (last !== undefined) told(last)
  }
  process.on('disconnect', () => process.exit(0))
  // A stopped process cannot notice the lost channel; and one whose supervisor is gone already has no channel left.
  signalOnParentDeath(constants.signals.SIGKILL)
  if (!process.connected) process.exit(0)
  // The terminal sends these to the whole group; the supervisor decides the order in which the fleet ends.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
  let handle: ((message: ToProcess) => void) | undefined
  const early: ToProcess[] = []
  process.on('message', (message: ToProcess) => {
    if (message.kind !== 'setup') {
      // Asked to end while it still comes up, it has nothing to finish.
      if (handle === undefined && message.kind === 'stop') process.exit(0)
      // What must not be missed is told when it is up.
      if (handle === undefined && message.kind === 'purge') early.push(message)
      if (handle === undefined && message.kind === 'fleet') {
        last = message.members
        hear?.(last)
      }
      handle?.(message)
      return
    }
    run(message.setup, channel, meanwhile).then(
      (listener) => {
        handle = listener
        for (const message of early.splice(0)) listener(message)
        const beat = (): void => {
          const why = trouble()
          channel.send({ kind: 'heartbeat', ...(counters !== undefined && { counters: counters() }), ...(why !== undefined && { trouble: why }) })
        }
        beat()
        setInterval(beat, HEARTBEAT_MS)
      },
      (error: unknown) => {
        channel.send({ kind: 'refused', reason: error instanceof Error ? error.message : String(error) })
        setTimeout(() => process.exit(1), 50)
      }
    )
  })
}
