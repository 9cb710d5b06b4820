import type { AnycastStatus, PrefixStatus } from '../daemon/control/api.ts'
import { formatDuration } from '../core/quantity.ts'
import { openAdmin, Refused, refused } from './admin-client.ts'
import { failed, isSet, type Call } from './command.ts'
import { tableOf } from './table.ts'

export async function status(call: Call): Promise<number> {
  const admin = openAdmin(call)
  if (typeof admin === 'string') return failed(call.io, admin)
  const reply = await admin.get<AnycastStatus>('/v1/anycast')
  if (reply instanceof Refused) return refused(call, reply)
  call.io.out(isSet(call, 'json') ? `${JSON.stringify(reply, undefined, 2)}\n` : `${anycastLines(reply, call.io.columns).join('\n')}\n`)
  return 0
}

/** The announcements for people, their tables within `columns`. */
export function anycastLines(status: AnycastStatus, columns: number): string[] {
  const { now, speaker, prefixes } = status
  const ago = (at: number): string => formatDuration(Math.max(0, now - at))
  const reasons = prefixes.map((each) => reasonText(each, now))
  // What several have in common is said once.
  const rows = prefixes.map((each, at) => {
    const first = reasons.indexOf(reasons[at]!)
    const why = first === at || reasons[at]!.length <= SHORT ? reasons[at]! : `as ${prefixes[first]!.name}`
    return [each.name, each.prefix, each.state.toUpperCase() === 'ANNOUNCED' ? 'announced' : each.state.toUpperCase(), ago(each.since), sentText(each, status), othersText(each), why]
  })
  const table = tableOf(['NAME', 'PREFIX', 'STATE', 'FOR', 'SENT', 'OTHERS', 'WHY'], rows, { widest: Math.max(100, columns) })
  const cut = rows.filter((_, index) => table[index + 1]!.endsWith('…')).map((row) => `${row[0]}: ${row.at(-1)}`)
  const sessions = speaker.sessions.map(({ name, state, neighbour, neighbourAs }) => `session ${name} ${state}${neighbour === undefined ? '' : ` with ${neighbour}${neighbourAs === undefined ? '' : `, AS ${neighbourAs}`}`}`)
  return [headLine(status), '', ...table, ...(cut.length > 0 ? ['', ...cut] : []), ...(sessions.length > 0 ? ['', ...sessions] : []), ...alarmLines(status)]
}

/** `PoP icn announces through BIRD 2.0.12; 3 of 3 PoPs heard; dead-man 4711`. */
function headLine({ pop, pops, speaker, deadman, now }: AnycastStatus): string {
  const heard = pops.total === 1 ? '' : `; ${pops.heard} of ${pops.total} PoPs heard${pops.heard < pops.quorum ? `: NO QUORUM (${pops.quorum} needed), nothing is withdrawn` : ''}`
  const watch = deadman === undefined ? '; no dead-man' : now - deadman.at > SILENT_MS ? '; the dead-man is SILENT' : `; dead-man ${deadman.pid}`
  return `PoP ${pop} announces through ${speaker.what}${speaker.isThere ? '' : speaker.alarms.length === 0 ? ', which is being asked' : ', which is NOT THERE'}${heard}${watch}`
}

const SILENT_MS = 10_000
/** A reason so short is not worth a reference. */
const SHORT = 10

export function alarmLines({ prefixes, speaker, deadman }: AnycastStatus): string[] {
  const unheard = deadman?.unheard === undefined ? [] : [`the dead-man does not hear ${deadman.unheard.length === 1 ? 'that' : 'those'} of ${deadman.unheard.join(', ')} (UDP port pops.port + 1): should all daemons die at once, nobody would know`]
  const all = [...speaker.alarms, ...unheard, ...prefixes.flatMap(({ prefix, alarms }) => alarms.map((alarm) => `${prefix} ${alarm}`))]
  return all.length === 0 ? [] : ['', ...all.map((alarm) => `ALARM ${alarm}`)]
}

/** Over how many sessions it is really sent. */
function sentText({ prefix }: PrefixStatus, { speaker }: AnycastStatus): string {
  if (speaker.sessions.length === 0) return '–'
  const over = speaker.sessions.flatMap(({ sent }) => sent.filter((each) => each.prefix === prefix))
  const demoted = over.filter(({ isDemoted }) => isDemoted).length
  return over.length === 0 ? 'no' : `${over.length} session${over.length === 1 ? '' : 's'}${demoted === 0 ? '' : demoted === over.length ? ', demoted' : `, ${demoted} demoted`}`
}

function othersText({ others }: PrefixStatus): string {
  return others.map(({ pop, state, isWell }) => `${pop} ${state}${isWell || state === 'withdrawn' ? '' : ', not well'}`).join('; ')
}

function reasonText({ reasons, flaps, pin, isSettled }: PrefixStatus, now: number): string {
  const end = pin?.until === undefined ? [] : [`for ${formatDuration(Math.max(0, pin.until - now))} more`]
  return [...reasons, ...end, ...(isSettled ? ['settled'] : []), ...(flaps > 0 ? [`flaps: ${flaps}`] : [])].join('; ')
}
