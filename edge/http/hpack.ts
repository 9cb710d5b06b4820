import { CODE_LENGTHS, STATIC } from './hpack-tables.ts'

// HPACK (RFC 7541): heads of HTTP/2 as they are on the wire.

/** Octets of the table that a client may refer to, as it counts them; what is said where nothing else is. */
const TABLE_SIZE = 4096
const OVERHEAD = 32
const END = 256
const NO_MORE = -1

/** For each node of the code's tree what follows upon 0 and upon 1: another node, or an octet as a negative number less one. */
const tree = makeTree()

function makeTree(): Int16Array {
  const nodes = new Int16Array(2 * 512)
  let made = 1
  let code = 0
  let length = 0
  const symbols = CODE_LENGTHS.map((length, symbol) => ({ length, symbol })).sort((a, b) => a.length - b.length || a.symbol - b.symbol)
  for (const each of symbols) {
    code *= 2 ** (each.length - length)
    length = each.length
    let node = 0
    for (let bit = length - 1; bit >= 0; bit--) {
      const at = 2 * node + (Math.floor(code / 2 ** bit) % 2)
      if (bit === 0) nodes[at] = -each.symbol - 1
      else node = nodes[at] ||= made++
    }
    code++
  }
  return nodes
}

/** Text in Huffman's code; undefined where it is none (§5.2). */
function readHuffman(octets: Uint8Array, from: number, to: number): string | undefined {
  let text = ''
  let node = 0
  let depth = 0
  let ones = 0
  for (let at = from; at < to; at++) {
    const octet = octets[at]!
    for (let bit = 7; bit >= 0; bit--) {
      const value = (octet >> bit) & 1
      depth++
      ones = value === 1 ? ones + 1 : 0
      node = tree[2 * node + value]!
      if (node >= 0) continue
      if (node === -END - 1) return undefined
      text += String.fromCharCode(-node - 1)
      node = depth = 0
    }
  }
  // Padding is the beginning of the end, and no whole octet of it.
  return depth > 7 || ones < depth ? undefined : text
}

/** Reads heads; one for each connection, whose table it keeps. */
export class HpackDecoder {
  /** The newest last. */
  readonly #names: string[] = []
  readonly #values: string[] = []
  #size = 0
  #most = TABLE_SIZE
  #octets: Buffer = Buffer.alloc(0)
  #at = 0

  /**
   * @param take is told of each field
   * @returns false where it is no HPACK: the connection cannot go on (§2.2)
   */
  read(octets: Buffer, take: (name: string, value: string) => void): boolean {
    this.#octets = octets
    this.#at = 0
    let mayResize = true
    while (this.#at < octets.length) {
      const first = octets[this.#at]!
      if ((first & 0xe0) === 0x20) {
        const most = this.#number(5)
        if (!mayResize || most < 0 || most > TABLE_SIZE) return false
        this.#most = most
        this.#evict(0)
        continue
      }
      mayResize = false
      if (!this.#field(first, take)) return false
    }
    return true
  }

  #field(first: number, take: (name: string, value: string) => void): boolean {
    if (first >= 0x80) {
      const index = this.#number(7)
      const name = this.#name(index)
      if (name === undefined) return false
      take(name, index <= STATIC.length ? STATIC[index - 1]![1] : this.#values.at(STATIC.length - index)!)
      return true
    }
    const isKept = (first & 0x40) !== 0
    const index = this.#number(isKept ? 6 : 4)
    const name = index === 0 ? this.#text() : this.#name(index)
    const value = name === undefined ? undefined : this.#text()
    if (name === undefined || value === undefined) return false
    if (isKept) this.#keep(name, value)
    take(name, value)
    return true
  }

  #name(index: number): string | undefined {
    if (index <= 0) return undefined
    return index <= STATIC.length ? STATIC[index - 1]![0] : index - STATIC.length <= this.#names.length ? this.#names.at(STATIC.length - index) : undefined
  }

  #keep(name: string, value: string): void {
    const size = name.length + value.length + OVERHEAD
    this.#evict(size)
    if (size > this.#most) return
    this.#names.push(name)
    this.#values.push(value)
    this.#size += size
  }

  #evict(coming: number): void {
    while (this.#names.length > 0 && this.#size + coming > this.#most) this.#size -= this.#names.shift()!.length + this.#values.shift()!.length + OVERHEAD
  }

  /** §5.1; negative where it is none, or larger than anything here. */
  #number(bits: number): number {
    const octets = this.#octets
    const most = (1 << bits) - 1
    let number = octets[this.#at++]! & most
    if (number < most) return number
    for (let shift = 0; shift <= 14; shift += 7) {
      if (this.#at >= octets.length) return NO_MORE
      const octet = octets[this.#at++]!
      number += (octet & 0x7f) << shift
      if (octet < 0x80) return number
    }
    return NO_MORE
  }

  #text(): string | undefined {
    if (this.#at >= this.#octets.length) return undefined
    const isCoded = this.#octets[this.#at]! >= 0x80
    const length = this.#number(7)
    const from = this.#at
    if (length < 0 || from + length > this.#octets.length) return undefined
    this.#at = from + length
    return isCoded ? readHuffman(this.#octets, from, this.#at) : this.#octets.toString('latin1', from, this.#at)
  }
}

const numbers = new Map<string, number>()
for (const [at, [name]] of STATIC.entries()) if (!numbers.has(name)) numbers.set(name, at + 1)
const STATUSES = new Map(STATIC.flatMap(([name, value], at) => (name === ':status' ? [[value, at + 1] as const] : [])))

/** A number of §5.1 whose first octet has `bits` of it. */
function octetsOf(number: number, bits: number, first: number): number[] {
  const most = (1 << bits) - 1
  if (number < most) return [first | number]
  const octets = [first | most]
  let left = number - most
  for (; left >= 0x80; left = Math.floor(left / 0x80)) octets.push((left & 0x7f) | 0x80)
  octets.push(left)
  return octets
}

/** A field that goes into no table (§6.2.2), less its value. @param name in lower case */
export function nameOctets(name: string): Buffer {
  const number = numbers.get(name)
  return Buffer.concat(number === undefined ? [Buffer.from([0, ...octetsOf(name.length, 7, 0)]), Buffer.from(name, 'latin1')] : [Buffer.from(octetsOf(number, 4, 0))])
}

/** A value, one character an octet. */
export const valueOctets = (value: string): Buffer => Buffer.concat([Buffer.from(octetsOf(value.length, 7, 0)), Buffer.from(value, 'latin1')])

export const statusOctets = (status: string): Buffer => {
  const number = STATUSES.get(status)
  return number === undefined ? Buffer.concat([nameOctets(':status'), valueOctets(status)]) : Buffer.from([0x80 | number])
}
