import { MessageChannel, Worker, type WorkerOptions } from 'node:worker_threads'
import type { Counters, Injection, Setup } from '../../core/channel.ts'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import type { Purge } from '../../core/purge.ts'
import { messageOf } from '../../core/trouble.ts'
import { mostFiles, reclaimBodies } from '../bodies/index.ts'
import { makePurges, type Purges } from '../purges.ts'
import { ledgerNames } from '../tiers/index.ts'
import type { RunningWorker } from '../running.ts'
import type { FromThread, ThreadData, ToThread } from './messages.ts'
import { changesIn, leaveMemory, makeMemory, type CrewMemory } from './shared.ts'

export interface CrewOptions {
  readonly setup: Setup
  readonly clock: Clock
  readonly log: Logger
  readonly workers: number
  /** Told when the last worker has ended unasked. */
  readonly failed: () => void
}

/** A worker that died is started again after this long, doubling up to the longest; one that served for a while failed by chance. */
const RESTART_MS = 100
const LONGEST_RESTART_MS = 5000
const HEALTHY_MS = 60_000
/** A worker that is not heard for so many looks hangs. Many short looks rather than few long ones: on a busy machine they come late too. */
const LOOK_MS = 250
const LOOKS = 20
/** How much longer than they were given workers may take to drain. */
const GRACE_MS = 250
const ENTRY = new URL('../thread.js', import.meta.url)

/** Starts an edge of several workers; throws, in words for the operator, when they cannot listen. */
export async function startCrew(options: CrewOptions): Promise<RunningCrew> {
  const lead = new Lead(options)
  try {
    await lead.ready
  } catch (error) {
    await lead.end()
    throw error
  }
  return lead
}

export interface RunningCrew extends RunningWorker {
  /** How many workers serve now. */
  readonly serving: number
  /** Ends one outright, as if it had failed. */
  kill(worker: number): void
}

interface Post {
  readonly number: number
  thread: Worker | undefined
  serves: boolean
  isDrained: boolean
  counters: Counters
  trouble: string | undefined
  silentLooks: number
  failures: number
  servingSince: number
  restart: NodeJS.Timeout | undefined
  /** How often anything was changed, as it has seen: as of the look before the last, for it may be gone since without being missed. */
  changesSeen: number
  changesLately: number
  /** What makes void all that it had on disk when it had missed something; also for those who are started in its place later. */
  voided: Purge | undefined
  /** Numbers of purges that it has not confirmed. */
  readonly awaited: Map<number, () => void>
}

const NOTHING: Counters = { requests: 0, hits: 0, fetches: 0, errors: 0, bytesSent: 0, stored: 0, objects: 0 }

/** The main thread of an edge that has several workers: it serves nobody. */
class Lead implements RunningCrew {
  readonly ready: Promise<void>
  listening: readonly string[] = []
  readonly #options: CrewOptions
  readonly #memory: CrewMemory
  readonly #purges: Purges
  readonly #posts: Post[]
  /** What those that are gone had counted. */
  #before = { ...NOTHING }
  #injection: Injection | undefined
  #down: readonly string[] = []
  #isEnding = false
  readonly #looks: NodeJS.Timeout
  #settle: { resolve: () => void; reject: (error: Error) => void } | undefined
  #drained: () => void = () => undefined

