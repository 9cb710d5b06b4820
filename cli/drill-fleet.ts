import { loadConfig } from '../core/config-file.ts'
import type { Config } from '../core/config.ts'
import { suggestion } from '../core/suggest.ts'
import { ConfigError } from '../core/trouble.ts'
import type { Explanation, MemberStatus, Status } from '../daemon/control/api.ts'
import type { Control, Viewpoint } from '../fleet/drill/index.ts'
import { isAlive } from '../fleet/index.ts'
import { Refused, type AdminClient } from './admin-client.ts'

// A running fleet as a drill needs it, by its admin API and its configuration.

/** Why a drill cannot begin, in one line, and the exit status for it. */
export interface Refusal {
  readonly line: string
  readonly status: 1 | 2
}

/** What drills are run on: where DNS and the edges answer, and for which hosts. */
export interface Ground {
  readonly dns: { readonly address: string; readonly port: number }
  readonly httpPort: number
  /** Names of the edges by address. */
  readonly names: ReadonlyMap<string, string>
  readonly hosts: readonly string[]
}

/** Members as a scenario calls them, and what is known of each. */
export interface Struck {
  readonly members: readonly MemberStatus[]
  /** The greatest TTL of any answer that may name one, seconds. */
  readonly longestTtl: number
}

/**
 * Those that are to be struck: each must be there, up and running. `half` is every second edge.
 * @param isOnlyEdges no other member may be struck
 */
export async function findMembers(admin: AdminClient, wanted: readonly string[], isOnlyEdges: boolean): Promise<Struck | Refusal> {
  const status = await admin.get<Status>('/v1/status')
  if (status instanceof Refused) return { line: status.reason, status: 1 }
  const edges = status.members.filter(({ role }) => role === 'edge')
  const names = wanted.length === 1 && wanted[0] === 'half' ? edges.filter((_, at) => at % 2 === 0).map(({ name }) => name) : wanted
  const members: MemberStatus[] = []
  for (const name of names) {
    const member = status.members.find((each) => each.name === name) ?? (name === 'daemon' ? status.members.find(({ role }) => role === 'daemon') : undefined)
    if (member === undefined || (isOnlyEdges && member.role !== 'edge')) {
      const what = member === undefined ? `there is no ${isOnlyEdges ? 'edge' : 'member'} ${name}` : `${name} is no edge (${member.role}): scenarios are for the others (nearcast drill --list)`
      const hint = suggestion(name, (isOnlyEdges ? edges : status.members).map((each) => each.name))
      return { line: hint === undefined ? what : `${what} (${hint})`, status: 2 }
    }
    const trouble = troubleOf(member)
    if (trouble !== undefined) return { line: trouble, status: 1 }
    members.push(member)
  }
  return { members, longestTtl: status.routedTtl }
}

/** Why a member cannot be struck now. */
function troubleOf({ name, forced, process, processWhy, health, why, answerable }: MemberStatus): string | undefined {
  if (forced !== undefined) return `${name} is forced ${forced.state}: ${forced.why} (nearcast start ${name} undoes a stop)`
  if (process !== undefined && process !== 'running') return `${name} does not run: ${process}, ${processWhy ?? ''}`.replace(/, $/, '')
  if (answerable === false || health === 'DOWN') return `${name} is down already: ${why ?? health ?? ''}`
  return undefined
}

/** What the configuration of a running fleet says about the ground of a drill. */
export function readGround({ fleet }: AdminClient): Ground | Refusal {
  let config: Config
  try {
    config = loadConfig(fleet.config)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return { line: error.message, status: 1 }
  }
  const names = new Map(Object.entries(config.edges).flatMap(([edge, { address }]) => address.map((each) => [each, edge] as const)))
  const hosts = Object.entries(config.distributions).flatMap(([id, { aliases }]) => [`${id}.${config.domain}`, ...aliases])
  return { dns: { address: reachable(config.dns.listen[0]!), port: fleet.ports.dns }, httpPort: fleet.ports.http, names, hosts }
}

/** An address to ask where the server listens on all of them. */
function reachable(listen: string): string {
  return listen === '0.0.0.0' ? '127.0.0.1' : listen === '::' ? '::1' : listen
}

/** The name that has no healthy edge but those that are to be struck, and the place from which that is so; undefined when each has another. */
export async function findLonely(admin: AdminClient, struck: readonly string[], viewpoints: readonly Viewpoint[]): Promise<Viewpoint | undefined> {
  const status = await admin.get<Status>('/v1/status')
  if (status instanceof Refused) return undefined
  const down = new Set(status.members.filter(({ answerable }) => answerable === false).map((member) => member.name))
  for (const viewpoint of viewpoints) {
    const { type, subnet } = viewpoint.question
    const query = new URLSearchParams({ name: viewpoint.host, from: subnet.split('/')[0]!, type })
    const reply = await admin.get<Explanation>(`/v1/explain?${query}`)
    if (reply instanceof Refused) continue
    const others = reply.candidates.filter(({ target }) => !struck.includes(target) && !down.has(target))
    if (others.length === 0) return viewpoint
  }
  return undefined
}

/**
 * The fleet's control, over its admin API.
 * @param struck whom it may be asked about: the daemon, which cannot answer for itself, gets signals by its pid
 */
export function controlOver(admin: AdminClient, struck: readonly MemberStatus[]): Control {
  const daemon = struck.find(({ role }) => role === 'daemon')
  const injected = new Set<string>()
  const done = async (path: string, body: object): Promise<void> => {
    const reply = await admin.post(path, body)
    if (reply instanceof Refused) throw new Error(reply.reason)
  }
  const find = async (name: string): Promise<MemberStatus | undefined> => {
    const status = await admin.get<Status>('/v1/status')
    return status instanceof Refused ? undefined : status.members.find((each) => each.name === name)
  }
  const blow = (path: string, signal: NodeJS.Signals) => async (name: string, forMs: number): Promise<void> => {
    if (name === daemon?.name) process.kill(daemon.pid!, signal)
    else await done(path, { name, forMs })
  }
  return {
    see: async (name) => {
      const member = await find(name)
      if (member === undefined) return undefined
      const since = member.forced?.since ?? member.since
      const state = member.process === 'running' || member.process === 'stopped' ? member.process : 'other'
      return { name, answerable: member.answerable !== false, process: state, ...(since === undefined ? {} : { answerableSince: since }) }
    },
    stop: (name, forMs) => done('/v1/stop', { name, forMs }),
    kill: blow('/v1/kill', 'SIGKILL'),
    pause: blow('/v1/pause', 'SIGSTOP'),
    inject: async (name, injection, forMs) => {
      injected.add(name)
      await done('/v1/inject', { name, injection, forMs })
    },
    strike: async (name) => {
      const pid = (await find(name))?.pid
      if (pid === undefined) throw new Error(`${name} does not run`)
      process.kill(pid, 'SIGKILL')
    },
    start: async (name) => {
      if (injected.delete(name)) await done('/v1/inject', { name })
      if (name !== daemon?.name) await done('/v1/start', { name })
      // Killed meanwhile for hanging, it is another process by now.
      else if (isAlive(daemon.pid!)) process.kill(daemon.pid!, 'SIGCONT')
    }
  }
}
