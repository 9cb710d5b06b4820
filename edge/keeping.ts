import type { BodyOnDisk, Fill } from './cache/index.ts'
import type { DiskTier, MemoryStore } from './store/index.ts'

/** Where bodies that come may be kept. */
export interface Room {
  readonly store: MemoryStore
  readonly disk: DiskTier | undefined
  /** In octets; larger bodies are passed on only. */
  readonly largestObject: number
  /** Likewise, of what is held in memory; what is larger lies on disk alone. */
  readonly largestInMemory: number
  fault(error: unknown): void
}

/** A body that is held: in memory, or on disk. */
export type Kept = { readonly body: Buffer; readonly onDisk: undefined } | { readonly body: Buffer; readonly onDisk: BodyOnDisk }

const NOTHING = Buffer.alloc(0)
/** Octets that a piece takes beside its own, until it is put together with the others. */
const PIECE_OVERHEAD = 192

/** A body that comes, as far as it is kept: gathered in memory, and on disk from when it is too large for that. */
export class Keeping {
  readonly #room: Room
  readonly #key: string
  readonly #fill: Fill
  readonly #lost: () => void
  #reserved = 0
  #size = 0
  #spool: ReturnType<DiskTier['spool']>
  #isOver = false

  /** @param lost it cannot be kept any more */
  constructor(room: Room, key: string, fill: Fill, lost: () => void) {
    this.#room = room
    this.#key = key
    this.#fill = fill
    this.#lost = lost
  }

  /** What is known to be too large for memory goes to disk from its first octet. */
  expect(length: number | undefined): void {
    if (length !== undefined && length > this.#room.largestInMemory) this.#moveToDisk()
  }

  /** Takes account of a piece before it is there; it is lost where there is no room. */
  take(size: number): void {
    const { store, largestObject, largestInMemory } = this.#room
    if (this.#isOver) return
    this.#size += size
    if (this.#size > largestObject) return this.#lost()
    if (this.#spool !== undefined) return
    const octets = size + PIECE_OVERHEAD
    if (this.#size <= largestInMemory && store.reserve(octets)) this.#reserved += octets
    else this.#moveToDisk()
  }

  /** All has come. @param hold told when it can be held, at once or once it is on disk; undefined where that failed or it was stopped meanwhile */
  finish(hold: (kept: Kept | undefined) => void): void {
    const spool = this.#spool
    const disk = this.#room.disk
    if (spool === undefined || disk === undefined) {
      const body = this.#fill.whole((pieces, size) => this.#room.store.gather(pieces, size))
      this.stop()
      return hold({ body, onDisk: undefined })
    }
    void disk.seal(this.#key, spool).then((onDisk) => {
      const isStopped = this.#isOver
      this.#isOver = true
      if (onDisk !== undefined && isStopped) disk.dropBody(this.#key, onDisk)
      hold(onDisk === undefined || isStopped ? undefined : { body: NOTHING, onDisk })
    }).catch((error: unknown) => this.#room.fault(error)).finally(() => this.#fill.retire())
  }

  /** Nothing of it is kept. */
  stop(): void {
    this.#isOver = true
    this.#room.store.release(this.#reserved)
    this.#reserved = 0
    this.#spool?.stop()
  }

  #moveToDisk(): void {
    const spool = this.#room.disk?.spool(this.#key)
    if (spool === undefined) return this.#lost()
    this.#spool = spool
    spool.follow(() => this.#fill.trim(), () => this.#lost())
    this.#fill.keepIn(spool)
    this.#room.store.release(this.#reserved)
    this.#reserved = 0
  }
}
