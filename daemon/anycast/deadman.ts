import type { Anycast as Settings } from '../../core/config-anycast.ts'
import { needsOf } from '../../core/config-anycast.ts'
import type { After, Clock } from '../../core/clock.ts'
import type { Config } from '../../core/config.ts'
import type { Logger } from '../../core/log.ts'
import { messageOf } from '../../core/trouble.ts'
import type { Channel } from '../pops/index.ts'
import { askHttp, askOver } from './ask.ts'
import { decide } from './decide.ts'
import { replaceFile } from './files.ts'
import { keyOfPrefix, readLease, unawareOf, writeLease } from './leases.ts'
import { judgeDaemon } from './deadman-judge.ts'
import { openSpeaker } from './open-speaker.ts'
import { rulesOf } from './rules.ts'
import type { Speaker } from './speaker.ts'
import { deadmanFile, deadmanState, readAnycastState, readState, worseOf, type AnycastState, type DeadmanState } from './state.ts'
import type { Finding, Intent, Lease, PrefixHistory, Rules } from './types.ts'

export interface DeadmanOptions {
  readonly config: Config & { readonly anycast: Settings }
  readonly stateFolder: string
  /** To the dead-men of the other PoPs; absent: there are none, or none can be heard. */
  readonly channel?: Pick<Channel, 'put' | 'heard' | 'isAbreast' | 'view' | 'whenChanged' | 'close'> | undefined
  /** Whether a process of this number runs. */
  isAlive(pid: number): boolean
  readonly clock: Clock
  readonly after: After
  readonly log: Logger
}

/** While it holds the announcements it looks this often. */
const ACTING_EVERY_MS = 100
/** What other PoPs said last is believed this long after the daemon wrote it down. */
const WRITTEN_BELIEVED_MS = 30_000
const WRITE_EVERY_MS = 1000

/** Its own announcements, while it holds them. */
interface Acting {
  readonly why: string
  readonly histories: Map<string, PrefixHistory>
  readonly intents: Map<string, Intent>
}

/**
 * Watches the daemon from a process of its own, and ends the announcements of one that is dead or hangs, by the same rules. It leaves
 * BIRD alone as long as the daemon lives. Owns timers, a channel and a speaker.
 */
export class Deadman {
  readonly #options: DeadmanOptions
  readonly #rules: Rules
  readonly #speaker: Speaker
  readonly #startedAt: number
  /** Why a listener did not answer when it was asked last; undefined: it did, or has not been asked. */
  readonly #silent = new Map<'udp' | 'tcp', string | undefined>()
  #turn: 'udp' | 'tcp' = 'udp'
  #asking = 0
  #acting: Acting | undefined
  #acts: number
  #why: string
  /** What was done last, by name of the prefix. */
  #done: DeadmanState['prefixes']
  #wroteAt = Number.NEGATIVE_INFINITY
  #writing: Promise<void> = Promise.resolve()
  /** Why its state could not be written when that was tried last. */
  #trouble: string | undefined
  #cancel = (): void => undefined
  #isClosed = false
  #isEnding = false

  constructor(options: DeadmanOptions) {
    this.#options = options
    this.#rules = rulesOf(options.config)
    this.#speaker = openSpeaker(options.config.anycast, options)
    this.#startedAt = options.clock.now()
    // What one before us did stays to be read until the daemon has.
    const { acts = 0, why = '', prefixes = {} } = readState(deadmanFile(options.stateFolder), deadmanState) ?? {}
    this.#acts = acts
    this.#why = why
    this.#done = prefixes
    options.channel?.whenChanged(() => this.#look())
    this.#beat()
  }

  /** It holds the announcements, for the daemon does not. */
  get isActing(): boolean {
    return this.#acting !== undefined
  }

  /** Nothing it holds is on its way any more. */
  get #isDone(): boolean {
    return this.#acting !== undefined && [...this.#acting.intents.values()].every(({ state, alarms }) => state === 'withdrawn' || alarms.length > 0)
  }

  /** Nothing is announced any more. */
  get isWithdrawn(): boolean {
    return this.#acting !== undefined && [...this.#acting.intents.values()].every(({ state }) => state === 'withdrawn')
  }

  /** The fleet was killed: with the daemon its edges are gone, and what stands for them goes too. */
  loseFleet(): void {
    this.#isEnding = true
  }

