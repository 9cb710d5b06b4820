import { join } from 'node:path'
import type { Anycast as Settings } from '../../core/config-anycast.ts'
import type { After, Clock } from '../../core/clock.ts'
import type { Config } from '../../core/config.ts'
import type { Logger } from '../../core/log.ts'
import { messageOf } from '../../core/trouble.ts'
import type { Channel } from '../pops/index.ts'
import { askOver } from './ask.ts'
import { decide, mayNotLeave, noHistory } from './decide.ts'
import { findOut, Streaks, type Asked, type OwnEdge } from './evidence.ts'
import { replaceFile } from './files.ts'
import { keyOfPrefix, readLease, unawareOf, writeLease } from './leases.ts'
import { openSpeaker } from './open-speaker.ts'
import { Pins } from './pins.ts'
import { rulesOf } from './rules.ts'
import type { Speaker } from './speaker.ts'
import { anycastState, deadmanFile, deadmanState, readState, stateFile, worseOf, type AnycastState, type DeadmanState } from './state.ts'
import type { AnycastStatus, PinRequest, PrefixStatus } from './status.ts'
import type { Finding, Intent, Lease, PrefixHistory, Rules } from './types.ts'

export interface AnycastOptions {
  readonly config: Config & { readonly anycast: Settings }
  readonly ports: { readonly dns: number; readonly http: number }
  readonly stateFolder: string
  /** Absent: there are no other PoPs. */
  readonly channel?: Pick<Channel, 'put' | 'heard' | 'isAbreast' | 'view' | 'whenChanged'> | undefined
  /** The edges that this PoP runs, as they are now. */
  edges(): readonly OwnEdge[]
  /** A zone that is served, by its name. */
  zone(): string | undefined
  /** Resolves when the first round of checks of edges is over. */
  settled(): Promise<void>
  /** Told of every change, for the journal. */
  changed?(prefix: string, intent: Intent): void
  readonly clock: Clock
  readonly after: After
  readonly log: Logger
}

interface Held {
  readonly name: string
  readonly prefix: string
  history: PrefixHistory
  finding: Finding
  leases: readonly Lease[]
  intent?: Intent
}

/** What the dead-man has written down is believed this long. */
const BELIEVED_MS = 5000

/** Decides what this PoP announces, has it announced, and tells the others. Owns timers and the speaker. */
export class Anycast {
  readonly #options: AnycastOptions
  readonly #rules: Rules
  readonly #speaker: Speaker
  readonly #pins: Pins
  readonly #streaks: Streaks
  readonly #held: readonly Held[]
  #hasSettled = false
  #isAsking = false
  #taken: number
  #deadman: DeadmanState | undefined
  #cancel = (): void => undefined
  #isClosed = false
  #saving: Promise<void> = Promise.resolve()
  /** Why the state could not be written when that was tried last. */
  #trouble: string | undefined

