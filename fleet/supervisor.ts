import type { FromProcess, Member, Role, Setup } from '../core/channel.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import { messageOf } from '../core/trouble.ts'
import { PurgeDesk } from './purges.ts'
import type { Post } from './roster.ts'
import { Worker } from './worker.ts'

export interface SupervisorOptions {
  readonly posts: readonly Post[]
  /** The compiled program of a role. */
  readonly program: (role: Role) => string
  readonly setupFor: (role: Role, name: string) => Setup
  readonly stateFolder: string
  readonly clock: Clock
  readonly log: Logger
}

const WATCH_EVERY_MS = 100
/** How long processes get to finish when the fleet ends. */
const END_WITHIN_MS = 900
/** The same when an operator stops one. */
const STOP_WITHIN_MS = 5000
/** What a rehearsal does to a process ends by itself after this long. */
const LONGEST_REHEARSAL_MS = 300_000
const DAEMON_HUNG_MS = 5000
const WORKER_HUNG_MS = 60_000

/** All processes of a fleet, from their start to their end; and what the daemon is told and asks about them. */
export class Supervisor {
  /** Settles once every process has been ready, or with the reason why one never will be. */
  readonly ready: Promise<string | undefined>
  readonly #clock: Clock
  readonly #log: Logger
  readonly #workers: readonly Worker[]
  readonly #purges: PurgeDesk
  /** Those that have not been ready yet. */
  readonly #waiting: Set<Worker>
  readonly #timers: readonly NodeJS.Timeout[]
  #settle: (trouble: string | undefined) => void = () => undefined
  /** The origins that are down, as the daemon last told. */
  #downOrigins: readonly string[] = []
  #ended: Promise<void> | undefined
  #allGone: () => void = () => undefined

  constructor({ posts, program, setupFor, stateFolder, clock, log }: SupervisorOptions) {
    this.#clock = clock
    this.#log = log
    this.ready = new Promise((resolve) => {
      this.#settle = resolve
    })
    const hooks = { clock, changed: (worker: Worker) => this.#changed(worker), heard: (worker: Worker, message: FromProcess) => this.#heard(worker, message) }
    this.#purges = new PurgeDesk(stateFolder, clock)
    this.#workers = posts.map((post) => {
      const killHungAfter = post.role === 'daemon' ? DAEMON_HUNG_MS : WORKER_HUNG_MS
      return new Worker({ post, setup: setupFor(post.role, post.name), purges: () => this.#purges.known, program: program(post.role), killHungAfter, ...hooks })
    })
    this.#waiting = new Set(this.#workers)
    this.#timers = [this.#watch(), setInterval(() => this.#everySecond(), 1000)]
    for (const worker of this.#workers) worker.start()
  }

  members(): Member[] {
    return this.#workers.map((worker) => worker.snapshot())
  }

  /** Ends every process: first asks, then kills. Resolves when the last is gone. */
  stop(): Promise<void> {
    if (this.#ended !== undefined) return this.#ended
    const ended = new Promise<void>((resolve) => {
      this.#allGone = resolve
    })
    this.#ended = ended
    for (const timer of this.#timers) clearInterval(timer)
    for (const worker of this.#workers) worker.stop(END_WITHIN_MS, 'the fleet ends')
    this.#whenGone()
    return ended
  }

  #whenGone(): void {
    if (!this.#workers.some(({ alive }) => alive)) this.#allGone()
  }

  #changed(worker: Worker): void {
    if (this.#ended !== undefined) {
      this.#whenGone()
      return
    }
    const { name, role, state, why, pid } = worker.snapshot()
    const level = state === 'failed' || state === 'hung' ? 'warn' : state === 'stopped' || why === 'heard again' ? 'info' : 'debug'
    this.#log[level]({ pid }, `${role === name ? '' : `${role} `}${name} ${state}: ${why}`)
    this.#tellDaemon()
  }

  #tellDaemon(): void {
    const members = this.members()
    for (const worker of this.#workers) if (worker.post.role === 'daemon') worker.send({ kind: 'fleet', members })
  }

  #heard(worker: Worker, message: FromProcess): void {
    if (message.kind === 'ready') {
      this.#waiting.delete(worker)
      if (this.#downOrigins.length > 0) this.#tellOrigins(worker)
      for (const note of message.notes ?? []) this.#log.info(note)
      if (this.#waiting.size === 0) this.#settle(undefined)
    } else if (message.kind === 'refused') {
      if (this.#waiting.has(worker)) this.#settle(`${worker.post.role} ${worker.post.name}: ${message.reason}`)
    } else if (message.kind === 'origins') {
      this.#downOrigins = message.down
      for (const each of this.#workers) this.#tellOrigins(each)
    } else if (message.kind === 'purged') {
      const again = this.#purges.confirm(worker, message)
      if (again !== undefined) this.#purges.purge(this.#workers, again).catch((error: unknown) => this.#log.error({ err: error }, 'a purge could not be told again'))
    } else if (message.kind === 'purge') {
      this.#purges.purge(this.#workers, message.order).then(
        (purged) => worker.send({ kind: 'reply', id: message.id, purged }),
        (error: unknown) => worker.send({ kind: 'reply', id: message.id, error: messageOf(error) })
      )
    } else if (message.kind === 'request') {
      const error = this.#ended === undefined ? obey(this.#workers, message) : 'the fleet is ending'
      worker.send(error === undefined ? { kind: 'reply', id: message.id } : { kind: 'reply', id: message.id, error })
    }
  }

  #tellOrigins(worker: Worker): void {
    const { role } = worker.post
    if (role !== 'daemon' && role !== 'origin') worker.send({ kind: 'origins', down: this.#downOrigins })
  }

  #everySecond(): void {
    for (const worker of this.#workers) worker.sample()
    this.#tellDaemon()
  }

  #watch(): NodeJS.Timeout {
    let last = this.#clock.elapsed()
    return setInterval(() => {
      const now = this.#clock.elapsed()
      // Held up itself (stopped, or the machine slept), the supervisor has heard nobody; their messages are read next.
      const late = now - last > 5 * WATCH_EVERY_MS
      last = now
      for (const worker of this.#workers) {
        if (late) worker.forgive()
        worker.watch()
      }
    }, WATCH_EVERY_MS)
  }
}

/** Does what the daemon was asked to have done; returns why not. */
function obey(workers: readonly Worker[], request: Extract<FromProcess, { kind: 'request' }>): string | undefined {
  const worker = workers.find(({ post }) => post.name === request.name && post.role !== 'origin') ?? workers.find(({ post }) => post.name === request.name)
  if (worker === undefined) return `there is no member ${request.name}`
  if (request.verb === 'start') worker.start('started by operator')
  else if (worker.post.role === 'daemon' && request.verb === 'stop') return 'the daemon is not stopped on its own: stop the fleet'
  else if (request.verb === 'stop') worker.stop(STOP_WITHIN_MS, 'stopped by operator', request.forMs)
  else if (!worker.alive) return `${request.name} does not run`
  else if (request.verb === 'kill') worker.kill(request.forMs)
  else if (request.verb === 'pause') worker.pause(request.forMs ?? LONGEST_REHEARSAL_MS)
  else if (request.injection === undefined) return 'there is nothing to inject'
  else worker.inject(request.injection, request.forMs ?? LONGEST_REHEARSAL_MS)
  return undefined
}
