import { makeScannedName, scanName } from '../wire/index.ts'
import { findNode, findZone, NODE, nodeWord, recordsOfRrset, zoneRecords, type PlainRecord, type ZoneImage } from '../zone/index.ts'
import { groupSets, keyOf, type RRset, type ZoneView } from './rrset.ts'

/**
 * A zone of an image as updates see it; what it gives are copies.
 * @param origin wire form, any case
 * @returns undefined when there is no such zone
 */
export function viewOfImage(image: ZoneImage, origin: Uint8Array): ZoneView | undefined {
  const apex = findZone(image, origin)
  if (apex === 0) return undefined
  const scanned = makeScannedName()
  const setsOf = (owner: Uint8Array): RRset[] => {
    scanName(owner, 0, owner.length, scanned)
    const node = findNode(image, scanned, 0)
    if (node !== 0 && nodeWord(image, node, NODE.APEX) === apex) return setsAt(image, node)
    let label = 1
    let above = findNode(image, scanned, label)
    while (above === 0 && label < scanned.labels) above = findNode(image, scanned, ++label)
    // Of what lies hidden beneath another zone of ours nothing is found by name.
    return node === 0 && nodeWord(image, above, NODE.APEX) === apex ? [] : hiddenSets(image, origin, owner)
  }
  return { origin: origin.slice(), setsOf }
}

function setsAt(image: ZoneImage, node: number): RRset[] {
  const records: PlainRecord[] = []
  const stop = nodeWord(image, node + 1, NODE.RRSETS)
  for (let rrset = nodeWord(image, node, NODE.RRSETS); rrset < stop; rrset++) for (const record of recordsOfRrset(image, node, rrset)) records.push(copyOf(record))
  return groupSets(records)
}

function hiddenSets(image: ZoneImage, origin: Uint8Array, owner: Uint8Array): RRset[] {
  const key = keyOf(owner)
  const records: PlainRecord[] = []
  for (const record of zoneRecords(image, origin)!) if (record.owner.length === owner.length && keyOf(record.owner) === key) records.push(copyOf(record))
  return groupSets(records)
}

const copyOf = ({ owner, type, ttl, rdata }: PlainRecord): PlainRecord => ({ owner: owner.slice(), type, ttl, rdata: rdata.slice() })