  /** Ends. Where there is no daemon any more, what is announced is withdrawn first, or demoted where it may not be. Resolves when that is done, within `withinMs`. */
  async end(withinMs: number): Promise<void> {
    const { clock, after } = this.#options
    this.#isEnding = true
    const until = clock.elapsed() + withinMs
    const pause = (): Promise<void> => new Promise((resolve) => void after(ACTING_EVERY_MS / 2, resolve))
    this.#look()
    while (this.#acting !== undefined && !this.#isDone && clock.elapsed() < until) {
      await pause()
      this.#look()
    }
    if (this.#acting !== undefined) await Promise.race([this.#speaker.look(), pause().then(pause).then(pause)])
    this.close()
  }

  close(): void {
    this.#isClosed = true
    this.#cancel()
    this.#speaker.close()
    this.#options.channel?.close()
  }

  #beat(): void {
    if (this.#isClosed) return
    const { after, config } = this.#options
    this.#cancel = after(this.#acting === undefined ? config.anycast.every / 2 : ACTING_EVERY_MS, () => this.#beat())
    // Each transport is asked once in `every`.
    if (this.#acting === undefined || this.#asking === 0) void this.#ask()
    this.#look()
  }

  async #ask(): Promise<void> {
    const state = this.#state()
    if (state === undefined) return
    const one = this.#turn
    const other = one === 'udp' ? 'tcp' : 'udp'
    this.#turn = other
    this.#asking++
    const why = await this.#askOver(one, state)
    // Refused at once, the other one need not wait for its turn.
    if (why === 'refused' && this.#silent.get(other) === undefined) await this.#askOver(other, state)
    this.#asking--
    this.#look()
  }

  async #askOver(transport: 'udp' | 'tcp', { zone, ports }: AnycastState): Promise<string | undefined> {
    const { config, after } = this.#options
    const { prefixes, timeout } = config.anycast
    const rows = Object.values(prefixes)
    const addresses = rows.filter(({ serves }) => serves === 'dns').flatMap((row) => row.addresses)
    // Where edges alone are announced, their service addresses are asked, and any answer will do.
    const asks = addresses.length > 0 ? addresses.map((address) => askOver(transport, { address, port: ports.dns }, { zone, timeoutMs: timeout, after })) : rows.flatMap((row) => row.addresses).map((address) => askHttp({ address, port: ports.http }, { timeoutMs: timeout, after }))
    const answers = await Promise.all(asks)
    // One that answers is enough: for less the daemon itself decides.
    const why = answers.includes(undefined) ? undefined : answers[0]
    this.#silent.set(transport, why)
    return why
  }

  #state(): AnycastState | undefined {
    return readAnycastState(this.#options.stateFolder)
  }

  /** Looks whether the daemon lives, and does what follows. */
  #look(): void {
    if (this.#isClosed) return
    const { clock, isAlive, config, log } = this.#options
    const state = this.#state()
    if (state === undefined) return
    const now = clock.now()
    const listeners = this.#silent.get('udp') === undefined || this.#silent.get('tcp') === undefined ? undefined : `DNS: ${this.#silent.get('udp')}`
    const verdict = judgeDaemon({ state, isThere: isAlive(state.pid), listeners, startedAt: this.#startedAt, now, isEnding: this.#isEnding }, { everyMs: config.anycast.every, restartMs: config.anycast['restart-within'] })
    if (verdict.is === 'dead' && this.#acting === undefined) {
      const histories = this.#historiesOf(state)
      // Its own count may have been deleted.
      this.#acts = Math.max(this.#acts, state.taken) + 1
      this.#why = verdict.why
      this.#acting = { why: verdict.why, histories, intents: new Map() }
      this.#speaker.takeOver()
      this.#wroteAt = Number.NEGATIVE_INFINITY
      log[this.#isEnding ? 'warn' : 'error'](`dead-man: ${verdict.why}: the announcements are in my hands`)
    } else if (verdict.is === 'alive' && this.#acting !== undefined) {
      this.#acting = undefined
      this.#wroteAt = Number.NEGATIVE_INFINITY
      log.warn('dead-man: the daemon is back: the announcements are in its hands')
    }
    if (this.#acting === undefined && state.taken >= this.#acts) this.#repeat(state, verdict.is === 'alive')
    else if (this.#acting !== undefined) this.#act(this.#acting, state, now)
    this.#write(now)
  }

  /** What to go on from: what the daemon has written down, or where it has not taken over yet what was done here, that. Else what hangs again at once would be announced again. */
  #historiesOf({ prefixes, taken }: AnycastState): Map<string, PrefixHistory> {
    return new Map(Object.entries(prefixes).map(([name, { prefix, history }]) => {
      const done = taken < this.#acts ? this.#done[name] : undefined
      return [name, done?.prefix === prefix ? done.history : history]
    }))
  }

  /** The daemon decides: the other dead-men are told what it decided. */
  #repeat({ prefixes }: AnycastState, isAlive: boolean): void {
    for (const { prefix, history, isWell, isLeaving } of Object.values(prefixes)) this.#options.channel?.put('leases', keyOfPrefix(prefix), writeLease({ state: history.state, isWell: isWell && isAlive, isLeaving }))
  }

  #act(acting: Acting, state: AnycastState, now: number): void {
    const { config, channel, log } = this.#options
    const others = new Set(Object.values(state.prefixes).flatMap(({ leases }) => leases.map(({ pop }) => pop)))
    const view = channel?.view() ?? []
    for (const { name, isFresh } of view) if (isFresh) others.add(name)
    const isBelieved = now - state.at <= WRITTEN_BELIEVED_MS
    // Of whom was heard a moment ago nothing else is believed: it may be held up, or about to withdraw itself.
    const hasSpoken = new Set(view.flatMap(({ name, heardAt }) => (heardAt !== undefined && now - heardAt <= WRITTEN_BELIEVED_MS ? [name] : [])))
    // Of a configuration that is newer than ours the daemon has prefixes that are not known here: they leave by the same rules.
    const prefixes = Object.entries(state.prefixes)
    for (const [name, { prefix, leases: said }] of prefixes) {
      const before = acting.histories.get(name)
      if (before === undefined) continue
      const row = config.anycast.prefixes[name]
      const finding = this.#find(row?.prefix === prefix && needsOf(row, 0).dns === 'ignore' && row.serves === 'edges', acting.why)
      const live = this.#heardOf(prefix)
      const written = isBelieved ? said.filter(({ pop }) => !hasSpoken.has(pop) || live.some((lease) => lease.pop === pop)) : []
      const leases = [...worseOf(live, written), ...written.filter(({ pop }) => !live.some((lease) => lease.pop === pop))]
      const told = acting.intents.get(name)
      const { intent, history } = decide({ finding, leases, heard: 1 + (isBelieved ? others.size : live.length), unaware: unawareOf(live, told, channel), history: before, now }, this.#rules)
      if (told?.state !== intent.state) log.warn({ prefix, state: intent.state }, `dead-man: ${prefix} ${intent.state}: ${intent.reasons.join('; ')}`)
      for (const alarm of intent.alarms) if (!(told?.alarms ?? []).includes(alarm)) log.error({ prefix }, `dead-man: ${prefix} ${alarm}`)
      if (told?.state !== intent.state) this.#wroteAt = Number.NEGATIVE_INFINITY
      acting.intents.set(name, intent)
      // Who ended as asked to has not flapped.
      acting.histories.set(name, state.hasEnded ? { ...history, flaps: before.flaps, flappedAt: before.flappedAt, hasFallen: before.hasFallen } : history)
      channel?.put('leases', keyOfPrefix(prefix), writeLease(intent))
    }
    const held = prefixes.flatMap(([name, { prefix }]) => {
      const history = acting.histories.get(name)
      return history === undefined ? [] : [{ name, prefix, history }]
    })
    this.#done = Object.fromEntries(held.map(({ name, prefix, history }) => [name, { prefix, history }]))
    void this.#speaker.carry(held.map(({ prefix, history: { state } }) => ({ prefix, state })))
  }

  /** Without the daemon nobody knows how its edges are; they end with the fleet. */
  #find(isOfEdges: boolean, why: string): Finding {
    const { prefixes } = this.#options.config.anycast
    const hasDns = Object.values(prefixes).some(({ serves }) => serves === 'dns')
    return isOfEdges && hasDns && !this.#isEnding ? { grade: 'unknown', why: [] } : { grade: 'bad', why: [why] }
  }

  #heardOf(prefix: string): Lease[] {
    const { channel } = this.#options
    return (channel?.view() ?? []).flatMap(({ name }) => {
      const octets = channel!.heard('leases', name)?.get(keyOfPrefix(prefix))
      return octets === undefined ? [] : (readLease(name, octets) ?? [])
    })
  }

  /** For the daemon: that somebody watches, what was done, and what other dead-men say. */
  #write(now: number): void {
    const { stateFolder, config, clock, log } = this.#options
    if (clock.elapsed() - this.#wroteAt < WRITE_EVERY_MS) return
    this.#wroteAt = clock.elapsed()
    const prefixes = Object.entries(config.anycast.prefixes)
    const state: DeadmanState = {
      pid: process.pid, at: now, acts: this.#acts, isActing: this.#acting !== undefined, why: this.#why,
      heard: (this.#options.channel?.view() ?? []).flatMap(({ name, isFresh }) => (isFresh ? [name] : [])),
      prefixes: this.#done,
      leases: Object.fromEntries(prefixes.map(([, { prefix }]) => [prefix, this.#heardOf(prefix)]))
    }
    this.#writing = this.#writing.then(() => replaceFile(deadmanFile(stateFolder), `${JSON.stringify(state)}\n`, { isLasting: false, mode: 0o600 })).then(
      () => {
        this.#trouble = undefined
      },
      (error: unknown) => {
        if (this.#trouble !== messageOf(error)) log.error(`dead-man: ${messageOf(error)}`)
        this.#trouble = messageOf(error)
      }
    )
  }
}
