import { nameToText, scanName, makeScannedName, TYPE } from '../wire/index.ts'
import type { PlainRecord } from './change.ts'
import type { PolicyNames } from './check.ts'
import { checkReading, type ZoneReading } from './read-zone.ts'
import { isRdata, recordTypeToText } from './rdata.ts'
import type { Reading } from './reader.ts'
import { addSource, makeTrouble, note, type Sources } from './sources.ts'
import { makeTable } from './table.ts'
import { putRecord } from './zone-source.ts'

export interface CheckRecordsOptions {
  /** What stands in messages in place of a file; the line is the number of the record. */
  readonly from: string
  /** The zone's name in wire form. */
  readonly origin: Uint8Array
  readonly records: Iterable<PlainRecord>
  /** Names of the policies that ROUTE may name; without it any is taken. */
  readonly policies?: PolicyNames
}

/** Makes a zone of records that were read elsewhere, with the checks that a zone file has to pass; RDATA and owners are judged too. */
export function readRecords({ from, origin, records, policies }: CheckRecordsOptions): ZoneReading {
  const table = makeTable(1 << 16)
  const sources: Sources = { list: [], end: 0 }
  const trouble = makeTrouble(sources)
  const scanned = makeScannedName()
  const all = [...records]
  // One line per record, so that a position tells which.
  addSource(sources, from, new Uint8Array(all.length).fill(10))
  for (const [place, { owner, type, ttl, rdata }] of all.entries()) {
    if (scanName(owner, 0, owner.length, scanned) !== owner.length) {
      note(trouble, 'error', place, 'the owner is not a name')
      continue
    }
    if (!isRdata(type, rdata)) note(trouble, 'error', place, () => `${nameToText(owner)} ${recordTypeToText(type)}: ${rdata.length} octets that are no data of this type`)
    putRecord(table, { owner, type, ttl, rdata }, place)
  }
  const zone = all.some(({ type }) => type === TYPE.SOA) ? origin : undefined
  const reading: Reading = { read: () => '', sources, trouble, table, files: [from], zone: zone ?? origin, minimum: 0, incomplete: false, open: [] }
  return checkReading(reading, policies)
}
