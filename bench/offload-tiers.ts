import type { Role } from '../core/channel.ts'
import type { Config } from '../core/config.ts'
import { makeLogger } from '../core/log.ts'
import { TIER_FIELD } from '../core/tier-auth.ts'
import { ageAt, lookup, primaryKey, type StoredObject } from '../edge/cache/index.ts'
import type { Outcome, Plan } from '../edge/coming.ts'
import { Flight } from '../edge/flight.ts'
import type { Fetching, Receiver, UpstreamRequest } from '../edge/http/index.ts'
import { fieldOf, formatHttpDate, fromLines } from '../edge/message/index.ts'
import { makeWorker, type Worker } from '../edge/worker.ts'

// Edges, regionals and shields as they are, less their sockets: what one asks another is told to it after the time that the way
// takes, by a clock that jumps from one event to the next.

/** Things to come, and a clock that goes by them. */
export class Agenda {
  /** A heap by time; those of one time in the order in which they came. */
  readonly #events: { readonly at: number; readonly turn: number; readonly run: () => void }[] = []
  #turn = 0
  #now: number
  readonly #start: number

  /** @param start wall milliseconds */
  constructor(start: number) {
    this.#start = start
    this.#now = start
  }

  get clock(): { now(): number; elapsed(): number } {
    return { now: () => Math.floor(this.#now), elapsed: () => this.#now - this.#start }
  }

  after(ms: number, run: () => void): void {
    const events = this.#events
    const event = { at: this.#now + ms, turn: this.#turn++, run }
    let at = events.push(event) - 1
    for (let up = (at - 1) >> 1; at > 0 && isBefore(event, events[up]!); at = up, up = (at - 1) >> 1) events[at] = events[up]!
    events[at] = event
  }

  /** Does what is due up to a time, and lets that be now. */
  turnTo(time: number): void {
    for (let first = this.#events[0]; first !== undefined && first.at <= time; first = this.#events[0]) {
      this.#take()
      this.#now = first.at
      first.run()
    }
    this.#now = time
  }

  #take(): void {
    const events = this.#events
    const last = events.pop()!
    if (events.length === 0) return
    let at = 0
    for (;;) {
      let down = at * 2 + 1
      if (down >= events.length) break
      if (down + 1 < events.length && isBefore(events[down + 1]!, events[down]!)) down++
      if (!isBefore(events[down]!, last)) break
      events[at] = events[down]!
      at = down
    }
    events[at] = last
  }
}

const isBefore = (one: { at: number; turn: number }, other: { at: number; turn: number }): boolean => one.at < other.at || (one.at === other.at && one.turn < other.turn)

/** What the origin has under a path. */
export interface Thing {
  readonly size: number
  readonly ttl: number
}

export interface Fleet {
  readonly members: ReadonlyMap<string, Member>
  /** Requests that reached the origin, and those of them that were answered with 304. */
  readonly origin: { asked: number; unchanged: number }
}

export interface Member {
  readonly role: Role
  readonly worker: Worker
  /** Requests that waited for the fetch of another. */
  collapsed: number
  ask(target: string, etag: string | undefined, told: (answer: { readonly status: number; readonly fields: string[]; readonly body: Buffer }) => void): void
}

const DISTRIBUTION = 'd1'
const HOST = 'd1.nearcast.test'
const SECRET = '0'.repeat(64)
const TIMES = { edge: 1, regional: 2, shield: 8 }
const NOTHING = (): undefined => undefined
const OCTETS = Buffer.alloc(1 << 20, 'x')

/**
 * @param config its cache.memory is that of an edge; a regional has twice as much, a shield eight times
 * @param wayMs there and back between the one who asks and the one of this name
 */
export function makeFleet(config: Config, agenda: Agenda, things: (target: string) => Thing, wayMs: (from: string, to: string) => number): Fleet {
  const members = new Map<string, Member>()
  const origin = { asked: 0, unchanged: 0 }
  const byAddress = new Map<string, string>()
  for (const [role, list] of [['edge', config.edges], ['regional', config.regionals], ['shield', config.shields]] as const) {
    for (const [name, { address }] of Object.entries(list)) {
      byAddress.set(address[0]!, name)
      const own = { ...config, cache: { ...config.cache, memory: config.cache.memory * TIMES[role] } }
      const setup = { role, name, config: own, ports: { dns: 1, http: 80, admin: 1 }, stateFolder: '/', zonesFolder: '/', zonesLabel: '', tierSecret: SECRET, readable: false }
      const made = makeWorker({ setup, clock: agenda.clock, log: makeLogger(name, { readable: false, level: 'silent' }) })
      const fetch = (request: UpstreamRequest, receiver: Receiver): Fetching => carry(request, receiver, byAddress.get(request.server.address), name)
      members.set(name, makeMember(role, { ...made, asker: { ...made.asker, client: { fetch, close: NOTHING } } }))
    }
  }
  const askOrigin = (target: string, etag: string | undefined): { status: number; fields: string[]; body: Buffer } => {
    const { size, ttl } = things(target)
    origin.asked++
    const fields = ['Date', formatHttpDate(agenda.clock.now()), 'Cache-Control', `max-age=${ttl}`, 'ETag', `"${target}"`]
    if (etag !== `"${target}"`) return { status: 200, fields: [...fields, 'Content-Length', String(size)], body: OCTETS.subarray(0, size) }
    origin.unchanged++
    return { status: 304, fields, body: OCTETS.subarray(0, 0) }
  }
  /** Takes a request to another member or the origin and the answer back, each in half the time. */
  const carry = (request: UpstreamRequest, receiver: Receiver, to: string | undefined, from: string): Fetching => {
    const half = wayMs(from, to ?? 'origin') / 2
    const etag = fieldOf(request.fields, 'if-none-match')
    const nonce = fieldOf(request.fields, TIER_FIELD)?.split('.')[1]
    let isOver = false
    const back = ({ status, fields, body }: { status: number; fields: string[]; body: Buffer }): void =>
      agenda.after(half, () => {
        if (isOver) return
        const member = to === undefined ? undefined : members.get(to)!
        receiver.head(status, member === undefined ? fields : [...fields, TIER_FIELD, member.worker.auth.answer(nonce!, status)])
        if (body.length > 0) receiver.data(body)
        receiver.end()
      })
    agenda.after(half, () => (to === undefined ? back(askOrigin(request.path, etag)) : members.get(to)!.ask(request.path, etag, back)))
    return { pause: NOTHING, resume: NOTHING, write: () => true, end: NOTHING, abort: () => void (isOver = true) }
  }
  return { members, origin }
}

function makeMember(role: Role, worker: Worker): Member {
  const { route, times } = worker.sites.get(HOST)!.behaviours[0]!
  const answerOf = (object: StoredObject, etag: string | undefined): { status: number; fields: string[]; body: Buffer } => {
    const fields = [...fromLines(object.lines), 'Age', String(Math.floor(ageAt(object, worker.clock.now()) / 1000))]
    if (etag !== undefined && etag === object.etag) return { status: 304, fields, body: OCTETS.subarray(0, 0) }
    return { status: object.status, fields: [...fields, 'Content-Length', String(object.body.length)], body: object.body }
  }
  const member: Member = {
    role,
    worker,
    collapsed: 0,
    ask: (target, etag, told) => {
      const now = worker.clock.now()
      const primary = primaryKey({ distribution: DISTRIBUTION, host: HOST, target })
      const found = lookup(worker.store, primary, NOTHING, now)
      worker.counters.requests++
      if (found.kind === 'fresh') {
        worker.counters.hits++
        return told(answerOf(found.object, etag))
      }
      const tell = (outcome: Outcome): void => {
        if (outcome.kind === 'refreshed') return told(answerOf(outcome.object, etag))
        // What came for another was too old already to be shared.
        if (outcome.kind === 'released') {
          worker.counters.requests--
          return member.ask(target, etag, told)
        }
        if (outcome.kind !== 'coming') throw new Error(`${target}: ${outcome.kind}`)
        const { coming } = outcome
        const reader = { next: 0, at: 0, wake: () => end() }
        const end = (): void => {
          if (coming.fill.state !== 'complete') return
          coming.fill.detach(reader)
          const body = coming.fill.read(reader) ?? OCTETS.subarray(0, 0)
          told({ status: coming.status, fields: [...fromLines(coming.lines), 'Age', String(coming.age ?? 0), 'Content-Length', String(body.length)], body })
        }
        coming.fill.attach(reader)
        end()
      }
      const waiter = { valueOf: NOTHING, tell }
      const flight = worker.flights.get(found.key)
      if (flight?.mayJoin(now) === true) {
        member.collapsed++
        return flight.join(waiter)
      }
      const object = found.kind === 'stale' ? found.object : undefined
      const plan: Plan = { primary, key: found.key, host: HOST, target, fields: [], route, parted: false, times, defaultIfError: 0, authorized: false, compression: undefined, object, open: true }
      return void new Flight(worker, plan, waiter)
    }
  }
  return member
}
