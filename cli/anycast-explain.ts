import { suggestion } from '../core/suggest.ts'
import { formatDuration } from '../core/quantity.ts'
import type { AnycastStatus, PrefixStatus } from '../daemon/control/api.ts'
import { openAdmin, Refused, refused } from './admin-client.ts'
import { failed, isSet, mistyped, type Call } from './command.ts'

export async function explain(call: Call, [wanted]: readonly string[]): Promise<number> {
  const admin = openAdmin(call)
  if (typeof admin === 'string') return failed(call.io, admin)
  const status = await admin.get<AnycastStatus>('/v1/anycast')
  if (status instanceof Refused) return refused(call, status)
  const found = status.prefixes.find(({ name, prefix }) => name === wanted || prefix === wanted)
  if (found === undefined) {
    const known = status.prefixes.flatMap(({ name, prefix }) => [name, prefix])
    return mistyped(call.io, `there is no prefix ${wanted} (${suggestion(wanted!, known) ?? `known: ${known.join(', ')}`})`)
  }
  call.io.out(isSet(call, 'json') ? `${JSON.stringify(found, undefined, 2)}\n` : `${explainLines(found, status).join('\n')}\n`)
  return 0
}

const GRADES: Readonly<Record<PrefixStatus['grade'], string>> = { unknown: 'not known yet', good: 'all that it needs is well', poor: 'it serves, and another PoP would serve better', bad: 'it does not serve' }

/** Why a prefix is announced as it is, for people. */
export function explainLines(prefix: PrefixStatus, status: AnycastStatus): string[] {
  const { now, pops, minPops, maxWithdrawn, speaker } = status
  const { name, addresses, serves, state, since, reasons, alarms, grade, flaps, isSettled, holdUntil, pin, others, kept } = prefix
  const ago = (at: number): string => formatDuration(Math.max(0, now - at))
  const sent = speaker.sessions.map((session) => {
    const over = session.sent.find((each) => each.prefix === prefix.prefix)
    return `  ${session.name}: ${session.isEstablished ? (over === undefined ? 'not sent' : over.isDemoted ? 'sent demoted' : 'sent') : session.state}`
  })
  return [
    `${prefix.prefix} (${name}) is ${state}${isSettled ? ' and settled' : ''}, for ${ago(since)}`,
    ...reasons.map((reason) => `  for: ${reason}`),
    ...alarms.map((alarm) => `  ALARM: ${alarm}`),
    `found here: ${GRADES[grade]} (${serves === 'dns' ? 'DNS' : 'edges'} at ${addresses.join(', ')})`,
    ...(pin === undefined ? [] : [`pin: ${pin.state}, ${pin.why}, for ${ago(pin.since)}${pin.until === undefined ? '' : `, ${formatDuration(Math.max(0, pin.until - now))} more`}`]),
    ...(flaps === 0 ? [] : [`flaps: ${flaps}`]),
    ...(holdUntil === undefined ? [] : [`hold: ${formatDuration(Math.max(0, holdUntil - now))} more`]),
    `other PoPs: ${pops.heard - 1} of ${pops.total - 1} heard, ${pops.quorum} of ${pops.total} make a quorum`,
    ...others.map((lease) => `  ${lease.pop}: ${lease.state}${lease.isWell ? '' : ', not well'}${lease.isLeaving ? ', about to withdraw' : ''}`),
    `min-pops ${minPops}, max-withdrawn ${maxWithdrawn}: ${state === 'withdrawn' ? 'it is withdrawn' : kept === undefined ? 'it may be withdrawn' : `it may not be withdrawn: ${kept}`}`,
    ...(sent.length === 0 ? [] : [`${speaker.what} says:`, ...sent])
  ]
}
