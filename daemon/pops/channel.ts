import type { After, Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { makeQuiet } from '../../core/quiet.ts'
import { payAttention } from './attention.ts'
import type { PopKey } from './keys.ts'
import { makeSession, PopLink, type Refusal } from './link.ts'
import { PopSocket } from './socket.ts'
import { OwnState } from './states.ts'

/** What PoPs tell each other, by kind; a number stands for it in messages and is never given away again. */
export const KINDS = { verdicts: 1, forces: 2, leases: 4, paths: 5 } as const
export type Kind = keyof typeof KINDS

/** The same lease for every kind. */
export const leasesOf = (milliseconds: number): Readonly<Record<Kind, number>> => Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, milliseconds])) as Record<Kind, number>

export interface ChannelOptions {
  readonly name: string
  /** Addresses of this PoP, one of a family, and its port. */
  readonly listen: readonly string[]
  readonly port: number
  readonly others: Readonly<Record<string, { readonly address: string; readonly port: number }>>
  /** The first signs, all are accepted. */
  keys(): readonly PopKey[]
  /** How long what is said of each kind is to be believed. */
  readonly leases: Readonly<Record<Kind, number>>
  readonly skewMs: number
  readonly clock: Clock
  readonly after: After
  readonly log: Logger
}

/** How another PoP stands with us. */
export interface PopView {
  readonly name: string
  readonly address: string
  readonly port: number
  /** What it says is believed: it is heard, and hears us. */
  readonly isFresh: boolean
  /** Since when it is so, wall time. */
  readonly since: number
  readonly heardAt?: number
  /** How far its clock is ahead of ours (behind: below 0), and how long a message takes there and back. */
  readonly skewMs?: number
  readonly roundTripMs?: number
  /** Messages from its address that were not taken, by reason. */
  readonly refused: Readonly<Partial<Record<Refusal, number>>>
}

/** Between this PoP and all others: each kind of state that it puts is told to all, and what all others say is here while it is fresh. */
export interface Channel {
  /** Sets an entry of our own, an empty value takes it away; others are told within a few milliseconds. */
  put(kind: Kind, key: string, value: Uint8Array): void
  /** What a PoP says of one kind; undefined while it is not to be believed. */
  heard(kind: Kind, pop: string): ReadonlyMap<string, Uint8Array> | undefined
  /** Whether what a PoP says of one kind was said knowing all that is ours of it. */
  isAbreast(kind: Kind, pop: string): boolean
  view(): readonly PopView[]
  /** Each listener is called, soon after, whenever `heard` or whether a PoP is fresh has changed. */
  whenChanged(listener: () => void): void
  close(): void
}

const EVERY_MS = 1000
/** Of a time in which this daemon itself was held up so much is not counted as silence of others. */
const FORGIVEN_MS = 10_000
/** Changes that come together are told together. */
const GATHER_MS = 20

/** One other PoP, and whether it was fresh when we last looked. */
interface Other {
  readonly link: PopLink
  readonly socket: PopSocket
  isFresh: boolean
  since: number
}

/** Opens the channel. Rejects with one line when an address cannot be used. */
export async function openChannel(options: ChannelOptions): Promise<Channel> {
  const { clock, after, log } = options
  const states = new Map(Object.entries(KINDS).map(([name, kind]) => [kind as number, { state: new OwnState(), leaseMs: options.leases[name as Kind] }]))
  const session = makeSession()
  const others = new Map<string, Other>()
  const listeners: (() => void)[] = []
  const tell = (): void => {
    for (const listener of listeners) listener()
  }
  const soon = makeGathered(after, () => {
    look()
    tell()
  })
  const flush = makeGathered(after, () => {
    for (const { link } of others.values()) link.flush()
  })
  const look = (): boolean => {
    let any = false
    for (const [name, other] of others) {
      const isFresh = other.link.heard(KINDS.verdicts) !== undefined
      if (isFresh === other.isFresh) continue
      any = true
      Object.assign(other, { isFresh, since: clock.now() })
      if (isFresh) log.info({ pop: name }, `PoP ${name} is heard`)
      else log.warn({ pop: name }, `PoP ${name} is not heard any more: what it said does not count`)
    }
    return any
  }
  const sockets = await openSockets(options)
  const attention = payAttention({ clock, after, mostMs: FORGIVEN_MS })
  const heeded: Clock = { now: () => clock.now(), elapsed: attention.elapsed }
  for (const [name, socket] of sockets) {
    const quiet = makeQuiet((line) => log.warn({ pop: name }, line), clock)
    const link = new PopLink({ own: options.name, name, session, keys: options.keys, states, clock: heeded, skewMs: options.skewMs, send: (octets) => socket.send(octets), changed: soon, refused: (_, line) => quiet(line) })
    socket.whenReceived((octets) => link.receive(octets))
    others.set(name, { link, socket, isFresh: false, since: clock.now() })
  }
  const beat = (): void => {
    cancelBeat = after(EVERY_MS, beat)
    for (const { link } of others.values()) link.tick()
    if (look()) tell()
  }
  let cancelBeat = (): void => undefined
  beat()
  return {
    put: (kind, key, value) => {
      if (states.get(KINDS[kind])!.state.put(key, value)) flush()
    },
    heard: (kind, pop) => others.get(pop)?.link.heard(KINDS[kind]),
    isAbreast: (kind, pop) => others.get(pop)?.link.isAbreast(KINDS[kind]) ?? false,
    view: () => [...others].map(([name, { link, isFresh, since }]) => ({ name, ...options.others[name]!, isFresh, since, ...link.view() })),
    whenChanged: (listener) => void listeners.push(listener),
    close: () => {
      cancelBeat()
      attention.close()
      soon.cancel()
      flush.cancel()
      for (const { socket } of others.values()) socket.close()
    }
  }
}

async function openSockets({ listen, port, others, after, log }: ChannelOptions): Promise<Map<string, PopSocket>> {
  const sockets = new Map<string, PopSocket>()
  await PopSocket.tryAll(listen, port)
  for (const [name, at] of Object.entries(others)) {
    const own = listen.find((address) => address.includes(':') === at.address.includes(':'))!
    sockets.set(name, new PopSocket({ own: { address: own, port }, other: at, after, trouble: (line) => log.warn({ pop: name }, `PoP ${name}: ${line}`) }))
  }
  return sockets
}

/** Runs once, a little after it was first called. */
function makeGathered(after: After, run: () => void): (() => void) & { cancel(): void } {
  let cancel: (() => void) | undefined
  const call = (): void => {
    cancel ??= after(GATHER_MS, () => {
      cancel = undefined
      run()
    })
  }
  return Object.assign(call, { cancel: () => cancel?.() })
}
