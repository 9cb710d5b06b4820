import { RCODE, TYPE } from '../wire/index.ts'
import { sendSoa, sendZone } from './axfr.ts'
import type { Context } from './context.ts'
import { refusal, type Answer, type Request } from './request.ts'
import { mayTransfer } from './rules.ts'
import { findZone } from './zone-walk.ts'

/** AXFR (RFC 5936) and IXFR (RFC 1995). */
export function transfer(request: Request, context: Context): Answer {
  const { zone, source, keyName, transport, type } = request
  if (type === TYPE.AXFR && transport === 'udp') return refusal(request, RCODE.NOTIMP)
  const world = context.world()
  const apex = findZone(world.zones, request.name)
  if (apex === 0) return refusal(request, RCODE.NOTAUTH)
  if (!mayTransfer(context.rules, zone, source, keyName)) {
    context.log('info', `${context.sourceText(source)} may not have ${zone}`)
    return refusal(request, RCODE.REFUSED)
  }
  if (transport === 'udp') return sendSoa(request, world, apex)
  return sendZone(request, world, apex)
}
