/** Someone who reads a body while it comes. */
export interface Reader {
  /** Number of the piece that it reads next, counted from the first of the body. */
  next: number
  /** The octet that it reads next. Set before it is attached, it reads from there on; or from somewhat before, where a piece begins. */
  at: number
  /** There is more to read, or an end. Must not throw: the others are woken after it. */
  wake(): void
}

/** Where a body can be read again that memory has let go of. */
export interface Backing {
  /** So many octets, from the first of the body, can be read. */
  readonly size: number
  /** Some octets from a place on, one at least; rejects where they are not as they were written. */
  read(at: number): Promise<Buffer>
  /** Nobody reads any more. */
  close(): void
}

/** A backing that is being written: it takes each piece, and tells the fill by `trim` when it can be read. */
export interface Sink extends Backing {
  push(piece: Buffer): void
}

/** How far ahead of its slowest reader a body that is not kept may be received, and one that is kept in a backing ahead of what is written. */
const AHEAD = 1024 * 1024
/** Octets that stay in memory beside their backing, for those who read as fast as the body comes. */
const RECENT = 1024 * 1024

/** A body that is being received: kept from its first octet for whoever comes, or passed on to those who read it now. */
export class Fill {
  readonly #readers = new Set<Reader>()
  /** Of those who read what memory has let go of: what has been read for them, or how that stands. */
  readonly #behind = new Map<Reader, Buffer | 'under way' | 'failed'>()
  readonly #pieces: Buffer[] = []
  /** Number of the piece at the front of `#pieces`, and which octet of the body it begins with. */
  #first = 0
  #from = 0
  #held = 0
  #kept: boolean
  #backing: Backing | undefined
  #sink: Sink | undefined
  /** Nobody comes any more: with the last of its readers the backing is closed. */
  #isRetired = false
  #state: 'open' | 'complete' | 'broken' = 'open'
  #paused = false
  readonly #flow: { pause(): void; resume(): void }

  /** @param flow stops and starts the source */
  constructor(options: { kept: boolean; flow: { pause(): void; resume(): void } }) {
    this.#kept = options.kept
    this.#flow = options.flow
  }

  /** A body that is here whole, one run of octets after the other, in pieces that a slow reader can take one by one. */
  static of(...runs: readonly Buffer[]): Fill {
    const fill = new Fill({ kept: true, flow: { pause: () => undefined, resume: () => undefined } })
    for (const run of runs) for (let at = 0; at < run.length; at += PIECE) fill.push(run.subarray(at, at + PIECE))
    fill.end()
    return fill
  }

  /** A body that lies whole in a backing, for one reader. */
  static from(backing: Backing): Fill {
    const fill = new Fill({ kept: true, flow: { pause: () => undefined, resume: () => undefined } })
    fill.#backing = backing
    fill.#from = backing.size
    fill.#isRetired = true
    fill.end()
    return fill
  }

  get state(): 'open' | 'complete' | 'broken' {
    return this.#state
  }

  get readers(): number {
    return this.#readers.size
  }

  /** Octets held in memory. */
  get size(): number {
    return this.#held
  }

