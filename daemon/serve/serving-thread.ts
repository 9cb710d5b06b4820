import { Worker } from 'node:worker_threads'
import type { Logger } from '../../core/log.ts'
import { TRAFFIC, BEAT, type FromThread, type Listener, type ThreadData, type ToThread } from './types.ts'

/** A thread that died is started again after this long, doubling up to the longest. */
const RESTART_MS = 100
const LONGEST_RESTART_MS = 5000
/** A thread whose beat has not moved for this many looks, one a second, hangs. */
const LOOKS = 5

/** What does not change over the restarts of one thread. */
export interface ThreadPlan {
  readonly name: string
  readonly kind: ThreadData['kind']
  readonly listeners: readonly Listener[]
  readonly responder: ThreadData['responder']
  readonly tcp: ThreadData['tcp']
  readonly control: Int32Array
  /** The world to start with, as of now. */
  current(): { readonly world: unknown; readonly number: number }
  readonly log: Logger
}

export interface ServingThread {
  /** Resolves when it serves for the first time; rejects with `BindError` and others. */
  readonly ready: Promise<void>
  readonly traffic: Float64Array
  send(message: ToThread): void
  /** Resolves when it answers from world `number` or a later one. */
  using(number: number): Promise<void>
  /** Tells it to stop; resolves when it has ended, by force after `withinMs`. */
  close(withinMs: number): Promise<void>
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

/** Starts a thread and keeps it up: one that dies or hangs is started again, with the world of that moment. */
export function startThread(plan: ThreadPlan): ServingThread {
  const { log, name } = plan
  const traffic = new Float64Array(new SharedArrayBuffer(TRAFFIC.length * 8))
  const waiting = new Set<{ number: number; resolve: () => void }>()
  let worker: Worker
  let isClosing = false
  let delay = RESTART_MS
  let restart: NodeJS.Timeout | undefined
  let hasEnded: (() => void) | undefined
  let settleReady: { resolve: () => void; reject: (error: Error) => void } | undefined
  const ready = new Promise<void>((resolve, reject) => (settleReady = { resolve, reject }))

  const hear = (message: FromThread): void => {
    switch (message.kind) {
      case 'ready':
        settleReady?.resolve()
        settleReady = undefined
        return
      case 'using':
        delay = RESTART_MS
        for (const item of waiting) if (item.number <= message.number && waiting.delete(item)) item.resolve()
        return
      case 'refused':
        settleReady?.reject(new BindError(message.code, message.listener, message.reason))
        settleReady = undefined
        log.error(`${name}: ${message.reason}`)
        return
      case 'trouble':
        log.error(`${name}: ${message.reason}`)
    }
  }
  const start = (): void => {
    const { world, number } = plan.current()
    const data: ThreadData = { kind: plan.kind, listeners: plan.listeners, responder: plan.responder, tcp: plan.tcp, control: plan.control, traffic, world, worldNumber: number }
    worker = new Worker(new URL('./thread.js', import.meta.url), { workerData: data, name })
    worker.on('message', hear)
    worker.on('error', (error) => log.error(`${name} died: ${error.stack ?? error.message}`))
    worker.on('exit', () => {
      hasEnded?.()
      if (isClosing || settleReady !== undefined) {
        settleReady?.reject(new Error(`${name} ended before it served`))
        return
      }
      log.warn(`${name} ended; it is started again in ${delay} ms`)
      restart = setTimeout(start, delay)
      delay = Math.min(LONGEST_RESTART_MS, delay * 2)
    })
  }
  const watch = watchBeat(traffic, () => {
    log.error(`${name} hangs: it is ended`)
    void worker.terminate()
  })
  start()
  return {
    ready,
    traffic,
    send: (message) => worker.postMessage(message),
    using: (number) => new Promise((resolve) => waiting.add({ number, resolve })),
    close: async (withinMs) => {
      isClosing = true
      clearTimeout(restart)
      clearInterval(watch)
      const ended = new Promise<void>((resolve) => (hasEnded = resolve))
      if (worker.threadId === -1) return
      worker.postMessage({ kind: 'stop' } satisfies ToThread)
      Atomics.add(plan.control, 0, 1)
      const force = setTimeout(() => void worker.terminate(), withinMs)
      await ended
      clearTimeout(force)
    }
  }
}

function watchBeat(traffic: Float64Array, hangs: () => void): NodeJS.Timeout {
  let last = -1
  let still = 0
  const look = setInterval(() => {
    still = traffic[BEAT] === last ? still + 1 : 0
    last = traffic[BEAT]!
    if (still < LOOKS) return
    still = 0
    hangs()
  }, 1000)
  return look.unref()
}
