import { fork, type ChildProcess } from 'node:child_process'
import { HUNG_AFTER_MS, type Counters, type FromProcess, type Injection, type Member, type Setup, type ToProcess } from '../core/channel.ts'
import type { Clock } from '../core/clock.ts'
import type { Purge } from '../core/purge.ts'
import { messageOf } from '../core/trouble.ts'
import { makeRates } from './rates.ts'
import type { Post } from './roster.ts'
import { isHanging, mainThread, type Thread } from './silence.ts'

export interface WorkerOptions {
  readonly post: Post
  readonly setup: Setup
  /** What was purged until now. */
  readonly purges: () => readonly Purge[]
  /** The compiled program to fork. */
  readonly program: string
  readonly clock: Clock
  /** A process that hangs for this long is killed, and so restarted. Milliseconds. */
  readonly killHungAfter: number
  /** Told after each change of state. */
  readonly changed: (worker: Worker) => void
  /** Told what the process says about the fleet: `ready`, `refused` and `request`. */
  readonly heard: (worker: Worker, message: FromProcess) => void
}

/** However busy the machine is. */
const HUNG_FOR_CERTAIN_MS = 5000
/** A process that is not ready after this long is killed, and so restarted. */
const READY_WITHIN_MS = 30_000
/** The first time it is started again at once: what failed once may have been killed, and nobody is served meanwhile. */
const FIRST_DELAY_MS = 50
const NEXT_DELAY_MS = 500
const LONGEST_DELAY_MS = 30_000
/** After this long without a failure the next one counts as the first. */
const HEALTHY_AFTER_MS = 60_000
/** How much longer than it was given a stopping process may take before it is killed. */
const GRACE_MS = 500

/** One process of the fleet: starts it, watches its heartbeats, and starts it again when it ends unasked. */
export class Worker {
  readonly post: Post
  readonly #options: WorkerOptions
  readonly #rates = makeRates()
  #child: ChildProcess | undefined
  #state: Member['state'] = 'stopped'
  #since: number
  #why = 'not started yet'
  #restarts = 0
  #failures = 0
  #counters: Counters | undefined
  #trouble: string | undefined
  /** All of these in milliseconds of the clock's `elapsed`. */
  #heardAt = 0
  /** What its main thread was like when the silence since `#heardAt` was first noticed. */
  #atFirst: Thread | undefined
  #runningAt: number | undefined
  #timer: NodeJS.Timeout | undefined
  #killTimer: NodeJS.Timeout | undefined
  /** Set while a pause or an injection lasts. */
  #undo: NodeJS.Timeout | undefined
  /** What the next exit is to be put down to, when the supervisor or the process itself knows. */
  #reason: string | undefined
  /** Delay before the next start, when it is not the growing one. */
  #restartAfter: number | undefined
  #startAfterStop = false

  constructor(options: WorkerOptions) {
    this.post = options.post
    this.#options = options
    this.#since = options.clock.now()
  }

  get state(): Member['state'] {
    return this.#state
  }

  /** Whether there is a process, in whatever state. */
  get alive(): boolean {
    return this.#child !== undefined
  }

