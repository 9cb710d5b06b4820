import type { ScannedName } from '../wire/index.ts'

// One shared buffer for all zones of a daemon. Offsets of names and RDATA count octets, everything else counts 32-bit words.
//
//   header   magic, then where each part stands
//   table    open addressing, a power of two of (hash, node) pairs; node 0 is an empty slot
//   nodes    one per name of a zone that exists, empty non-terminals included; node 0 is none; a parent stands before its children
//   rrsets   those of a node side by side, in the order of the nodes
//   heap     names in wire form; RDATA as (length, octets) pairs, the records of an RRset side by side

export const IMAGE_MAGIC = 0x4e435a31
export const HEADER = { MAGIC: 0, TABLE: 1, MASK: 2, NODES: 3, NODE_COUNT: 4, RRSETS: 5, DEEPEST: 6, RECORDS: 7, WORDS: 8 } as const

/**
 * A node's words. NAME is in lower case, SHOWN as the operator wrote it. SHAPE is flags | octets of the name << 16 |
 * labels << 24. APEX is the apex of its zone. ABOVE: for an apex the node of the same name in the zone above, where its DS
 * stands; for others the zone cut or DNAME above, which hides them. WILD is its child `*`. 0: none.
 */
export const NODE = { NAME: 0, SHOWN: 1, SHAPE: 2, APEX: 3, ABOVE: 4, WILD: 5, RRSETS: 6, WORDS: 7 } as const

/** TYPE is type | count << 16; DATA and LENGTH are the records' octets in the heap. */
export const RRSET = { TYPE: 0, TTL: 1, DATA: 2, LENGTH: 3, WORDS: 4 } as const

export const FLAG = { APEX: 1, CUT: 2, DNAME: 4, CNAME: 8, ROUTE: 16, ALIAS: 32 } as const

/** The views through which a thread reads the buffer. */
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
}

/** Opens views of the buffer; nothing is copied. */
export function openZoneImage(image: SharedArrayBuffer): ZoneImage {
  const words = new Int32Array(image)
  if (words[HEADER.MAGIC] !== IMAGE_MAGIC) throw new Error('not a zone image')
  const header = (word: number): number => words[word]!
  return {
    bytes: new Uint8Array(image), words, table: header(HEADER.TABLE), mask: header(HEADER.MASK), nodes: header(HEADER.NODES),
    nodeCount: header(HEADER.NODE_COUNT), rrsets: header(HEADER.RRSETS), deepest: header(HEADER.DEEPEST), records: header(HEADER.RECORDS)
  }
}

/** One of the NODE words of a node. */
export function nodeWord(image: ZoneImage, node: number, word: number): number {
  return image.words[image.nodes + node * NODE.WORDS + word]!
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

/** The RRset of a type at a node, or -1. */
export function findRrset(image: ZoneImage, node: number, type: number): number {
  const { words } = image
  const base = image.nodes + node * NODE.WORDS + NODE.RRSETS
  const stop = image.rrsets + words[base + NODE.WORDS]! * RRSET.WORDS
  let at = image.rrsets + words[base]! * RRSET.WORDS
  for (; at < stop; at += RRSET.WORDS) if ((words[at]! & 0xffff) === type) return ((at - image.rrsets) / RRSET.WORDS) | 0
  return -1
}

