import { CLASS, RCODE, readMessage, TYPE } from '../wire/index.ts'
import { serialOf } from '../zone/index.ts'
import type { Context } from './context.ts'
import { refusal, type Answer, type Request } from './request.ts'
import { isAllowed } from './rules.ts'

/** NOTIFY from a primary of ours (RFC 1996 §3.11): answered at once; what it says is asked after. */
export function notified(request: Request, context: Context): Answer {
  const { zone, source, keyName } = request
  if (request.type !== TYPE.SOA) return refusal(request, RCODE.FORMERR)
  if (request.class !== CLASS.IN) return refusal(request, RCODE.NOTAUTH)
  const primaries = context.rules.zones.get(zone)?.primaries ?? []
  // An unsigned hint from a primary's address does no harm: it makes us ask, at most a few times a second (RFC 1996 §3.10).
  const sender = primaries.findIndex(({ address, key }) => isAllowed([{ prefix: { ...address, length: address.bytes.length * 8 } }], source, undefined) || (key !== undefined && key === keyName))
  if (sender < 0) return refusal(request, RCODE.NOTAUTH)
  const soa = readMessage(request.message)?.answers.find(({ type }) => type === TYPE.SOA)
  context.notified(zone, sender, soa === undefined || soa.rdata.length < 22 ? undefined : serialOf(soa.rdata))
  const reply = refusal(request, RCODE.NOERROR)
  // With authority, as the notification itself (RFC 1996 §3.6).
  reply[2]! |= 4
  return reply
}