  attach(reader: Reader): void {
    this.#readers.add(reader)
    const wanted = reader.at
    reader.next = this.#first
    if (wanted <= this.#from) return
    reader.at = this.#from
    for (let piece = this.#pieces[0]; piece !== undefined && reader.at + piece.length <= wanted; piece = this.#pieces[reader.next - this.#first]) {
      reader.at += piece.length
      reader.next++
    }
  }

  detach(reader: Reader): void {
    if (!this.#readers.delete(reader)) return
    this.#behind.delete(reader)
    this.trim()
    this.#closeIfOver()
  }

  /** Whether what a reader reads next cannot be had, so that it must not take what it has for the whole. */
  isBrokenFor(reader: Reader): boolean {
    return this.#state === 'broken' || this.#behind.get(reader) === 'failed'
  }

  /** The next piece for a reader; undefined when it has to wait, or is at the end. */
  read(reader: Reader): Buffer | undefined {
    if (reader.at < this.#from) return this.#readBehind(reader)
    if (reader.next < this.#first) reader.next = this.#first
    const piece = this.#pieces[reader.next - this.#first]
    if (piece === undefined) return undefined
    reader.next++
    reader.at += piece.length
    this.trim()
    return piece
  }

  isAtEnd(reader: Reader): boolean {
    return reader.at >= this.#from + this.#held
  }

  push(piece: Buffer): void {
    if (piece.length === 0) return
    this.#pieces.push(piece)
    this.#held += piece.length
    this.#sink?.push(piece)
    this.#wake()
    this.trim()
  }

  end(): void {
    this.#state = 'complete'
    this.#wake()
  }

  /** The source failed: readers must not take what they have for the whole. */
  fail(): void {
    this.#state = 'broken'
    this.#wake()
  }

  /** What has come and what comes is kept in a backing rather than in memory. */
  keepIn(sink: Sink): void {
    this.#sink = sink
    this.#backing = sink
    for (const piece of this.#pieces) sink.push(piece)
    this.trim()
  }

  /** From here on only those who read already are served. */
  dropKept(): void {
    this.#kept = false
    this.#sink = undefined
    this.trim()
    this.retire()
  }

  /** Nobody is attached any more. */
  retire(): void {
    this.#isRetired = true
    this.#closeIfOver()
  }

  /** The whole body in memory of its own; for bodies kept in memory and complete. @param gather puts pieces together to so many octets */
  whole(gather: (pieces: readonly Buffer[], size: number) => Buffer): Buffer {
    return gather(this.#pieces, this.#held)
  }

  /** Lets go of what nobody needs in memory, and stops or starts the source. */
  trim(): void {
    if (this.#kept && this.#sink === undefined) return
    if (this.#sink !== undefined) this.#dropWritten(this.#sink.size)
    else this.#dropRead()
    if (this.#state !== 'open') return
    const ahead = this.#sink === undefined ? this.#held : this.#from + this.#held - this.#sink.size
    if (this.#paused === ahead > AHEAD) return
    this.#paused = !this.#paused
    if (this.#paused) this.#flow.pause()
    else this.#flow.resume()
  }

  #dropWritten(written: number): void {
    for (let piece = this.#pieces[0]; piece !== undefined && this.#held - piece.length >= RECENT && this.#from + piece.length <= written; piece = this.#pieces[0]) this.#dropFirst()
  }

  #dropRead(): void {
    let slowest = this.#first + this.#pieces.length
    for (const reader of this.#readers) slowest = Math.min(slowest, Math.max(reader.next, this.#first))
    while (this.#first < slowest) this.#dropFirst()
  }

  #dropFirst(): void {
    const { length } = this.#pieces.shift()!
    this.#held -= length
    this.#from += length
    this.#first++
  }

  /** What was read for a reader meanwhile, or undefined while that is under way; it is woken then. */
  #readBehind(reader: Reader): Buffer | undefined {
    const has = this.#behind.get(reader)
    if (has instanceof Buffer) {
      this.#behind.delete(reader)
      reader.at += has.length
      return has
    }
    if (has !== undefined) return undefined
    this.#behind.set(reader, 'under way')
    const come = (result: Buffer | 'failed'): void => {
      if (!this.#readers.has(reader)) return
      this.#behind.set(reader, result)
      reader.wake()
    }
    const most = this.#from - reader.at
    const read = this.#backing?.read(reader.at) ?? Promise.reject(new Error('it is gone'))
    read.then((octets) => come(octets.length > most ? octets.subarray(0, most) : octets), () => come('failed'))
    return undefined
  }

  #closeIfOver(): void {
    if (!this.#isRetired || this.#readers.size > 0) return
    const backing = this.#backing
    this.#backing = undefined
    backing?.close()
  }

  #wake(): void {
    for (const reader of this.#readers) reader.wake()
  }
}

const PIECE = 128 * 1024
