import { LONGEST_NAME } from './name.ts'

/** Where the name at `at` ends in its place, a compression pointer included; past the array when it does not end there. */
export function pastName(bytes: Uint8Array, at: number): number {
  for (let read = at; read < bytes.length; ) {
    const size = bytes[read]!
    if (size === 0) return read + 1
    if (size >= 0xc0) return read + 2
    if (size > 63) break
    read += size + 1
  }
  return bytes.length + 1
}

/**
 * Writes the name at bytes[at…] uncompressed to out[to…], case kept; pointers lead backwards only (RFC 1035 §4.1.4).
 * @returns its octets there, or 0 when it is none
 */
export function expandName(bytes: Uint8Array, at: number, out: Uint8Array, to: number): number {
  let write = to
  let least = at
  for (let read = at; read < bytes.length; ) {
    const size = bytes[read]!
    if (size >= 0xc0) {
      const target = ((size & 0x3f) << 8) | (bytes[read + 1] ?? 0)
      if (target >= least) return 0
      least = read = target
      continue
    }
    if (size > 63 || write - to + size + 1 > LONGEST_NAME || read + size >= bytes.length) return 0
    for (let octet = 0; octet <= size; octet++) out[write++] = bytes[read++]!
    if (size === 0) return write - to
  }
  return 0
}
