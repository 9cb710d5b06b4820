import { randomBytes } from 'node:crypto'
import { rename, type FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import type { BodyOnDisk, Sink } from '../../cache/index.ts'
import { CHUNK, endOf } from './body-file.ts'
import { openNew } from './files.ts'
import type { Rest } from './rest.ts'

/** Octets that are written in one go, if there are as many. */
const ONE_WRITE = 8 * CHUNK

export interface SpoolOptions {
  /** Of the file while it is written. */
  path(token: number): string
  /** Makes room for octets more; false when there is none. */
  claim(octets: number): Promise<boolean>
  /** Gives room back. */
  release(octets: number): void
  /** Nothing is written any more. */
  over(): void
  /** Told when the disk cannot be written to. */
  readonly rest: Rest
}

/** A body that is being written while it comes, and read by those who came later. */
export class Spool implements Sink {
  readonly #options: SpoolOptions
  readonly #token = randomBytes(4).readUInt32LE() || 1
  readonly #path: string
  readonly #sums: number[] = []
  #waiting: Buffer[] = []
  #waitingOctets = 0
  #handle: FileHandle | undefined
  #size = 0
  #claimed = 0
  #pumping: Promise<void> | undefined
  /** It is whole in its file, under the name that stays. */
  #isSealed = false
  #isStopped = false
  #isClosed = false
  #trim: () => void = () => undefined
  #failed: () => void = () => undefined

  constructor(options: SpoolOptions) {
    this.#options = options
    this.#path = options.path(this.#token)
  }

  /** @param trim more can be read of it @param failed it is not kept: what has been written can be read on */
  follow(trim: () => void, failed: () => void): void {
    this.#trim = trim
    this.#failed = failed
  }

  get size(): number {
    return this.#size
  }

  push(piece: Buffer): void {
    if (this.#isStopped) return
    this.#waiting.push(piece)
    this.#waitingOctets += piece.length
    if (this.#waitingOctets >= CHUNK) this.#pumping ??= this.#pump(CHUNK)
  }

  /**
   * Writes what is left, and what makes it whole. @param nameOf the name that it gets then
   * @returns by what it is known; undefined where that failed, which `failed` has been told
   */
  async seal(nameOf: (token: number) => string): Promise<BodyOnDisk | undefined> {
    await this.#pumping
    await this.#pump(1)
    const length = this.#size
    try {
      if (this.#isStopped) return undefined
      const end = endOf(length, this.#sums)
      await this.#claim(end.length)
      await this.#writeAll([end], length)
      await rename(this.#path, nameOf(this.#token))
      this.#isSealed = true
    } catch (error) {
      this.#fail(error)
    }
    if (this.#isStopped) {
      // Stopped while it got its name.
      if (this.#isSealed) await this.#options.rest.remove(nameOf(this.#token))
      return undefined
    }
    this.#options.over()
    return { token: this.#token, length }
  }

  async read(at: number): Promise<Buffer> {
    const chunk = Math.floor(at / CHUNK)
    const from = chunk * CHUNK
    const size = Math.min(CHUNK, this.#size - from)
    const octets = Buffer.allocUnsafeSlow(size)
    const { bytesRead } = await this.#handle!.read(octets, 0, size, from)
    if (bytesRead !== size || crc32(octets) !== this.#sums[chunk]) throw new Error('what was written is not there as it was')
    return octets.subarray(at - from)
  }

  /** It is not kept: nothing more is written. What has been written can be read until it is closed. */
  stop(): void {
    if (this.#isStopped || this.#isSealed) return
    this.#isStopped = true
    this.#waiting = []
    this.#waitingOctets = 0
    this.#options.release(this.#claimed)
    this.#claimed = 0
    this.#options.over()
    void this.#remove()
  }

  close(): void {
    this.#isClosed = true
    this.#closeIfOver()
  }

  async #remove(): Promise<void> {
    await this.#pumping
    await this.#options.rest.remove(this.#path)
    this.#closeIfOver()
  }

  #closeIfOver(): void {
    if (!this.#isClosed || this.#pumping !== undefined) return
    const handle = this.#handle
    this.#handle = undefined
    void handle?.close().catch(() => undefined)
  }

  /** @param least octets that must wait for a write to be made */
  async #pump(least: number): Promise<void> {
    try {
      while (!this.#isStopped && this.#waitingOctets >= least) await this.#writeNext(least)
    } catch (error) {
      this.#fail(error)
    }
    this.#pumping = undefined
    this.#closeIfOver()
  }

  /** Writes whole chunks; what is left over only when nothing comes any more. */
  async #writeNext(least: number): Promise<void> {
    const all = this.#waiting.length === 1 ? this.#waiting[0]! : Buffer.concat(this.#waiting)
    const size = Math.min(ONE_WRITE, least === CHUNK ? all.length - (all.length % CHUNK) : all.length)
    this.#waiting = size === all.length ? [] : [all.subarray(size)]
    this.#waitingOctets = all.length - size
    await this.#claim(size)
    this.#handle ??= await openNew(this.#path)
    const sums: number[] = []
    for (let at = 0; at < size; at += CHUNK) sums.push(crc32(all.subarray(at, Math.min(at + CHUNK, size))))
    await this.#writeAll([all.subarray(0, size)], this.#size)
    this.#sums.push(...sums)
    this.#size += size
    this.#trim()
  }

  async #writeAll(pieces: readonly Buffer[], to: number): Promise<void> {
    let at = to
    for (const piece of pieces) {
      for (let done = 0; done < piece.length; ) {
        const { bytesWritten } = await this.#handle!.write(piece, done, piece.length - done, at)
        done += bytesWritten
        at += bytesWritten
      }
    }
  }

  async #claim(octets: number): Promise<void> {
    if (!(await this.#options.claim(octets))) throw new NoRoom()
    if (this.#isStopped) this.#options.release(octets)
    else this.#claimed += octets
  }

  #fail(error: unknown): void {
    if (this.#isStopped) return
    this.stop()
    if (!(error instanceof NoRoom)) this.#options.rest.failed(error)
    this.#failed()
  }
}

/** All there is is being written to, or the body is larger than that. */
class NoRoom extends Error {}
