import { nameLength, TYPE } from '../wire/index.ts'
import type { ZoneImage } from '../zone/index.ts'
import { addressesAt, nodeOf } from './addresses.ts'
import type { Assembly } from './assembly.ts'

// `ipv4hint=auto` and `ipv6hint=auto` of SVCB and HTTPS records (RFC 9460 §7.3): what the record's target is answered with,
// to this client and now. In a zone such a hint is one without addresses, which no record that is sent may have.

const HINTS: Readonly<Record<number, number>> = { 4: TYPE.A, 6: TYPE.AAAA }

/** The records of an SVCB or HTTPS RRset at bytes[start, end) with their hints filled in; undefined when they stand there as they are to be sent. */
export function expandHints(assembly: Assembly, image: ZoneImage, start: number, end: number): { records: Uint8Array[]; longestTtl: number } | undefined {
  const { bytes } = image
  if (!hasAuto(bytes, start, end)) return undefined
  // The targets are looked up with what the assembly has beside; where the record itself stands is read first.
  const owner = assembly.finding.node
  const records: Uint8Array[] = []
  let longestTtl = Infinity
  for (let at = start; at < end; ) {
    const length = (bytes[at]! << 8) | bytes[at + 1]!
    const target = at + 4
    const node = bytes[target] === 0 ? owner : nodeOf(assembly, image, bytes, target)
    const parts: Uint8Array[] = [bytes.subarray(at + 2, target + nameLength(bytes, target))]
    for (let parameter = target + nameLength(bytes, target); parameter < at + 2 + length; ) {
      const key = (bytes[parameter]! << 8) | bytes[parameter + 1]!
      const size = (bytes[parameter + 2]! << 8) | bytes[parameter + 3]!
      const type = size === 0 ? HINTS[key] : undefined
      if (type === undefined) parts.push(bytes.subarray(parameter, parameter + 4 + size))
      else {
        const found = node === 0 ? undefined : addressesAt(assembly, image, node, type, true)
        if (found !== undefined && found.addresses.length > 0) {
          longestTtl = Math.min(longestTtl, found.ttl)
          const octets = found.addresses.length * found.addresses[0]!.length
          parts.push(Uint8Array.of(key >>> 8, key, octets >>> 8, octets), ...found.addresses)
        }
      }
      parameter += 4 + size
    }
    records.push(Buffer.concat(parts))
    at += 2 + length
  }
  return { records, longestTtl }
}

function hasAuto(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; ) {
    const stop = at + 2 + ((bytes[at]! << 8) | bytes[at + 1]!)
    for (let parameter = at + 4 + nameLength(bytes, at + 4); parameter < stop; ) {
      const size = (bytes[parameter + 2]! << 8) | bytes[parameter + 3]!
      if (size === 0 && HINTS[(bytes[parameter]! << 8) | bytes[parameter + 1]!] !== undefined) return true
      parameter += 4 + size
    }
    at = stop
  }
  return false
}
