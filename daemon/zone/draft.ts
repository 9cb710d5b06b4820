// The nodes of an image while they are made: names in columns, and the hash table over them.
import { LOWER, makeScannedName, scanName, type ScannedName } from '../wire/index.ts'
import type { ZoneSource } from './zone-source.ts'

/** Names put in the table so far, column by column. Nodes count from 1. */
export interface Draft {
  readonly name: ScannedName
  /** What names stand in, and for each node in which of them, and where. */
  readonly texts: Uint8Array[]
  nodeText: Int32Array
  nodeAt: Int32Array
  /** The name of its zone's source that stands there, and one; 0: none. */
  nodeOwner: Int32Array
  /** Octets of the name | labels << 8. */
  nodeSize: Int32Array
  nodeHash: Int32Array
  nodeParent: Int32Array
  nodeApex: Int32Array
  nodeWild: Int32Array
  /** Of an apex: the node of the same name in the zone above. */
  nodeAbove: Int32Array
  children: Int32Array
  nodes: number
  /** Octets of all names. */
  names: number
  /** Hashes of all apexes. */
  readonly apexHashes: Set<number>
  /** Nodes outside the table, by apex and name. */
  readonly hidden: Map<string, number>
  /** (hash, node) pairs, never more than half full. */
  table: Int32Array
}

const COLUMNS = ['nodeText', 'nodeAt', 'nodeOwner', 'nodeSize', 'nodeHash', 'nodeParent', 'nodeApex', 'nodeWild', 'nodeAbove', 'children'] as const

export function makeDraft(names: number): Draft {
  const size = Math.max(64, Math.ceil(names * 1.1) + 2)
  const columns = Object.fromEntries(COLUMNS.map((column) => [column, new Int32Array(size)])) as Record<(typeof COLUMNS)[number], Int32Array>
  return { name: makeScannedName(), texts: [], ...columns, nodes: 1, names: 0, apexHashes: new Set(), hidden: new Map(), table: new Int32Array(2 ** Math.ceil(Math.log2(Math.max(64, names) * 2 + 2)) * 2) }
}

/** Puts the apex of a zone in place, and takes note of what its names stand in. */
export function placeApex(draft: Draft, { origin, octets }: ZoneSource): number {
  draft.texts.push(origin, octets)
  scanName(origin, 0, origin.length, draft.name)
  draft.apexHashes.add(draft.name.hashes[0]!)
  return addNode(draft, 0, 0, draft.texts.length - 2, 0, true)
}

/** Puts one name in place, with all that is missing above it. */
export function placeName(draft: Draft, source: ZoneSource, apex: number, text: number, owner: number): void {
  const { octets } = source
  const at = source.nameAt(owner)
  scanName(octets, at, octets.length, draft.name)
  // Columns are replaced where they grow.
  const node = nodeFor(draft, apex, text, at)
  draft.nodeOwner[node] = owner + 1
  if (hasCapital(draft.name, octets, at)) draft.names += draft.name.length
}

function hasCapital({ lower, length }: ScannedName, octets: Uint8Array, at: number): boolean {
  for (let octet = 0; octet < length; octet++) if (octets[at + octet] !== lower[octet]) return true
  return false
}

/** A zone below another makes the names between them exist (RFC 8020), whether the upper one delegates to it or not. */
export function placeBetween(draft: Draft, origin: Uint8Array, text: number): void {
  const { name } = draft
  scanName(origin, 0, origin.length, name)
  let label = 1
  while (label <= name.labels && find(draft, label) === 0) label++
  if (label > name.labels) return
  const above = ensure(draft, draft.nodeApex[find(draft, label)]!, 1, text, 0)
  if (above !== 0) draft.children[above]!++
}

