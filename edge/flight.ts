import type { Clock } from '../core/clock.ts'
import type { Counters } from '../core/channel.ts'
import type { PassingMap, PassingSet } from '../core/passing.ts'
import { Fill, isFresh, judge, lengthOf, partsKey, pieceKey, POLICY_PARTS, readContentRange, staleFor, varyNames, variantKey, type Freshness, type StoredObject, type VaryMark, type Verdict } from './cache/index.ts'
import { describeHeld } from './coding/index.ts'
import type { Fetching, UpstreamTrouble } from './http/index.ts'
import { fieldOf, filterFields, flat, formatHttpDate, toLines, type FieldList } from './message/index.ts'
import type { Coming, Outcome, Plan, Waiter } from './coming.ts'
import { Keeping } from './keeping.ts'
import type { Kin } from './kin.ts'
import { held, makeObject, validatorsOf } from './make-object.ts'
import { keepPart } from './parts.ts'
import { passedOn } from './passed.ts'
import { renew, renewOthers, type Renewal } from './renew.ts'
import { bodyOf, noAnswer, type Words } from './say.ts'
import type { Purges } from './purges.ts'
import type { DiskTier, MemoryStore } from './store/index.ts'
import { ask, guard, type Asker, type Parent } from './tiers/index.ts'
import { Waiters } from './waiters.ts'

/** What flights work with. */
export interface Desk {
  /** `nearcast-icn`: the worker's name in Via, Cache-Status and CDN-Loop. */
  readonly node: string
  readonly clock: Clock
  /** Logs what clients can bring about again and again: a line a second, which counts those that were left out. */
  complain(text: string): void
  /** Logs, likewise, what of ours went wrong: what it was about is given up. */
  fault(error: unknown): void
  readonly store: MemoryStore
  readonly disk: DiskTier | undefined
  /** Fetches that a request may join, by key. */
  readonly flights: PassingMap<string, Flight>
  /** In octets; larger bodies are passed on only. */
  readonly largestObject: number
  /** Likewise, of what memory holds; what is larger is held on disk alone. */
  readonly largestInMemory: number
  readonly asker: Asker
  readonly counters: Counters
  /** Requests to parents and origins under way, and how many there may be. */
  underWay: number
  readonly mostFlights: number
  /** Fetches under way, those that cannot be joined among them. */
  readonly flying: PassingSet<Flight>
  /** Of the next mark of variants, or part. */
  nextGeneration: number
  readonly purges: Purges
  /** Told that what is held under a primary key is another from now on. */
  replaced(primary: string): void
  /** Variants that are found good together. */
  readonly kin: Kin
  /** Cache-Tag is for the tiers only: viewers do not get it. */
  readonly hidesTags: boolean
}

/** Fetches under way at once, of all workers of a member; clients that ask and leave must not pile them up. */
export const MOST_FLIGHTS = 4096

/** Errors that a response held may stand in for (RFC 5861 §4). */
const STOOD_IN_FOR = new Set([500, 502, 503, 504])

/** How long requests for what could not be shared do not wait for one another, in milliseconds. */
const PASS_MS = 10_000

/** Under which a fetch can be joined. */
export const flightName = (key: string, run: string): string => (run === '' ? key : `${key}\n@${run}`)

/** One fetch, and all who wait for it. It goes on when they leave, as long as what comes can be stored. */
export class Flight {
  readonly #worker: Desk
  readonly #plan: Plan
  readonly #leader: Waiter
  readonly #waiters: Waiters
  #key: string
  #object: StoredObject | undefined
  #requestedAt = 0
  #fetching: Fetching | undefined
  #coming: Coming | undefined
  #freshness: Freshness | undefined
  #keeping: Keeping | undefined
  #over = false
  #isOutdated = false
  /** By which a part that comes is told from all others. */
  readonly #piece: number
  /** Of the last purge when it was sent: what comes may be older than those that follow. */
  readonly #generation: number

