import type { Fault } from '../../core/trouble.ts'
import { nameFromText } from '../wire/name.ts'
import { checkHidden, checkNames, checkPolicies, type PolicyNames } from './check.ts'
import { checkTargets } from './check-targets.ts'
import { groupRecords, settleRRsets } from './group.ts'
import { makePointed } from './pointed.ts'
import { readMaster, type Keeping, type Reading } from './reader.ts'
import { isNotable, type Zone, type ZoneRecord, type ZoneRecords } from './record.ts'
import { keepText, type KeptText } from './reread.ts'
import { dropTexts, faultsOf, positionOf, type Sources } from './sources.ts'
import { dropIndex, giveBack, ownerOf, rdataOf, type Table } from './table.ts'
import { sourceOfTable } from './zone-source.ts'

export interface ReadZoneOptions {
  /** The zone file, as it is to stand in messages. */
  readonly file: string
  /** The zone's name; without it, the owner of the SOA. Names before any $ORIGIN are completed by it, or by the file's name without .zone. */
  readonly origin?: string
  /** The text of the file, or of one that it includes (a path relative to that of the including file); octets are taken as they are. Throws when it cannot be read. */
  readonly read: (path: string) => string | Uint8Array
  /** Names of the policies that ROUTE may name; without it any is taken. */
  readonly policies?: PolicyNames
  /** What is needed to read only what changes is kept of a large text. */
  readonly keeps?: Keeping
}

export interface ZoneReading {
  /** Absent when any fault is an error. */
  readonly zone?: Zone
  /** All of them, in the order of the files; of each severity the first hundred and one that counts the rest. */
  readonly faults: Fault[]
  /** The file and every file that it includes, readable or not: what to watch. */
  readonly files: string[]
  /** Of a large text without faults, where that was wanted. */
  readonly kept?: KeptText
}

/** Reads a master file (RFC 1035 §5, RFC 2308 §4, RFC 3597 §5) and checks the zone as a whole. */
export function readZone(options: ReadZoneOptions): ZoneReading {
  const origin = options.origin === undefined ? undefined : nameFromText(options.origin)
  if (typeof origin === 'string') {
    const fault: Fault = { file: options.file, line: 1, column: 1, severity: 'error', reason: `${options.origin}: ${origin}` }
    return { faults: [fault], files: [options.file] }
  }
  const { file, read, policies, keeps } = options
  return checkReading(readMaster({ file, read, ...(origin !== undefined && { origin }), ...(keeps !== undefined && { keeps }) }), policies)
}

/** Checks what has been read as a whole, and makes a zone of it. */
export function checkReading(reading: Reading, policies?: PolicyNames): ZoneReading {
  const { table, trouble, sources } = reading
  const pointed = reading.marks === undefined ? undefined : makePointed(table.length)
  const groups = settleRRsets(table, groupRecords(table), trouble)
  const names = checkNames(reading, groups)
  const crowded = names === undefined ? undefined : checkPolicies(reading, groups, names, policies)
  if (names !== undefined && names.apex >= 0) {
    checkHidden(reading, groups, names)
    if (!reading.incomplete) checkTargets(reading, groups, names, pointed)
  }
  const faults = faultsOf(trouble)
  const files = [...new Set(reading.files)]
  if (trouble.errors.length > 0 || names === undefined) return { faults, files }
  const kept = pointed !== undefined && faults.length === 0 ? keepText(reading, groups.order, pointed) : undefined
  // A text that is kept tells its lines itself.
  if (kept === undefined) dropTexts(sources)
  dropIndex(table)
  const notable = [...recordsOf(table, groups.order.filter((record) => isNotable(table.type[record]!)), sources)]
  const zone = { origin: names.zone, ...(crowded !== undefined && crowded.size > 0 && { crowded }), giveUp: () => giveBack(table), records: recordsOf(table, groups.order, sources), source: sourceOfTable(names.zone, table, groups), notable }
  return { zone, faults, files, ...(kept !== undefined && { kept }) }
}

/** The records of a table as values, each made when it is come to. */
function recordsOf(table: Table, order: Uint32Array, sources: Sources): ZoneRecords {
  return {
    length: order.length,
    *[Symbol.iterator](): Generator<ZoneRecord> {
      let name = -1
      let owner = new Uint8Array(0)
      for (const record of order) {
        if (table.name[record] !== name) {
          name = table.name[record]!
          owner = ownerOf(table, name) as Uint8Array<ArrayBuffer>
        }
        yield { owner, type: table.type[record]!, ttl: table.ttl[record]!, rdata: rdataOf(table, record), at: positionOf(sources, table.place[record]!) }
      }
    }
  }
}

