import { formatDuration } from '../core/quantity.ts'
import type { StopReply, StopRequest } from '../daemon/control/api.ts'
import { openForMember, Refused, refused } from './admin-client.ts'
import { isSet, numberOf, type Command } from './command.ts'
import { STATE, stateOption } from './folders.ts'

export const stop: Command = {
  name: 'stop',
  summary: 'take an edge out of the answers, then end its process',
  details: [
    'The edge leaves DNS at once. It serves on until the last answer that named it has run out, and only',
    'then ends, so that no viewer meets a closed door. nearcast start brings it back.'
  ],
  arguments: [{ name: 'EDGE', completes: 'member' }],
  options: {
    now: { kind: 'flag', summary: 'end the process at once rather than after the last TTL' },
    for: { kind: 'duration', value: 'TIME', summary: 'bring it back by itself after this long, such as 10m' },
    json: { kind: 'flag', summary: 'print the reply as JSON' },
    state: STATE
  },
  examples: ['nearcast stop icn', 'nearcast stop icn --now', 'nearcast stop icn --for 10m'],
  run: async (call) => {
    const name = call.positionals[0]!
    const admin = await openForMember(call, name)
    if (typeof admin === 'number') return admin
    const forMs = numberOf(call, 'for')
    const body: StopRequest = { name, ...(isSet(call, 'now') && { now: true }), ...(forMs !== undefined && { forMs }) }
    const reply = await admin.post<StopReply>('/v1/stop', body)
    if (reply instanceof Refused) return refused(call, reply)
    if (isSet(call, 'json')) call.io.out(`${JSON.stringify(reply)}\n`)
    else {
      const ends = reply.exitsInMs <= 0 ? 'its process ends now' : `it serves on for ${formatDuration(reply.exitsInMs)}, then its process ends`
      const back = forMs === undefined ? `brought back by: nearcast start ${name}${stateOption(call)}` : `it comes back by itself after ${formatDuration(forMs)}`
      call.io.out(`${name} is out of the answers; ${ends}; ${back}\n`)
    }
    return 0
  }
}
