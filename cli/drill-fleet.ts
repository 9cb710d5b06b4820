import { loadConfig } from '../core/config-file.ts'
import type { Config } from '../core/config.ts'
import { suggestion } from '../core/suggest.ts'
import { ConfigError } from '../core/trouble.ts'
import type { Explanation, Status } from '../daemon/control/api.ts'
import type { Control, Viewpoint } from '../fleet/drill/index.ts'
import { Refused, type AdminClient } from './admin-client.ts'

// A running fleet as a drill needs it, by its admin API and its configuration.

/** Why a drill cannot begin, in one line, and the exit status for it. */
export interface Refusal {
  readonly line: string
  readonly status: 1 | 2
}

/** What an edge is drilled with: where DNS and its fellows answer, and for which hosts. */
export interface Ground {
  readonly dns: { readonly address: string; readonly port: number }
  readonly httpPort: number
  readonly members: ReadonlyMap<string, string>
  readonly addresses: readonly string[]
  readonly hosts: readonly string[]
}

/**
 * The edge to drill must be there, up, answered and running.
 * @returns the greatest TTL of any answer that may name it, seconds; or why it cannot be drilled
 */
export async function findMember(admin: AdminClient, name: string): Promise<{ longestTtl: number } | Refusal> {
  const status = await admin.get<Status>('/v1/status')
  if (status instanceof Refused) return { line: status.reason, status: 1 }
  const member = status.members.find((each) => each.name === name)
  const edges = status.members.filter(({ role }) => role === 'edge').map((each) => each.name)
  if (member === undefined || member.role !== 'edge') {
    const what = member === undefined ? `there is no edge ${name}` : `${name} is no edge (${member.role}): drills are for edges`
    const hint = suggestion(name, edges)
    return { line: hint === undefined ? what : `${what} (${hint})`, status: 2 }
  }
  const { forced, process, health, why } = member
  if (forced !== undefined) return { line: `${name} is forced ${forced.state}: ${forced.why} (nearcast start ${name} undoes a stop)`, status: 1 }
  if (process !== undefined && process !== 'running') return { line: `${name} does not run: ${process}, ${member.processWhy ?? ''}`.replace(/, $/, ''), status: 1 }
  if (member.answerable === false || health === 'DOWN') return { line: `${name} is down already: ${why ?? health ?? ''}`, status: 1 }
  return { longestTtl: status.routedTtl }
}

/** What the configuration of a running fleet says about the ground of a drill. */
export function readGround({ fleet }: AdminClient, name: string): Ground | Refusal {
  let config: Config
  try {
    config = loadConfig(fleet.config)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return { line: error.message, status: 1 }
  }
  const members = new Map(Object.entries(config.edges).flatMap(([edge, { address }]) => address.map((each) => [each, edge] as const)))
  const addresses = config.edges[name]?.address
  if (addresses === undefined) return { line: `${name} is no longer in ${fleet.config}`, status: 1 }
  const hosts = Object.entries(config.distributions).flatMap(([id, { aliases }]) => [`${id}.${config.domain}`, ...aliases])
  return { dns: { address: reachable(config.dns.listen[0]!), port: fleet.ports.dns }, httpPort: fleet.ports.http, members, addresses, hosts }
}

/** An address to ask where the server listens on all of them. */
function reachable(listen: string): string {
  return listen === '0.0.0.0' ? '127.0.0.1' : listen === '::' ? '::1' : listen
}

/** The name that has no healthy edge but this one, and the place from which that is so; undefined when each has another. */
export async function findLonely(admin: AdminClient, name: string, viewpoints: readonly Viewpoint[]): Promise<Viewpoint | undefined> {
  const status = await admin.get<Status>('/v1/status')
  if (status instanceof Refused) return undefined
  const down = new Set(status.members.filter(({ answerable }) => answerable === false).map((member) => member.name))
  for (const viewpoint of viewpoints) {
    const { type, subnet } = viewpoint.question
    const query = new URLSearchParams({ name: viewpoint.host, from: subnet.split('/')[0]!, type })
    const reply = await admin.get<Explanation>(`/v1/explain?${query}`)
    if (reply instanceof Refused) continue
    const others = reply.candidates.filter(({ target }) => target !== name && !down.has(target))
    if (others.length === 0) return viewpoint
  }
  return undefined
}

/** The fleet's control, over its admin API. */
export function controlOver(admin: AdminClient): Control {
  const done = async (path: string, body: object): Promise<void> => {
    const reply = await admin.post(path, body)
    if (reply instanceof Refused) throw new Error(reply.reason)
  }
  return {
    see: async (name) => {
      const status = await admin.get<Status>('/v1/status')
      const member = status instanceof Refused ? undefined : status.members.find((each) => each.name === name)
      if (member === undefined) return undefined
      const since = member.forced?.since ?? member.since
      const process = member.process === 'running' || member.process === 'stopped' ? member.process : 'other'
      return { name, answerable: member.answerable !== false, process, ...(since === undefined ? {} : { answerableSince: since }) }
    },
    stop: (name, forMs) => done('/v1/stop', { name, forMs }),
    kill: (name, forMs) => done('/v1/kill', { name, forMs }),
    start: (name) => done('/v1/start', { name })
  }
}
