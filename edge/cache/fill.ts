/** Someone who reads a body while it comes. */
export interface Reader {
  /** Number of the piece that it reads next, counted from the first of the body. */
  next: number
  /** There is more to read, or an end. */
  wake(): void
}

/** How far ahead of its slowest reader a body that is not kept may be received. */
const AHEAD = 1024 * 1024

/** A body that is being received: kept from its first octet for whoever comes, or passed on to those who read it now. */
export class Fill {
  readonly #readers = new Set<Reader>()
  readonly #pieces: Buffer[] = []
  /** Number of the piece at the front of `#pieces`. */
  #first = 0
  #held = 0
  #kept: boolean
  #state: 'open' | 'complete' | 'broken' = 'open'
  #paused = false
  readonly #flow: { pause(): void; resume(): void }

  /** @param flow stops and starts the source */
  constructor(options: { kept: boolean; flow: { pause(): void; resume(): void } }) {
    this.#kept = options.kept
    this.#flow = options.flow
  }

  /** A body that is here whole, in pieces that a slow reader can take one by one. */
  static of(body: Buffer): Fill {
    const fill = new Fill({ kept: true, flow: { pause: () => undefined, resume: () => undefined } })
    for (let at = 0; at < body.length; at += PIECE) fill.push(body.subarray(at, at + PIECE))
    fill.end()
    return fill
  }

  get state(): 'open' | 'complete' | 'broken' {
    return this.#state
  }

  get readers(): number {
    return this.#readers.size
  }

  /** Octets held. */
  get size(): number {
    return this.#held
  }

  attach(reader: Reader): void {
    this.#readers.add(reader)
  }

  detach(reader: Reader): void {
    if (this.#readers.delete(reader)) this.#trim()
  }

  /** The next piece for a reader; undefined when it has to wait, or is at the end. */
  read(reader: Reader): Buffer | undefined {
    const piece = this.#pieces[reader.next - this.#first]
    if (piece === undefined) return undefined
    reader.next++
    this.#trim()
    return piece
  }

  isAtEnd(reader: Reader): boolean {
    return reader.next - this.#first >= this.#pieces.length
  }

  push(piece: Buffer): void {
    if (piece.length === 0) return
    this.#pieces.push(piece)
    this.#held += piece.length
    this.#wake()
    this.#trim()
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

  /** From here on only those who read already are served. */
  dropKept(): void {
    this.#kept = false
    this.#trim()
  }

  /** The whole body in memory of its own; for bodies kept and complete. */
  whole(): Buffer {
    const body = Buffer.allocUnsafeSlow(this.#held)
    let at = 0
    for (const piece of this.#pieces) at += piece.copy(body, at)
    return body
  }

  #wake(): void {
    for (const reader of this.#readers) reader.wake()
  }

  #trim(): void {
    if (this.#kept) return
    let slowest = this.#first + this.#pieces.length
    for (const reader of this.#readers) slowest = Math.min(slowest, reader.next)
    while (this.#first < slowest) {
      this.#held -= this.#pieces.shift()!.length
      this.#first++
    }
    if (this.#state !== 'open' || this.#paused === this.#held > AHEAD) return
    this.#paused = !this.#paused
    if (this.#paused) this.#flow.pause()
    else this.#flow.resume()
  }
}

const PIECE = 128 * 1024
