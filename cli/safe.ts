import type { DrainReply } from '../daemon/control/api.ts'
import { formatDuration } from '../core/quantity.ts'
import { openAdmin, Refused, refused } from './admin-client.ts'
import { failed, isSet, type Command } from './command.ts'
import { STATE } from './folders.ts'
import { tableOf } from './table.ts'

export const safe: Command = {
  name: 'safe',
  summary: 'say whether an edge may be drained now: where its viewers would go, and whether there is room',
  details: [
    'What each edge has to do is shared out as its viewers would be, and held against capacity: of nearcast.yaml.',
    'Nothing is changed. Several edges, and * and ? in names, are taken as drained together.',
    'Exit status: 0 yes, 1 no or no fleet runs, 2 when something is mistyped.'
  ],
  arguments: [{ name: 'EDGE', many: true, completes: 'member' }],
  options: {
    json: { kind: 'flag', summary: 'print the answer as JSON' },
    state: STATE
  },
  examples: ['nearcast safe icn', "nearcast safe 'i*'", 'nearcast safe icn && nearcast force icn drain'],
  run: async (call) => {
    const admin = openAdmin(call)
    if (typeof admin === 'string') return failed(call.io, admin)
    const reply = await admin.get<DrainReply>(`/v1/safe?${new URLSearchParams({ edges: call.positionals.join(',') })}`)
    if (reply instanceof Refused) return refused(call, reply)
    call.io.out(isSet(call, 'json') ? `${JSON.stringify(reply, undefined, 2)}\n` : `${safeLines(reply).join('\n')}\n`)
    return reply.safe ? 0 : 1
  }
}

/** Countries told by name before the rest is counted. */
const SHOWN = 6

/** The answer for people. */
export function safeLines({ names, safe: isSafe, reasons, notes, share, to, loads, weighed, goneAfter }: DrainReply): string[] {
  const who = names.length > 2 ? `${names.slice(0, -1).join(', ')} and ${names.at(-1)!}` : names.join(' and ')
  const answer = isSafe ? `yes: ${who} may be drained; the last answer that names ${names.length === 1 ? 'it' : 'them'} has run out ${formatDuration(goneAfter * 1000)} later` : reasons.length === 1 ? `no: ${reasons[0]!}` : ['no:', ...reasons].join('\n  ')
  const out = [answer, ...notes.map((note) => `note: ${note}`)]
  if (share === 0) return isSafe ? [...out, `nobody is sent to ${who} now`] : out
  const basis = weighed === 'queries' ? 'by the queries of the last 24 h' : 'no queries are counted: by IPv4 addresses, each policy alike'
  const rows = to.map(({ name, share: part, countries }) => {
    const load = loads.find((each) => each.name === name)
    return [name === '' ? '(no address)' : name, percent(part), ...(load === undefined ? ['', '', ''] : [rate(load.now), rate(load.later), rate(load.capacity)]), someOf(countries)]
  })
  return [
    ...out,
    // Viewers who have no other stay, and are not in the share.
    isSafe ? `${percent(share)} of all viewers go to ${who} now (${basis}), and would go` : `${percent(share)} of all viewers would be sent elsewhere (${basis})`,
    '',
    ...tableOf(['TO', 'SHARE', 'REQ/S', 'THEN', 'CAPACITY', 'FROM'], rows, { indent: '  ', right: [1, 2, 3, 4] })
  ]
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`
const rate = (value: number): string => (value >= 10 || value === 0 ? String(Math.round(value)) : String(Math.round(value * 10) / 10))

export function someOf(countries: readonly string[]): string {
  const shown = countries.slice(0, SHOWN).map((code) => code || '(unknown)')
  return `${shown.join(', ')}${countries.length > SHOWN ? ` and ${countries.length - SHOWN} more` : ''}`
}
