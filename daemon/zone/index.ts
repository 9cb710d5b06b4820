// Zone text -> checked records -> one immutable image in shared memory, and the lookup in it.
//
//   readZone: a zone file -> faults, and a Zone when none is an error
//   Zone[] -> buildZoneImage -> SharedArrayBuffer -> openZoneImage -> ZoneImage (views, one per thread)
//   locate: where a name stands; judge: what its zone says to a type; lookup: both
//
// Must never know a socket, a packet's header or a policy: a ROUTE record is the name of a policy and nothing more.
export { isReset, isSerialAfter, serialOf, withSerial, type Difference, type PlainRecord, type ZoneChange, type ZoneReset, type ZoneStep } from './change.ts'
export { makePacker, unpackRecords, type PackedRecords, type Packer } from './pack.ts'
export { TYPE_ALIAS, TYPE_ROUTE, type Zone, type ZoneRecord, type ZoneRecords } from './record.ts'
export { readZone, type ReadZoneOptions, type ZoneReading } from './read-zone.ts'
export { judgeOwners, judgeRecords } from './check-change.ts'
export { diffSource, stepOf } from './diff-source.ts'
export { rereadZone, withOtherSoa, type RereadOptions } from './reread-zone.ts'
export { LARGE_TEXT, type KeptText } from './reread.ts'
export { packZone } from './pack-zone.ts'
export { applyChange, lowerName, serialIn } from './diff.ts'
export { readRecords, type CheckRecordsOptions } from './read-records.ts'
export { conflictAmong, type PolicyNames } from './check.ts'
export { editFiles, type FilesEdit, type SetEdit } from './edit.ts'
export { rdataKey } from './group.ts'
export { isRdata, rdataFromText, rdataToText, recordTypeToText } from './rdata.ts'
export { buildZoneImage } from './build-image.ts'
export { latin1, nameKey, ownersAfter, type OwnerAfter } from './change-owners.ts'
export { buildContents, type Contents, type ZoneEdit } from './contents.ts'
export { eachNode, nextNode, sourceOfImage, sourceOfRecords, sourceOfZone, type ZoneSource } from './zone-source.ts'
export { findNode, findRrset, FLAG, isStale, NODE, nodeWord, openZoneImage, RRSET, rrsetWord, type SharedZones, type ZoneImage } from './image.ts'
export { findZone, recordsOfRrset, zoneRecords } from './zone-records.ts'
export { judge, locate, lookup, makeFinding, type Finding, type Outcome, type Standing } from './lookup.ts'