  constructor(options: CrewOptions) {
    const { workers, setup } = options
    this.#options = options
    this.#memory = makeMemory({ workers, clients: setup.config.http.clients, names: ledgerNames(setup.config), files: Math.floor(mostFiles() / workers) })
    this.#purges = makePurges(setup.purges ?? [])
    this.ready = new Promise((resolve, reject) => (this.#settle = { resolve, reject }))
    this.#posts = Array.from({ length: workers }, (_, number): Post => ({ number, thread: undefined, serves: false, isDrained: false, counters: NOTHING, trouble: undefined, silentLooks: 0, failures: 0, servingSince: 0, restart: undefined, changesSeen: 0, changesLately: 0, voided: undefined, awaited: new Map() }))
    for (const post of this.#posts) this.#start(post)
    this.#looks = setInterval(() => this.#look(), LOOK_MS)
  }

  get serving(): number {
    return this.#posts.filter(({ serves }) => serves).length
  }

  counters(): Counters {
    return this.#posts.reduce((sum, { counters }) => add(sum, counters), this.#before)
  }

  trouble(): string | undefined {
    return this.#posts.find(({ trouble }) => trouble !== undefined)?.trouble
  }

  inject(injection: Injection | undefined): void {
    this.#injection = injection
    this.#tellAll({ kind: 'inject', injection })
  }

  downOrigins(down: readonly string[]): void {
    this.#down = down
    this.#tellAll({ kind: 'origins', down })
  }

  /** Resolves when no worker answers with it any more. */
  async purge(purge: Purge): Promise<void> {
    this.#purges.add(purge)
    await Promise.all(this.#posts.map((post) => post.thread && new Promise<void>((resolve) => {
      post.awaited.set(purge.number, resolve)
      post.thread!.postMessage({ kind: 'purge', purge } satisfies ToThread)
    })))
  }

  kill(worker: number): void {
    void this.#posts[worker]?.thread?.terminate()
  }

