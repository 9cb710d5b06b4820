import type { Reader, Response } from 'maxmind'
import { addBlock, makeBlocks, type Blocks } from './blocks.ts'
import type { Overlay } from './overlay.ts'
import { NOWHERE } from './places.ts'

/** A database's search tree: where the IPv4 addresses begin in it, and the two records of each node. */
export interface Tree {
  readonly nodeCount: number
  readonly ipVersion: number
  /** In a tree of both families: the node 96 zero bits deep. May be a leaf. */
  readonly ipv4Start: number
  left(node: number): number
  right(node: number): number
}

export function openTree(bytes: Buffer, metadata: Reader<Response>['metadata']): Tree {
  const { nodeCount, nodeByteSize, recordSize, ipVersion } = metadata
  if (nodeCount * nodeByteSize > bytes.length) throw new Error('the search tree is cut off')
  const read = {
    24: (at: number): number => bytes.readUIntBE(at, 3),
    32: (at: number): number => bytes.readUInt32BE(at)
  }
  const tree = {
    nodeCount,
    ipVersion,
    // 28 bits: the middle octet of a node holds the top four bits of both its records.
    left: recordSize === 28 ? (node: number) => ((bytes[node * 7 + 3]! & 0xf0) << 20) | read[24](node * 7) : recordSize === 24 ? (node: number) => read[24](node * 6) : (node: number) => read[32](node * 8),
    right: recordSize === 28 ? (node: number) => ((bytes[node * 7 + 3]! & 0x0f) << 24) | read[24](node * 7 + 4) : recordSize === 24 ? (node: number) => read[24](node * 6 + 3) : (node: number) => read[32](node * 8 + 4)
  }
  let ipv4Start = 0
  if (ipVersion === 6) for (let depth = 0; depth < 96 && ipv4Start < nodeCount; depth++) ipv4Start = tree.left(ipv4Start)
  return { ...tree, ipv4Start }
}

/**
 * All addresses of one family as blocks, each with its place.
 * In a tree of both families the IPv4 part also hangs at ::/96 and, as an alias, at IPv4-mapped, 6to4 and Teredo prefixes:
 * for IPv6 it counts as not known wherever it hangs (look-ups go to the IPv4 blocks where that means something), and a
 * tree of IPv4 alone says nothing of IPv6, though readers of the format would find something in it.
 * @param placeOf the place of a leaf of the database, given one address in it
 */
export function flatten(tree: Tree, family: 4 | 6, overlay: Overlay, placeOf: (leaf: number, address: Uint32Array) => number): Blocks {
  const width = family === 4 ? 1 : 4
  const depthLimit = width * 32
  const blocks = makeBlocks(width)
  const address = new Uint32Array(width)
  // Each node is met once; a tree that loops or shares its parts without end is refused rather than walked for ever.
  let budget = tree.nodeCount * 2 + 100_000
  const walk = (node: number, over: Overlay | undefined, inherited: number | undefined, depth: number): void => {
    const isAlias = family === 6 && node === tree.ipv4Start && node < tree.nodeCount
    const leaf = isAlias ? tree.nodeCount : node
    const place = over?.place ?? inherited
    const isSplit = over?.zero !== undefined || over?.one !== undefined
    if (!isSplit && (place !== undefined || leaf >= tree.nodeCount)) {
      addBlock(blocks, address, depth, place ?? (leaf === tree.nodeCount ? NOWHERE : placeOf(leaf, address)))
      return
    }
    if (depth === depthLimit || --budget < 0) throw new Error('the search tree does not end')
    const isNode = leaf < tree.nodeCount
    walk(isNode ? tree.left(leaf) : leaf, over?.zero, place, depth + 1)
    const bit = 1 << (31 - (depth & 31))
    address[depth >>> 5]! |= bit
    walk(isNode ? tree.right(leaf) : leaf, over?.one, place, depth + 1)
    address[depth >>> 5]! &= ~bit
  }
  walk(family === 4 ? tree.ipv4Start : tree.ipVersion === 6 ? 0 : tree.nodeCount, overlay, undefined, 0)
  return blocks
}
