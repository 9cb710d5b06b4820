import { CLASS, RCODE, TYPE } from '../wire/index.ts'
import type { World } from '../world.ts'
import { findZone, isSerialAfter, serialOf, zoneRecords, type ZoneChange } from '../zone/index.ts'
import { sendChanges, sendZone, soaAlone } from './axfr.ts'
import type { Context } from './context.ts'
import { isPlain } from './facts.ts'
import { octetsOf } from './history.ts'
import { SHED } from './lanes.ts'
import { refusal, type Answer, type Request } from './request.ts'
import { mayTransfer } from './rules.ts'

/** AXFR (RFC 5936) and IXFR (RFC 1995). */
export function transfer(request: Request, context: Context): Answer {
  const { zone, source, keyName, transport, type } = request
  if (type === TYPE.AXFR && transport === 'udp') return refusal(request, RCODE.NOTIMP)
  const world = context.world()
  if (request.class !== CLASS.IN || findZone(world.zones, request.name) === 0) return refusal(request, RCODE.NOTAUTH)
  if (!mayTransfer(context.rules, zone, source, keyName)) {
    context.refused(`${context.sourceText(source)}${keyName === undefined ? '' : ` with key ${keyName}`} may not have ${zone}`)
    return refusal(request, RCODE.REFUSED)
  }
  const held = type === TYPE.IXFR ? heldSerial(request) : undefined
  if (type === TYPE.IXFR && held === undefined) return refusal(request, RCODE.FORMERR)
  return held === undefined ? stream(request, context, world, undefined) : update(request, context, world, held)
}

function update(request: Request, context: Context, world: World, held: number): Answer {
  const [soa] = zoneRecords(world.zones, request.name)!
  const serial = serialOf(soa!.rdata)
  // What the client has is as new, or newer than what we know of (RFC 1995 §2).
  if (!isSerialAfter(serial, held)) return soaAlone(request, world)
  const steps = changesSince(request, context, world, held, serial)
  if (request.transport === 'tcp') return stream(request, context, world, steps)
  // Whoever is not known by a key could be anybody's victim: no more than a SOA goes to an address that may be forged.
  const [first, ...more] = steps === undefined || request.key === undefined ? [] : sendChangesWithin(request, steps)
  return first === undefined || more.length > 0 ? soaAlone(request, world) : first
}

/** As many messages as it takes to see that one is not enough. */
function sendChangesWithin(request: Request, steps: readonly ZoneChange[]): Uint8Array[] {
  const messages: Uint8Array[] = []
  for (const message of sendChanges(request, steps)) if (messages.push(message) === 2) break
  return messages
}

/** Octets of steps that are worth sending whatever the size of the zone. */
const SMALL = 4096

/** The steps from what a client holds, where they are known, leave as they are, and are less than the whole zone. */
function changesSince({ zone, name }: Request, { history, facts }: Context, world: World, held: number, serial: number): readonly ZoneChange[] | undefined {
  const steps = history.between(zone, held, serial)
  if (steps === undefined) return undefined
  const { octets, borrowed } = facts.of(zone, name, world)
  // What such records say may change with any other.
  if (borrowed > 0) return undefined
  if (steps.some(({ deleted, added }) => !deleted.every(isPlain) || !added.every(isPlain))) return undefined
  return steps.reduce((sum, step) => sum + octetsOf(step), 0) > octets + SMALL ? undefined : steps
}

/** SERIAL of the SOA that an IXFR has in its authority section (RFC 1995 §3). */
function heldSerial({ message, questionEnd, name }: Request): number | undefined {
  let at = questionEnd
  // Its owner, which is the zone's name or a pointer to it, is of no further interest.
  while (at < message.length && message[at]! > 0 && message[at]! < 64) at += message[at]! + 1
  at += (message[at] ?? 0) >= 0xc0 ? 2 : 1
  if (at + 10 > message.length || ((message[at]! << 8) | message[at + 1]!) !== TYPE.SOA) return undefined
  const end = at + 10 + ((message[at + 8]! << 8) | message[at + 9]!)
  if (end > message.length || end - at - 10 < 22 || name.length === 0) return undefined
  return serialOf(message.subarray(at + 10, end))
}

/** A reader that takes this little of a transfer, on average, is shed after this long. */
const LEAST_PER_SECOND = 4096
const GRACE_MS = 30_000

async function* stream(request: Request, context: Context, world: World, steps: readonly ZoneChange[] | undefined): AsyncGenerator<Uint8Array, void, undefined> {
  const { zone, source } = request
  const who = context.sourceText(source)
  const release = await context.slots.take(who)
  if (release === undefined) {
    context.refused(`${who} is not given ${zone} now: too many transfers are under way`)
    yield refusal(request, RCODE.SERVFAIL)
    return
  }
  const began = context.clock.elapsed()
  let octets = 0
  let messages = 0
  let isWhole = false
  try {
    for (const message of steps === undefined ? sendZone(request, world, context.placeOf(request, world)) : sendChanges(request, steps)) {
      yield message
      octets += message.length
      messages++
      const took = context.clock.elapsed() - began
      if (took > GRACE_MS && octets / took < LEAST_PER_SECOND / 1000) throw SHED
    }
    isWhole = true
  } finally {
    release()
    const took = Math.round(context.clock.elapsed() - began)
    const what = `${zone} ${steps === undefined ? 'whole' : `${steps.length} step${steps.length === 1 ? '' : 's'} from serial ${steps[0]!.from}`}`
    context.log(isWhole ? 'info' : 'warn', `${who} ${isWhole ? 'has been given' : 'has broken off the transfer of'} ${what}: ${octets} octets in ${messages} messages, ${took} ms`)
  }
}
