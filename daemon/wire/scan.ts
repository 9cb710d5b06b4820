/** Octet -> the same octet with ASCII capitals made small (RFC 4343). */
export const LOWER = Uint8Array.from({ length: 256 }, (_, octet) => (octet >= 65 && octet <= 90 ? octet + 32 : octet))

const ROOT_HASH = 0x2545f491

/** A name taken apart. One is filled again and again, so that taking a name apart allocates nothing. */
export interface ScannedName {
  /** The name in wire form and lower case; valid up to `length`, and zeros up to a whole word. */
  readonly lower: Uint8Array
  /** The same octets as 32-bit words. */
  readonly words: Int32Array
  /** Where each label's length octet stands in `lower`; the root's too. */
  readonly starts: Uint8Array
  /** Per label, the hash of the suffix that begins with it; the root's too. */
  readonly hashes: Int32Array
  /** Labels before the root. */
  labels: number
  /** Octets, the root's included. */
  length: number
}

export function makeScannedName(): ScannedName {
  const lower = new Uint8Array(260)
  return { lower, words: new Int32Array(lower.buffer), starts: new Uint8Array(128), hashes: new Int32Array(128), labels: 0, length: 0 }
}

/**
 * Takes apart the uncompressed name at `at`.
 * @returns its octets, or 0 when it is none: it runs past `end` or 255 octets, or has a compression pointer (RFC 1035 §3.1, §4.1.4)
 */
export function scanName(bytes: Uint8Array, at: number, end: number, into: ScannedName): number {
  const { lower, starts, hashes } = into
  let labels = 0
  let length = 0
  for (;;) {
    if (at + length >= end) return 0
    const size = bytes[at + length]!
    starts[labels] = length
    lower[length] = size
    if (size === 0) break
    if (size > 63 || length + size > 253 || at + length + size >= end) return 0
    let hash = size
    const stop = length + size
    while (length < stop) {
      length++
      const octet = LOWER[bytes[at + length]!]!
      lower[length] = octet
      hash = Math.imul(hash ^ octet, 0x01000193)
    }
    length++
    hashes[labels++] = hash
  }
  let suffix = ROOT_HASH
  hashes[labels] = suffix
  for (let label = labels - 1; label >= 0; label--) {
    suffix = Math.imul(suffix ^ hashes[label]!, 0x9e3779b1)
    suffix ^= suffix >>> 15
    hashes[label] = suffix
  }
  lower[length + 1] = lower[length + 2] = lower[length + 3] = 0
  into.labels = labels
  into.length = length + 1
  return length + 1
}
