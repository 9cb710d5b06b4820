import type { ScannedName } from '../wire/index.ts'
import { NODE, OVERLAY, type ZoneImage } from './image.ts'

/** What has changed since an image was built, while it is still being changed: in the form in which it is published. */
export interface Overlay {
  /** The image with the overlay over it, changed in place. */
  readonly image: { -readonly [Key in keyof ZoneImage]: ZoneImage[Key] }
  names: number
  moves: number
  readonly staleWords: number
}

const FEWEST_SLOTS = 64

/** @param nodes how many there may ever be */
export function makeOverlay(image: ZoneImage, nodes: number): Overlay {
  const overlay: Overlay = { image: { ...image }, names: 0, moves: 0, staleWords: (nodes >>> 5) + 1 }
  arrange(overlay, FEWEST_SLOTS, FEWEST_SLOTS)
  return overlay
}

/** Lays the tables out with so many slots each, and puts in again what was in them. */
function arrange(overlay: Overlay, nameSlots: number, moveSlots: number): void {
  const { image, staleWords } = overlay
  const before = { ...image }
  const names = OVERLAY.WORDS
  const moves = names + nameSlots * 2
  const stale = moves + moveSlots * 2
  const isFirst = before.namesMask === 0
  Object.assign(image, { overlay: new Int32Array(stale + staleWords), names, namesMask: nameSlots - 1, moves, movesMask: moveSlots - 1, stale })
  if (isFirst) return
  image.overlay.set(before.overlay.subarray(before.stale, before.stale + staleWords), stale)
  for (let slot = 0; slot <= before.namesMask; slot++) {
    const at = before.names + slot * 2
    if (before.overlay[at + 1] !== 0) put(image.overlay, names, image.namesMask, before.overlay[at]!, before.overlay[at]!, before.overlay[at + 1]!)
  }
  for (let slot = 0; slot <= before.movesMask; slot++) {
    const at = before.moves + slot * 2
    if (before.overlay[at] !== 0) setMove(overlay, before.overlay[at]!, before.overlay[at + 1]!)
  }
}

/** Fills the first free slot; a slot is free when its second word is 0. */
function put(words: Int32Array, table: number, mask: number, hash: number, first: number, second: number): void {
  let slot = hash & mask
  while (words[table + slot * 2 + 1] !== 0) slot = (slot + 1) & mask
  words[table + slot * 2] = first
  words[table + slot * 2 + 1] = second
}

/** From now on the suffix of the name that begins with label `label` is this node, or gone when the node's negative is given. */
export function setName(overlay: Overlay, name: ScannedName, label: number, node: number): void {
  const { image } = overlay
  const { namesMask } = image
  const hash = name.hashes[label]!
  for (let slot = hash & namesMask; ; slot = (slot + 1) & namesMask) {
    const at = image.names + slot * 2
    const there = image.overlay[at + 1]!
    if (there !== 0 && (image.overlay[at] !== hash || !isNamed(image, Math.abs(there), name, label))) continue
    image.overlay[at] = hash
    image.overlay[at + 1] = node
    if (there === 0) overlay.names++
    break
  }
  if (overlay.names * 2 > namesMask) arrange(overlay, (namesMask + 1) * 2, image.movesMask + 1)
}

function isNamed({ bytes, words, nodes }: ZoneImage, node: number, name: ScannedName, label: number): boolean {
  const base = nodes + node * NODE.WORDS
  const start = name.starts[label]!
  const length = name.length - start
  if (((words[base + NODE.SHAPE]! >>> 16) & 0xff) !== length) return false
  const stored = words[base + NODE.NAME]!
  for (let octet = 0; octet < length; octet++) if (bytes[stored + octet] !== name.lower[start + octet]) return false
  return true
}

/** Whoever refers to `from` means `to`. */
export function setMove(overlay: Overlay, from: number, to: number): void {
  const { image } = overlay
  const { movesMask, moves } = image
  for (let slot = Math.imul(from, 0x9e3779b1) & movesMask; ; slot = (slot + 1) & movesMask) {
    const at = moves + slot * 2
    const there = image.overlay[at]!
    if (there !== 0 && there !== from) continue
    image.overlay[at] = from
    image.overlay[at + 1] = to
    if (there === 0) overlay.moves++
    break
  }
  if (overlay.moves * 2 > movesMask) arrange(overlay, image.namesMask + 1, (movesMask + 1) * 2)
}

/** Something else stands for the node from now on, or nothing. */
export function setStale({ image }: Overlay, node: number): void {
  image.overlay[image.stale + (node >>> 5)]! |= 1 << (node & 31)
}

/** A copy for other threads, which never changes. */
export function publishOverlay({ image }: Overlay): SharedArrayBuffer {
  const { overlay } = image
  overlay.set([image.nodeCount, image.deepest, image.records, image.names, image.namesMask, image.moves, image.movesMask, image.stale])
  const shared = new SharedArrayBuffer(overlay.byteLength)
  new Int32Array(shared).set(overlay)
  return shared
}