  /** They all drain, each answering the others meanwhile; then all end. */
  async close(withinMs: number): Promise<void> {
    this.#isEnding = true
    const drained = new Promise<void>((resolve) => (this.#drained = resolve))
    this.#tellAll({ kind: 'drain', withinMs })
    this.#whenDrained()
    await Promise.race([drained, new Promise((resolve) => setTimeout(resolve, withinMs + GRACE_MS))])
    await this.end()
  }

  async end(): Promise<void> {
    this.#isEnding = true
    clearInterval(this.#looks)
    const gone = this.#posts.map(({ thread, restart }) => {
      clearTimeout(restart)
      return thread && new Promise<void>((resolve) => thread.once('exit', () => resolve()))
    })
    this.#tellAll({ kind: 'end' })
    await Promise.race([Promise.all(gone), new Promise((resolve) => setTimeout(resolve, GRACE_MS))])
    await Promise.all(this.#posts.map(({ thread }) => thread?.terminate()))
  }

  #tell({ thread }: Post, word: ToThread): void {
    thread?.postMessage(word)
  }

  #tellAll(word: ToThread): void {
    for (const post of this.#posts) this.#tell(post, word)
  }

  #start(post: Post): void {
    const { setup, workers } = this.#options
    this.#missed(post)
    const data: ThreadData = { setup: { ...setup, purges: [...this.#purges.all(), ...(post.voided === undefined ? [] : [post.voided])] }, place: { worker: post.number, workers, memory: this.#memory } }
    const thread = this.#spawn(post, { workerData: data, name: `${setup.name}.${post.number + 1}` })
    if (thread === undefined) return
    post.thread = thread
    post.silentLooks = 0
    thread.on('message', (word: FromThread) => this.#hear(post, word))
    thread.on('error', (error) => this.#options.log.error({ err: error }, `worker ${post.number + 1} failed`))
    thread.on('exit', () => this.#exited(post))
  }

  /** A thread; undefined where there is none to be had for now. */
  #spawn(post: Post, options: WorkerOptions): Worker | undefined {
    try {
      return new Worker(ENTRY, options)
    } catch (error) {
      if (this.#settle !== undefined) throw error
      post.failures++
      this.#startLater(post, `cannot be started: ${messageOf(error)}`)
      return undefined
    }
  }

  #hear(post: Post, word: FromThread): void {
    post.silentLooks = 0
    if (word.kind === 'beat') {
      post.counters = word.counters
      post.trouble = word.trouble
    } else if (word.kind === 'ready') this.#serves(post, word.listening)
    else if (word.kind === 'refused') this.#refused(post, word.reason)
    else if (word.kind === 'purged') {
      post.awaited.get(word.number)?.()
      post.awaited.delete(word.number)
    } else {
      post.isDrained = true
      this.#whenDrained()
    }
  }

  #serves(post: Post, listening: readonly string[]): void {
    post.serves = true
    for (const purge of this.#missed(post)) this.#tell(post, { kind: 'purge', purge })
    post.servingSince = this.#options.clock.elapsed()
    if (this.#injection !== undefined) this.#tell(post, { kind: 'inject', injection: this.#injection })
    if (this.#down.length > 0) this.#tell(post, { kind: 'origins', down: this.#down })
    for (const other of this.#posts) {
      if (other === post || !other.serves) continue
      const { port1, port2 } = new MessageChannel()
      post.thread!.postMessage({ kind: 'mate', worker: other.number, port: port1 } satisfies ToThread, [port1])
      other.thread!.postMessage({ kind: 'mate', worker: post.number, port: port2 } satisfies ToThread, [port2])
    }
    if (this.#settle === undefined) this.#options.log.info(`worker ${post.number + 1} serves again: ${this.serving} of ${this.#posts.length} serve`)
    if (this.serving < this.#posts.length) return
    this.listening = listening
    this.#settle?.resolve()
    this.#settle = undefined
  }

  /** It was not told to forget what was changed while it was away: then nothing that it may have on disk is answered. */
  #missed(post: Post): Purge[] {
    const changes = changesIn(this.#memory)
    if (changes === post.changesSeen) return []
    post.changesSeen = post.changesLately = changes
    const at = this.#options.clock.now()
    post.voided = { kind: 'all', what: '', soft: false, number: Math.max(this.#purges.last + 1, at), at }
    return [post.voided]
  }

  #refused(post: Post, reason: string): void {
    this.#options.log.error(`worker ${post.number + 1} cannot start: ${reason}`)
    this.#settle?.reject(new Error(reason))
    void post.thread?.terminate()
  }

  #exited(post: Post): void {
    const { clock, failed } = this.#options
    const { counters, serves } = post
    post.thread = undefined
    post.serves = false
    leaveMemory(this.#memory, post.number)
    reclaimBodies(this.#memory.bodies[post.number]!)
    this.#before = add(this.#before, { ...counters, stored: 0, objects: 0 })
    post.counters = NOTHING
    post.trouble = undefined
    for (const confirm of post.awaited.values()) confirm()
    post.awaited.clear()
    this.#whenDrained()
    if (this.#isEnding) return
    if (serves && this.serving === 0) return failed()
    post.failures = serves && clock.elapsed() - post.servingSince >= HEALTHY_MS ? 1 : post.failures + 1
    this.#startLater(post, 'ended')
  }

  #startLater(post: Post, how: string): void {
    const delay = Math.min(LONGEST_RESTART_MS, RESTART_MS * 2 ** (post.failures - 1))
    this.#options.log.warn(`worker ${post.number + 1} ${how}: ${this.serving} of ${this.#posts.length} serve, it is started again in ${delay} ms`)
    post.restart = setTimeout(() => this.#start(post), delay)
  }

  #look(): void {
    for (const post of this.#posts) {
      if (post.thread === undefined || !post.serves) continue
      post.changesSeen = post.changesLately
      post.changesLately = changesIn(this.#memory)
      if (++post.silentLooks < LOOKS) continue
      this.#options.log.warn(`worker ${post.number + 1} hangs`)
      void post.thread.terminate()
    }
  }

  #whenDrained(): void {
    if (this.#isEnding && this.#posts.every(({ thread, isDrained }) => thread === undefined || isDrained)) this.#drained()
  }
}

function add(one: Counters, other: Counters): Counters {
  const sum = { ...one }
  for (const name of Object.keys(sum) as (keyof Counters)[]) sum[name] += other[name]
  return sum
}
