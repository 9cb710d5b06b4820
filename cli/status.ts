import type { MemberStatus, SecondaryStatus, Status, ZoneStatus, PathsStatus } from '../daemon/control/api.ts'
import { formatDuration } from '../core/quantity.ts'
import { systemClock } from '../core/clock.ts'
import { anycastLines } from './anycast-status.ts'
import { openAdmin, Refused, refused } from './admin-client.ts'
import { failed, isSet, type Command } from './command.ts'
import { STATE } from './folders.ts'
import { popLines } from './pops.ts'
import { tableOf } from './table.ts'

export const status: Command = {
  name: 'status',
  summary: 'show the fleet: health, since when, why, what is forced, load and hit ratio',
  arguments: [],
  options: { json: { kind: 'flag', summary: 'print everything that is known as JSON' }, state: STATE },
  examples: ['nearcast status', 'nearcast status --json', 'nearcast status --state /var/lib/nearcast'],
  run: async (call) => {
    const admin = openAdmin(call)
    if (typeof admin === 'string') return failed(call.io, admin)
    const reply = await admin.get<Status>('/v1/status')
    if (reply instanceof Refused) return refused(call, reply)
    call.io.out(isSet(call, 'json') ? `${JSON.stringify(reply, undefined, 2)}\n` : `${statusLines(reply, { startedAt: admin.fleet.startedAt, now: systemClock.now(), columns: call.io.columns }).join('\n')}\n`)
    return 0
  }
}

/** Narrower terminals get this all the same, and wrap it. */
const NARROWEST = 80

/**
 * The whole status for people, its table within `columns`.
 * @param startedAt when the fleet started, and `now`: wall milliseconds
 */
export function statusLines(status: Status, { startedAt, now, columns }: { startedAt: number; now: number; columns: number }): string[] {
  const ago = (at: number | undefined): string => (at === undefined ? '' : formatDuration(Math.max(0, now - at)))
  const rows = status.members.map((member) => [
    member.name,
    member.role,
    member.addresses[0] ?? '',
    processOf(member),
    healthOf(member),
    ago(member.forced?.since ?? member.since ?? member.processSince),
    rateOf(member.requestsPerSecond),
    ratioOf(member.hitRatio),
    whyOf(member, now)
  ])
  for (const target of status.targets ?? []) rows.push([target.name, 'target', '', '', healthOf(target), ago(target.forced?.since ?? target.since), '', '', whyOf(target, now)])
  const head = ['NAME', 'TIER', 'ADDRESS', 'PROCESS', 'HEALTH', 'SINCE', 'REQ/S', 'HITS', 'WHY']
  const table = tableOf(head, rows, { right: [6, 7], widest: Math.max(NARROWEST, columns) })
  // A reason that did not fit stands below in full.
  const cut = rows.filter((_, index) => table[index + 1]!.endsWith('…')).map((row) => `${row[0]}: ${row.at(-1)}`)
  return [
    `up ${ago(startedAt)} · ${status.queries.total} queries, ${rateOf(status.queries.perSecond) || '0'} a second · local is ${status.geo.local}`,
    '',
    ...table,
    ...(cut.length > 0 ? ['', ...cut] : []),
    '',
    ...(status.pops === undefined ? [] : [...popLines(status.pops, columns), '']),
    ...(status.anycast === undefined ? [] : [...anycastLines(status.anycast, columns), '']),
    ...(status.paths === undefined ? [] : [pathsLine(status.paths, now)]),
    ...status.zones.map((zone) => zoneLine(zone, status.secondaries.find((each) => each.zone === zone.origin), now)),
    ...Object.entries(status.viewZones ?? {}).flatMap(([view, zones]) => zones.map((zone) => `view ${view}: ${zoneLine(zone, undefined, now)}`)),
    ...status.reload.faults
  ]
}

function pathsLine({ routes, readAt, rows, trouble, heard }: PathsStatus, now: number): string {
  const read = routes === undefined || readAt === undefined ? 'AS paths: none read yet' : `AS paths to ${routes.ipv4} prefixes of IPv4 and ${routes.ipv6} of IPv6, read ${formatDuration(Math.max(0, now - readAt))} ago, told in ${rows} rows`
  const from = Object.keys(heard)
  return `${read}${from.length === 0 ? '' : `; heard of ${from.join(', ')}`}${trouble === undefined ? '' : `: ${trouble}`}`
}

function zoneLine({ origin, serial, records, file, state }: ZoneStatus, secondary: SecondaryStatus | undefined, now: number): string {
  if (secondary === undefined) return `zone ${origin} serial ${serial}, ${records} records, ${file}${state === 'current' ? '' : ` (${state})`}`
  const { primary, refreshedAt, nextAt, expiresAt, trouble } = secondary
  const held = state === 'transferred' ? `serial ${serial}, ${records} records` : state === 'expired' ? `EXPIRED with serial ${serial}` : 'AWAITED'
  const times = [
    refreshedAt === undefined ? '' : `, refreshed ${formatDuration(Math.max(0, now - refreshedAt))} ago`,
    nextAt === undefined ? ', being asked now' : `, next in ${formatDuration(Math.max(0, nextAt - now))}`,
    expiresAt === undefined ? '' : `, expires in ${formatDuration(Math.max(0, expiresAt - now))}`
  ]
  return `zone ${origin} ${held}, from ${primary}${times.join('')}${trouble === undefined ? '' : `: ${trouble}`}`
}

export function healthOf({ health, suspect, forced }: Pick<MemberStatus, 'health' | 'suspect' | 'forced'>): string {
  if (forced !== undefined) return `${forced.state} (forced)`
  if (health === undefined) return '–'
  return suspect === true ? `${health}?` : health
}

function processOf({ pid, process }: MemberStatus): string {
  if (process === undefined) return '–'
  return process === 'running' && pid !== undefined ? String(pid) : process
}

function whyOf({ why, elsewhere, forced, process, processWhy, trouble, restarts, limits }: Partial<MemberStatus>, now: number): string {
  const parts: string[] = []
  if (forced !== undefined) parts.push(forced.until === undefined ? forced.why : `${forced.why}, ${formatDuration(Math.max(0, forced.until - now))} more`)
  else if (why !== undefined) parts.push(why)
  if (elsewhere !== undefined) parts.push(elsewhere)
  if (process !== undefined && process !== 'running' && processWhy !== undefined && !parts.some((part) => part.startsWith(processWhy))) parts.push(processWhy)
  if (trouble !== undefined) parts.push(trouble)
  if (limits !== undefined && limits.keeps < 1) parts.push(`over its capacity: keeps ${Math.round(limits.keeps * 100)} % of its own`)
  if (limits !== undefined && limits.ramp < 1) parts.push(`coming back: ${Math.round(limits.ramp * 100)} % of its weight`)
  if (restarts !== undefined && restarts > 0) parts.push(`restarts: ${restarts}`)
  return parts.join('; ')
}

const rateOf = (rate: number | undefined): string => (rate === undefined ? '' : rate >= 10 ? String(Math.round(rate)) : String(Math.round(rate * 10) / 10))

const ratioOf = (ratio: number | undefined): string => (ratio === undefined ? '' : `${Math.round(ratio * 100)} %`)
