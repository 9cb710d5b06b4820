// Where an address lies among ranges that follow one another without gaps: `start` has the first address of each, ascending, and
// `index` the number of the range that the first address of each /16 lies in, with one more at its end.

/** Of IPv6, an array for each word of the addresses: most steps of a search stay within one of them. */
export type Starts6 = readonly [Uint32Array, Uint32Array, Uint32Array, Uint32Array]

/** The number of the range that an IPv4 address lies in. */
export function rangeOf4(index: Uint32Array, start: Uint32Array, address: number): number {
  const top = address >>> 16
  let low = index[top]!
  let high = index[top + 1]!
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (start[middle]! <= address) low = middle
    else high = middle - 1
  }
  return low
}

/** The number of the range that an IPv6 address lies in, by its words. */
export function rangeOf6(index: Uint32Array, first: Uint32Array, second: Uint32Array, third: Uint32Array, fourth: Uint32Array, a: number, b: number, c: number, d: number): number {
  let low = index[a >>> 16]!
  let high = index[(a >>> 16) + 1]!
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    let order = first[middle]! - a
    if (order === 0) order = second[middle]! - b
    if (order === 0) order = third[middle]! - c
    if (order === 0) order = fourth[middle]! - d
    if (order <= 0) low = middle
    else high = middle - 1
  }
  return low
}

/** Four octets of an address as a number. */
export function wordAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}
