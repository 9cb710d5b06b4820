import type { ReloadReply, ReloadRequest } from '../daemon/control/api.ts'
import { openAdmin, Refused, refused } from './admin-client.ts'
import { failed, isSet, type Command } from './command.ts'
import { STATE } from './folders.ts'

export const reload: Command = {
  name: 'reload',
  summary: 'read zones and policies again now, and say what is wrong with them',
  details: [
    'Edited files are read by themselves within a second; this is for those that looked like an accident',
    '(empty, or over half of the records gone), which are only taken with --force.'
  ],
  arguments: [],
  options: {
    force: { kind: 'flag', summary: 'take also an empty zone, or one that lost over half its records' },
    json: { kind: 'flag', summary: 'print the reply as JSON' },
    state: STATE
  },
  examples: ['nearcast reload', 'nearcast reload --force'],
  run: async (call) => {
    const admin = openAdmin(call)
    if (typeof admin === 'string') return failed(call.io, admin)
    const body: ReloadRequest = isSet(call, 'force') ? { force: true } : {}
    const reply = await admin.post<ReloadReply>('/v1/reload', body)
    if (reply instanceof Refused) return refused(call, reply)
    if (isSet(call, 'json')) call.io.out(`${JSON.stringify(reply)}\n`)
    else {
      for (const { origin, serial, records, state, file } of reply.zones) {
        const kept = state !== 'old' && state !== 'last-good' ? '' : ', still the old contents: the file has faults'
        call.io.out(`${origin} serial ${serial}, ${records} records (${file})${kept}\n`)
      }
      for (const fault of reply.faults) call.io.err(`${fault}\n`)
    }
    return reply.faults.length > 0 ? 1 : 0
  }
}
