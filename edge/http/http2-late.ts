/** Streams that are remembered; of older ones nothing is under way any more. */
const MOST = 1000

/** Streams that were ended before the client had ended them: what still comes on them was under way (RFC 9113 §5.1). */
export class LateStreams {
  readonly #ids = new Set<number>()

  add(id: number): void {
    this.#ids.add(id)
    if (this.#ids.size > MOST) for (const oldest of this.#ids) return void this.#ids.delete(oldest)
  }

  /** Something comes on a stream that is over. @returns whether it may */
  take(id: number, isEnd: boolean): boolean {
    return isEnd ? this.#ids.delete(id) : this.#ids.has(id)
  }
}
