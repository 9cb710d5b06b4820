import { OPCODE, RCODE, TYPE, type Query } from '../wire/index.ts'
import type { Source } from './place.ts'
import type { Transport } from './send.ts'

/** Told by an answerer: not a query that is answered in place, but a message that is handed over to the exchange. */
export const HAND_OVER = -1

/**
 * Judges a message that is no ordinary query: a transfer, another opcode, or one that is signed. Cheap, for anybody can send them.
 * @param isZone what the question names is the apex of a zone that is served
 * @returns HAND_OVER, or the RCODE with which it is refused; BADKEY: it is signed with a key that nobody knows
 */
export type Gate = (query: Query, bytes: Uint8Array, source: Source, transport: Transport, isZone: boolean) => number

/** The gate of a server that has no business with others. A whole zone has no form over UDP (RFC 5936 §4.2), and a name that is no zone's has none to give (§2.2.1). */
export const closedGate: Gate = (query, _bytes, _source, transport, isZone) => {
  if (query.tsigAt !== 0) return RCODE.BADKEY
  if (query.opcode !== OPCODE.QUERY) return query.opcode === OPCODE.NOTIFY ? RCODE.NOTAUTH : RCODE.NOTIMP
  if (query.type === TYPE.AXFR && transport === 'udp') return RCODE.NOTIMP
  return isZone ? RCODE.REFUSED : RCODE.NOTAUTH
}
