import type { PurgeReply, PurgeRequest } from '../daemon/control/api.ts'
import { openAdmin, Refused, refused } from './admin-client.ts'
import { failed, isSet, mistyped, textOf, type Command } from './command.ts'
import { STATE } from './folders.ts'

export const purge: Command = {
  name: 'purge',
  summary: 'drop what the caches hold of a URL, of a prefix or with a tag',
  details: [
    'URL may end in * (quoted, for the shell): everything that begins so. It names a distribution by',
    'any of its names; what is held under the others goes too, and so does every variant. Shields are',
    'told first, then regionals, then edges, so that nothing old comes back from above; who is away is',
    'told before it serves again. Exit status 1: a cache did not confirm in time, which is named.'
  ],
  arguments: [{ name: 'URL', optional: true }],
  options: {
    tag: { kind: 'text', value: 'TAG', summary: 'what came with this tag in Cache-Tag' },
    soft: { kind: 'flag', summary: 'make it stale rather than drop it' },
    json: { kind: 'flag', summary: 'print the reply as JSON' },
    state: STATE
  },
  examples: ['nearcast purge https://www.example.org/logo.png', "nearcast purge 'https://www.example.org/images/*' --soft", 'nearcast purge --tag article-17'],
  run: async (call) => {
    const { io } = call
    const tag = textOf(call, 'tag')
    const url = call.positionals[0]
    if ((tag === undefined) === (url === undefined)) return mistyped(io, 'purge takes a URL or --tag TAG, and not both: nearcast purge URL')
    const admin = openAdmin(call)
    if (typeof admin === 'string') return failed(io, admin)
    const body: PurgeRequest = { what: tag ?? url!, ...(tag !== undefined && { isTag: true }), ...(isSet(call, 'soft') && { soft: true }) }
    const reply = await admin.post<PurgeReply>('/v1/purge', body)
    if (reply instanceof Refused) return refused(call, reply)
    if (isSet(call, 'json')) io.out(`${JSON.stringify(reply)}\n`)
    else {
      const isBare = url !== undefined && /^(?:https?:\/\/)?[^/?]+$/i.test(url)
      show(io.out, reply, isBare ? `${url}/` : (tag ?? url!), isSet(call, 'soft'))
      if (isBare) io.out(`that is one URL; all of the distribution: nearcast purge '${url}/*'\n`)
    }
    return reply.silent.length === 0 ? 0 : 1
  }
}

function show(out: (text: string) => void, { told, later, silent }: PurgeReply, what: string, soft: boolean): void {
  out(`${what} is ${soft ? 'stale' : 'purged'} at ${told.length} ${told.length === 1 ? 'cache' : 'caches'}: ${told.join(', ')}\n`)
  if (later.length > 0) out(`not running, and told before they serve again: ${later.join(', ')}\n`)
  if (silent.length > 0) out(`not confirmed in time: ${silent.join(', ')}; what they give to others until they confirm is purged again then\n`)
}
