import { randomBytes } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import { formatDuration } from '../../core/quantity.ts'
import { makeTokens } from './tokens.ts'
import type { PopKey } from './keys.ts'
import { isSigned, NO_SESSION, peek, readMessage, roomFor, writeMessage, type Message, type Part } from './message.ts'
import { HeardState, type OwnState } from './states.ts'
import { ReplayWindow } from './window.ts'

// What is said between this PoP and one other, without its socket. Neither believes the other before it has named our session,
// which is of chance and new with each start: what was recorded in an earlier life proves nothing, and no clock is needed for
// that. A lease counts from when we sent what the other echoes, so that nothing that was held up on its way makes it longer.

/** Why a datagram was not taken. Each is counted. */
export type Refusal = 'noise' | 'version' | 'rate' | 'key' | 'signature' | 'malformed' | 'name' | 'clock' | 'replay' | 'full'

export interface LinkOptions {
  /** This PoP and the other one. */
  readonly own: string
  readonly name: string
  /** Of this life of the daemon; this link may take another, as after a start. */
  readonly session: string
  /** The first signs. */
  keys(): readonly PopKey[]
  readonly states: ReadonlyMap<number, { readonly state: OwnState; readonly leaseMs: number }>
  readonly clock: Clock
  /** How far the clocks may be apart. */
  readonly skewMs: number
  send(octets: Uint8Array): void
  /** Something of what was heard has changed, or came to be believed. */
  changed(): void
  /** Why something that might have been of worth was refused, for the log. */
  refused(reason: Refusal, line: string): void
}

/** Messages a second from whoever names our session, and from whoever does not; and how many at once. */
const KNOWN_RATE = { perSecond: 2000, burst: 2000 }
const STRANGE_RATE = { perSecond: 10, burst: 20 }
/** Who does not know our session is told it this often at most. */
const REPLY_EVERY_MS = 200
/** Messages on their way before they are acknowledged, and of those how many at once. */
const MOST_PARTS = 24
const LONGEST_LEASE_MS = 60_000
/** Lives that are remembered to have ended: more than fit into the time that clocks may be apart. */
const MOST_ENDED = 64
/** Round trips whose shortest tells the difference of the clocks. */
const SAMPLES = 16

/** What is known of the other in one of its lives. */
interface Life {
  readonly session: string
  readonly window: ReplayWindow
  readonly kinds: Map<number, Heard>
  /** Of ours, by kind. */
  readonly told: Map<number, Told>
  latest?: { readonly stamp: number; readonly time: number; readonly at: number }
}

/** How far our own state of one kind has got to the other. */
interface Told {
  /** Up to which version it has it, and up to which we have sent it. */
  acked: number
  sent: number
  /** Parts sent since all before them was acknowledged. */
  parts: number
}

interface Heard {
  readonly state: HeardState
  /** The version that must be here before any of it counts. */
  readonly whole: number
  /** The latest version that the other has told of. */
  latest: number
  freshUntil: number
}

export class PopLink {
  readonly #options: LinkOptions
  readonly #known
  readonly #strange
  /** Ours, as the other is to name it. */
  #session: string
  readonly #counts = new Map<Refusal, number>()
  #sequence = 0
  #life: Life | undefined
  /** Of a life before: it holds as long as its lease while the state of the new one comes in. */
  #before: Life | undefined
  /** Sessions of lives that have ended: whoever speaks in one of them is late, or repeats what was recorded. */
  #ended: string[] = []
  #repliedAt = Number.NEGATIVE_INFINITY
  #heardAt: number | undefined
  #samples: { readonly offset: number; readonly trip: number }[] = []
  /** Its clock was too far off when it last spoke. */
  #clockOff: number | undefined

  constructor(options: LinkOptions) {
    this.#options = options
    this.#session = options.session
    this.#known = makeTokens(KNOWN_RATE, options.clock)
    this.#strange = makeTokens(STRANGE_RATE, options.clock)
  }

