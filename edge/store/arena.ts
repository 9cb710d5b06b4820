/** Octets of a block. */
export const BLOCK = 64
const WORDS = BLOCK / 4
/** Octets that a block takes beside its own: which comes behind it, and which stands before it. */
const LINKS = 8
/** Octets that the objects around a page take. */
const PAGE_OVERHEAD = 1024
const MOST_PER_PAGE = 4096
const LEAST_PER_PAGE = 8
/** In `before`: what follows is the number of an owner rather than of a block. */
const OWNER = 0x80000000

interface Page {
  readonly octets: Buffer
  readonly words: Uint32Array
  /** Of each block: the one behind it in its record, or among the free ones; 0 is none. Numbers count from 1 over all pages. */
  readonly next: Uint32Array
  readonly before: Uint32Array
  free: number
  firstFree: number
}

/**
 * Records in chains of blocks of one size: no room is lost between records, whatever their sizes and in whichever order they
 * come and go. Pages are made as they are needed, and given back when as many blocks are free: what is in a page that is given back
 * moves into free blocks of others.
 */
export class Arena {
  readonly #perPage: number
  readonly #shift: number
  readonly #pages: (Page | undefined)[] = []
  /** Pages with free blocks, possibly; the last is taken from. */
  readonly #partial: number[] = []
  readonly #moved: (owner: number, head: number) => void
  #count = 0
  #free = 0

  /**
   * @param limit octets that it will hold at most, which tells how large a page should be
   * @param moved the record of an owner begins at another block now
   */
  constructor(limit: number, moved: (owner: number, head: number) => void) {
    const wanted = 2 ** Math.floor(Math.log2(Math.max(1, limit / 64 / BLOCK)))
    this.#perPage = Math.min(MOST_PER_PAGE, Math.max(LEAST_PER_PAGE, wanted))
    this.#shift = Math.log2(this.#perPage)
    this.#moved = moved
  }

  /** Octets taken from the machine. */
  get octets(): number {
    return this.#count * this.pageOctets
  }

  get pageOctets(): number {
    return this.#perPage * (BLOCK + LINKS) + PAGE_OVERHEAD
  }

  static blocksOf(size: number): number {
    return Math.ceil(size / BLOCK)
  }

