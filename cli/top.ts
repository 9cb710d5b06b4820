import { formatDuration, parseDuration } from '../core/quantity.ts'
import type { QueriesReply } from '../daemon/control/api.ts'
import { countryName } from '../geodb/index.ts'
import { openAdmin, Refused, refused } from './admin-client.ts'
import { failed, isSet, mistyped, numberOf, type Command } from './command.ts'
import { STATE } from './folders.ts'
import { tableOf } from './table.ts'

const DAY_MS = parseDuration('1d')!

export const top: Command = {
  name: 'top',
  summary: 'show what names are asked most, and from where',
  details: ['Names that a policy steers are counted by country; all others are one row. Of a name whose policy does not', 'look at where clients are, every eighth query is looked up.', 'Exit status: 0, also when nothing is counted; 1 when no fleet runs, 2 when something is mistyped.'],
  arguments: [{ name: 'NAME', optional: true }],
  options: {
    last: { kind: 'duration', value: 'TIME', summary: 'count over this long (default: 24h; that is the most)' },
    json: { kind: 'flag', summary: 'print all counts as JSON' },
    state: STATE
  },
  examples: ['nearcast top', 'nearcast top www.nearcast.test --last 1h'],
  run: async (call) => {
    const last = numberOf(call, 'last') ?? DAY_MS
    if (last < 1 || last > DAY_MS) return mistyped(call.io, '--last: expected a time of at most 24h')
    const admin = openAdmin(call)
    if (typeof admin === 'string') return failed(call.io, admin)
    const reply = await admin.get<QueriesReply>(`/v1/queries?lastMs=${last}`)
    if (reply instanceof Refused) return refused(call, reply)
    const name = call.positionals[0]
    const wanted = name === undefined ? undefined : `${name.toLowerCase().replace(/\.$/, '')}.`
    const shown = wanted === undefined ? reply : { ...reply, names: Object.fromEntries(Object.entries(reply.names).filter(([each]) => each === wanted)) }
    call.io.out(isSet(call, 'json') ? `${JSON.stringify(shown, undefined, 2)}\n` : `${topLines(shown, wanted).join('\n')}\n`)
    return 0
  }
}

const ROWS = 20
const COUNTRIES = 5

/** Counts for people. @param wanted one name alone, country by country */
export function topLines({ total, since, until, names }: QueriesReply, wanted?: string): string[] {
  const head = `${total} queries in ${formatDuration(Math.max(0, until - since))}, since ${new Date(since).toISOString().slice(0, 16)}Z`
  const sums = Object.entries(names).map(([name, countries]) => ({ name, countries, sum: Object.values(countries).reduce((all, count) => all + count, 0) })).sort((a, b) => b.sum - a.sum)
  if (wanted !== undefined) {
    const found = sums[0]
    if (found === undefined) return [head, `${wanted} is not among them: no policy steers it, or nobody asked for it`]
    const rows = Object.entries(found.countries).sort((a, b) => b[1] - a[1]).map(([country, count]) => [country === '' ? 'not looked up, or not known' : `${countryName(country)} (${country})`, String(count), percent(count / found.sum)])
    return [head, '', ...tableOf([found.name, 'QUERIES', 'SHARE'], rows.slice(0, 250), { indent: '  ', right: [1, 2] })]
  }
  const rows = sums.slice(0, ROWS).map(({ name, countries, sum }) => [name || '(further names)', String(sum), percent(sum / total), fromText(countries)])
  const rest = total - sums.slice(0, ROWS).reduce((all, { sum }) => all + sum, 0)
  const others = rest > 0 ? [['(all else)', String(rest), percent(rest / total), '']] : []
  return [head, '', ...tableOf(['NAME', 'QUERIES', 'SHARE', 'FROM'], [...rows, ...others], { indent: '  ', right: [1, 2], widest: 120 })]
}

/** Shares are of the queries whose country is known. */
function fromText(countries: Readonly<Record<string, number>>): string {
  const known = Object.entries(countries).filter(([country]) => country !== '').sort((a, b) => b[1] - a[1])
  const sum = known.reduce((all, [, count]) => all + count, 0)
  const shown = known.slice(0, COUNTRIES).map(([country, count]) => `${country} ${percent(count / sum)}`)
  return `${shown.join(', ')}${known.length > COUNTRIES ? ` and ${known.length - COUNTRIES} more` : ''}`
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`
