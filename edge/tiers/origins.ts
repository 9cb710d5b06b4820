import type { Ports } from '../../core/channel.ts'
import type { Config } from '../../core/config.ts'
import { balances } from './balances.ts'
import type { OriginGroup, Parent } from './parent.ts'
import type { Standing } from './standing.ts'

type StandingOf = (kind: 'tier' | 'origin', name: string) => Standing
type Origin = Config['origins'][string]

/** However much may be tried. */
const MOST_PATIENCE_MS = 60_000
const DEMO = { connectMs: 10_000, responseMs: 10_000, attempts: 3 }
const KEEP_ALIVE_MS = 60_000
const NO_STATUS: ReadonlySet<number> = new Set()

/** What behaviours may name: the groups of a configuration, and each origin as a group of its own. */
export function originsOf(config: Config, ports: Ports, standingOf: StandingOf): Map<string, OriginGroup> {
  const origins = new Map(Object.entries(config.origins).map(([name, origin]) => [name, parentOf(name, origin, ports, standingOf('origin', name))]))
  const groups = new Map<string, OriginGroup>()
  for (const [name, parent] of origins) groups.set(name, groupOf([parent], [1], 'failover', NO_STATUS))
  for (const [name, { origins: weights, balance, 'fail-over-on': statuses }] of Object.entries(config['origin-groups'])) {
    const members = Object.keys(weights).map((member) => origins.get(member)!)
    groups.set(name, groupOf(members, Object.values(weights), balance, new Set(statuses)))
  }
  return groups
}

function groupOf(members: readonly Parent[], weights: readonly number[], balance: keyof typeof balances, failsOver: ReadonlySet<number>): OriginGroup {
  const order = balances[balance](members.map(({ name, standing }, at) => ({ name, weight: weights[at]!, underWay: () => standing.underWay, expected: (now) => standing.times.expected(now) })))
  const longest = members.reduce((sum, { connectMs, responseMs, attempts }) => sum + connectMs * attempts + responseMs, 0)
  return { members, order: (key, viewer, now) => order({ key, viewer }, now), failsOver, patienceMs: Math.min(MOST_PATIENCE_MS, longest) }
}

function parentOf(name: string, origin: Origin, ports: Ports, standing: Standing): Parent {
  const common = { name, kind: 'origin' as const, standing }
  if ('demo' in origin) return { ...common, server: { secure: false, address: origin.demo, port: ports.http, keepAliveMs: KEEP_ALIVE_MS }, pathPrefix: '', host: undefined, fields: [], ...DEMO }
  const url = new URL(origin.url)
  const secure = url.protocol === 'https:'
  const address = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port)
  return {
    ...common,
    server: { secure, address, port, serverName: origin.host ?? address, keepAliveMs: origin['keep-alive'] },
    pathPrefix: url.pathname.replace(/\/$/, ''),
    host: origin.host,
    fields: Object.entries(origin.headers).flat(),
    connectMs: origin['connect-timeout'],
    responseMs: origin['response-timeout'],
    attempts: origin.attempts
  }
}
