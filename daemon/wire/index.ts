// Packet bytes <-> values: names, types, queries in, replies out. Everything works on arrays it is handed and fills records
// that are used again and again, so that a query costs no allocation.
//
//   query bytes -> parseQuery -> Query { name taken apart, type, EDNS, client subnet }
//   Reply { header, question, sections, names to point back to } -> reply bytes
//
// Must never know a zone, a socket or a policy.
export * from './name.ts'
export * from './types.ts'
export { LOWER, makeScannedName, scanName, type ScannedName } from './scan.ts'
export { COOKIE_ALONE, makeQuery, OPCODE, parseOther, parseQuery, RCODE, SILENCE, type Query } from './query.ts'
export { parseSecrets } from './cookie-secrets.ts'
export { sipHash24, sipHashKey } from './siphash.ts'
export { beginReply, fits, makeReply, mark, undo, writeRecord, type Mark, type Owner, type Reply } from './reply.ts'
export { expandName, pastName } from './unpack.ts'
export { ALGORITHMS, findTsig, FUDGE, signatureOctets, TSIG_ERROR, type Tsig, type TsigAlgorithm, type KeyRing, type TsigKey, type TsigKeys } from './tsig-record.ts'
export { judgeRequest, makeSigner, makeVerifier, signRefusal, signRequest, type Judged, type Verdict } from './tsig.ts'
export { parseKeys, readKeyFiles } from './tsig-keys.ts'
export { readMessage, type Message, type MessageRecord, type Question } from './message.ts'