  /** Takes a datagram from anybody. Never throws for what it holds. */
  receive(octets: Uint8Array): void {
    const head = peek(octets)
    if (head === undefined) return this.#refuse('noise')
    const { name, clock, skewMs } = this.#options
    const names = 'toSession' in head && head.toSession === this.#session
    if (!(names ? this.#known : this.#strange).take()) return this.#refuse('rate')
    if ('version' in head) return this.#refuse('version', `${name} speaks version ${head.version} of the protocol, which is not spoken here`)
    const key = this.#options.keys().find(({ id }) => id === head.keyId)
    if (key === undefined) return this.#refuse('key', `a message in the name of ${name} is signed with a key that is not in the key file`)
    if (!isSigned(octets, key)) return this.#refuse('signature', `a message in the name of ${name} has a wrong signature`)
    const message = readMessage(octets)
    if (message === undefined) return this.#refuse('malformed', `${name} sent what cannot be read`)
    if (message.from !== name || message.to !== this.#options.own) return this.#refuse('name', `where ${name} should be, ${message.from} speaks to ${message.to}`)
    const off = message.time - clock.now()
    if (Math.abs(off) > skewMs) {
      this.#clockOff = off
      return this.#refuse('clock', `the clock of ${name} is ${formatDuration(Math.abs(off))} ${off > 0 ? 'ahead of' : 'behind'} ours, and at most ${formatDuration(skewMs)} is allowed: what it says does not count`)
    }
    if (names) this.#take(message)
    else this.#greet(message)
  }

  /** Says that we are here, what we have and, where the other lacks something of ours, that. Called once a second. */
  tick(): void {
    const life = this.#life
    // What was not acknowledged by now is taken for lost.
    for (const told of life?.told.values() ?? []) Object.assign(told, { sent: told.acked, parts: 0 })
    if (!this.flush()) this.#say()
  }

  /** Sends what changed of ours, as far as there is room on the way; whether anything was. */
  flush(): boolean {
    const life = this.#life
    if (life === undefined) return false
    let any = false
    for (const [kind, { state }] of this.#options.states) {
      const told = life.told.get(kind) ?? { acked: 0, sent: 0, parts: 0 }
      life.told.set(kind, told)
      if (told.sent > 0 && told.sent < state.forgotten) return this.#beginAnew(life)
      if (told.parts >= MOST_PARTS) continue
      const parts = state.partsSince(kind, told.sent, roomFor(this.#options.own, this.#options.name, this.#options.states.size), MOST_PARTS - told.parts)
      for (const part of parts) this.#say(life.session, part)
      told.sent = parts.at(-1)?.to ?? told.sent
      told.parts += parts.length
      any ||= parts.length > 0
    }
    return any
  }

  /** The other has been away for longer than we remember what is gone of ours: in a new session it takes all of it as it is now. */
  #beginAnew(life: Life): boolean {
    this.#session = makeSession()
    life.told.clear()
    this.#say(life.session)
    return true
  }

  /** What the other says of one kind, when that is whole and still to be believed. */
  heard(kind: number): ReadonlyMap<string, Uint8Array> | undefined {
    const now = this.#options.clock.elapsed()
    for (const life of [this.#life, this.#before]) {
      const heard = life?.kinds.get(kind)
      if (heard !== undefined && heard.state.have >= heard.whole && now < heard.freshUntil) return heard.state.entries
    }
    return undefined
  }

  /** Whether the other has acknowledged all that is ours of one kind, and all that it had to say when it did so is here: what it says, it says knowing of ours. */
  isAbreast(kind: number): boolean {
    const life = this.#life
    const heard = life?.kinds.get(kind)
    return heard !== undefined && heard.state.have >= heard.latest && (life!.told.get(kind)?.acked ?? 0) >= this.#options.states.get(kind)!.state.version
  }

  /** When what is said of one kind ceases to be believed, on the steady clock. */
  freshUntil(kind: number): number {
    return Math.max(...[this.#life, this.#before].map((life) => life?.kinds.get(kind)?.freshUntil ?? 0))
  }

  /** Wall time of the last message that was taken, how its clock differs from ours (ahead: above 0), the round trip, and what was refused. */
  view(): { readonly heardAt?: number; readonly skewMs?: number; readonly roundTripMs?: number; readonly refused: Readonly<Partial<Record<Refusal, number>>> } {
    const best = this.#samples.toSorted((a, b) => a.trip - b.trip)[0]
    const skewMs = this.#clockOff ?? best?.offset
    return {
      ...(this.#heardAt !== undefined && { heardAt: this.#heardAt }), ...(skewMs !== undefined && { skewMs }), ...(best !== undefined && { roundTripMs: best.trip }),
      refused: Object.fromEntries(this.#counts)
    }
  }

  /** The other does not know our session yet, or ours of an earlier life: it is told, and nothing of what it says is taken. */
  #greet(message: Message): void {
    const now = this.#options.clock.elapsed()
    if (now - this.#repliedAt < REPLY_EVERY_MS) return
    this.#repliedAt = now
    this.#say(message.fromSession)
  }

  #take(message: Message): void {
    const { clock, changed } = this.#options
    const life = this.#lifeOf(message)
    if (life === undefined) return
    if (!life.window.take(message.sequence)) return this.#refuse('replay', `a message of ${this.#options.name} came in a second time`)
    const isNew = life !== this.#life
    if (isNew) {
      if (this.#life !== undefined) this.#ended = [...this.#ended.slice(-MOST_ENDED + 1), this.#life.session]
      this.#before = this.#life
      this.#life = life
      this.#samples = []
    }
    this.#heardAt = clock.now()
    this.#clockOff = undefined
    if (life.latest === undefined || message.stamp > life.latest.stamp) life.latest = { stamp: message.stamp, time: message.time, at: clock.elapsed() }
    const before = this.#whatCounts()
    const trouble = this.#learn(life, message)
    if (trouble) this.#refuse('full', `${this.#options.name} has more to say than there is room for`)
    if (this.#whatCounts() !== before) changed()
    // Who is new is told at once that it is known; who sent something, that it came in; who was silent, that it is heard.
    if (isNew || message.part !== undefined || clock.elapsed() >= this.#latestLease(life)) {
      if (!this.flush()) this.#say()
    } else this.flush()
  }

  #lifeOf({ fromSession }: Message): Life | undefined {
    if (this.#life?.session === fromSession) return this.#life
    if (fromSession === NO_SESSION || this.#ended.includes(fromSession)) return undefined
    return { session: fromSession, window: new ReplayWindow(), kinds: new Map(), told: new Map() }
  }

  #latestLease({ kinds }: Life): number {
    return Math.max(0, ...[...kinds.values()].map(({ freshUntil }) => freshUntil))
  }

  /** A text that changes whenever the answer of `heard` may have. */
  #whatCounts(): string {
    return [...this.#options.states.keys()].map((kind) => `${this.heard(kind) === undefined ? '-' : `${this.#life?.kinds.get(kind)?.state.have}`}`).join()
  }

  /** Takes acknowledgements, leases and state; true when there was no room for it. */
  #learn(life: Life, { kinds, echo, part, time }: Message): boolean {
    const { clock, states } = this.#options
    const now = clock.elapsed()
    const isEcho = echo !== undefined && echo.stamp <= now
    if (isEcho) this.#measure(echo, time)
    for (const { kind, version, leaseMs, have } of kinds) {
      const own = states.get(kind)
      if (own === undefined) continue
      const told = life.told.get(kind)
      if (told !== undefined && have > told.acked && have <= own.state.version) {
        told.acked = have
        if (have >= told.sent) Object.assign(told, { sent: have, parts: 0 })
      }
      const heard = life.kinds.get(kind) ?? { state: new HeardState(), whole: version, latest: version, freshUntil: 0 }
      life.kinds.set(kind, heard)
      heard.latest = Math.max(heard.latest, version)
      if (isEcho) heard.freshUntil = Math.max(heard.freshUntil, echo.stamp + Math.min(leaseMs, LONGEST_LEASE_MS))
    }
    const heard = part === undefined ? undefined : life.kinds.get(part.kind)
    return heard !== undefined && heard.state.take(part!) === 'full'
  }

  /** How far the other's clock is from ours, as NTP has it (RFC 5905 §8). */
  #measure(echo: { readonly time: number; readonly heldMs: number }, time: number): void {
    const now = this.#options.clock.now()
    const trip = now - echo.time - echo.heldMs
    if (trip < 0 || trip > LONGEST_LEASE_MS) return
    this.#samples = [...this.#samples.slice(1 - SAMPLES), { offset: (time - echo.heldMs - echo.time + time - now) / 2, trip }]
  }

  #say(toSession = this.#life?.session ?? NO_SESSION, part?: Part): void {
    const { own, name, clock, states, send } = this.#options
    const key = this.#options.keys()[0]
    if (key === undefined) return
    const life = this.#life?.session === toSession ? this.#life : undefined
    const kinds = [...states].map(([kind, { state, leaseMs }]) => ({ kind, version: state.version, leaseMs, have: life?.kinds.get(kind)?.state.have ?? 0 }))
    const latest = life?.latest
    send(writeMessage({
      from: own, to: name, toSession, fromSession: this.#session, sequence: ++this.#sequence, time: clock.now(), stamp: clock.elapsed(), kinds,
      ...(latest !== undefined && { echo: { stamp: latest.stamp, time: latest.time, heldMs: clock.elapsed() - latest.at } }), ...(part !== undefined && { part })
    }, key))
  }

  #refuse(reason: Refusal, line?: string): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1)
    if (line !== undefined) this.#options.refused(reason, line)
  }
}

/** The name of a life, of chance. */
export function makeSession(): string {
  const session = randomBytes(8).toString('hex')
  return session === NO_SESSION ? makeSession() : session
}