  constructor(options: AnycastOptions) {
    const { config, stateFolder, clock, log } = options
    this.#options = options
    this.#rules = rulesOf(config)
    this.#speaker = openSpeaker(config.anycast, options)
    this.#pins = new Pins(join(stateFolder, 'anycast-pins.json'), log)
    this.#streaks = new Streaks(config.anycast)
    const kept = readState(stateFile(stateFolder), anycastState)
    // Without what was kept there is nothing to go on from: what a dead-man did before is not taken for new.
    const done = readState(deadmanFile(stateFolder), deadmanState)
    this.#taken = kept?.taken ?? (done === undefined || done.isActing ? 0 : done.acts)
    this.#held = Object.entries(config.anycast.prefixes).map(([name, { prefix }]): Held => {
      const before = kept?.prefixes[name]
      return { name, prefix, history: before?.prefix === prefix ? before.history : noHistory(clock.now()), finding: { grade: 'unknown', why: [] }, leases: [] }
    })
    void options.settled().then(() => {
      this.#hasSettled = true
    })
    options.channel?.whenChanged(() => this.#decide(false))
    this.#beat()
  }

  status(): AnycastStatus {
    const { clock, config } = this.#options
    const now = clock.now()
    const prefixes = this.#held.map((held): PrefixStatus => {
      const { name, prefix, finding, leases, intent } = held
      const pin = this.#pins.get(name, now)
      return {
        name, prefix, addresses: config.anycast.prefixes[name]!.addresses, serves: config.anycast.prefixes[name]!.serves,
        state: intent?.state ?? held.history.state, since: held.history.since, reasons: intent?.reasons ?? [], alarms: intent?.alarms ?? [],
        grade: finding.grade, flaps: held.history.flaps, isSettled: intent?.isSettled ?? false,
        ...(intent?.holdUntil !== undefined && { holdUntil: intent.holdUntil }),
        ...(pin !== undefined && { pin }),
        ...withKept(mayNotLeave(leases, this.#heard(), this.#rules)),
        others: leases
      }
    })
    return { now, pop: this.#rules.pop, pops: { total: this.#rules.total, heard: this.#heard(), quorum: this.#rules.quorum }, minPops: this.#rules.minPops, maxWithdrawn: this.#rules.maxWithdrawn, prefixes, speaker: this.#speaker.view(), ...(this.#deadman !== undefined && { deadman: { pid: this.#deadman.pid, at: this.#deadman.at, isActing: this.#deadman.isActing, acts: this.#deadman.acts, why: this.#deadman.why, ...this.#unheard(this.#deadman) } }) }
  }

  /** Holds prefixes, all when none is named, or lets go of them. @returns which; or what is wrong with the name */
  async pin({ prefix, state, why, forMs, isForced }: PinRequest): Promise<readonly string[] | string> {
    const { clock, log } = this.#options
    const names = this.#held.filter((held) => prefix === undefined || held.name === prefix || held.prefix === prefix).map(({ name }) => name)
    if (names.length === 0) return `there is no prefix ${prefix}`
    const now = clock.now()
    await this.#pins.set(names, state === 'none' ? undefined : { state, why, since: now, ...(forMs !== undefined && { until: now + forMs }), ...(isForced === true && { isForced }) })
    log.info(`anycast: ${names.join(', ')} ${state === 'none' ? 'let go' : `${state === 'drain' ? 'to be drained' : `pinned ${state}`}: ${why}`}`)
    this.#decide(true)
    return names
  }

  /** Ends. What is announced stays: whoever starts next goes on from it, and else the dead-man ends it. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancel()
    this.#speaker.close()
    await this.#save(true)
  }

  /** Decides all prefixes anew from what is known. Without a beat nothing is looked at or written down that has not changed. */
  #decide(isBeat: boolean): void {
    if (this.#isClosed) return
    let isNew = isBeat
    const { config, clock, log, channel } = this.#options
    // Before anything is read: of a process that was stopped in between, what it had read would be judged by the time at which it goes on.
    const now = clock.now()
    this.#takeOver()
    const edges = this.#options.edges()
    const heard = this.#heard()
    for (const held of this.#held) {
      const row = config.anycast.prefixes[held.name]!
      held.finding = findOut(row, this.#streaks, edges, this.#hasSettled)
      held.leases = worseOf(this.#leasesOf(held.prefix), this.#deadmenOf(held.prefix, now))
      const before = held.intent
      const { intent, history } = decide({ finding: held.finding, leases: held.leases, heard, unaware: unawareOf(held.leases, before, channel), pin: this.#pins.get(held.name, now), history: held.history, now }, this.#rules)
      Object.assign(held, { intent, history })
      channel?.put('leases', keyOfPrefix(held.prefix), writeLease(intent))
      isNew ||= before?.state !== intent.state || before.isLeaving !== intent.isLeaving
      if (before?.state !== intent.state) {
        log[intent.state === 'announced' ? 'info' : 'warn']({ prefix: held.prefix, state: intent.state }, `anycast: ${held.prefix} ${intent.state}: ${intent.reasons.join('; ')}`)
        // After a start nothing has changed that is as it was.
        if (before !== undefined || intent.since === now) this.#options.changed?.(held.prefix, intent)
      }
      for (const alarm of intent.alarms) if (!(before?.alarms ?? []).includes(alarm)) log.error({ prefix: held.prefix }, `anycast: ${held.prefix} ${alarm}`)
    }
    if (!isNew) return
    void this.#speaker.carry(this.#held.map(({ prefix, history }) => ({ prefix, state: history.state })))
    void this.#save(false)
  }

  /** PoPs that are heard, and their dead-men are not: should all daemons die at once, each of these would take the others for well. */
  #unheard({ heard }: DeadmanState): { unheard?: readonly string[] } {
    const names = (this.#options.channel?.view() ?? []).flatMap(({ name, isFresh }) => (isFresh && !heard.includes(name) ? [name] : []))
    return names.length === 0 ? {} : { unheard: names }
  }

  #heard(): number {
    return 1 + (this.#options.channel?.view().filter(({ isFresh }) => isFresh).length ?? 0)
  }

  #leasesOf(prefix: string): Lease[] {
    const { channel } = this.#options
    return (channel?.view() ?? []).flatMap(({ name }) => {
      const octets = channel!.heard('leases', name)?.get(keyOfPrefix(prefix))
      return octets === undefined ? [] : (readLease(name, octets) ?? [])
    })
  }

  /** What the dead-men of other PoPs say of their daemons, as ours has heard. */
  #deadmenOf(prefix: string, now: number): readonly Lease[] {
    return this.#deadman === undefined || now - this.#deadman.at > BELIEVED_MS ? [] : (this.#deadman.leases[prefix] ?? [])
  }

  /** What the dead-man did while we were dead or hung counts as done. */
  #takeOver(): void {
    const { stateFolder, log } = this.#options
    const deadman = readState(deadmanFile(stateFolder), deadmanState)
    this.#deadman = deadman
    if (deadman === undefined || deadman.acts <= this.#taken) return
    this.#taken = deadman.acts
    this.#speaker.takeOver()
    for (const held of this.#held) {
      const done = deadman.prefixes[held.name]
      if (done?.prefix === held.prefix) held.history = { ...done.history, wellSince: undefined, servesSince: undefined, badSince: undefined }
    }
    log.warn(`anycast: the dead-man had taken over (${deadman.why}); it is decided here again`)
  }

  #beat(): void {
    if (this.#isClosed) return
    const { every } = this.#options.config.anycast
    this.#cancel = this.#options.after(every, () => this.#beat())
    if (this.#isAsking) this.#decide(true)
    else {
      this.#isAsking = true
      void this.#ask().finally(() => {
        this.#isAsking = false
        this.#decide(true)
      })
    }
  }

  async #ask(): Promise<void> {
    const { config, ports, after } = this.#options
    const { prefixes, timeout } = config.anycast
    const zone = config.anycast.ask ?? this.#options.zone()
    const addresses = new Set(Object.values(prefixes).filter(({ serves, needs }) => (needs.dns ?? (serves === 'dns' ? 'withdraw' : 'ignore')) !== 'ignore').flatMap((row) => row.addresses))
    const asked = [...addresses].flatMap((address) => (['udp', 'tcp'] as const).map(async (transport): Promise<Asked> => ({ address, transport, why: await askOver(transport, { address, port: ports.dns }, { zone, timeoutMs: timeout, after }) })))
    this.#streaks.take(await Promise.all(asked))
  }

  /** Writes down that we live, and what is known. */
  #save(hasEnded: boolean): Promise<void> {
    const { stateFolder, clock, log, config, ports } = this.#options
    const zone = config.anycast.ask ?? this.#options.zone()
    const state: AnycastState = {
      pid: process.pid, at: clock.now(), hasEnded, ports: { dns: ports.dns, http: ports.http }, taken: this.#taken, ...(zone !== undefined && { zone }),
      prefixes: Object.fromEntries(this.#held.map(({ name, prefix, history, intent, leases }) => [name, { prefix, history, isWell: intent?.isWell ?? false, isLeaving: intent?.isLeaving ?? false, leases: [...leases] }]))
    }
    this.#saving = this.#saving.then(() => replaceFile(stateFile(stateFolder), `${JSON.stringify(state)}\n`, { isLasting: false, mode: 0o600 })).then(
      () => {
        this.#trouble = undefined
      },
      (error: unknown) => {
        const trouble = `anycast: ${stateFile(stateFolder)} cannot be written: ${messageOf(error)}`
        // Once: a disk that is full is not filled further by saying so every second.
        if (this.#trouble !== trouble) log.error(trouble)
        this.#trouble = trouble
      }
    )
    return this.#saving
  }
}

const withKept = (kept: string | undefined): { kept?: string } => (kept === undefined ? {} : { kept })
