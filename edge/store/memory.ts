import { randomBytes } from 'node:crypto'
import { fileOf, joined, octetsOf, type Bodies } from '../bodies/index.ts'
import type { Held } from '../cache/index.ts'
import { flat } from '../message/index.ts'
import { Arena, BLOCK } from './arena.ts'
import type { EvictionName } from '../../core/config-cdn.ts'
import type { Eviction } from './eviction/types.ts'
import { evictionPolicies } from './eviction/policies.ts'
import { Lively, type Live } from './live.ts'
import { headSize, KEY_AT, KEY_WORD, pack, unpack } from './record.ts'
import { hashOf, LONGEST_CHAIN, makeTable, TABLE_OCTETS, type Table } from './table.ts'

/** Larger bodies are held apart, so that they are sent without being copied. */
const APART = 16 * 1024
/** Octets that a body held apart takes beside its own. */
const APART_OVERHEAD = 512
/** Octets that an object takes which is ready to answer, beside its key, field lines, frame and body; measured, rounded up. */
const LIVE_OVERHEAD = 960
/** Octets that a rendered frame takes beyond the field lines: status line and the fields made for each answer. */
const FRAME = 320
/** Share of the limit for what is ready to answer, of which there are two generations, and the most octets for one. */
const LIVE_PART = 1 / 16
const MOST_LIVE = 16 * 1024 * 1024
/** Of each slot: where its record begins, its size, its version, whether it is below. */
const SLOT_OCTETS = 13
/** The least that an object can take, by which the number of slots is bounded; and the most slots. */
const LEAST_OBJECT = 4 * BLOCK
const MOST_SLOTS = 2 ** 26
const SCRATCH = 64 * 1024 + APART

const slotsFor = (limit: number): number => Math.min(MOST_SLOTS, Math.ceil(limit / LEAST_OBJECT) + 2)
/** How many of those that left are remembered: about as many as fit that are of 1 KiB. */
export const ghostsFor = (limit: number): number => Math.ceil(slotsFor(limit) / 4)

/** What lies below memory: told what has earned its place there, and what must not come from there any more. */
export interface Below {
  has(key: string): boolean
  /** @param parts the record, which is copied @param token of a body that lies there already */
  write(key: string, parts: readonly Buffer[], token?: number): void
  delete(key: string): void
}

/**
 * Responses in memory. What is held, what is reserved for bodies under way and all that it takes to keep them never exceed the limit
 * together. Objects lie as octets in the blocks of an arena; those used last are ready to answer beside it.
 */
