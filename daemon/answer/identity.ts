import { beginReply, CLASS, nameToText, RCODE, TYPE, writeRecord } from '../wire/index.ts'
import type { Assembly } from './assembly.ts'
import { finish, HEADER, putBody, type Exchange } from './send.ts'

/** Octets of a text that says who we are: it fits into the smallest packet beside the longest question. */
const LONGEST_TEXT = 128

export interface Identity {
  /** Told to whoever asks for NSID (RFC 5001) or, in class CHAOS, for id.server and hostname.bind (RFC 4892). Absent: nobody is told. */
  readonly serverId?: string
  /** Told to whoever asks for version.bind in class CHAOS. Absent: REFUSED. */
  readonly version?: string
}

/** What of a text goes into an answer. */
export function identityOctets(text = ''): Uint8Array {
  return Buffer.from(text).subarray(0, LONGEST_TEXT)
}

/** Class CHAOS: who we are, to the extent that the operator lets us say (RFC 4892). @returns octets of the reply, or 0 when there is nothing to say */
export function introduce(exchange: Exchange & { readonly assembly: Assembly }, { version, serverId }: Identity): number {
  const { query, assembly } = exchange
  const name = nameToText(query.name.lower.subarray(0, query.name.length))
  const text = name === 'version.bind.' || name === 'version.server.' ? version : name === 'id.server.' || name === 'hostname.bind.' ? serverId : undefined
  if (text === undefined || query.type !== TYPE.TXT) return 0
  const { reply } = assembly
  const bodyAt = HEADER + query.name.length + 4
  const octets = identityOctets(text)
  const rdata = Buffer.concat([Buffer.of(octets.length), octets])
  beginReply(reply, query.name, query.name.labels, exchange.room)
  writeRecord(reply, { pointer: HEADER, bytes: rdata, at: 0 }, TYPE.TXT, 0, rdata, 0, rdata.length)
  reply.bytes[bodyAt + 5] = CLASS.CH
  return finish(exchange, RCODE.NOERROR, true, false, 1, 0, putBody(exchange, reply.bytes, bodyAt, reply.at - bodyAt))
}
