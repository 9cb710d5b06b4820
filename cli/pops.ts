import type { PopsStatus, PopStatus } from '../daemon/control/api.ts'
import { formatDuration } from '../core/quantity.ts'
import { openAdmin, Refused, refused } from './admin-client.ts'
import { failed, isSet, type Command } from './command.ts'
import { STATE } from './folders.ts'
import { tableOf } from './table.ts'

export const pops: Command = {
  name: 'pops',
  summary: 'show the other PoPs: whether they are heard, their clocks, and what they see differently',
  arguments: [],
  options: { json: { kind: 'flag', summary: 'print everything that is known as JSON' }, state: STATE },
  examples: ['nearcast pops', 'nearcast pops --json'],
  run: async (call) => {
    const admin = openAdmin(call)
    if (typeof admin === 'string') return failed(call.io, admin)
    const reply = await admin.get<PopsStatus>('/v1/pops')
    if (reply instanceof Refused) return refused(call, reply)
    call.io.out(isSet(call, 'json') ? `${JSON.stringify(reply, undefined, 2)}\n` : `${popLines(reply, call.io.columns).join('\n')}\n`)
    return 0
  }
}

/** The PoPs for people, their table within `columns`. */
export function popLines(status: PopsStatus, columns: number): string[] {
  const { now, pops: others } = status
  const rows = others.map((pop) => [
    pop.name,
    `${pop.address.includes(':') ? `[${pop.address}]` : pop.address}:${pop.port}`,
    pop.isFresh ? 'heard' : isTalking(pop, now) ? 'heard, tells nothing' : 'SILENT',
    formatDuration(Math.max(0, now - pop.since)),
    pop.heardAt === undefined ? 'never' : `${formatDuration(Math.max(0, now - pop.heardAt))} ago`,
    pop.skewMs === undefined ? '' : skewText(pop.skewMs),
    pop.roundTripMs === undefined ? '' : formatDuration(pop.roundTripMs),
    sightText(pop)
  ])
  const head = ['POP', 'ADDRESS', 'STATE', 'FOR', 'LAST HEARD', 'CLOCK', 'ROUND TRIP', 'SEES']
  const notes = others.flatMap(({ name, differs, otherwise, refused: counts }) => [
    ...differs.map(({ target, here, there, since, why }) => `${name} sees ${target} ${there}, for ${formatDuration(Math.max(0, now - since))}: ${why} (here ${here})`),
    ...(otherwise.length === 0 ? [] : [`${name} checks in another way, so that it is not compared: ${otherwise.join(', ')}`]),
    ...(Object.keys(counts).length === 0 ? [] : [`not taken from the address of ${name}: ${Object.entries(counts).map(([reason, count]) => `${REASONS[reason] ?? reason} ${count}`).join(', ')}`])
  ])
  return [councilLine(status), '', ...tableOf(head, rows, { widest: Math.max(100, columns) }), ...(notes.length === 0 ? [] : ['', ...notes])]
}

/** Its messages come, but for those that say what it sees. */
const isTalking = ({ heardAt }: PopStatus, now: number): boolean => heardAt !== undefined && now - heardAt < 3000

/** `PoP seoul: 3 of 4 vantage points are heard and believed, 2 are needed`. */
export function councilLine({ name, total, quorum, isBelieved }: PopsStatus): string {
  const blind = isBelieved ? '' : '; this one sees everything down and is not believed'
  const none = quorum.has ? '' : ': NO QUORUM, what was decided last holds'
  return `PoP ${name}: ${quorum.believed} of ${total} vantage points are heard and believed, ${quorum.needed} needed${none}${blind}`
}

const REASONS: Readonly<Record<string, string>> = { noise: 'no message', version: 'another version', rate: 'too many', key: 'another key', signature: 'wrong signature', malformed: 'not readable', name: 'wrong name', clock: 'clock too far off', replay: 'sent before', full: 'no room' }

/** Clocks are read to a millisecond, and so is their difference. */
function skewText(milliseconds: number): string {
  return Math.abs(milliseconds) < 2 ? 'alike' : `${formatDuration(Math.abs(milliseconds))} ${milliseconds > 0 ? 'ahead' : 'behind'}`
}

function sightText({ isFresh, isBelieved, compared, differs }: PopStatus): string {
  if (!isFresh) return ''
  if (!isBelieved) return 'everything down: not believed'
  const targets = `${compared} ${compared === 1 ? 'target' : 'targets'}`
  return differs.length === 0 ? `${targets}, as here` : `${targets}, ${differs.length} otherwise`
}
