// A Map and a Set for what comes and goes with every request. Those of V8 are given a new table for each few things that were taken
// out, and the table before points to it: once one has grown old, all that has passed since then hangs on it until the next full
// collection, and every small one copies it. So what is in them is moved now and then to a Map or a Set that nothing points to.

/** As many are taken out before that happens, or twice as many as are there. */
const LEAST = 32

const isDue = (taken: number, size: number): boolean => taken >= LEAST && taken >= 2 * size

export class PassingMap<Key, Value> {
  #inner = new Map<Key, Value>()
  #taken = 0

  get size(): number {
    return this.#inner.size
  }

  get(key: Key): Value | undefined {
    return this.#inner.get(key)
  }

  has(key: Key): boolean {
    return this.#inner.has(key)
  }

  set(key: Key, value: Value): void {
    this.#inner.set(key, value)
  }

  delete(key: Key): boolean {
    if (!this.#inner.delete(key)) return false
    if (isDue(++this.#taken, this.#inner.size)) {
      this.#inner = new Map(this.#inner)
      this.#taken = 0
    }
    return true
  }

  values(): Iterable<Value> {
    return this.#inner.values()
  }

  [Symbol.iterator](): Iterator<[Key, Value]> {
    return this.#inner[Symbol.iterator]()
  }
}

export class PassingSet<Value> {
  #inner = new Set<Value>()
  #taken = 0

  get size(): number {
    return this.#inner.size
  }

  has(value: Value): boolean {
    return this.#inner.has(value)
  }

  add(value: Value): void {
    this.#inner.add(value)
  }

  delete(value: Value): boolean {
    if (!this.#inner.delete(value)) return false
    if (isDue(++this.#taken, this.#inner.size)) {
      this.#inner = new Set(this.#inner)
      this.#taken = 0
    }
    return true
  }

  [Symbol.iterator](): Iterator<Value> {
    return this.#inner[Symbol.iterator]()
  }
}
