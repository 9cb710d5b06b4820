import { mkdir, rm, writeFile } from 'node:fs/promises'
import type { Backing, BodyOnDisk } from '../../cache/index.ts'
import { Bodies } from './bodies.ts'
import { closeSegment, openNew, readAt, writeTo, type OpenSegment, type Readable } from './files.ts'
import { HEAD, idOf, payloadOf, seal, spanOf, type Entry } from './format.ts'
import { makePlaces, type Places } from './places.ts'
import { makeRest, type Rest } from './rest.ts'
import { makeSegmentIndex } from './segment-index.ts'
import { indexPath, loadSegments, segmentPath } from './segments.ts'
import { Queue, type Pending } from './queue.ts'
import type { Spool } from './spool.ts'

export interface DiskOptions {
  /** Its own; made if it is not there. */
  readonly folder: string
  /** Octets of all files together. */
  readonly limit: number
  /** Says in a line what becomes of it. */
  readonly say: (text: string) => void
  /** After a failure it is tried again after this long; absent: after a second, and later each time up to a minute. */
  readonly againMs?: number
}

/** Octets that may wait to be written; what comes beyond is not kept on disk. */
const MOST_WAITING = 16 * 1024 * 1024
const [SMALLEST_SEGMENT, LARGEST_SEGMENT, SEGMENTS] = [256 * 1024, 128 * 1024 * 1024, 16] as const
/** Share of a segment that may be written again, of what was used in one that leaves. */
const WRITTEN_AGAIN = 0.25
/** The least that an object takes, by which their number is bounded. */
const LEAST_OBJECT = 256
const MOST_OBJECTS = 2 ** 26
/** How often what was written is made to last through a loss of power. */
const SYNC_MS = 5000

/**
 * What is held on disk: segments written one after the other, each record with its checksum; the oldest leaves as a whole, but for what
 * was used in it. Nothing here is waited for by what memory can answer. A record is complete once the write that holds it has returned:
 * then it outlasts the process; once a sync has (at the end of a segment, and every five seconds), it outlasts the machine.
 */
export class DiskTier {
  readonly #options: DiskOptions
  readonly #segmentOctets: number
  readonly #places: Places
  readonly #segments = new Map<number, Readable>()
  readonly #bodies: Bodies
  readonly #queue = new Queue()
  readonly #syncing: NodeJS.Timeout
  #octets = 0
  #current: OpenSegment | undefined
  /** Of the segment under way. */
  #index = makeSegmentIndex()
  #nextNumber = 1
  #pumping: Promise<void> | undefined
  #evicting: Promise<void> | undefined
  /** Octets of the segment that is about to be there. */
  #opening = 0
  #unsynced = false
  readonly #rest: Rest
  /** Its folder could not be read at the start. */
  #isAbsent = false
  #broken = 0
  #closed = false

  /** Reads what is there. */
  constructor(options: DiskOptions) {
    this.#options = options
    this.#rest = makeRest({ say: options.say, againMs: options.againMs, prepare: () => this.#prepare() })
    this.#segmentOctets = Math.min(LARGEST_SEGMENT, Math.max(SMALLEST_SEGMENT, Math.floor(options.limit / SEGMENTS)))
    this.#places = makePlaces(Math.min(MOST_OBJECTS, Math.ceil(options.limit / LEAST_OBJECT)))
    this.#bodies = new Bodies({ folder: options.folder, next: () => this.#nextNumber++, makeRoom: (octets, claim) => this.#makeRoom(octets, claim, this.#segmentOctets), rest: this.#rest, broken: () => this.#noteBroken() })
    try {
      this.#nextNumber = this.#load() + 1
    } catch (error) {
      this.#isAbsent = true
      this.#rest.failed(error)
    }
    this.#syncing = setInterval(() => void this.#sync(), SYNC_MS)
    this.#syncing.unref()
  }