export class MemoryStore {
  readonly #limit: number
  readonly #arena: Arena
  readonly #table: Table
  readonly #order: Eviction
  readonly #slotOctets: number
  readonly #ghostOctets: number
  readonly #slots: number
  readonly #heads: Uint32Array
  readonly #sizes: Uint32Array
  /** Counts up when what is in a slot is replaced or leaves: what is ready to answer for another version is not used. */
  readonly #versions: Uint32Array
  /** Whether what is in a slot is below too, or was offered. */
  readonly #isBelow: Uint8Array
  readonly #below: Below | undefined
  readonly #bodies: Bodies | undefined
  readonly #apart = new Map<number, Buffer>()
  readonly #live = new Lively()
  readonly #seed = randomBytes(4).readUInt32LE()
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH)
  #apartOctets = 0
  #count = 0
  /** Slots used so far; those that are free again hang together in the table. */
  #used = 0
  #freeSlot = 0
  #reserved = 0
  /** What it takes to remember those that left, once one has. */
  #remembering = 0

  /** @param limit octets @param eviction which objects leave first @param below where what is used a second time is written @param bodies where larger bodies lie; absent: in memory as any other */
  constructor(limit: number, eviction: EvictionName = 's3-fifo', below?: Below, bodies?: Bodies) {
    const policy = evictionPolicies[eviction]
    const slots = slotsFor(limit)
    const ghosts = policy.ghostOctets === 0 ? 0 : ghostsFor(limit)
    this.#limit = limit
    this.#slots = slots
    this.#arena = new Arena(limit, (slot, head) => void (this.#heads[slot] = head))
    this.#table = makeTable(slots)
    this.#order = policy.make({ slots, ghosts })
    this.#slotOctets = SLOT_OCTETS + TABLE_OCTETS + policy.slotOctets
    this.#ghostOctets = ghosts * policy.ghostOctets
    this.#heads = new Uint32Array(slots)
    this.#sizes = new Uint32Array(slots)
    this.#versions = new Uint32Array(slots)
    this.#isBelow = new Uint8Array(slots)
    this.#below = below
    this.#bodies = bodies
  }

  /** Octets held and reserved, with all that it takes to keep them. */
  get size(): number {
    return this.#arena.octets + this.#used * this.#slotOctets + this.#apartOctets + this.#live.octets + this.#reserved + this.#remembering
  }

  get count(): number {
    return this.#count
  }

  /** Whether something is held under a key, which is no use of it. */
  has(key: string): boolean {
    return this.#find(key, hashOf(key, this.#seed)) !== 0
  }

  /** What is held under a key; this counts as a use of it. */
  get(key: string): Held | undefined {
    const live = this.#live.get(key, this.#mostLive)
    if (live === undefined || this.#versions[live.slot] !== live.version) return this.#wake(key)
    this.#order.use(live.slot)
    return live.held
  }

  /** A body from its pieces, where it will be held if it is; the piece itself where a small one came in one, as it is copied when it is held. */
  gather(pieces: readonly Buffer[], size: number): Buffer {
    if (size <= APART && pieces.length === 1) return pieces[0]!
    return this.#bodies === undefined || size <= APART ? joined(pieces, size) : this.#bodies.gather(pieces, size)
  }

  /** Holds something in place of what was there, making room; false when it does not fit. */
  put(key: string, held: Held): boolean {
    const isOnDisk = held.kind === 'object' && held.onDisk !== undefined
    const isBelow = isOnDisk || this.#below?.has(key) === true
    const slot = this.#hold(key, held)
    // What takes the place of something below has earned it as well, but for marks of what is not kept.
    if (isBelow && (slot === 0 || held.kind === 'pass')) this.#below!.delete(key)
    else if (isBelow) this.#offer(slot, key, this.#recordOf(slot), isOnDisk ? held.onDisk!.token : 0)
    return slot !== 0
  }

  /** Holds what came from below; what is here already is newer. @returns whether it is held now */
  raise(key: string, held: Held): boolean {
    if (this.#find(key, hashOf(key, this.#seed)) !== 0) return true
    const slot = this.#hold(key, held)
    this.#isBelow[slot] = 1
    return slot !== 0
  }

  delete(key: string): void {
    const slot = this.#find(key, hashOf(key, this.#seed))
    if (slot !== 0) this.#drop(slot)
    this.#below?.delete(key)
  }

  /** Sets octets aside for a body that is being received, making room; false when there is none. */
  reserve(size: number): boolean {
    if (!this.#makeRoom(0, size, false)) return false
    this.#reserved += size
    return true
  }

  release(size: number): void {
    this.#reserved -= size
  }

  /** @returns the slot; 0 when it does not fit */
  #hold(key: string, held: Held): number {
    const hash = hashOf(key, this.#seed)
    const before = this.#find(key, hash)
    if (before !== 0) this.#drop(before)
    const apart = held.kind === 'object' && held.body.length > APART ? this.#placed(held.body) : undefined
    const head = headSize(key, held)
    const size = head + (held.kind === 'object' && apart === undefined ? held.body.length : 0)
    const apartSize = apart === undefined ? 0 : apartOctets(apart)
    if (!this.#makeRoom(Arena.blocksOf(size), apartSize, true)) return 0
    const slot = this.#takeSlot()
    this.#heads[slot] = this.#arena.write(slot, this.#packed(key, held, head, size), size)
    this.#sizes[slot] = size
    this.#isBelow[slot] = 0
    if (apart !== undefined) {
      this.#apart.set(slot, apart)
      this.#apartOctets += apartSize
    }
    this.#table.add(slot, hash)
    this.#order.add(slot, Arena.blocksOf(size) * BLOCK + apartSize, hash)
    this.#count++
    return slot
  }

  #placed(body: Buffer): Buffer {
    return this.#bodies === undefined || fileOf(body) !== undefined ? body : this.#bodies.gather([body], body.length)
  }

  #recordOf(slot: number): Buffer {
    const record = Buffer.allocUnsafe(Arena.blocksOf(this.#sizes[slot]!) * BLOCK)
    this.#arena.read(this.#heads[slot]!, wordsOf(record))
    return record
  }

  #offer(slot: number, key: string, record: Buffer, token = 0): void {
    this.#isBelow[slot] = 1
    const apart = this.#apart.get(slot)
    const head = record.subarray(0, this.#sizes[slot])
    this.#below!.write(key, apart === undefined ? [head] : [head, apart], token)
  }

  get #mostLive(): number {
    return Math.min(this.#limit * LIVE_PART, MOST_LIVE)
  }

  /** Makes what is held under a key ready to answer. */
  #wake(key: string): Held | undefined {
    const slot = this.#find(key, hashOf(key, this.#seed))
    if (slot === 0) return undefined
    this.#order.use(slot)
    const record = this.#recordOf(slot)
    const held = unpack(record, this.#apart.get(slot))
    if (this.#below !== undefined && this.#isBelow[slot] === 0 && held.kind !== 'pass') this.#offer(slot, key, record)
    const version = this.#versions[slot]!
    const lines = held.kind === 'object' ? held.lines.length : 0
    const live: Live = { held, slot, version, size: LIVE_OVERHEAD + record.length + lines * 2 + FRAME + key.length }
    // It may push out what it is: then it answers this once.
    if (live.size <= this.#mostLive && this.#makeRoom(0, live.size, false) && this.#versions[slot] === version) this.#live.add(flat(key), live, this.#mostLive)
    return held
  }

  #packed(key: string, held: Held, head: number, size: number): Uint32Array {
    const into = size <= SCRATCH ? this.#scratch : Buffer.allocUnsafeSlow(Arena.blocksOf(size) * BLOCK)
    const at = pack(into, key, held)
    if (held.kind === 'object' && size > head) held.body.copy(into, at)
    return wordsOf(into)
  }

  /** The slot of a key; 0 when nothing is held under it. */
  #find(key: string, hash: number): number {
    const { hashes, next } = this.#table
    let length = 0
    for (let slot = this.#table.first(hash); slot !== 0; slot = next[slot]!) {
      if (hashes[slot] === hash && this.#isKeyOf(slot, key)) return slot
      if (++length < LONGEST_CHAIN) continue
      this.#drop(slot)
      return 0
    }
    return 0
  }

  #isKeyOf(slot: number, key: string): boolean {
    const head = this.#heads[slot]!
    return this.#arena.wordOf(head, KEY_WORD) === key.length && this.#arena.holdsText(head, KEY_AT, key)
  }

  #takeSlot(): number {
    const slot = this.#freeSlot
    if (slot === 0) return ++this.#used
    this.#freeSlot = this.#table.next[slot]!
    return slot
  }

  #drop(slot: number): void {
    this.#order.remove(slot)
    this.#forget(slot)
  }

  /** Frees what is in a slot that is in the order no more. */
  #forget(slot: number): void {
    this.#table.remove(slot)
    this.#arena.free(this.#heads[slot]!)
    const apart = this.#apart.get(slot)
    if (apart !== undefined) {
      this.#apart.delete(slot)
      this.#apartOctets -= apartOctets(apart)
    }
    this.#versions[slot]!++
    this.#table.next[slot] = this.#freeSlot
    this.#freeSlot = slot
    this.#count--
  }

  /** Makes room for blocks and other octets, and for a slot. */
  #makeRoom(blocks: number, octets: number, forSlot: boolean): boolean {
    if (this.#reserved + this.#ghostOctets + (this.#used + 1) * this.#slotOctets + this.#arena.leastFor(blocks) + octets > this.#limit) return false
    for (;;) {
      const slot = forSlot && this.#freeSlot === 0
      const isFull = slot && this.#used + 1 >= this.#slots
      const growth = this.#arena.growthFor(blocks) + octets + (slot ? this.#slotOctets : 0)
      if (!isFull && this.size + growth <= this.#limit) return true
      if (!isFull && this.#arena.hasSpareBeside(blocks)) this.#arena.release()
      else if (!this.#evict()) {
        if (this.#live.octets === 0) return false
        this.#live.clear()
      }
    }
  }

  #evict(): boolean {
    const slot = this.#order.evict()
    if (slot === 0) return false
    this.#remembering = this.#ghostOctets
    this.#forget(slot)
    return true
  }
}

const apartOctets = (body: Buffer): number => octetsOf(body) + APART_OVERHEAD

/** Octets as words; what Buffers are made of begins at multiples of eight. */
const wordsOf = (octets: Buffer): Uint32Array => new Uint32Array(octets.buffer, octets.byteOffset, octets.length >>> 2)
