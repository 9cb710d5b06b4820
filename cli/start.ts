import type { Done, StartRequest } from '../daemon/control/api.ts'
import { openForMember, Refused, refused } from './admin-client.ts'
import { isSet, type Command } from './command.ts'
import { STATE, stateOption } from './folders.ts'

export const start: Command = {
  name: 'start',
  summary: 'start a stopped edge; it is answered again once its checks pass',
  arguments: [{ name: 'EDGE', completes: 'member' }],
  options: { json: { kind: 'flag', summary: 'print the reply as JSON' }, state: STATE },
  examples: ['nearcast start icn'],
  run: async (call) => {
    const name = call.positionals[0]!
    const admin = await openForMember(call, name)
    if (typeof admin === 'number') return admin
    const body: StartRequest = { name }
    const reply = await admin.post<Done>('/v1/start', body)
    if (reply instanceof Refused) return refused(call, reply)
    call.io.out(isSet(call, 'json') ? `${JSON.stringify(reply)}\n` : `${name} starts; it is answered again once its checks pass (nearcast status${stateOption(call)}).\n`)
    return 0
  }
}
