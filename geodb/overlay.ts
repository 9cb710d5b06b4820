import { parsePrefix, type Prefix } from '../core/address.ts'

/** Prefixes that win over the database, as a binary tree; the longest that covers an address counts. */
export interface Overlay {
  place?: number
  zero?: Overlay
  one?: Overlay
}

// RFC 6890 and its registries: networks that are nowhere on the Internet, and so where the operator says they are.
const LOCAL = [
  '127.0.0.0/8', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', '100.64.0.0/10',
  '::1/128', 'fc00::/7', 'fe80::/10'
]

/** The special-use networks of one family, all at `place`. */
export function localOverlay(family: 4 | 6, place: number): Overlay {
  const root: Overlay = {}
  for (const text of LOCAL) {
    const prefix = parsePrefix(text)!
    if (prefix.family === family) addPrefix(root, prefix, place)
  }
  return root
}

export function addPrefix(root: Overlay, prefix: Prefix, place: number): void {
  let node = root
  for (let bit = 0; bit < prefix.length; bit++) {
    const side = (prefix.bytes[bit >>> 3]! >>> (7 - (bit & 7))) & 1 ? 'one' : 'zero'
    node = node[side] ??= {}
  }
  node.place = place
}
