import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads'
import type { Logger } from '../../core/log.ts'
import type { Identity } from '../answer/index.ts'
import type { Lane } from '../serve/index.ts'
import type { WorldImage } from '../world.ts'
import type { ZoneChange } from '../zone/index.ts'
import type { Rules } from './rules.ts'

/** To and from the exchange thread. */
export type ToThread =
  | { readonly kind: 'lane'; readonly port: MessagePort; readonly waiting: Int32Array }
  | { readonly kind: 'world'; readonly number: number; readonly world: WorldImage; readonly changes: readonly ZoneChange[] }
  | { readonly kind: 'stop' }

export type FromThread =
  | { readonly kind: 'ready' }
  | { readonly kind: 'using'; readonly number: number }
  | { readonly kind: 'log'; readonly level: 'info' | 'warn' | 'error'; readonly text: string }

/** What the thread is started with. */
export interface ExchangeData {
  readonly rules: Rules
  readonly world: WorldImage
  readonly number: number
  /** What it says of itself to those who ask. */
  readonly hello: Identity
}

export interface ExchangeOptions {
  readonly rules: Rules
  readonly world: WorldImage
  /** What it says of itself to those who ask. */
  readonly hello: Identity
  readonly log: Logger
  /** It has died and is there again: threads that hand over need new lanes. */
  onRestart(): void
}

/** A thread that died is started again after this long, doubling up to the longest. */
const RESTART_MS = 100
const LONGEST_RESTART_MS = 5000

/** Owns the exchange thread. Ordinary answers never depend on it: while it is away, what would be handed over gets SERVFAIL. */
export class Exchange {
  readonly #options: Omit<ExchangeOptions, 'world'>
  #world: WorldImage
  #number = 0
  #worker: Worker
  #delay = RESTART_MS
  #isClosed = false
  #restart: NodeJS.Timeout | undefined
  readonly #waiting = new Set<{ number: number; resolve: () => void }>()

  constructor({ world, ...options }: ExchangeOptions) {
    this.#options = options
    this.#world = world
    this.#worker = this.#start()
  }

  /** A new way for one serving thread. */
  openLane(): Lane {
    const { port1, port2 } = new MessageChannel()
    const waiting = new Int32Array(new SharedArrayBuffer(4))
    this.#worker.postMessage({ kind: 'lane', port: port1, waiting } satisfies ToThread, [port1])
    return { port: port2, waiting }
  }

  /** Serves from another world. @param changes what has led to it, zone by zone, in their order */
  async use(world: WorldImage, changes: readonly ZoneChange[]): Promise<void> {
    this.#world = world
    const number = ++this.#number
    const used = new Promise<void>((resolve) => this.#waiting.add({ number, resolve }))
    this.#worker.postMessage({ kind: 'world', number, world, changes } satisfies ToThread)
    await used
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#restart)
    this.#settle(Infinity)
    await this.#worker.terminate()
  }

  #start(): Worker {
    const { rules, hello, log } = this.#options
    const data: ExchangeData = { rules, world: this.#world, number: this.#number, hello }
    const worker = new Worker(new URL('./thread.js', import.meta.url), { workerData: data, name: 'dns exchange' })
    worker.on('message', (message: FromThread) => {
      if (message.kind === 'log') log[message.level](message.text)
      else if (message.kind === 'using') this.#settle(message.number)
    })
    worker.on('error', (error) => log.error(`dns exchange died: ${error.stack ?? error.message}`))
    worker.on('exit', () => this.#onExit())
    return worker
  }

  #settle(number: number): void {
    for (const item of this.#waiting) if (item.number <= number && this.#waiting.delete(item)) item.resolve()
  }

  #onExit(): void {
    if (this.#isClosed) return
    const { log, onRestart } = this.#options
    // The next one begins with the newest world.
    this.#settle(Infinity)
    log.warn(`dns exchange ended; it is started again in ${this.#delay} ms`)
    this.#restart = setTimeout(() => {
      this.#worker = this.#start()
      onRestart()
    }, this.#delay)
    this.#delay = Math.min(LONGEST_RESTART_MS, this.#delay * 2)
  }
}
