import type { Done, RefreshRequest } from '../daemon/control/api.ts'
import { openAdmin, Refused, refused } from './admin-client.ts'
import { failed, isSet, type Command } from './command.ts'
import { STATE } from './folders.ts'

export const refresh: Command = {
  name: 'refresh',
  summary: 'ask the primaries of a secondary zone now',
  details: [
    'A secondary zone asks its primaries by itself, as its SOA says and whenever one notifies; this is for',
    'those who do not want to wait. With --whole the zone is transferred whole, whatever its serial: the way',
    'back when the primary began its serials anew.'
  ],
  arguments: [{ name: 'ZONE' }],
  options: {
    whole: { kind: 'flag', summary: 'transfer the whole zone, whatever its serial' },
    json: { kind: 'flag', summary: 'print the reply as JSON' },
    state: STATE
  },
  examples: ['nearcast refresh example.org', 'nearcast refresh example.org --whole'],
  run: async (call) => {
    const admin = openAdmin(call)
    if (typeof admin === 'string') return failed(call.io, admin)
    const zone = call.positionals[0]!
    const reply = await admin.post<Done>('/v1/refresh', { zone, ...(isSet(call, 'whole') && { whole: true }) } satisfies RefreshRequest)
    if (reply instanceof Refused) return refused(call, reply)
    call.io.out(isSet(call, 'json') ? `${JSON.stringify(reply)}\n` : `${zone} is being refreshed; nearcast status shows what comes of it\n`)
    return 0
  }
}
