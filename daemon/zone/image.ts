import type { ScannedName } from '../wire/index.ts'

// One shared buffer for all zones of a daemon. Offsets of names and RDATA count octets, everything else counts 32-bit words.
//
//   header   magic, then where each part stands
//   table    open addressing, a power of two of (hash, node) pairs; node 0 is an empty slot
//   heap     names in wire form; RDATA as (length, octets) pairs, the records of an RRset side by side
//   nodes    one per name of a zone that exists, empty non-terminals included; node 0 is none; the apexes first
//   rrsets   those of a node side by side, in the order of the nodes
//   zones    for each apex, the first of the nodes that were made for its zone; then where the last zone's end
//
// A change does not touch what was built: changed nodes are added behind the others, where the parts have room left, and
// an overlay, a small buffer of its own for each version, says which names they stand for. It is all that differs between
// two versions of one build; a thread that reads an older one sees nothing of what came later.

export const IMAGE_MAGIC = 0x4e435a32
export const HEADER = { MAGIC: 0, TABLE: 1, MASK: 2, NODES: 3, NODE_COUNT: 4, RRSETS: 5, DEEPEST: 6, RECORDS: 7, ZONES: 8, ZONE_COUNT: 9, WORDS: 10 } as const

/**
 * Of the overlay. NAMES: a table as that of the image, of the names that changed: the node now, or the negative of a node of the
 * same name that is gone. MOVES: a table of (node as others refer to it, node now) pairs. STALE: a bit for each node that
 * something else stands for now, or nothing.
 */
export const OVERLAY = { NODE_COUNT: 0, DEEPEST: 1, RECORDS: 2, NAMES: 3, NAMES_MASK: 4, MOVES: 5, MOVES_MASK: 6, STALE: 7, WORDS: 8 } as const

/**
 * A node's words. NAME is in lower case, SHOWN as the operator wrote it. SHAPE is flags | octets of the name << 16 |
 * labels << 24. APEX is the apex of its zone. ABOVE: for an apex the node of the same name in the zone above, where its DS
 * stands; for others the zone cut or DNAME above, which hides them. WILD is its child `*`. 0: none. These three are to be read
 * through `nodeWord`, which knows what has changed since.
 */
export const NODE = { NAME: 0, SHOWN: 1, SHAPE: 2, APEX: 3, ABOVE: 4, WILD: 5, RRSETS: 6, WORDS: 7 } as const

/** TYPE is type | count << 16; DATA and LENGTH are the records' octets in the heap. */
export const RRSET = { TYPE: 0, TTL: 1, DATA: 2, LENGTH: 3, WORDS: 4 } as const

export const FLAG = { APEX: 1, CUT: 2, DNAME: 4, CNAME: 8, ROUTE: 16, ALIAS: 32 } as const

/** An image on its way to another thread. */
export interface SharedZones {
  readonly base: SharedArrayBuffer
  /** Absent: nothing has changed since it was built. */
  readonly overlay?: SharedArrayBuffer
  /** Tells the base from any other of this process. */
  readonly build: number
  /** Octets of both. */
  readonly byteLength: number
}

/** The views through which a thread reads an image. */
export interface ZoneImage {
  readonly bytes: Uint8Array
  readonly words: Int32Array
  readonly table: number
  readonly mask: number
  readonly nodes: number
  readonly nodeCount: number
  readonly rrsets: number
  /** Labels of the deepest name: no longer suffix is worth a look. */
  readonly deepest: number
  readonly records: number
  /** Where the list of zones stands, and how many there were when it was built. */
  readonly zones: number
  readonly zoneCount: number
  /** What has changed since; both masks are 0 when nothing has. */
  readonly overlay: Int32Array
  readonly names: number
  readonly namesMask: number
  readonly moves: number
  readonly movesMask: number
  readonly stale: number
}

const NO_OVERLAY = new Int32Array(OVERLAY.WORDS)