  /** Octets that so many blocks take at least. */
  leastFor(blocks: number): number {
    return Math.ceil(blocks / this.#perPage) * this.pageOctets
  }

  /** Octets more that it must take from the machine for so many blocks. */
  growthFor(blocks: number): number {
    return this.leastFor(Math.max(0, blocks - this.#free))
  }

  /** Whether a page could be given back, and so many blocks be taken still. */
  hasSpareBeside(blocks: number): boolean {
    return this.#free >= this.#perPage + blocks
  }

  /** Writes a record. @param record its octets, and whatever up to a whole block @param size octets @returns its first block */
  write(owner: number, record: Uint32Array, size: number): number {
    let head = 0
    let last = 0
    for (let at = 0; at * 4 < size; at += WORDS) {
      const block = this.#take()
      const { words, next, before } = this.#pageOf(block)
      const index = this.#indexOf(block)
      const to = index * WORDS
      for (let word = 0; word < WORDS; word++) words[to + word] = record[at + word]!
      next[index] = 0
      if (last === 0) {
        head = block
        before[index] = (OWNER | owner) >>> 0
      } else {
        before[index] = last
        this.#pageOf(last).next[this.#indexOf(last)] = block
      }
      last = block
    }
    return head
  }

  /** Copies a record out. @param into of at least the record's size, rounded up to whole blocks, at a multiple of 4 octets of its memory */
  read(head: number, into: Uint32Array): void {
    let at = 0
    for (let block = head; block !== 0; ) {
      const page = this.#pageOf(block)
      const index = this.#indexOf(block)
      const { words } = page
      const from = index * WORDS
      for (let word = 0; word < WORDS; word++) into[at + word] = words[from + word]!
      at += WORDS
      block = page.next[index]!
    }
  }

  /** One of the words in a record's first block. */
  wordOf(head: number, at: number): number {
    return this.#pageOf(head).words[this.#indexOf(head) * WORDS + at]!
  }

  /** Whether a text, one octet a character, stands in a record at a place. */
  holdsText(head: number, offset: number, text: string): boolean {
    let block = head
    for (let skip = offset; skip >= BLOCK; skip -= BLOCK) block = this.#pageOf(block).next[this.#indexOf(block)]!
    let index = offset % BLOCK
    for (let at = 0; at < text.length; ) {
      const page = this.#pageOf(block)
      const { octets } = page
      const from = this.#indexOf(block) * BLOCK
      for (; index < BLOCK && at < text.length; index++, at++) if (octets[from + index] !== text.charCodeAt(at)) return false
      index = 0
      block = page.next[this.#indexOf(block)]!
    }
    return true
  }

  free(head: number): void {
    for (let block = head; block !== 0; ) {
      const next = this.#pageOf(block).next[this.#indexOf(block)]!
      this.#give(block)
      block = next
    }
  }

  /** Gives back the page with the most free blocks of those looked at, moving what is left in it. Only where there is one to spare. */
  release(): void {
    let chosen = -1
    for (let at = 0; at < this.#pages.length; at++) {
      const page = this.#pages[at]
      if (page !== undefined && (chosen < 0 || page.free > this.#pages[chosen]!.free)) chosen = at
    }
    const page = this.#pages[chosen]!
    const used = new Uint8Array(this.#perPage).fill(1)
    for (let block = page.firstFree; block !== 0; block = page.next[this.#indexOf(block)]!) used[this.#indexOf(block)] = 0
    this.#free -= page.free
    // Nothing is taken from it any more.
    page.free = page.firstFree = 0
    const first = chosen * this.#perPage + 1
    for (let index = 0; index < this.#perPage; index++) if (used[index] === 1) this.#move(page, first + index)
    this.#pages[chosen] = undefined
    this.#count--
  }

  #move(from: Page, block: number): void {
    const target = this.#take()
    const page = this.#pageOf(target)
    const [index, old] = [this.#indexOf(target), this.#indexOf(block)]
    from.octets.copy(page.octets, index * BLOCK, old * BLOCK, (old + 1) * BLOCK)
    const next = (page.next[index] = from.next[old]!)
    const before = (page.before[index] = from.before[old]!)
    if (next !== 0) this.#pageOf(next).before[this.#indexOf(next)] = target
    if (before >= OWNER) this.#moved(before - OWNER, target)
    else this.#pageOf(before).next[this.#indexOf(before)] = target
  }

  #pageOf(block: number): Page {
    return this.#pages[(block - 1) >>> this.#shift]!
  }

  #indexOf(block: number): number {
    return (block - 1) & (this.#perPage - 1)
  }

  #take(): number {
    for (;;) {
      const at = this.#partial.at(-1)
      const page = at === undefined ? this.#grow() : this.#pages[at]
      if (page === undefined || page.firstFree === 0) {
        this.#partial.pop()
        continue
      }
      const block = page.firstFree
      page.firstFree = page.next[this.#indexOf(block)]!
      page.free--
      this.#free--
      return block
    }
  }

  #give(block: number): void {
    const page = this.#pageOf(block)
    const index = this.#indexOf(block)
    page.next[index] = page.firstFree
    if (page.firstFree === 0) this.#partial.push((block - 1) >>> this.#shift)
    page.firstFree = block
    page.free++
    this.#free++
  }

  #grow(): Page {
    let at = this.#pages.indexOf(undefined)
    if (at < 0) at = this.#pages.length
    const perPage = this.#perPage
    const octets = Buffer.from(new ArrayBuffer(perPage * BLOCK))
    const next = new Uint32Array(perPage)
    const first = at * perPage + 1
    for (let index = 0; index < perPage - 1; index++) next[index] = first + index + 1
    const page: Page = { octets, words: new Uint32Array(octets.buffer), next, before: new Uint32Array(perPage), free: perPage, firstFree: first }
    this.#pages[at] = page
    this.#partial.push(at)
    this.#count++
    this.#free += perPage
    return page
  }
}
