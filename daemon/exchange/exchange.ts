import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads'
import { startThread, type EarlyPlan, type EarlyThread, type EarlyThreads } from '../../core/early-thread.ts'
import type { Logger } from '../../core/log.ts'
import type { Identity } from '../answer/index.ts'
import type { ChangedBy, ChangeReply, Loader } from '../control/index.ts'
import type { SecondaryStatus } from '../control/api.ts'
import type { Lane } from '../serve/index.ts'
import type { WorldImage } from '../world.ts'
import type { PackedRecords, ZoneChange, ZoneStep } from '../zone/index.ts'
import type { Rules } from './rules.ts'

/** To and from the exchange thread. */
export type ToThread =
  | { readonly kind: 'lane'; readonly port: MessagePort; readonly waiting: Int32Array }
  | { readonly kind: 'world'; readonly number: number; readonly world: WorldImage; readonly steps: readonly ZoneStep[]; readonly isRerouted: boolean }
  | { readonly kind: 'told'; readonly id: number; readonly reply: ChangeReply }
  | { readonly kind: 'begin' }
  | { readonly kind: 'refresh'; readonly zone: string; readonly isWhole: boolean }
  | { readonly kind: 'stop' }

export type FromThread =
  | { readonly kind: 'using'; readonly number: number }
  /** For the loader. */
  | ({ readonly kind: 'ask'; readonly id: number } & Asked)
  | { readonly kind: 'secondary'; readonly status: SecondaryStatus }
  | { readonly kind: 'log'; readonly level: 'info' | 'warn' | 'error'; readonly text: string }

/** What the loader is asked for: see its methods of these names. */
export type Asked =
  | { readonly what: 'change'; readonly change: ZoneChange; readonly by: ChangedBy }
  | { readonly what: 'replace'; readonly origin: Uint8Array; readonly records: PackedRecords }
  | { readonly what: 'expire'; readonly origin: Uint8Array }

/** What the thread is started with. */
export interface ExchangeData {
  readonly rules: Rules
  readonly world: WorldImage
  readonly number: number
  /** How the contents of the zones have come about, as far as it is known. */
  readonly steps: readonly ZoneStep[]
  /** Where to keep what is to last over a restart. */
  readonly stateFolder?: string | undefined
  /** What it says of itself to those who ask. */
  readonly hello: Identity
}

export interface ExchangeOptions {
  readonly rules: Rules
  readonly world: WorldImage
  readonly steps: readonly ZoneStep[]
  readonly loader: Pick<Loader, 'change' | 'replace' | 'expire'>
  /** Where to keep what is to last over a restart. */
  readonly stateFolder?: string | undefined
  /** What it says of itself to those who ask. */
  readonly hello: Identity
  readonly log: Logger
  /** One that lives for so long after a restart begins with a short delay again. */
  readonly calmMs?: number
  /** The module of the thread, when it is not the exchange's own. */
  readonly module?: URL
  /** Threads that were begun; as `exchangePlan` says, its own among them. */
  readonly early?: EarlyThreads
  /** It has died and is there again: threads that hand over need new lanes. */
  onRestart(): void
}

/** A thread that has not taken a world for this long hangs, and is ended. */
const HANGS_MS = 15_000
/** A thread that died is started again after this long, doubling up to the longest. */
const RESTART_MS = 100
const LONGEST_RESTART_MS = 5000
/** One that has lived for so long has nothing to do with how those before it died. */
const CALM_MS = 60_000

const THREAD = new URL('./thread.js', import.meta.url)
const NAME = 'dns exchange'

/** The exchange's thread, to be begun before there is a world for it. */
export const exchangePlan: EarlyPlan = { module: THREAD, name: NAME }

/** So long a thread that has only just begun is waited for at the end: to be ended while it loads native code would end the process. */
const LOADS_MS = 2000

/** Owns the exchange thread. Ordinary answers never depend on it: while it is away, what would be handed over gets SERVFAIL. */
export class Exchange {
  readonly #options: Omit<ExchangeOptions, 'world' | 'steps' | 'early'>
  #world: WorldImage
  #number = 0
  #worker: Worker
  /** Resolves when the thread that runs has loaded what it needs, or has ended. */
  #loaded: Promise<unknown> = Promise.resolve()
  #delay = RESTART_MS
  #isClosed = false
  #hasBegun = false
  #restart: NodeJS.Timeout | undefined
  #calm: NodeJS.Timeout | undefined
  readonly #secondaries = new Map<string, SecondaryStatus>()
  readonly #waiting = new Set<{ number: number; resolve: () => void }>()

