import { suggestion } from '../core/suggest.ts'
import { formatDuration } from '../core/quantity.ts'
import type { ForceReply, ForceRequest, ForcesReply } from '../daemon/control/api.ts'
import { openAdmin, Refused, refused } from './admin-client.ts'
import { failed, isSet, mistyped, numberOf, textOf, type Call, type Command } from './command.ts'
import { STATE } from './folders.ts'
import { tableOf } from './table.ts'

const STATES: Readonly<Record<ForceRequest['state'], string>> = {
  up: 'is answered whatever its checks say',
  down: 'is out of the answers; its process runs on',
  drain: 'is out of the answers while it finishes what it serves; its process runs on',
  none: 'is answered as its checks say'
}

/** What a target can be forced to be, as it is typed. */
export const FORCED_STATES: readonly string[] = Object.keys(STATES)

export const force: Command = {
  name: 'force',
  summary: 'pin an edge up, down or draining in the answers, or let its checks decide again',
  details: [
    'STATE is one of up, down, drain and none. A forced state wins over checks and is kept over restarts.',
    'EDGE may have * and ? (quoted, for the shell): every member and target that fits is taken, and named.',
    'With --everywhere it holds at all PoPs; one that is not heard learns of it when it is.'
  ],
  arguments: [{ name: 'EDGE', optional: true, completes: 'member' }, { name: 'STATE', optional: true, completes: 'state' }],
  options: {
    list: { kind: 'flag', summary: 'list every forced state there is now' },
    for: { kind: 'duration', value: 'TIME', summary: 'undo it by itself after this long, such as 1h' },
    why: { kind: 'text', value: 'TEXT', summary: 'reason, shown by status' },
    everywhere: { kind: 'flag', summary: 'at all PoPs' },
    json: { kind: 'flag', summary: 'print the reply as JSON' },
    state: STATE
  },
  examples: ['nearcast force icn drain --for 1h --why "new disks"', "nearcast force 'n*' down --for 1h", 'nearcast force icn none', 'nearcast force fra down --everywhere', 'nearcast force --list'],
  run: async (call) => {
    if (isSet(call, 'list')) return list(call)
    const [name, typed] = call.positionals
    if (name === undefined || typed === undefined) return mistyped(call.io, `force needs ${name === undefined ? 'EDGE and ' : ''}STATE: nearcast force EDGE STATE (nearcast force --list lists what is forced)`)
    const state = Object.keys(STATES).find((known): known is ForceRequest['state'] => known === typed)
    if (state === undefined) return mistyped(call.io, `${typed} is no state to force (${suggestion(typed, Object.keys(STATES))})`)
    const admin = openAdmin(call)
    if (typeof admin === 'string') return failed(call.io, admin)
    const forMs = numberOf(call, 'for')
    const why = textOf(call, 'why')
    const body: ForceRequest = { name, state, ...(why !== undefined && { why }), ...(forMs !== undefined && { forMs }), ...(isSet(call, 'everywhere') && { everywhere: true }) }
    const reply = await admin.post<ForceReply>('/v1/force', body)
    if (reply instanceof Refused) return refused(call, reply)
    const until = forMs === undefined || state === 'none' ? '' : `, for ${formatDuration(forMs)}`
    const lines = [...(reply.names ?? [name]).map((each) => `${each} ${STATES[state]}${until}`), ...(reply.pops === undefined ? [] : [whereLine(reply.pops)])]
    call.io.out(isSet(call, 'json') ? `${JSON.stringify(reply)}\n` : `${lines.join('\n')}\n`)
    return 0
  }
}

/** Which other PoPs know, and which will. */
function whereLine(pops: NonNullable<ForceReply['pops']>): string {
  const namesOf = (isHeard: boolean): string => pops.filter((pop) => pop.isHeard === isHeard).map(({ name }) => name).join(', ')
  const [heard, silent] = [namesOf(true), namesOf(false)]
  return `${heard === '' ? 'no other PoP is heard' : `told to ${heard}`}${silent === '' ? '' : `; told to ${silent} when heard again`}`
}

async function list(call: Call): Promise<number> {
  const unused = call.positionals[0] ?? ['for', 'why', 'everywhere'].flatMap((option) => (call.values[option] === undefined ? [] : [`--${option}`]))[0]
  if (unused !== undefined) return mistyped(call.io, `force --list does not take ${unused}`)
  const admin = openAdmin(call)
  if (typeof admin === 'string') return failed(call.io, admin)
  const reply = await admin.get<ForcesReply>('/v1/forces')
  if (reply instanceof Refused) return refused(call, reply)
  call.io.out(isSet(call, 'json') ? `${JSON.stringify(reply, undefined, 2)}\n` : `${linesOf(reply, call.io.columns).join('\n')}\n`)
  return 0
}

function linesOf({ now, forces }: ForcesReply, columns: number): string[] {
  if (forces.length === 0) return ['nothing is forced']
  const span = (milliseconds: number): string => formatDuration(Math.max(0, milliseconds))
  const rows = forces.map(({ name, state, since, until, everywhere, why }) => [name, state, span(now - since), until === undefined ? '' : span(until - now), everywhere === undefined ? 'here' : `everywhere, by ${everywhere}`, why])
  return tableOf(['NAME', 'FORCED', 'FOR', 'ENDS IN', 'WHERE', 'WHY'], rows, { widest: Math.max(80, columns) })
}
