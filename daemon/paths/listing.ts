// The listing of `show route primary all`, of one or more tables. A line that begins with a prefix opens a route, and of the
// lines below it `BGP.as_path:` is what counts here:
//
//   1007-192.0.2.0/24         unicast [up4 2026-11-21] * (100) [AS64496i]
//    <tab>via 10.0.0.1 on eth0
//   1012-<tab>BGP.as_path: 64500 64501 64501 64496

/** One route. The same object each time: what is to be kept is copied. */
export interface ListedRoute {
  family: 4 | 6
  /** First address of the prefix, a word of it each: one of IPv4, four of IPv6. */
  readonly words: Uint32Array
  length: number
  /** ASes on the way, prepends counted; a set counts one and a confederation nothing (RFC 4271 §9.1.2.2, RFC 5065 §5.3). */
  path: number
  /** The same with neighbours that are alike counted once. */
  hops: number
  /** The last AS of the path; 0 where that is a set or a confederation. */
  origin: number
}

export interface Listing {
  /** Takes octets, calls back for every route with an AS path that is whole. @returns the code and text that ended the listing */
  take(octets: Uint8Array): string | undefined
}

const [NEWLINE, TAB, SPACE, DASH, COLON, DOT, SLASH] = [10, 9, 32, 45, 58, 46, 47]
/** Of a line; what is longer is no route that could be meant. */
const LONGEST_LINE = 1 << 16
const AS_PATH = Buffer.from('BGP.as_path:')

export function makeListing(found: (route: ListedRoute) => void): Listing {
  const route: ListedRoute = { family: 4, words: new Uint32Array(4), length: 0, path: 0, hops: 0, origin: 0 }
  let isOpen = false
  /** A line of which the end has not come in. */
  const rest = Buffer.alloc(LONGEST_LINE)
  let held = 0
  let isTooLong = false

  const line = (octets: Uint8Array, from: number, end: number): string | undefined => {
    if (from === end || octets[from] === 43) return undefined
    let at = from + 1
    if (octets[from] !== SPACE) {
      const isLast = octets[from + 4] !== DASH
      if (isLast) return Buffer.from(octets.buffer, octets.byteOffset + from, end - from).toString('latin1').trim()
      at = from + 5
    }
    if (octets[at] === TAB) {
      if (isOpen && isAsPath(octets, at + 1)) {
        readPath(octets, at + 1 + AS_PATH.length, end, route)
        isOpen = false
        found(route)
      }
      return undefined
    }
    if (octets[at] !== SPACE) isOpen = readPrefix(octets, at, end, route)
    return undefined
  }

  return {
    take(octets) {
      let from = 0
      for (;;) {
        const end = octets.indexOf(NEWLINE, from)
        if (end < 0) break
        let said: string | undefined
        if (held === 0) said = line(octets, from, end)
        else {
          if (held + end - from > LONGEST_LINE) isTooLong = true
          if (!isTooLong) {
            rest.set(octets.subarray(from, end), held)
            said = line(rest, 0, held + end - from)
          }
          held = 0
          isTooLong = false
        }
        if (said !== undefined) return said
        from = end + 1
      }
      const left = octets.length - from
      if (held + left > LONGEST_LINE) isTooLong = true
      else rest.set(octets.subarray(from), held)
      // One that is too long is still open: whatever is kept of it is not looked at.
      held = isTooLong ? LONGEST_LINE : held + left
      return undefined
    }
  }
}

function isAsPath(octets: Uint8Array, at: number): boolean {
  for (let index = 0; index < AS_PATH.length; index++) if (octets[at + index] !== AS_PATH[index]) return false
  return true
}

const isDigit = (octet: number): boolean => octet >= 48 && octet <= 57

/** Reads a prefix that is followed by a space; false when there is none. The whole of all addresses is no path to anybody in particular. */
function readPrefix(octets: Uint8Array, from: number, end: number, route: ListedRoute): boolean {
  let slash = from
  let isIpv6 = false
  while (slash < end && octets[slash] !== SLASH) {
    if (octets[slash] === SPACE) return false
    if (octets[slash] === COLON) isIpv6 = true
    slash++
  }
  let length = 0
  let at = slash + 1
  for (; at < end && isDigit(octets[at]!); at++) length = length * 10 + octets[at]! - 48
  if (at === slash + 1 || at - slash > 4 || octets[at] !== SPACE || length === 0 || length > (isIpv6 ? 128 : 32)) return false
  route.family = isIpv6 ? 6 : 4
  route.length = length
  return isIpv6 ? readIpv6(octets, from, slash, route.words) : readIpv4(octets, from, slash, route.words)
}

function readIpv4(octets: Uint8Array, from: number, end: number, words: Uint32Array): boolean {
  let address = 0
  let part = 0
  let parts = 1
  for (let at = from; at < end; at++) {
    const octet = octets[at]!
    if (octet === DOT) {
      address = address * 256 + part
      part = 0
      parts++
    } else if (isDigit(octet)) part = part * 10 + octet - 48
    else return false
    if (part > 255) return false
  }
  words[0] = address * 256 + part
  return parts === 4
}

const groups = new Uint16Array(9)

function readIpv6(octets: Uint8Array, from: number, end: number, words: Uint32Array): boolean {
  let count = 0
  let gap = -1
  let digits = 0
  let value = 0
  for (let at = from; at <= end; at++) {
    const octet = at === end ? COLON : octets[at]!
    if (octet !== COLON) {
      const digit = isDigit(octet) ? octet - 48 : octet >= 97 && octet <= 102 ? octet - 87 : -1
      if (digit < 0 || ++digits > 4) return false
      value = value * 16 + digit
      continue
    }
    if (digits > 0) {
      if (count === 8) return false
      groups[count++] = value
    } else if (at > from && at < end && octets[at - 1] === COLON) {
      if (gap >= 0) return false
      gap = count
    }
    digits = value = 0
  }
  if (gap < 0 ? count !== 8 : count > 7) return false
  const missing = 8 - count
  for (let word = 0; word < 4; word++) words[word] = (groupAt(word * 2, gap, missing) * 65_536 + groupAt(word * 2 + 1, gap, missing)) >>> 0
  return true
}

function groupAt(index: number, gap: number, missing: number): number {
  if (gap < 0 || index < gap) return groups[index]!
  return index < gap + missing ? 0 : groups[index - missing]!
}

/** Sets path, hops and origin from `64500 64501 {64502 64503}`; parts in parentheses are confederations. */
function readPath(octets: Uint8Array, from: number, end: number, route: ListedRoute): void {
  let path = 0
  let hops = 0
  let last = -1
  let at = from
  let depth = 0
  while (at < end) {
    const octet = octets[at]!
    if (octet === 40) depth++
    else if (octet === 41) depth = Math.max(0, depth - 1)
    else if (octet === 123) {
      while (at < end && octets[at] !== 125) at++
      if (depth === 0) {
        path++
        hops++
        last = 0
      }
    } else if (isDigit(octet)) {
      let number = 0
      for (; at < end && isDigit(octets[at]!); at++) number = number * 10 + octets[at]! - 48
      if (depth === 0) {
        path++
        if (number !== last) hops++
        last = number
      }
      continue
    }
    at++
  }
  route.path = Math.min(255, path)
  route.hops = Math.min(255, hops)
  route.origin = last > 0 && last <= 0xffffffff ? last : 0
}
