import { loadConfig } from '../core/config-file.ts'
import { suggestion } from '../core/suggest.ts'
import type { WhereReply } from '../daemon/control/api.ts'
import { openAdmin, Refused } from './admin-client.ts'
import { failed, isSet, mistyped, type Call, type Command } from './command.ts'
import { configFile, STATE } from './folders.ts'
import { adviseShield, type Advice, type Spot } from './shield-advice.ts'
import { tableOf } from './table.ts'

export const shield: Command = {
  name: 'shield',
  summary: 'advise where the shield of a distribution should stand',
  details: [
    'In the region of its origin where the fleet has a place there; else at the place nearest to the average',
    'request. Where a fleet runs, the queries of the last day tell how much each edge has; without,',
    'every edge counts alike.'
  ],
  arguments: [{ name: 'advise' }, { name: 'DISTRIBUTION', optional: true }],
  options: {
    config: { kind: 'file', value: 'FILE', summary: 'nearcast.yaml to go by' },
    json: { kind: 'flag', summary: 'print the advice as JSON' },
    state: STATE
  },
  examples: ['nearcast shield advise', 'nearcast shield advise d111111abcdef8 --json'],
  run: async (call) => {
    const [verb, wanted] = call.positionals
    if (verb !== 'advise') return mistyped(call.io, `shield ${verb}: expected advise`)
    const file = configFile(call)
    const config = loadConfig(file.path)
    const known = Object.keys(config.distributions)
    if (wanted !== undefined && !known.includes(wanted)) return failed(call.io, `there is no distribution ${wanted}${withHint(suggestion(wanted, known))}`)
    const { shares, weighed } = await sharesOf(call, Object.keys(config.edges))
    const advice = (wanted === undefined ? known : [wanted]).flatMap((distribution) => adviseShield(config, distribution, shares) ?? [])
    if (advice.length === 0) return failed(call.io, known.length === 0 ? 'there is no distribution' : 'no member of the fleet has a place: `at` gives it one')
    if (isSet(call, 'json')) call.io.out(`${JSON.stringify({ weighed, distributions: advice }, undefined, 2)}\n`)
    else call.io.out(`${advice.map((each) => linesOf(each, standing(config, each.distribution), weighed).join('\n')).join('\n\n')}\n`)
    return 0
  }
}

const withHint = (hint: string | undefined): string => (hint === undefined ? '' : ` (${hint})`)

/** Where viewers go now, as the running fleet tells; each edge alike where none runs. */
async function sharesOf(call: Call, edges: readonly string[]): Promise<{ shares: Map<string, number>; weighed: string }> {
  const alike = { shares: new Map(edges.map((name) => [name, 1])), weighed: 'every edge alike: no fleet runs here' }
  const admin = openAdmin(call)
  if (typeof admin === 'string') return alike
  const where = await admin.get<WhereReply>('/v1/where')
  if (where instanceof Refused) return { ...alike, weighed: `every edge alike: ${where.reason}` }
  return { shares: new Map(where.targets.map(({ name, share }) => [name, share])), weighed: where.weighed === 'queries' ? 'by the queries of the last day' : 'by the addresses of each country: no queries were counted yet' }
}

/** The shields that its fetches pass now. */
function standing(config: ReturnType<typeof loadConfig>, distribution: string): string[] {
  const { shield: own, 'fallback-shield': fallback } = config.distributions[distribution]!
  const shields = own === undefined ? Object.values(config.regionals).map((regional) => regional.shield) : [own]
  return [...new Set([...shields, fallback].filter((name) => name !== undefined))]
}

function linesOf({ distribution, best, why, fallback, spots }: Advice, now: readonly string[], weighed: string): string[] {
  const named = ({ members, region }: Spot): string => `${region === '' ? '' : `${region}, `}beside ${members.join(', ')}`
  const isThere = now.some((name) => best.members.includes(name))
  return [
    `${distribution}: ${named(best)}`,
    `  why       ${why}`,
    `  weighed   ${weighed}`,
    `  now       ${now.length === 0 ? 'it has no shield' : `${now.join(', then ')}${isThere ? ', which stands there' : ''}`}`,
    ...(fallback === undefined ? [] : [`  fallback  ${named(fallback)}`]),
    '',
    ...tableOf(['PLACE', 'MEMBERS', 'FROM THE AVERAGE REQUEST'], spots.map((spot) => [spot.region === '' ? spot.at.join(', ') : spot.region, spot.members.join(', '), `${Math.round(spot.ms)} ms`]), { indent: '  ', right: [2] })
  ]
}