  snapshot(): Member {
    const rate = this.#rates.requestsPerSecond()
    const ratio = this.#rates.hitRatio()
    const pid = this.#child?.pid
    return {
      name: this.post.name,
      role: this.post.role,
      state: this.#state,
      since: this.#since,
      why: this.#why,
      restarts: this.#restarts,
      ...(pid !== undefined && { pid }),
      ...(this.#counters !== undefined && { counters: this.#counters }),
      ...(this.#trouble !== undefined && { trouble: this.#trouble }),
      ...(rate !== undefined && { requestsPerSecond: rate }),
      ...(ratio !== undefined && { hitRatio: ratio })
    }
  }

  /** Starts the process now, whatever it was waiting for; one that is stopping is started again once it has ended. */
  start(why = 'started'): void {
    clearTimeout(this.#timer)
    this.#startAfterStop = this.#state === 'stopping'
    if (this.#undo !== undefined) this.#recover()
    if (this.#child !== undefined) return
    this.#reason = undefined
    this.#restartAfter = undefined
    this.#heardAt = this.#options.clock.elapsed()
    this.#runningAt = undefined
    const child = this.#fork()
    if (child === undefined) return
    this.#child = child
    child.on('message', (message: FromProcess) => this.#hear(message))
    // 'exit' follows unless the process could not be made at all.
    child.on('error', (error) => {
      if (child.pid === undefined) this.#ended(child, `cannot be started: ${error.message}`)
    })
    child.on('exit', (code, signal) => this.#ended(child, signal === null ? `exited with ${code}` : `killed by ${signal}`))
    const { setup, purges } = this.#options
    this.send({ kind: 'setup', setup: setup.role === 'daemon' || setup.role === 'origin' ? setup : { ...setup, purges: purges() } })
    this.#become('starting', why)
  }

  /** A process; undefined where the system has none to give, and it is tried again later. */
  #fork(): ChildProcess | undefined {
    try {
      return fork(this.#options.program, { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    } catch (error) {
      this.#again(`cannot be started: ${messageOf(error)}`)
      return undefined
    }
  }

  /**
   * Asks the process to finish within `withinMs`, and kills it when it has not.
   * @param forMs starts it again by itself after this long
   */
  stop(withinMs: number, why: string, forMs?: number): void {
    clearTimeout(this.#timer)
    this.#startAfterStop = false
    if (this.#child === undefined) this.#become('stopped', why)
    else {
      this.#reason = why
      if (this.#state !== 'stopping') this.#become('stopping', why)
      this.send({ kind: 'stop', withinMs })
      clearTimeout(this.#killTimer)
      this.#killTimer = setTimeout(() => this.#child?.kill('SIGKILL'), withinMs + GRACE_MS)
    }
    if (forMs !== undefined) this.#timer = setTimeout(() => this.start(), forMs)
  }

  /** Kills the process outright, without marking it stopped: it is started again after `forMs`, or after the growing delay. */
  kill(forMs?: number): void {
    if (forMs !== undefined) this.#restartAfter = forMs
    this.#child?.kill('SIGKILL')
  }

  /** Stops the process in its tracks (SIGSTOP); it goes on after `forMs`, or when it is started. */
  pause(forMs: number): void {
    this.#child?.kill('SIGSTOP')
    this.#undoAfter(forMs)
  }

  /** Makes the process fare badly with its requests, for `forMs` at most. */
  inject(injection: Injection, forMs: number): void {
    this.send({ kind: 'inject', injection })
    this.#undoAfter(forMs)
  }

  #undoAfter(forMs: number): void {
    clearTimeout(this.#undo)
    this.#undo = setTimeout(() => this.#recover(), forMs)
  }

  /** Ends what `pause` and `inject` began. */
  #recover(): void {
    clearTimeout(this.#undo)
    this.#undo = undefined
    this.#child?.kill('SIGCONT')
    this.send({ kind: 'inject' })
  }

  send(message: ToProcess): void {
    if (this.#child?.connected === true) this.#child.send(message, () => undefined)
  }

  /** Compares the last heartbeat with the time; called several times a second. */
  watch(): void {
    const silent = this.#options.clock.elapsed() - this.#heardAt
    if (this.#state === 'starting' && silent >= READY_WITHIN_MS) this.#end(`not ready after ${READY_WITHIN_MS / 1000} s`)
    if (this.#state === 'running' && silent >= HUNG_AFTER_MS && this.#isHanging(silent)) this.#become('hung', `no heartbeat for ${Math.round(silent)} ms`)
    if (this.#state === 'hung' && silent >= this.#options.killHungAfter) this.#end(`killed after hanging for ${Math.round(silent / 1000)} s`)
  }

  #isHanging(silent: number): boolean {
    const pid = this.#child?.pid
    const now = pid === undefined ? undefined : mainThread(pid)
    this.#atFirst ??= now
    return silent >= HUNG_FOR_CERTAIN_MS || isHanging(this.#atFirst, now)
  }

  /** What went unheard until now tells nothing: it was heard, or the supervisor itself was held up. */
  forgive(): void {
    this.#heardAt = this.#options.clock.elapsed()
    this.#atFirst = undefined
  }

  /** Once a second. */
  sample(): void {
    if (this.#counters !== undefined) this.#rates.sample(this.#counters)
  }

  #end(why: string): void {
    this.#reason = why
    this.#child?.kill('SIGKILL')
  }

  #hear(message: FromProcess): void {
    this.forgive()
    if (this.#state === 'hung') this.#become('running', 'heard again')
    if (message.kind === 'heartbeat') {
      if (message.counters !== undefined) this.#counters = message.counters
      this.#trouble = message.trouble
      return
    }
    if (message.kind === 'refused') this.#reason = message.reason
    if (message.kind === 'ready' && this.#state === 'starting') {
      this.#runningAt = this.#heardAt
      this.#become('running', 'ready')
    }
    this.#options.heard(this, message)
  }

  #ended(child: ChildProcess, how: string): void {
    if (this.#child !== child) return
    this.#child = undefined
    this.#counters = this.#trouble = undefined
    this.#rates.clear()
    clearTimeout(this.#killTimer)
    clearTimeout(this.#undo)
    this.#undo = undefined
    if (this.#state === 'stopping') {
      this.#become('stopped', this.#reason ?? how)
      if (this.#startAfterStop) this.start()
      return
    }
    this.#again(how)
  }

  /** Starts it again after a while. */
  #again(how: string): void {
    const healthy = this.#runningAt !== undefined && this.#options.clock.elapsed() - this.#runningAt >= HEALTHY_AFTER_MS
    if (healthy) this.#failures = 0
    const delay = this.#restartAfter ?? restartDelay(this.#failures)
    if (this.#restartAfter === undefined) this.#failures++
    this.#become('failed', this.#reason ?? how)
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#restarts++
      this.start('restarted')
    }, delay)
  }

  #become(state: Member['state'], why: string): void {
    this.#state = state
    this.#why = why
    this.#since = this.#options.clock.now()
    this.#options.changed(this)
  }
}

/** Milliseconds before the next start, given how many failures came before in a row. */
export function restartDelay(failures: number): number {
  return failures === 0 ? FIRST_DELAY_MS : Math.min(LONGEST_DELAY_MS, NEXT_DELAY_MS * 2 ** Math.min(failures - 1, 16))
}
