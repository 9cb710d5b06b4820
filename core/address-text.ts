// Addresses read from the octets of a text, without a string for each: zone files and lists of networks hold millions.

/** Reads text[from, to) as a dotted quad into out[at…]; no leading zeros, which some read as octal. */
export function readIpv4(text: Uint8Array, from: number, to: number, out: Uint8Array, at: number): boolean {
  let write = at
  let value = -1
  for (let read = from; read <= to; read++) {
    const octet = read === to ? 0x2e : text[read]!
    if (octet === 0x2e) {
      if (value < 0 || write === at + 4) return false
      out[write++] = value
      value = -1
    } else {
      const digit = octet - 48
      if (digit < 0 || digit > 9 || value === 0) return false
      value = value < 0 ? digit : value * 10 + digit
      if (value > 255) return false
    }
  }
  return write === at + 4
}

/** Reads text[from, to) as an IPv6 address (RFC 4291 §2.2), with a dotted quad at its end where there is one, into out[at…]. */
export function readIpv6(text: Uint8Array, from: number, to: number, out: Uint8Array, at: number): boolean {
  const end = at + 16
  let write = at
  let gap = -1
  let read = from
  if (to - from >= 2 && text[from] === 0x3a) {
    if (text[from + 1] !== 0x3a) return false
    gap = write
    read = from + 2
  }
  while (read < to) {
    const start = read
    let value = 0
    while (read < to && hexDigit(text[read]!) >= 0) value = value * 16 + hexDigit(text[read++]!)
    if (read < to && text[read] === 0x2e) {
      if (write + 4 > end || !readIpv4(text, start, to, out, write)) return false
      write += 4
      break
    }
    if (read === start || read - start > 4 || write + 2 > end) return false
    out[write++] = value >>> 8
    out[write++] = value & 0xff
    if (read === to) break
    if (text[read++] !== 0x3a || read === to) return false
    if (text[read] !== 0x3a) continue
    if (gap >= 0) return false
    gap = write
    read++
  }
  if (gap < 0) return write === end
  if (write === end) return false
  const tail = write - gap
  out.copyWithin(end - tail, gap, write)
  out.fill(0, gap, end - tail)
  return true
}

/** The value of a hexadecimal digit, or -1. */
export function hexDigit(octet: number): number {
  if (octet >= 48 && octet <= 57) return octet - 48
  const letter = octet | 0x20
  return letter >= 97 && letter <= 102 ? letter - 87 : -1
}