  constructor(worker: Desk, plan: Plan, leader: Waiter) {
    this.#worker = worker
    this.#plan = plan
    this.#generation = worker.purges.last
    this.#piece = worker.nextGeneration++
    this.#leader = leader
    this.#key = plan.key
    this.#object = plan.object
    this.#waiters = new Waiters(worker, leader)
    worker.underWay++
    worker.flying.add(this)
    if (plan.open) worker.flights.set(this.#name, this)
    try {
      this.#send()
    } catch (error) {
      this.#abandon()
      throw error
    }
  }

  /** Whether what comes, or may come, is good for a request made now. */
  mayJoin(now: number): boolean {
    return this.#coming === undefined || (this.#freshness !== undefined && isFresh(this.#freshness, now))
  }

  join(waiter: Waiter): void {
    if (this.#coming === undefined) this.#waiters.add(waiter)
    else waiter.tell({ kind: 'coming', coming: this.#coming, leader: false })
  }

  /** A waiter's client is gone, or has had what it wants. */
  leave(waiter: Waiter): void {
    this.#waiters.delete(waiter)
    this.stopIfUnwanted()
  }

  get primary(): string {
    return this.#plan.primary
  }

  /** The Cache-Tag of what comes; undefined while its head has not come. */
  get tags(): string | undefined {
    return this.#coming?.tags
  }

  /** Nobody else joins. */
  seclude(): void {
    this.#close()
  }

  /** What comes may be of a state that has just been changed: it is passed on to those who wait, and not held. */
  outdate(): void {
    this.#isOutdated = true
    this.#close()
    if (this.#coming === undefined) return
    this.#stopStoring()
    this.stopIfUnwanted()
  }

  /** Ends a fetch that nobody reads and that is not stored. */
  stopIfUnwanted(): void {
    const { fill } = this.#coming ?? {}
    if (fill?.state !== 'open' || fill.readers > 0 || this.#waiters.isPlanned || this.#keeping !== undefined) return
    this.#fetching?.abort()
    this.#finish()
    fill.fail()
  }

  get #name(): string {
    return flightName(this.#key, this.#plan.run)
  }

  #send(): void {
    const { primary, host, target, fields, route } = this.#plan
    const object = this.#object
    const conditions: string[] = []
    if (object?.etag !== undefined) conditions.push('If-None-Match', object.etag)
    if (object?.lastModified !== undefined) conditions.push('If-Modified-Since', object.lastModified)
    this.#requestedAt = this.#worker.clock.now()
    this.#fetching = ask(this.#worker.asker, route, { method: 'GET', key: primary, host, target, fields: [...fields, ...conditions] }, {
      inform: (status, fields) => {
        if (this.#waiters.has(this.#leader)) this.#leader.inform?.(status, fields)
      },
      head: (status, fields, parent) => this.#guard(() => (status === 304 ? this.#revalidated(fields, parent) : this.#begin(status, fields))),
      data: (piece) => this.#guard(() => this.#data(piece)),
      end: () => this.#guard(() => this.#end()),
      trouble: (trouble, parent) => this.#guard(() => this.#trouble(trouble, parent))
    })
  }

  /** A fault of ours ends this fetch, and those who wait for it are cut off; nobody waits for good. */
  #guard(work: () => void): void {
    if (guard(this.#worker, work)) return
    this.#fetching?.abort()
    this.#abandon()
  }

  #abandon(): void {
    this.#finish()
    this.#stopStoring()
    this.#coming?.fill.fail()
    this.#waiters.giveUp()
  }

  /** RFC 9111 §4.3.3, §4.3.4. */
  #revalidated(fields: FieldList, parent: Parent): void {
    const { clock } = this.#worker
    const object = this.#object
    const etag = fieldOf(fields, 'etag')
    if (object === undefined) return this.#trouble({ kind: 'broken', detail: 'it answered 304 to a request without conditions' }, parent)
    // Where a tag was asked about, 304 says that it is that of the response still, whatever tag comes with it.
    if (etag !== undefined && object.etag === undefined) {
      // It may speak of another response than the one held: ask for that one.
      this.#object = undefined
      this.#fetching?.abort()
      return this.#send()
    }
    const receivedAt = clock.now()
    const renewal: Renewal = { shelf: this.#worker, fields, receivedAt, generation: this.#generation, mayHold: !this.#isOutdated, judge: (status, fields) => this.#judge(status, fields, receivedAt), linesOf: (status, fields) => this.#linesOf(status, fields) }
    const { renewed, verdict } = renew(renewal, object.status === 206 ? partsKey(this.#key) : this.#key, object)
    if (!this.#plan.authorized) renewOthers(renewal, this.#plan.primary, this.#key, object)
    this.#close()
    const shared = verdict.kind === 'storable' && verdict.sharable
    const statusAbove = fieldOf(fields, 'cache-status')
    this.#waiters.tell((waiter) => {
      const leader = waiter === this.#leader
      return leader || shared ? { kind: 'refreshed', object: renewed, statusAbove, leader } : { kind: 'released' }
    })
  }

  #begin(status: number, fields: FieldList): void {
    const { clock, disk, largestObject, largestInMemory } = this.#worker
    const receivedAt = clock.now()
    const passed = passedOn(this.#worker.node, fields, receivedAt)
    if (this.#standsIn(String(status), STOOD_IN_FOR.has(status), receivedAt)) return
    const verdict = this.#judge(status, fields, receivedAt)
    const stated = fieldOf(fields, 'content-length')
    const length = stated === undefined ? (status === 204 ? 0 : undefined) : Number(stated)
    const part = status === 206 ? readContentRange(fieldOf(fields, 'content-range')) : undefined
    const isAsked = part === undefined || this.#plan.run !== ''
    const size = part === undefined ? length : part.last - part.first + 1
    const tooLarge = size !== undefined && size > (disk?.isResting === false ? largestObject : largestInMemory)
    const storing = verdict.kind === 'storable' && !tooLarge && !this.#isOutdated
    if (storing && verdict.kind === 'storable') this.#freshness = verdict.freshness
    const sharable = storing && verdict.kind === 'storable' && verdict.sharable && isAsked
    const stored = verdict.kind === 'refused' ? { not: verdict.reason } : tooLarge ? { not: 'too-large' as const } : this.#isOutdated ? { not: 'outdated' as const } : { freshness: verdict.freshness }
    const fill = new Fill({ kept: storing, flow: { pause: () => this.#fetching?.pause(), resume: () => this.#fetching?.resume() } })
    const aged = fieldOf(fields, 'age') !== undefined
    const age = verdict.kind === 'storable' ? verdict.freshness.initialAge : verdict.age
    const come = (key: string): Coming => ({ shared: undefined, key, status, lines: this.#linesOf(status, held(passed, verdict)), alone: '', length, part, etag: fieldOf(passed, 'etag'), lastModified: fieldOf(passed, 'last-modified'), fill, statusAbove: fieldOf(fields, 'cache-status'), tags: fieldOf(fields, 'cache-tag') ?? '', age: aged ? Math.floor(age / 1000) : undefined, stored })
    const mark = storing ? this.#settleKey(varyNames(fields)) : undefined
    const coming = (this.#coming = come(this.#key))
    if (storing) this.#keeping = new Keeping(this.#worker, part === undefined ? this.#key : pieceKey(this.#key, { id: this.#piece, first: part.first }), fill, () => this.#stopStoring())
    this.#keeping?.expect(size)
    if (!sharable) this.#close()
    // An error of the moment neither drops what is held nor marks the key.
    if (!(storing && isAsked) && status < 500 && this.#plan.open) this.#markPassed(receivedAt)
    const own = verdict.kind === 'storable' && verdict.withheld.length > 0 ? { ...coming, alone: toLines(filterFields(passed, (name) => verdict.withheld.includes(name))) } : coming
    const outcome = (waiter: Waiter): Outcome => {
      const leader = waiter === this.#leader
      if (!leader && !sharable) return { kind: 'released' }
      const same = leader || (mark === undefined ? this.#plan.primary : variantKey(this.#plan.primary, mark, (name) => waiter.valueOf(name))) === this.#key
      return same ? { kind: 'coming', coming: leader ? own : coming, leader } : { kind: 'other-variant' }
    }
    // Many are told when the first of the body is here too, which mostly comes in the same read: each is then done with in one go.
    if (sharable && this.#keeping !== undefined && this.#waiters.size > 1) this.#waiters.tellSoon(outcome, (tell) => this.#guard(tell))
    else this.#waiters.tell(outcome)
    this.stopIfUnwanted()
  }

  /** What comes cannot be shared: whoever asks in the time that follows does not wait for others. */
  #markPassed(now: number): void {
    const { store } = this.#worker
    if (this.#plan.run !== '') store.delete(partsKey(this.#key))
    store.put(this.#key, { kind: 'pass', until: now + PASS_MS })
  }

  #linesOf(status: number, fields: FieldList): string {
    const { compression } = this.#plan
    const lines = toLines(this.#worker.hidesTags ? filterFields(fields, (name) => name !== 'cache-tag') : fields)
    return compression === undefined ? lines : describeHeld(compression, status, lines)
  }

  #judge(status: number, fields: FieldList, receivedAt: number): Verdict {
    const { authorized, times, defaultIfError, run } = this.#plan
    return judge({ status, fields, authorized, requestedAt: this.#requestedAt, receivedAt, times, defaultIfError, forPart: run !== '' })
  }

  /** Answers with what is held in place of an error, where it allows that (RFC 5861 §4). */
  #standsIn(instead: string, isError: boolean, now: number): boolean {
    const object = this.#object
    if (!isError || object === undefined || staleFor(object, now) > object.ifError || this.#isOutdated) return false
    this.#fetching?.abort()
    this.#finish()
    this.#close()
    this.#waiters.tell(() => ({ kind: 'standing-in', object, instead }))
    return true
  }

  /** The key of a response that varies, now that it says by what; whoever comes later looks there. */
  #settleKey(vary: readonly string[] | 'any'): VaryMark | undefined {
    const { store, flights } = this.#worker
    const { primary, open, parted } = this.#plan
    const joinable = open && flights.get(this.#name) === this
    if (joinable) flights.delete(this.#name)
    const names = vary === 'any' ? [] : parted ? [POLICY_PARTS, ...vary] : vary
    const mark = names.length === 0 ? undefined : this.#markOf(names)
    this.#key = mark === undefined ? primary : variantKey(primary, mark, (name) => this.#leader.valueOf(name))
    if (joinable) flights.set(this.#name, this)
    if (mark !== undefined) store.put(primary, mark)
    return mark
  }

  /** The mark that is there when it names the same fields: other variants are held under it. */
  #markOf(names: readonly string[]): VaryMark {
    const held = this.#worker.store.get(this.#plan.primary)
    return held?.kind === 'vary' && held.names.join() === names.join() ? held : { kind: 'vary', names, generation: this.#worker.nextGeneration++ }
  }

  #data(piece: Buffer): void {
    const coming = this.#coming
    if (coming === undefined) return
    this.#keeping?.take(piece.length)
    coming.fill.push(piece)
    this.stopIfUnwanted()
  }

  #finish(): void {
    if (!this.#over) this.#worker.underWay--
    this.#over = true
    this.#worker.flying.delete(this)
  }

  #end(): void {
    this.#finish()
    const coming = this.#coming
    if (coming === undefined) return
    const freshness = this.#freshness
    const { flying } = this.#worker
    if (freshness !== undefined && this.#keeping !== undefined) {
      // On its way to disk it can be outdated still.
      flying.add(this)
      this.#keeping.finish((kept) => {
        this.#keeping = undefined
        flying.delete(this)
        if (kept !== undefined) this.#hold(coming, { ...makeObject(coming.status, coming.lines, kept.body, validatorsOf(coming), freshness, { tags: coming.tags, generation: this.#generation }), onDisk: kept.onDisk })
        this.#close()
      })
    }
    coming.fill.end()
  }

  #hold({ part }: Coming, object: StoredObject): void {
    const { store, disk, kin } = this.#worker
    if (part === undefined) {
      store.put(this.#key, object)
      this.#worker.replaced(this.#plan.primary)
      if (this.#key !== this.#plan.primary && object.etag?.startsWith('"') === true) kin.note(this.#plan.primary, flat(this.#key), object.etag)
      store.delete(partsKey(this.#key))
    // It may have been longer, or shorter, than the part that it said it was.
    } else if (lengthOf(object) === part.last - part.first + 1) keepPart(this.#worker, this.#key, { ...part, id: this.#piece }, object)
    else if (object.onDisk !== undefined) disk?.dropBody(pieceKey(this.#key, { id: this.#piece, first: part.first }), object.onDisk)
  }

  #trouble(trouble: UpstreamTrouble, parent: Parent): void {
    this.#finish()
    if (this.#coming === undefined) {
      if (this.#standsIn(trouble.kind, true, this.#worker.clock.now())) return
      return this.#fail(trouble, parent)
    }
    this.#worker.counters.errors++
    this.#worker.complain(`${parent.name} failed in the middle of ${this.#plan.target}: ${trouble.detail}`)
    this.#stopStoring()
    this.#coming.fill.fail()
  }

  #fail(trouble: UpstreamTrouble, parent: Parent): void {
    const words = noAnswer(trouble, parent)
    const lifetime = this.#plan.open && !this.#isOutdated ? (this.#plan.times.errors.get(words.status) ?? 0) : 0
    if (lifetime > 0) this.#holdFailure(words, lifetime)
    this.#close()
    this.#waiters.tell(() => ({ kind: 'failed', trouble, parent }))
  }

  /** Nobody who comes within this long asks again. */
  #holdFailure(words: Words, lifetime: number): void {
    const { store, clock, node } = this.#worker
    const receivedAt = clock.now()
    if (this.#key === this.#plan.primary) this.#settleKey([])
    const lines = `Date: ${formatHttpDate(receivedAt)}\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\nVia: 1.1 ${node}\r\n`
    store.put(this.#key, makeObject(words.status, lines, Buffer.from(bodyOf(words)), {}, { lifetime, initialAge: 0, receivedAt, whileRevalidating: 0, ifError: 0 }, { tags: '', generation: this.#generation }))
  }

  #stopStoring(): void {
    // What is not kept is there for those alone who have been told of it.
    this.#waiters.tellNow()
    const keeping = this.#keeping
    this.#keeping = undefined
    keeping?.stop()
    if (keeping !== undefined) this.#coming?.fill.dropKept()
    this.#close()
  }

  /** Nobody joins any more. */
  #close(): void {
    const { flights } = this.#worker
    if (flights.get(this.#name) === this) flights.delete(this.#name)
  }
}
