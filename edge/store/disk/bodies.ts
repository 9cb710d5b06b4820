import { readdirSync, statSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Backing, BodyOnDisk } from '../../cache/index.ts'
import { bodyName, CHUNK, chunksOf, fileSize, readBodyName, sumsIn, TRAILER, UNDER_WAY } from './body-file.ts'
import { isPassing } from './files.ts'
import type { Rest } from './rest.ts'
import { Spool } from './spool.ts'

/** A body that is whole in its file. */
interface Body {
  readonly id: Buffer
  readonly token: number
  readonly path: string
  readonly octets: number
  number: number
  isUsed: boolean
  /** While somebody reads it. */
  opened?: Promise<Opened>
  readers: number
  isGone: boolean
}

interface Opened {
  readonly handle: FileHandle
  readonly sums: Uint32Array
}

export interface BodiesOptions {
  readonly folder: string
  /** A number above all before it: what has a lower one is older. */
  next(): number
  /** Makes room for octets more, and claims it; or says that there is none. */
  makeRoom(octets: number, claim: () => void): Promise<boolean>
  /** Told when the disk cannot be written to. */
  readonly rest: Rest
  /** Something is not as it was written, or cannot be read. */
  broken(): void
}

/** Bodies that memory could not hold, each in a file of its own; their heads are records among the others. */
export class Bodies {
  readonly #options: BodiesOptions
  /** Oldest first. */
  readonly #all = new Set<Body>()
  /** By the first 64 bits of their ids: nearly always one. */
  readonly #byId = new Map<string, Body[]>()
  readonly #spools = new Set<Spool>()
  #octets = 0

  constructor(options: BodiesOptions) {
    this.#options = options
  }

  /** Octets of files whole and under way. */
  get octets(): number {
    return this.#octets
  }

  /** Takes in what is there. @param isKnown whether there is a head of this id @returns the highest number in use */
  load(isKnown: (id: Buffer) => boolean): number {
    const { folder } = this.#options
    const names = readdirSync(folder).toSorted()
    let last = 0
    for (const name of names) {
      const found = readBodyName(name)
      const path = join(folder, name)
      if (found !== undefined && isKnown(found.id)) {
        last = Math.max(last, found.number)
        const octets = sizeOf(path)
        if (octets !== undefined) this.#add({ ...found, path, octets, isUsed: false, readers: 0, isGone: false })
      } else if (found !== undefined || UNDER_WAY.test(name)) void this.#options.rest.remove(path)
    }
    return last
  }