/** The node that takes a name of the zone of `apex`. What a lower zone of ours hides stands at nodes outside the table, for transfers alone. */
export function nodeFor(draft: Draft, apex: number, text: number, at: number): number {
  const node = ensure(draft, apex, 0, text, at)
  const { name, hidden } = draft
  if (node !== 0 && draft.nodeApex[node] === apex) return node
  const key = `${apex} ${Buffer.from(name.lower.buffer, 0, name.length).toString('latin1')}`
  const known = hidden.get(key)
  if (known !== undefined) return known
  // The NS and DS of the upper zone at the apex of a lower one are found from there.
  const isCut = node !== 0 && draft.nodeApex[node] === node
  const parent = isCut ? ensure(draft, apex, 1, text, at) : 0
  const isNext = parent !== 0 && draft.nodeApex[parent] === apex
  const made = addNode(draft, 0, isNext ? parent : 0, text, at, false)
  draft.nodeApex[made] = apex
  if (isNext) draft.nodeAbove[node] = made
  hidden.set(key, made)
  return made
}

/** The node of the scanned name's suffix from `label`, made with all that are missing above it; 0 when they would stand in another zone. */
function ensure(draft: Draft, apex: number, label: number, text: number, at: number): number {
  const { name } = draft
  let missing = label
  let node = find(draft, missing)
  while (node === 0 && missing < name.labels) node = find(draft, ++missing)
  if (node === 0 || (missing > label && draft.nodeApex[node] !== apex)) return 0
  while (missing > label) node = addNode(draft, --missing, node, text, at, true)
  return node
}

function find(draft: Draft, label: number): number {
  const { name } = draft
  const start = name.starts[label]!
  return findNamed(draft, name.hashes[label]!, name.lower, start, name.length - start)
}

/** The node of the name at octets[at…], whose hash is known; 0: there is none in the table. */
export function findNamed({ table, nodeAt, nodeSize, nodeText, texts }: Draft, hash: number, octets: Uint8Array, at: number, length: number): number {
  const mask = table.length / 2 - 1
  for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
    const node = table[slot * 2 + 1]!
    if (node === 0) return 0
    if (table[slot * 2] !== hash || (nodeSize[node]! & 0xff) !== length) continue
    if (isSameName(texts[nodeText[node]!]!, nodeAt[node]!, octets, at, length)) return node
  }
}

/** Whether two names, or ends of names, are the same whatever their case. */
export function isSameName(octets: Uint8Array, at: number, others: Uint8Array, other: number, length: number): boolean {
  for (let octet = 0; octet < length; octet++) if (LOWER[octets[at + octet]!] !== LOWER[others[other + octet]!]) return false
  return true
}

/** @param at where the whole of the scanned name stands in the text */
function addNode(draft: Draft, label: number, parent: number, text: number, at: number, isListed: boolean): number {
  const { name } = draft
  const start = name.starts[label]!
  const node = draft.nodes++
  makeRoom(draft, 0)
  draft.nodeText[node] = text
  draft.nodeAt[node] = at + start
  draft.nodeSize[node] = (name.length - start) | ((name.labels - label) << 8)
  draft.nodeHash[node] = name.hashes[label]!
  draft.nodeParent[node] = parent
  draft.nodeApex[node] = parent === 0 ? node : draft.nodeApex[parent]!
  draft.names += name.length - start
  if (!isListed) return node
  if (parent !== 0) {
    draft.children[parent]!++
    if (name.lower[start] === 1 && name.lower[start + 1] === 0x2a) draft.nodeWild[parent] = node
  }
  if (node * 4 > draft.table.length) growTable(draft)
  list(draft.table, name.hashes[label]!, node)
  return node
}

/** Makes room for so many more nodes. */
export function makeRoom(draft: Draft, more: number): void {
  while (draft.nodes + more > draft.nodeAt.length) for (const column of COLUMNS) draft[column] = wider(draft[column])
}

function wider(column: Int32Array): Int32Array {
  const copy = new Int32Array(Math.ceil(column.length * 1.5))
  copy.set(column)
  return copy
}

export function growTable(draft: Draft): void {
  const { table } = draft
  const larger = new Int32Array(table.length * 2)
  for (let at = 0; at < table.length; at += 2) if (table[at + 1] !== 0) list(larger, table[at]!, table[at + 1]!)
  draft.table = larger
}

export function list(table: Int32Array, hash: number, node: number): void {
  const mask = table.length / 2 - 1
  let slot = hash & mask
  while (table[slot * 2 + 1] !== 0) slot = (slot + 1) & mask
  table[slot * 2] = hash
  table[slot * 2 + 1] = node
}
