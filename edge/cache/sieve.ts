/** What the eviction order holds: an entry with its place in the queue. */
export interface Queued {
  visited: boolean
  newer: Queued | undefined
  older: Queued | undefined
}

/**
 * SIEVE (Zhang et al., NSDI 2024): a queue by arrival whose hand, going from the oldest to the newest, spares what was used
 * since it last came by. A use costs one store, and what is asked for once leaves soon.
 */
export class Sieve<T extends Queued> {
  #newest: T | undefined
  #oldest: T | undefined
  #hand: T | undefined

  add(entry: T): void {
    entry.older = this.#newest
    entry.newer = undefined
    if (this.#newest !== undefined) this.#newest.newer = entry
    this.#newest = entry
    this.#oldest ??= entry
  }

  use(entry: T): void {
    entry.visited = true
  }

  remove(entry: T): void {
    if (this.#hand === entry) this.#hand = entry.newer as T | undefined
    if (entry.newer === undefined) this.#newest = entry.older as T | undefined
    else entry.newer.older = entry.older
    if (entry.older === undefined) this.#oldest = entry.newer as T | undefined
    else entry.older.newer = entry.newer
    entry.newer = entry.older = undefined
  }

  /** Takes out what is to go next; undefined when nothing is held. */
  evict(): T | undefined {
    let entry = this.#hand ?? this.#oldest
    while (entry?.visited === true) {
      entry.visited = false
      entry = (entry.newer as T | undefined) ?? this.#oldest
    }
    if (entry === undefined) return undefined
    this.#hand = entry
    this.remove(entry)
    return entry
  }
}
