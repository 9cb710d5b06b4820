import { makeScannedName, scanName } from '../wire/index.ts'
import { findNode, FLAG, NODE, nextNode, nodeWord, type ZoneImage } from '../zone/index.ts'

/** The apex of a zone, or 0 when the name is no zone's. @param name wire form, lower case */
export function findZone(image: ZoneImage, name: Uint8Array): number {
  const scanned = makeScannedName()
  scanName(name, 0, name.length, scanned)
  const node = findNode(image, scanned, 0)
  return node !== 0 && (nodeWord(image, node, NODE.SHAPE) & FLAG.APEX) !== 0 ? node : 0
}

/** The nodes of a zone, its apex first. */
export function* nodesOf(image: ZoneImage, apex: number): Generator<number, void, undefined> {
  for (let node = apex; node !== 0; node = nextNode(image, apex, node)) yield node
}
