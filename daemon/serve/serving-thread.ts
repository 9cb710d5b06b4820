import type { Worker } from 'node:worker_threads'
import { startThread, type EarlyThread } from '../../core/early-thread.ts'
import type { Logger } from '../../core/log.ts'
import { ownLines } from '../../core/own-lines.ts'
import { TRAFFIC, BEAT, type FromThread, type Listener, type ThreadData, type ToThread, type Lane } from './types.ts'

/** A thread that died is started again after this long, doubling up to the longest. */
const RESTART_MS = 100
const LONGEST_RESTART_MS = 5000
/**
 * A thread that serves and whose beat has not moved for this many looks hangs. Many short looks rather than few long ones: on a machine
 * that has no time for anybody they come late too, and a thread that waits for its turn is not taken for one that hangs.
 */
const LOOK_MS = 250
const LOOKS = 20

/** The entry of a thread. */
export const THREAD = new URL('./thread.js', import.meta.url)

/** Descriptors are numbered below this, mostly. */
const MOST_DESCRIPTORS = 65536

/** What does not change over the restarts of one thread. */
export interface ThreadPlan {
  readonly name: string
  readonly kind: ThreadData['kind']
  readonly listeners: readonly Listener[]
  readonly responder: ThreadData['responder']
  readonly tcp: ThreadData['tcp']
  readonly gathers: boolean
  readonly control: Int32Array
  /** The world to start with, as of now. */
  current(): { readonly world: unknown; readonly number: number }
  /** A way to the exchange, where there is one. */
  openLane(): Lane | undefined
  /** One that waits to be begun, where there is one. */
  early(): EarlyThread | undefined
  readonly log: Logger
}

/** A listener that could not be bound. */
export class BindError extends Error {
  readonly code: string
  readonly listener: Listener
  constructor(code: string, listener: Listener, reason: string) {
    super(reason)
    this.code = code
    this.listener = listener
  }
}

/** A thread that is kept up: one that dies or hangs is started again, with the world of that moment. */
export class ServingThread {
  /** Resolves when it serves for the first time; rejects with a BindError and others. */
  readonly ready: Promise<void>
  readonly traffic = new Float64Array(...ownLines(TRAFFIC.length * 8), TRAFFIC.length)
  readonly #held = new Int32Array(new SharedArrayBuffer(MOST_DESCRIPTORS / 8))
  readonly #plan: ThreadPlan
  readonly #waiting = new Set<{ number: number; resolve: () => void }>()
  readonly #watch: NodeJS.Timeout
  #worker: Worker
  #isClosing = false
  /** It has begun to; before that it may take its time. */
  #serves = false
  #delay = RESTART_MS
  #restart: NodeJS.Timeout | undefined
  #hasEnded: (() => void) | undefined
  #settleReady: { resolve: () => void; reject: (error: Error) => void } | undefined

  constructor(plan: ThreadPlan) {
    this.#plan = plan
    this.ready = new Promise<void>((resolve, reject) => (this.#settleReady = { resolve, reject }))
    this.#watch = watchBeat(this.traffic, () => this.#serves, () => {
      plan.log.error(`${plan.name} hangs: it is ended`)
      this.#serves = false
      void this.#worker.terminate()
    })
    this.#worker = this.#start()
  }

  send(message: ToThread): void {
    this.#worker.postMessage(message)
  }

  /** Gives it a new way to the exchange. */
  relane(): void {
    const lane = this.#plan.openLane()
    if (lane !== undefined) this.#worker.postMessage({ kind: 'lane', lane } satisfies ToThread, [lane.port])
  }

  /** Resolves when it answers from world `number` or a later one. */
  using(number: number): Promise<void> {
    return new Promise((resolve) => this.#waiting.add({ number, resolve }))
  }

  /** Tells it to stop; resolves when it has ended, by force after `withinMs`. */
  async close(withinMs: number): Promise<void> {
    this.#isClosing = true
    clearTimeout(this.#restart)
    clearInterval(this.#watch)
    const ended = new Promise<void>((resolve) => (this.#hasEnded = resolve))
    if (this.#worker.threadId === -1) return
    this.send({ kind: 'stop' })
    Atomics.add(this.#plan.control, 0, 1)
    const force = setTimeout(() => void this.#worker.terminate(), withinMs)
    await ended
    clearTimeout(force)
  }

  #start(): Worker {
    const { kind, listeners, responder, tcp, gathers, control, name, log, current, openLane, early } = this.#plan
    const { world, number } = current()
    const lane = openLane()
    const data: ThreadData = { kind, held: this.#held, listeners, responder, tcp, gathers, control, traffic: this.traffic, world, worldNumber: number, ...(lane !== undefined && { lane }) }
    const worker = startThread(THREAD, name, data, lane === undefined ? [] : [lane.port], early())
    worker.on('message', (message: FromThread) => this.#hear(message))
    worker.on('error', (error) => log.error(`${name} died: ${error.stack ?? error.message}`))
    worker.on('exit', () => this.#onExit())
    return worker
  }

  #hear(message: FromThread): void {
    const { log, name } = this.#plan
    switch (message.kind) {
      case 'ready':
        this.#serves = true
        this.#settleReady?.resolve()
        this.#settleReady = undefined
        return
      case 'using':
        this.#delay = RESTART_MS
        for (const item of this.#waiting) if (item.number <= message.number && this.#waiting.delete(item)) item.resolve()
        return
      case 'refused':
        // Whoever waits for the first start says it; a later one is told here.
        if (this.#settleReady === undefined) log.error(`${name}: ${message.reason}`)
        this.#settleReady?.reject(new BindError(message.code, message.listener, message.reason))
        this.#settleReady = undefined
        return
      case 'trouble':
        log.error(`${name}: ${message.reason}`)
        return
      case 'notice':
        log.warn(`${name}: ${message.text}`)
    }
  }

  #onExit(): void {
    const { log, name } = this.#plan
    this.#hasEnded?.()
    this.#serves = false
    if (this.#isClosing || this.#settleReady !== undefined) {
      this.#settleReady?.reject(new Error(`${name} ended before it served`))
      return
    }
    log.warn(`${name} ended; it is started again in ${this.#delay} ms`)
    this.#restart = setTimeout(() => (this.#worker = this.#start()), this.#delay)
    this.#delay = Math.min(LONGEST_RESTART_MS, this.#delay * 2)
  }
}

function watchBeat(traffic: Float64Array, serves: () => boolean, hangs: () => void): NodeJS.Timeout {
  let last = -1
  let still = 0
  const look = setInterval(() => {
    still = serves() && traffic[BEAT] === last ? still + 1 : 0
    last = traffic[BEAT]!
    if (still < LOOKS) return
    still = 0
    hangs()
  }, LOOK_MS)
  return look.unref()
}