  constructor({ world, steps, early, ...options }: ExchangeOptions) {
    this.#options = options
    this.#world = world
    this.#worker = this.#start(steps, early?.take(THREAD))
  }

  /** A new way for one serving thread. */
  openLane(): Lane {
    const { port1, port2 } = new MessageChannel()
    const waiting = new Int32Array(new SharedArrayBuffer(4))
    this.#worker.postMessage({ kind: 'lane', port: port1, waiting } satisfies ToThread, [port1])
    return { port: port2, waiting }
  }

  /** Serves from another world. @param steps what has led to it from the one before */
  async use(world: WorldImage, steps: readonly ZoneStep[]): Promise<void> {
    const isRerouted = world.routing !== this.#world.routing
    this.#world = world
    const number = ++this.#number
    const used = new Promise<void>((resolve) => this.#waiting.add({ number, resolve }))
    this.#worker.postMessage({ kind: 'world', number, world, steps, isRerouted } satisfies ToThread)
    const watch = setTimeout(() => {
      this.#options.log.error('dns exchange hangs: it is ended')
      void this.#worker.terminate()
    }, HANGS_MS)
    await used
    clearTimeout(watch)
  }

  /** The sockets are there: peers are notified from now on, for whoever is notified asks at once. */
  begin(): void {
    this.#hasBegun = true
    this.#worker.postMessage({ kind: 'begin' } satisfies ToThread)
  }

  /** How the secondary zones stand. */
  secondaries(): readonly SecondaryStatus[] {
    return [...this.#secondaries.values()].sort((a, b) => (a.zone < b.zone ? -1 : 1))
  }

  /** Asks the primaries of a zone now. False: it is no secondary zone. @param isWhole transfers it whole, whatever its serial */
  refresh(zone: string, isWhole: boolean): boolean {
    if (this.#options.rules.zones.get(zone)?.primaries === undefined) return false
    this.#worker.postMessage({ kind: 'refresh', zone, isWhole } satisfies ToThread)
    return true
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#restart)
    clearTimeout(this.#calm)
    this.#settle(Infinity)
    await Promise.race([this.#loaded, new Promise((resolve) => setTimeout(resolve, LOADS_MS).unref())])
    await this.#worker.terminate()
  }

  /** Without steps, histories begin anew. */
  #start(steps: readonly ZoneStep[] = [], early?: EarlyThread): Worker {
    const { rules, hello, stateFolder, log } = this.#options
    const data: ExchangeData = { rules, world: this.#world, number: this.#number, steps, stateFolder, hello }
    const worker = startThread(this.#options.module ?? THREAD, NAME, data, [], early)
    this.#loaded = new Promise((resolve) => worker.once('message', resolve).once('exit', resolve))
    worker.on('message', (message: FromThread) => {
      if (message.kind === 'log') log[message.level](message.text)
      else if (message.kind === 'using') this.#settle(message.number)
      else if (message.kind === 'secondary') this.#secondaries.set(message.status.zone, message.status)
      else if (message.kind === 'ask') void this.#ask(message).then((reply) => worker.postMessage({ kind: 'told', id: message.id, reply } satisfies ToThread))
    })
    worker.on('error', (error) => log.error(`dns exchange died: ${error.stack ?? error.message}`))
    worker.on('exit', () => this.#onExit())
    if (this.#hasBegun) worker.postMessage({ kind: 'begin' } satisfies ToThread)
    return worker
  }

  #ask(asked: Asked): Promise<ChangeReply> {
    const { loader } = this.#options
    switch (asked.what) {
      case 'change': return loader.change(asked.change, asked.by)
      case 'replace': return loader.replace(asked.origin, asked.records)
      case 'expire': return loader.expire(asked.origin)
    }
  }

  #settle(number: number): void {
    for (const item of this.#waiting) if (item.number <= number && this.#waiting.delete(item)) item.resolve()
  }

  #onExit(): void {
    if (this.#isClosed) return
    const { log, onRestart, calmMs = CALM_MS } = this.#options
    clearTimeout(this.#calm)
    // The next one begins with the newest world.
    this.#settle(Infinity)
    log.warn(`dns exchange ended; it is started again in ${this.#delay} ms`)
    this.#restart = setTimeout(() => {
      this.#worker = this.#start()
      this.#calm = setTimeout(() => (this.#delay = RESTART_MS), calmMs).unref()
      onRestart()
    }, this.#delay)
    this.#delay = Math.min(LONGEST_RESTART_MS, this.#delay * 2)
  }
}