  /** @returns the highest number in use */
  #load(): number {
    const { segments, last } = loadSegments(this.#options.folder, (segment, entry) => this.#settle(segment, entry))
    for (const segment of segments) {
      this.#segments.set(segment.number, segment)
      this.#octets += segment.octets
    }
    return Math.max(last, this.#bodies.load((id) => this.#find(id) !== 0))
  }

  get count(): number {
    return this.#places.count
  }

  /** Octets of its files. */
  get octets(): number {
    return this.#octets + this.#bodies.octets
  }

  /** A write has failed, and none is tried for now. */
  get isResting(): boolean {
    return this.#rest.isResting
  }

  /** Why nothing can be written to it; undefined while it can. */
  get trouble(): string | undefined {
    return this.#rest.trouble
  }

  /** The largest body that it takes. */
  get largestBody(): number {
    return Math.floor(this.#options.limit / 2)
  }

  /** Whether something is here under this key, or will be at once; as far as is known without reading it. */
  has(key: string): boolean {
    const id = idOf(key)
    return this.#find(id) !== 0 || (this.#queue.latest(id)?.length ?? 0) > 0
  }

  /** What was written under a key; undefined when it is not there, or not as it was written. */
  async read(key: string): Promise<Buffer | undefined> {
    const id = idOf(key)
    const place = this.#find(id)
    if (place === 0) return undefined
    const { segment, offset, length } = this.#places.at(place)
    const record = await readAt(this.#segments.get(segment)!, offset, HEAD + length)
    if (record === 'not now') return undefined
    const payload = record === undefined ? undefined : payloadOf(record, id)
    // Unless it was replaced, or deleted, or left meanwhile.
    if (!this.#isAt(id, segment, offset)) return undefined
    if (payload === undefined) {
      // Should it be readable again after a start, it may have been replaced or deleted meanwhile.
      this.#delete(id)
      this.#noteBroken()
      return undefined
    }
    this.#places.use(place)
    return payload
  }

  /** Begins to write the body of a key while it comes; undefined while nothing is written. */
  spool(key: string): Spool | undefined {
    return this.isResting || this.#closed ? undefined : this.#bodies.spool(idOf(key))
  }

  /** Makes a body that was spooled whole: `write` is to follow with what names it. */
  seal(key: string, spool: Spool): Promise<BodyOnDisk | undefined> {
    return this.#bodies.seal(idOf(key), spool)
  }

  /** A body that was spooled is not wanted after all. */
  dropBody(key: string, { token }: BodyOnDisk): void {
    this.#bodies.drop(idOf(key), token)
  }

  /** The body that was spooled for a key, to be closed by whoever reads it; `not now` where it may be there, undefined where it is gone. */
  openBody(key: string, body: BodyOnDisk): Promise<Backing | 'not now' | undefined> {
    return this.#bodies.open(idOf(key), body)
  }

  /** Keeps something under a key, in place of what was there. @param parts it, in pieces, which are copied @param token of its body, where that was spooled */
  write(key: string, parts: readonly Buffer[], token = 0): void {
    const length = parts.reduce((sum, part) => sum + part.length, 0)
    const span = spanOf(length)
    if (this.#closed) return
    if (this.isResting || span > this.#segmentOctets || this.#queue.octets + span > MOST_WAITING) return this.delete(key)
    const record = Buffer.alloc(span)
    let at = HEAD
    for (const part of parts) at += part.copy(record, at)
    const id = idOf(key)
    this.#bodies.keepOnly(id, token)
    seal(record, id, length, false)
    this.#enqueue(id, record, length, this.#drop(id))
  }

  /** Holds nothing under a key any more, and will not after a start either. */
  delete(key: string): void {
    this.#delete(idOf(key))
  }

  #delete(id: Buffer): void {
    this.#bodies.keepOnly(id, 0)
    const replaces = this.#drop(id)
    if ((replaces === undefined && this.#queue.latest(id) === undefined) || this.#closed) return
    const record = Buffer.alloc(spanOf(0))
    seal(record, id, 0, true)
    this.#enqueue(id, record, 0, replaces)
  }

  /** Writes what waits, and ends. */
  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#syncing)
    this.#rest.stop()
    await this.#pumping
    await this.#finishSegment().catch(() => undefined)
    await this.#bodies.close()
    for (const segment of this.#segments.values()) await closeSegment(segment)
  }

  /** Once all that waits has been written, or was given up. */
  async written(): Promise<void> {
    await this.#pumping
  }

  #find(id: Buffer): number {
    const place = this.#places.find(id.readUInt32LE(0), id.readUInt32LE(4))
    return place !== 0 && this.#segments.has(this.#places.at(place).segment) ? place : 0
  }

  /** Forgets where an id is. @returns the segment that it was in */
  #drop(id: Buffer): number | undefined {
    const place = this.#find(id)
    if (place === 0) return undefined
    const { segment } = this.#places.at(place)
    this.#places.remove(place)
    return segment
  }

  #isAt(id: Buffer, segment: number, offset: number): boolean {
    const place = this.#find(id)
    if (place === 0) return false
    const found = this.#places.at(place)
    return found.segment === segment && found.offset === offset
  }

  /** What a record says counts from now on. */
  #settle(segment: number, entry: Entry): void {
    if (entry.length > 0) return this.#places.set(segment, entry)
    const place = this.#places.find(entry.high, entry.low)
    if (place !== 0) this.#places.remove(place)
  }

  #noteBroken(): void {
    if (this.#broken++ === 0) this.#options.say('something on disk is not as it was written, or cannot be read: it is fetched anew; further ones are not told')
  }

  #enqueue(id: Buffer, record: Buffer, length: number, replaces: number | undefined): void {
    this.#queue.push({ id, record, length, replaces, before: this.#queue.latest(id), segment: undefined })
    this.#pumping ??= this.#pump()
  }

  async #pump(): Promise<void> {
    while (!this.#queue.isEmpty) {
      const batch = this.#queue.take(this.#segmentOctets - (this.#current?.octets ?? 0))
      try {
        await this.#writeBatch(batch)
        this.#rest.wrote()
      } catch (error) {
        this.#opening = 0
        this.#rest.failed(error)
        batch.push(...this.#queue.takeAll())
        await this.#giveUp(batch)
      }
      for (const pending of batch) this.#queue.forget(pending)
    }
    this.#pumping = undefined
  }

  async #writeBatch(batch: readonly Pending[]): Promise<void> {
    const octets = Buffer.concat(batch.map(({ record }) => record))
    const segment = await this.#segmentFor(octets.length)
    const from = segment.octets
    await writeTo(segment, octets, () => this.#discard(segment.number))
    segment.octets += octets.length
    this.#octets += octets.length
    this.#unsynced = true
    let offset = from
    for (const pending of batch) {
      const entry: Entry = { high: pending.id.readUInt32LE(0), low: pending.id.readUInt32LE(4), offset, length: pending.length }
      this.#index.add(entry)
      pending.segment = segment.number
      pending.before = undefined
      // What was replaced or deleted while it was written does not come back.
      if (this.#queue.latest(pending.id) === pending) this.#settle(segment.number, entry)
      offset += pending.record.length
    }
  }

  /** The segment that is written, with room for so many octets; the oldest ones make room for a new one. */
  async #segmentFor(octets: number): Promise<OpenSegment> {
    if (this.#current !== undefined && this.#current.octets + octets <= this.#segmentOctets) return this.#current
    await this.#finishSegment()
    await this.#makeRoom(this.#segmentOctets, () => (this.#opening = this.#segmentOctets))
    const number = this.#nextNumber++
    const path = segmentPath(this.#options.folder, number)
    const handle = await openNew(path)
    this.#current = { number, path, handle, octets: 0, opened: Promise.resolve(handle) }
    this.#segments.set(number, this.#current)
    this.#opening = 0
    return this.#current
  }

  /** Nothing more is written to the segment under way. */
  async #finishSegment(): Promise<void> {
    const segment = this.#current
    if (segment === undefined) return
    this.#current = undefined
    const index = this.#index
    this.#index = makeSegmentIndex()
    await segment.handle.datasync()
    this.#unsynced = false
    await writeFile(indexPath(segment.path), index.file(segment.octets), { mode: 0o600 })
  }

  /** The oldest leave until there is room for octets more, beside the rest of the segment under way. @param claim takes it @param beside octets that must be free still @returns false: there is no room */
  async #makeRoom(octets: number, claim: () => void, beside = 0): Promise<boolean> {
    const isOver = (): boolean => this.octets + this.#opening + (this.#current === undefined ? 0 : this.#segmentOctets - this.#current.octets) + octets + beside > this.#options.limit
    while (isOver()) {
      const [segment] = this.#segments.values()
      const body = this.#bodies.oldest()
      const oldest = segment === this.#current ? undefined : segment?.number
      if (body === undefined && oldest === undefined) return false
      if (body === undefined || (oldest !== undefined && oldest < body)) await (this.#evicting ??= this.#evict(segment!).finally(() => (this.#evicting = undefined)))
      else {
        const id = this.#bodies.evict()
        if (id !== undefined) this.#delete(id)
      }
    }
    claim()
    return true
  }

  /** A segment leaves; what was used in it is written again, as far as that does not fill another. */
  async #evict(segment: Readable): Promise<void> {
    let again = this.#segmentOctets * WRITTEN_AGAIN
    for (const place of this.#places.inSegment(segment.number)) {
      const { offset, length, segment: now } = this.#places.at(place)
      if (now !== segment.number) continue
      const isUsed = this.#places.usesOf(place) > 0 || this.#bodies.has(...this.#places.idAt(place))
      this.#places.remove(place)
      if (!isUsed || spanOf(length) > again || this.#queue.octets + spanOf(length) > MOST_WAITING) continue
      const record = await readAt(segment, offset, spanOf(length))
      if (record === undefined || record === 'not now') continue
      again -= record.length
      this.#writeAgain(record, length)
    }
    await this.#discard(segment.number)
  }

  /** A segment leaves with all that is in it. */
  async #discard(number: number): Promise<void> {
    const segment = this.#segments.get(number)
    if (segment === undefined) return
    if (segment === this.#current) {
      this.#current = undefined
      this.#index = makeSegmentIndex()
    }
    this.#segments.delete(number)
    this.#octets -= segment.octets
    await this.#rest.remove(indexPath(segment.path))
    await this.#rest.remove(segment.path)
    await closeSegment(segment)
  }

  #writeAgain(record: Buffer, length: number): void {
    const id = Buffer.from(record.subarray(16, 32))
    // A later one of the same id waits already, or is held elsewhere.
    if (payloadOf(record, id) === undefined || this.#queue.latest(id) !== undefined || this.#find(id) !== 0) return
    this.#enqueue(id, record, length, undefined)
  }

  async #sync(): Promise<void> {
    const segment = this.#current
    if (!this.#unsynced || segment === undefined) return
    this.#unsynced = false
    try {
      await segment.handle.datasync()
      // Its file was removed by somebody else: what comes goes to one that will be there after a start.
      if ((await segment.handle.stat()).nlink === 0 && this.#current === segment) {
        this.#current = undefined
        this.#index = makeSegmentIndex()
      }
    } catch (error) {
      this.#rest.failed(error)
    }
  }

  /** A folder that could not be read is used once it can be, without what is in it: nobody knows what of that was deleted meanwhile. */
  async #prepare(): Promise<void> {
    if (!this.#isAbsent) return
    await rm(this.#options.folder, { recursive: true, force: true })
    await mkdir(this.#options.folder, { recursive: true, mode: 0o700 })
    this.#isAbsent = false
  }

  /** What cannot be written is given up, and with it the segments that hold what it was to replace. */
  async #giveUp(pendings: readonly Pending[]): Promise<void> {
    for (const pending of pendings) {
      // With what it was to replace, what was still on its way to disk when it came.
      for (let each: Pending | undefined = pending; each !== undefined; each = each.before) {
        if (each.replaces !== undefined) await this.#discard(each.replaces)
        if (each.segment !== undefined) await this.#discard(each.segment)
      }
    }
  }
}