/** Opens views of the buffers; nothing is copied. */
export function openZoneImage({ base, overlay }: SharedZones): ZoneImage {
  const words = new Int32Array(base)
  if (words[HEADER.MAGIC] !== IMAGE_MAGIC) throw new Error('not a zone image')
  const over = overlay === undefined ? NO_OVERLAY : new Int32Array(overlay)
  const header = (word: number): number => words[word]!
  const now = (word: number, before: number): number => (overlay === undefined ? header(before) : over[word]!)
  return {
    bytes: new Uint8Array(base), words, table: header(HEADER.TABLE), mask: header(HEADER.MASK), nodes: header(HEADER.NODES), rrsets: header(HEADER.RRSETS),
    nodeCount: now(OVERLAY.NODE_COUNT, HEADER.NODE_COUNT), deepest: now(OVERLAY.DEEPEST, HEADER.DEEPEST), records: now(OVERLAY.RECORDS, HEADER.RECORDS),
    zones: header(HEADER.ZONES), zoneCount: header(HEADER.ZONE_COUNT), overlay: over, names: over[OVERLAY.NAMES]!, namesMask: over[OVERLAY.NAMES_MASK]!,
    moves: over[OVERLAY.MOVES]!, movesMask: over[OVERLAY.MOVES_MASK]!, stale: over[OVERLAY.STALE]!
  }
}

/** One of the NODE words of a node. */
export function nodeWord(image: ZoneImage, node: number, word: number): number {
  const value = image.words[image.nodes + node * NODE.WORDS + word]!
  return image.movesMask === 0 || word < NODE.APEX || word > NODE.WILD ? value : currentNode(image, value)
}

/** The node that stands now for one that others refer to. */
function currentNode({ overlay, moves, movesMask }: ZoneImage, node: number): number {
  for (let slot = Math.imul(node, 0x9e3779b1) & movesMask; ; slot = (slot + 1) & movesMask) {
    const from = overlay[moves + slot * 2]!
    if (from === 0) return node
    if (from === node) return overlay[moves + slot * 2 + 1]!
  }
}

/** Whether something else stands for the node now, or nothing. */
export function isStale({ overlay, stale, namesMask }: ZoneImage, node: number): boolean {
  return namesMask !== 0 && ((overlay[stale + (node >>> 5)]! >>> (node & 31)) & 1) === 1
}

/** One of the RRSET words of an RRset. */
export function rrsetWord(image: ZoneImage, rrset: number, word: number): number {
  return image.words[image.rrsets + rrset * RRSET.WORDS + word]!
}

/** The node of the suffix of `name` that begins with label `label`, or 0. */
export function findNode(image: ZoneImage, name: ScannedName, label: number): number {
  const { bytes, words, table, mask } = image
  const { lower } = name
  const hash = name.hashes[label]!
  const start = name.starts[label]!
  const length = name.length - start
  if (image.namesMask !== 0) {
    const changed = findChanged(image, name, hash, start)
    if (changed !== 0) return changed > 0 ? changed : 0
  }
  for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
    const at = table + slot * 2
    const node = words[at + 1]!
    if (node === 0) return 0
    if (words[at] !== hash) continue
    const base = image.nodes + node * NODE.WORDS
    if (((words[base + NODE.SHAPE]! >>> 16) & 0xff) !== length) continue
    const stored = words[base + NODE.NAME]!
    let same = 0
    while (same < length && bytes[stored + same] === lower[start + same]) same++
    if (same === length) return node
  }
}

/** As `findNode`, among the names that changed: 0 when it is none, negative when it is gone. */
function findChanged(image: ZoneImage, name: ScannedName, hash: number, start: number): number {
  const { bytes, words, overlay, names, namesMask } = image
  const { lower } = name
  const length = name.length - start
  for (let slot = hash & namesMask; ; slot = (slot + 1) & namesMask) {
    const at = names + slot * 2
    const node = overlay[at + 1]!
    if (node === 0) return 0
    if (overlay[at] !== hash) continue
    const base = image.nodes + (node < 0 ? -node : node) * NODE.WORDS
    if (((words[base + NODE.SHAPE]! >>> 16) & 0xff) !== length) continue
    const stored = words[base + NODE.NAME]!
    let same = 0
    while (same < length && bytes[stored + same] === lower[start + same]) same++
    if (same === length) return node
  }
}

/** The RRset of a type at a node, or -1. */
export function findRrset(image: ZoneImage, node: number, type: number): number {
  const { words } = image
  const base = image.nodes + node * NODE.WORDS + NODE.RRSETS
  const stop = image.rrsets + words[base + NODE.WORDS]! * RRSET.WORDS
  let at = image.rrsets + words[base]! * RRSET.WORDS
  for (; at < stop; at += RRSET.WORDS) if ((words[at]! & 0xffff) === type) return ((at - image.rrsets) / RRSET.WORDS) | 0
  return -1
}
