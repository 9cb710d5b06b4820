import { parseAddress } from '../core/address.ts'
import { systemClock } from '../core/clock.ts'
import { parseMoment } from '../core/moment.ts'
import { nearest } from '../core/suggest.ts'
import type { Explanation } from '../daemon/control/api.ts'
import { MNEMONIC_LIST, nameFromText, typeFromText } from '../daemon/wire/index.ts'
import { openAdmin, Refused, refused } from './admin-client.ts'
import { explainUrl, FIELDS, isUrl, URL_OPTIONS } from './explain-url.ts'
import { failed, isSet, mistyped, textOf, type Command } from './command.ts'
import { STATE } from './folders.ts'
import { tableOf } from './table.ts'

export const explain: Command = {
  name: 'explain',
  summary: 'show each step by which a name is answered to a client, or how a URL is held',
  details: [
    '--assume supposes other health than there is, and changes nothing: EDGE=down as if its checks failed,',
    'EDGE=drain as if it were forced out, EDGE=up as if neither; several with commas, with * and ? in names.',
    '--at TIME tells what was answered then: with health and forced states as the journal has them, and the',
    'policies of then. Zones and places are those of now; the last lines tell since when they have been the same.',
    'NAME may be a URL: then its behaviour, the key under which the response is held, its id and what reaches the',
    'origin are shown, for a request with these header FIELDS ("Cookie: lang=de"). That asks no fleet.',
    'Exit status: 0 when the name was explained, 1 when it is in no zone, no fleet runs or the journal does',
    'not reach back to TIME, 2 when something is mistyped.'
  ],
  arguments: [{ name: 'NAME' }, FIELDS],
  options: {
    from: { kind: 'text', value: 'ADDRESS', summary: 'address of the client or of its resolver (default: 127.0.0.1)' },
    type: { kind: 'text', value: 'TYPE', summary: 'record type (default: A)' },
    assume: { kind: 'text', value: 'EDGE=STATE,…', summary: 'suppose these edges up, down or drain' },
    at: { kind: 'text', value: 'TIME', summary: 'as of then: 2026-11-21T15:04Z, or 10m for ten minutes ago' },
    json: { kind: 'flag', summary: 'print the steps as JSON' },
    ...URL_OPTIONS,
    state: STATE
  },
  examples: [
    'nearcast explain d111111abcdef8.nearcast.test --from 168.126.63.1',
    'nearcast explain www.nearcast.test --from 2001:67c:2e8::1 --type AAAA',
    'nearcast explain nearcast.test --type MX --json',
    "nearcast explain www.nearcast.test --from 168.126.63.1 --assume 'icn=down,n*=drain'",
    'nearcast explain www.nearcast.test --from 168.126.63.1 --at 10m',
    "nearcast explain 'http://www.nearcast.test/a?page=2' 'Accept-Language: ko'"
  ],
  run: async (call) => {
    const name = call.positionals[0]!
    const from = textOf(call, 'from') ?? '127.0.0.1'
    if (parseAddress(from) === undefined) return mistyped(call.io, `--from ${from}: expected an IPv4 or IPv6 address, such as 168.126.63.1`)
    if (isUrl(name)) return explainUrl(call, name, from)
    if (call.positionals.length > 1) return mistyped(call.io, `${call.positionals[1]}: header fields belong to a URL, which begins with http:// or https://`)
    const wire = nameFromText(name)
    if (typeof wire === 'string') return mistyped(call.io, `${name}: ${wire}`)
    const type = textOf(call, 'type') ?? 'A'
    if (typeFromText(type) === undefined) {
      const near = nearest(type, MNEMONIC_LIST)
      return mistyped(call.io, `--type ${type}: there is no such type (${near === undefined ? 'TYPE123 stands for any number' : `did you mean ${near}?`})`)
    }
    const at = textOf(call, 'at')
    const moment = at === undefined ? undefined : parseMoment(at, systemClock.now())
    if (typeof moment === 'string') return mistyped(call.io, `--at ${moment}`)
    const admin = openAdmin(call)
    if (typeof admin === 'string') return failed(call.io, admin)
    const assume = textOf(call, 'assume')
    const query = new URLSearchParams({ name, from, type: type.toUpperCase(), ...(assume !== undefined && { assume }), ...(moment !== undefined && { at: new Date(moment).toISOString() }) })
    const reply = await admin.get<Explanation>(`/v1/explain?${query}`)
    if (reply instanceof Refused) return refused(call, reply)
    call.io.out(isSet(call, 'json') ? `${JSON.stringify(reply, undefined, 2)}\n` : `${explanationLines(reply).join('\n')}\n`)
    if (reply.outcome === 'notours' && name.includes('/')) call.io.err(`nearcast: ${name} was taken for a name; a URL begins with http:// or https://\n`)
    return reply.outcome === 'notours' ? 1 : 0
  }
}

/** An explanation for people. */
export function explanationLines({ question, steps, candidates, answer }: Explanation): string[] {
  const out = [`${question.name} ${question.type} from ${question.from}`, '']
  for (const { depth, text } of steps) out.push(`${'  '.repeat(depth + 1)}${text}`)
  if (candidates.length > 0) {
    const rows = candidates.map(({ target, state, kilometres, milliseconds, samples, chosen, why }) => [
      chosen ? '→' : '',
      target,
      state,
      kilometres === undefined ? '' : `${Math.round(kilometres)} km`,
      milliseconds === undefined ? '' : `${samples === undefined ? '' : 'measured '}${milliseconds} ms`,
      why
    ])
    out.push('', ...tableOf(['', 'CANDIDATE', 'HEALTH', 'DISTANCE', 'ROUND TRIP', 'WHY'], rows, { indent: '  ', right: [3, 4], widest: 200 }))
  }
  const flags = `${answer.rcode}${answer.authoritative ? ', authoritative' : ''}${answer.ttl === undefined ? '' : `, TTL ${answer.ttl}`}${answer.scope === undefined ? '' : `, holds for ${answer.scope}`}`
  return [...out, '', `answer: ${flags}`, ...answer.answers.map((record) => `  ${record}`), ...answer.authorities.map((record) => `  ${record} (authority)`)]
}
