import { lowerOctet } from '../wire/name.ts'

// Names of a zone that its records point at, and all that stand above those: as bits, so that a million are a megabyte. That a name
// is there may be said of one that is not, never the other way round.

export interface Pointed {
  readonly bits: Uint32Array
}

const LEAST_BITS = 1 << 12
const MOST_BITS = 1 << 25
const starts = new Uint8Array(128)

/** Room for about so many names. */
export function makePointed(names: number): Pointed {
  const bits = Math.min(MOST_BITS, Math.max(LEAST_BITS, 2 ** Math.ceil(Math.log2(names * 12 + 1))))
  return { bits: new Uint32Array(bits >>> 5) }
}

/** Something points at this name (wire form) of the zone whose own name has so many octets. */
export function addPointed({ bits }: Pointed, name: Uint8Array, zoneLength: number): void {
  eachSuffix(name, zoneLength, (hash) => {
    set(bits, hash)
    set(bits, second(hash))
  })
}

/** Whether something may point at the name or beneath it. */
export function mayBePointed({ bits }: Pointed, name: Uint8Array): boolean {
  const hash = hashOf(name)
  return has(bits, hash) && has(bits, second(hash))
}

/** The number of a name among those that `eachSuffix` tells. */
export function hashOf(name: Uint8Array): number {
  let last = 0
  eachSuffix(name, name.length, (hash) => (last = hash))
  return last
}

const second = (hash: number): number => Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 0

function set(bits: Uint32Array, hash: number): void {
  bits[(hash >>> 5) & (bits.length - 1)]! |= 1 << (hash & 31)
}

function has(bits: Uint32Array, hash: number): boolean {
  return ((bits[(hash >>> 5) & (bits.length - 1)]! >>> (hash & 31)) & 1) === 1
}

/** Hashes of the name and of those above it that have at least so many octets, from above: each goes on from the one before. */
export function eachSuffix(name: Uint8Array, least: number, visit: (hash: number) => void): void {
  let labels = 0
  let at = 0
  while (name[at]! > 0) {
    starts[labels++] = at
    at += name[at]! + 1
  }
  let hash = 0x811c9dc5
  let to = at
  if (least <= 1) visit(mixed(hash))
  while (labels > 0) {
    const from = starts[--labels]!
    for (let octet = to - 1; octet >= from; octet--) hash = Math.imul(hash ^ lowerOctet(name[octet]!), 0x01000193)
    to = from
    if (name.length - from >= least) visit(mixed(hash))
  }
}

function mixed(hash: number): number {
  let mix = hash ^ (hash >>> 16)
  mix = Math.imul(mix, 0x7feb352d)
  mix ^= mix >>> 15
  return Math.imul(mix, 0x846ca68b) >>> 0
}