  /** Begins to write the body of a key. */
  spool(id: Buffer): Spool {
    const { folder, next, makeRoom, rest } = this.#options
    const spool: Spool = new Spool({
      path: (token) => join(folder, bodyName(next(), id, token).replace(/body$/, 'part')),
      claim: (octets) => makeRoom(octets, () => void (this.#octets += octets)),
      release: (octets) => void (this.#octets -= octets),
      over: () => this.#spools.delete(spool),
      rest
    })
    this.#spools.add(spool)
    return spool
  }

  /** Makes a body that was spooled whole; undefined where that failed. */
  async seal(id: Buffer, spool: Spool): Promise<BodyOnDisk | undefined> {
    const number = this.#options.next()
    const path = (token: number): string => join(this.#options.folder, bodyName(number, id, token))
    const body = await spool.seal(path)
    if (body === undefined) return undefined
    const { token, length } = body
    const octets = fileSize(length)
    // Claimed while it was written.
    this.#octets -= octets
    this.#add({ id, token, number, path: path(token), octets, isUsed: false, readers: 0, isGone: false })
    return body
  }

  /** Whether something here belongs to an id, by its first 64 bits. */
  has(high: number, low: number): boolean {
    return this.#byId.has(nameOf(high, low))
  }

  /** A body, to be closed by whoever reads it; `not now` where it may be there, and undefined where it is gone, or not as it was written. */
  async open(id: Buffer, { token, length }: BodyOnDisk): Promise<Backing | 'not now' | undefined> {
    const body = this.#ofId(id).find((body) => body.token === token && body.id.equals(id))
    if (body === undefined || body.octets !== fileSize(length)) return undefined
    body.isUsed = true
    body.readers++
    const opened = (body.opened ??= openBody(body.path, length))
    try {
      const { handle, sums } = await opened
      const broken = (error: unknown): never => {
        if (!isPassing(error)) this.#noteBroken(body)
        throw error
      }
      return { size: length, read: (at) => readChunk(handle, sums, length, at).catch(broken), close: () => this.#left(body) }
    } catch (error) {
      // What could not be opened is opened anew by the next who reads it.
      if (body.opened === opened) delete body.opened
      this.#left(body)
      if (isPassing(error)) return 'not now'
      this.#noteBroken(body)
      return undefined
    }
  }

  /** What belongs to an id goes, but for the body with this token. */
  keepOnly(id: Buffer, token: number): void {
    for (const body of this.#ofId(id).slice()) if (body.token !== token) this.#discard(body)
  }

  drop(id: Buffer, token: number): void {
    for (const body of this.#ofId(id).slice()) if (body.token === token) this.#discard(body)
  }

  /** The number of what is to leave first; what was used comes after everything that is here. */
  oldest(): number | undefined {
    for (const body of this.#all) {
      if (!body.isUsed) return body.number
      this.#all.delete(body)
      body.isUsed = false
      body.number = this.#options.next()
      this.#all.add(body)
    }
    return undefined
  }

  /** The oldest leaves. @returns its id */
  evict(): Buffer | undefined {
    const [body] = this.#all
    if (body !== undefined) this.#discard(body)
    return body?.id
  }

  async close(): Promise<void> {
    for (const spool of this.#spools) spool.stop()
    for (const { opened } of this.#all) await opened?.then(({ handle }) => handle.close()).catch(() => undefined)
  }

  #ofId(id: Buffer): Body[] {
    return this.#byId.get(nameOf(id.readUInt32LE(0), id.readUInt32LE(4))) ?? []
  }

  #add(body: Body): void {
    const name = nameOf(body.id.readUInt32LE(0), body.id.readUInt32LE(4))
    this.#all.add(body)
    this.#octets += body.octets
    this.#byId.set(name, [...(this.#byId.get(name) ?? []), body])
  }

  #discard(body: Body): void {
    if (!this.#all.delete(body)) return
    this.#octets -= body.octets
    const name = nameOf(body.id.readUInt32LE(0), body.id.readUInt32LE(4))
    const others = this.#ofId(body.id).filter((other) => other !== body)
    if (others.length === 0) this.#byId.delete(name)
    else this.#byId.set(name, others)
    body.isGone = true
    // Whoever reads it has it open, and reads on.
    void this.#options.rest.remove(body.path)
  }

  #noteBroken(body: Body): void {
    if (!body.isGone) this.#options.broken()
    this.#discard(body)
  }

  #left(body: Body): void {
    if (--body.readers > 0) return
    const { opened } = body
    delete body.opened
    void opened?.then(({ handle }) => handle.close()).catch(() => undefined)
  }
}

const nameOf = (high: number, low: number): string => `${high} ${low}`

/** Undefined for what cannot be read. */
function sizeOf(path: string): number | undefined {
  try {
    return statSync(path).size
  } catch {
    return undefined
  }
}

async function openBody(path: string, length: number): Promise<Opened> {
  const handle = await open(path, 'r')
  try {
    const end = Buffer.allocUnsafeSlow(chunksOf(length) * 4 + TRAILER)
    const { bytesRead } = await handle.read(end, 0, end.length, length)
    const sums = bytesRead === end.length ? sumsIn(end, length) : undefined
    if (sums === undefined) throw new Error('it is not as it was written')
    return { handle, sums }
  } catch (error) {
    await handle.close()
    throw error
  }
}

async function readChunk(handle: FileHandle, sums: Uint32Array, length: number, at: number): Promise<Buffer> {
  const chunk = Math.floor(at / CHUNK)
  const size = Math.min(CHUNK, length - chunk * CHUNK)
  const octets = Buffer.allocUnsafeSlow(size)
  const { bytesRead } = await handle.read(octets, 0, size, chunk * CHUNK)
  if (bytesRead !== size || crc32(octets) !== sums[chunk]) throw new Error('what was written is not there as it was')
  return octets.subarray(at - chunk * CHUNK)
}
