import { flat } from '../message/index.ts'
import type { Varying } from './key.ts'
import type { Freshness } from './law.ts'
import { Sieve, type Queued } from './sieve.ts'

/** A response as held: its head rendered but for what changes with time. */
export interface StoredObject extends Freshness {
  readonly kind: 'object'
  readonly status: number
  /** Field lines, each with its CRLF, less those that are made anew for each answer. One character an octet. */
  readonly lines: string
  readonly body: Buffer
  readonly etag: string | undefined
  readonly lastModified: string | undefined
  /** The head as last sent, up to the request id, and for which whole second of age: so that a hit renders nothing. */
  frame: string
  frameAge: number
  /** When it was last asked about behind an answer; milliseconds. */
  askedAt: number
}

/** Responses under this key differ by these request fields: look under the variant's key. */
export interface VaryMark extends Varying {
  readonly kind: 'vary'
}

/** What came last under this key could not be shared: until then, requests for it do not wait for one another. */
export interface PassMark {
  readonly kind: 'pass'
  readonly until: number
}

export type Held = StoredObject | VaryMark | PassMark

interface Entry extends Queued {
  readonly key: string
  readonly held: Held
  readonly size: number
}

/** Octets that an object takes beside its key, field lines, frame and body; measured over 300,000 objects, rounded up. */
export const OVERHEAD = 960
/** Octets that a rendered frame takes beyond the field lines: status line and the fields made for each answer. */
const FRAME = 320

/** What holding it costs, in octets. */
export function sizeOf(key: string, held: Held): number {
  if (held.kind === 'object') return OVERHEAD + key.length + held.lines.length * 2 + FRAME + held.body.length
  return OVERHEAD + key.length + (held.kind === 'vary' ? held.names.join().length : 0)
}

/** Responses in memory. What is held and what is reserved for bodies under way never exceed the limit together. */
export class MemoryStore {
  readonly #limit: number
  readonly #entries = new Map<string, Entry>()
  readonly #order = new Sieve<Entry>()
  #size = 0
  #reserved = 0

  /** @param limit octets */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Octets held and reserved. */
  get size(): number {
    return this.#size + this.#reserved
  }

  get count(): number {
    return this.#entries.size
  }

  /** What is held under a key; this counts as a use of it. */
  get(key: string): Held | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#order.use(entry)
    return entry.held
  }

  /** Holds something in place of what was there, making room; false when it does not fit. */
  put(key: string, held: Held): boolean {
    this.delete(key)
    const size = sizeOf(key, held)
    if (!this.#makeRoom(size)) return false
    const entry: Entry = { key: flat(key), held, size, visited: false, newer: undefined, older: undefined }
    this.#entries.set(entry.key, entry)
    this.#order.add(entry)
    this.#size += size
    return true
  }

  delete(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#order.remove(entry)
    this.#drop(entry)
  }

  /** Sets octets aside for a body that is being received, making room; false when there is none. */
  reserve(size: number): boolean {
    if (!this.#makeRoom(size)) return false
    this.#reserved += size
    return true
  }

  release(size: number): void {
    this.#reserved -= size
  }

  #drop(entry: Entry): void {
    this.#entries.delete(entry.key)
    this.#size -= entry.size
  }

  #makeRoom(size: number): boolean {
    if (this.#reserved + size > this.#limit) return false
    while (this.#size + this.#reserved + size > this.#limit) this.#drop(this.#order.evict()!)
    return true
  }
}
