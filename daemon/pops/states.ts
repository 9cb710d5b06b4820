import { LONGEST_KEY, LONGEST_VALUE, sizeOf, type Entry, type Part } from './message.ts'

// State of one kind, as its owner has it and as others have it. It is not a log of changes but the entries themselves, each
// with the version at which it last changed: a part is what changed past one version up to another, so that one that was lost,
// came twice or came late is simply asked for again.

/** Entries of one kind that a PoP may have, and how many that are gone it remembers to have had. */
const MOST_ENTRIES = 16_384
const MOST_GONE = 4096

/** Our own state of one kind. */
export class OwnState {
  readonly #entries = new Map<string, { readonly value: Uint8Array; readonly version: number }>()
  #version = 0
  /** Of the entries, those that are gone and only remembered. */
  #gone = 0
  #forgotten = 0

  /** Counts the changes. */
  get version(): number {
    return this.#version
  }

  /** What was gone up to this version is forgotten: whoever has an earlier one, and is not at 0, must begin anew. */
  get forgotten(): number {
    return this.#forgotten
  }

  /**
   * @param key hexadecimal digits, 64 octets at most
   * @param value 400 octets at most; empty: the entry goes
   * @returns whether that changed anything
   */
  put(key: string, value: Uint8Array): boolean {
    if (key.length === 0 || key.length > 2 * LONGEST_KEY || value.length > LONGEST_VALUE) throw new RangeError('an entry for other PoPs is too long')
    const before = this.#entries.get(key)
    const isThere = before !== undefined && before.value.length > 0
    if (isThere ? Buffer.compare(before.value, value) === 0 : value.length === 0 || this.#entries.size - this.#gone === MOST_ENTRIES) return false
    // Re-inserted, so that the map stays in the order of its versions.
    this.#entries.delete(key)
    this.#entries.set(key, { value, version: ++this.#version })
    if (before !== undefined && !isThere) this.#gone--
    if (value.length === 0 && ++this.#gone > MOST_GONE) this.#forget()
    return true
  }

  /** Forgets the older half of what is gone, so that this is not called again at once. */
  #forget(): void {
    for (const [key, { value, version }] of this.#entries) {
      if (value.length > 0) continue
      this.#entries.delete(key)
      this.#forgotten = version
      if (--this.#gone <= MOST_GONE / 2) return
    }
  }

  /**
   * What changed past a version, in parts that each fit into so many octets.
   * @param most parts at once
   */
  partsSince(kind: number, from: number, octets: number, most: number): Part[] {
    if (from >= this.#version) return []
    const parts: Part[] = []
    let entries: Entry[] = []
    let size = 0
    let past = from
    let last = from
    for (const [key, { value, version }] of this.#entries) {
      if (version <= from) continue
      const entry = { key, value }
      if (size + sizeOf(entry) > octets) {
        parts.push({ kind, from: past, to: last, entries })
        if (parts.length === most) return parts
        past = last
        entries = []
        size = 0
      }
      entries.push(entry)
      size += sizeOf(entry)
      last = version
    }
    return [...parts, { kind, from: past, to: this.#version, entries }]
  }
}

/** The state of one kind of another PoP, as far as it has come in. */
export class HeardState {
  readonly #entries = new Map<string, Uint8Array>()
  #have = 0

  /** Up to which version of its owner. */
  get have(): number {
    return this.#have
  }

  get entries(): ReadonlyMap<string, Uint8Array> {
    return this.#entries
  }

  /** Takes a part that goes on where we are, or says that it changes nothing for us; `full` when there is no room for it. */
  take({ from, to, entries }: Part): 'taken' | 'nothing' | 'full' {
    if (from > this.#have || to <= this.#have) return 'nothing'
    for (const { key, value } of entries) {
      if (value.length === 0) this.#entries.delete(key)
      else if (this.#entries.has(key) || this.#entries.size < MOST_ENTRIES) this.#entries.set(key, value)
      else return 'full'
    }
    this.#have = to
    return 'taken'
  }
}
