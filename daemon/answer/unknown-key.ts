import { RCODE } from '../wire/index.ts'
import type { Exchange } from './send.ts'

/** Octets of a TSIG record's fields behind the name of its algorithm, without MAC and other data: time, fudge, sizes, original id, error. */
const FIELDS = 16

/**
 * Ends a reply to a message signed with a key that nobody here knows: with a TSIG record that says so and is not signed itself
 * (RFC 8945 §5.2.1, §5.3.2). @param length octets of the reply so far @returns octets of the whole; it stays as it is where there is no room
 */
export function putUnknownKey(exchange: Exchange, length: number): number {
  const { out, outStart, bytes, query, room } = exchange
  const name = nameEnd(bytes, query.tsigAt) - query.tsigAt
  // Behind the name: type, class, TTL and RDLENGTH, then the name of the algorithm.
  const algorithmAt = query.tsigAt + name + 10
  const algorithm = nameEnd(bytes, algorithmAt) - algorithmAt
  const size = name + 10 + algorithm + FIELDS
  if (length === 0 || length + size > room) return length
  const start = outStart + length
  // Up to time and fudge, all is as it came.
  const copied = name + 10 + algorithm + 8
  for (let octet = 0; octet < copied; octet++) out[start + octet] = bytes[query.tsigAt + octet]!
  out[start + name + 8] = (algorithm + FIELDS) >>> 8
  out[start + name + 9] = algorithm + FIELDS
  const rest = start + copied
  out.fill(0, rest, rest + 8)
  out[rest + 2] = bytes[query.at]!
  out[rest + 3] = bytes[query.at + 1]!
  out[rest + 5] = RCODE.BADKEY
  out[outStart + 11]!++
  return length + size
}

function nameEnd(bytes: Uint8Array, at: number): number {
  let read = at
  while (bytes[read] !== 0) read += bytes[read]! + 1
  return read + 1
}
