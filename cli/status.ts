import type { MemberStatus, Status } from '../daemon/control/api.ts'
import { formatDuration } from '../core/quantity.ts'
import { systemClock } from '../core/clock.ts'
import { openAdmin, Refused, refused } from './admin-client.ts'
import { failed, isSet, type Command } from './command.ts'
import { STATE } from './folders.ts'
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
    call.io.out(isSet(call, 'json') ? `${JSON.stringify(reply, undefined, 2)}\n` : `${statusLines(reply, admin.fleet.startedAt, systemClock.now()).join('\n')}\n`)
    return 0
  }
}

const WIDTH = 100

/**
 * The whole status for people; no line of the table is longer than 100 columns.
 * @param startedAt when the fleet started, and `now`: wall milliseconds
 */
export function statusLines(status: Status, startedAt: number, now: number): string[] {
  const ago = (at: number | undefined): string => (at === undefined ? '' : formatDuration(Math.max(0, now - at)))
  const rows = status.members.map((member) => [
    member.name,
    member.role,
    member.addresses[0] ?? '',
    processOf(member),
    healthOf(member),
    ago(member.since ?? member.processSince),
    rateOf(member.requestsPerSecond),
    ratioOf(member.hitRatio),
    whyOf(member, now)
  ])
  const head = ['NAME', 'TIER', 'ADDRESS', 'PROCESS', 'HEALTH', 'SINCE', 'REQ/S', 'HITS', 'WHY']
  return [
    `up ${ago(startedAt)} · ${status.queries.total} queries, ${rateOf(status.queries.perSecond) || '0'} a second · local is ${status.geo.local}`,
    '',
    ...tableOf(head, rows, { right: [6, 7], widest: WIDTH }),
    '',
    ...status.zones.map(({ origin, serial, records, file, state }) => `zone ${origin} serial ${serial}, ${records} records, ${file}${state === 'current' ? '' : ` (${state})`}`),
    ...status.reload.faults
  ]
}

export function healthOf({ health, suspect, forced }: MemberStatus): string {
  if (forced !== undefined) return `${forced.state} (forced)`
  if (health === undefined) return '–'
  return suspect === true ? `${health}?` : health
}

function processOf({ pid, process }: MemberStatus): string {
  if (process === undefined) return '–'
  return process === 'running' && pid !== undefined ? String(pid) : process
}

function whyOf({ why, forced, process, processWhy, restarts }: MemberStatus, now: number): string {
  const parts: string[] = []
  if (forced !== undefined) parts.push(forced.until === undefined ? forced.why : `${forced.why}, for ${formatDuration(Math.max(0, forced.until - now))} more`)
  else if (why !== undefined) parts.push(why)
  if (process !== undefined && process !== 'running' && processWhy !== undefined && !parts.includes(processWhy)) parts.push(processWhy)
  if (restarts !== undefined && restarts > 0) parts.push(`restarts: ${restarts}`)
  return parts.join('; ')
}

const rateOf = (rate: number | undefined): string => (rate === undefined ? '' : rate >= 10 ? String(Math.round(rate)) : String(Math.round(rate * 10) / 10))

const ratioOf = (ratio: number | undefined): string => (ratio === undefined ? '' : `${Math.round(ratio * 100)} %`)
