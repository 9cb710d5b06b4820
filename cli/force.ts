import { suggestion } from '../core/suggest.ts'
import { formatDuration } from '../core/quantity.ts'
import type { Done, ForceRequest } from '../daemon/control/api.ts'
import { openAdmin, Refused, refused } from './admin-client.ts'
import { failed, isSet, mistyped, numberOf, textOf, type Command } from './command.ts'
import { STATE } from './folders.ts'

const STATES: Readonly<Record<ForceRequest['state'], string>> = {
  up: 'is answered whatever its checks say',
  down: 'is out of the answers; its process runs on',
  drain: 'is out of the answers while it finishes what it serves; its process runs on',
  none: 'is answered as its checks say'
}

export const force: Command = {
  name: 'force',
  summary: 'pin an edge up, down or draining in the answers, or let its checks decide again',
  details: ['STATE is one of up, down, drain and none. A forced state wins over checks and is kept over restarts.', 'EDGE may have * and ? (quoted, for the shell): every member and target that fits is taken, and named.'],
  arguments: [{ name: 'EDGE', completes: 'member' }, { name: 'STATE' }],
  options: {
    for: { kind: 'duration', value: 'TIME', summary: 'undo it by itself after this long, such as 1h' },
    why: { kind: 'text', value: 'TEXT', summary: 'reason, shown by status' },
    json: { kind: 'flag', summary: 'print the reply as JSON' },
    state: STATE
  },
  examples: ['nearcast force icn drain --for 1h --why "new disks"', "nearcast force 'n*' down --for 1h", 'nearcast force icn none'],
  run: async (call) => {
    const [name, typed] = call.positionals as [string, string]
    const state = Object.keys(STATES).find((known): known is ForceRequest['state'] => known === typed)
    if (state === undefined) return mistyped(call.io, `${typed} is no state to force (${suggestion(typed, Object.keys(STATES))})`)
    const admin = openAdmin(call)
    if (typeof admin === 'string') return failed(call.io, admin)
    const forMs = numberOf(call, 'for')
    const why = textOf(call, 'why')
    const body: ForceRequest = { name, state, ...(why !== undefined && { why }), ...(forMs !== undefined && { forMs }) }
    const reply = await admin.post<Done>('/v1/force', body)
    if (reply instanceof Refused) return refused(call, reply)
    const until = forMs === undefined || state === 'none' ? '' : `, for ${formatDuration(forMs)}`
    call.io.out(isSet(call, 'json') ? `${JSON.stringify(reply)}\n` : (reply.names ?? [name]).map((each) => `${each} ${STATES[state]}${until}\n`).join(''))
    return 0
  }
}
