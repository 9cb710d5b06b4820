/**
 * The rooms and the doors between them: which rooms a room may import, and which sockets it must not know.
 * A file belongs to the room with the longest name that begins its path.
 */
export interface Room {
  readonly name: string
  readonly may: readonly string[]
  /** Knows no socket, no process and no thread. */
  readonly pure?: boolean
  /** Entered by any of its files, rather than by index.ts alone. */
  readonly open?: boolean
}

export const rooms: readonly Room[] = [
  { name: 'core', may: [], open: true },
  { name: 'geodb', may: ['core'], pure: true },
  { name: 'healthchecks', may: ['core'] },
  { name: 'daemon/wire', may: ['core'], pure: true, open: true },
  { name: 'daemon/zone', may: ['core', 'daemon/wire'], pure: true },
  { name: 'daemon/update', may: ['core', 'daemon/wire', 'daemon/zone'], pure: true },
  { name: 'daemon/routing', may: ['core', 'geodb', 'healthchecks'], pure: true },
  { name: 'daemon/answer', may: ['core', 'geodb', 'healthchecks', 'daemon/wire', 'daemon/zone', 'daemon/routing', 'daemon'], pure: true },
  { name: 'daemon/latency', may: ['core', 'geodb'], pure: true },
  { name: 'daemon/limits', may: ['core', 'daemon/wire'], pure: true },
  { name: 'daemon/serve', may: ['core', 'healthchecks', 'daemon/wire', 'daemon/limits', 'daemon'] },
  { name: 'daemon/pops', may: ['core', 'healthchecks'] },
  { name: 'daemon/anycast', may: ['core', 'daemon/pops'] },
  { name: 'daemon/paths', may: ['core', 'daemon'] },
  { name: 'daemon/traffic', may: ['core', 'geodb', 'healthchecks', 'daemon/wire', 'daemon/zone', 'daemon/routing', 'daemon/answer', 'daemon'] },
  { name: 'daemon/control', may: ['core', 'geodb', 'healthchecks', 'daemon/pops', 'daemon/anycast', 'daemon/paths', 'daemon/wire', 'daemon/zone', 'daemon/latency', 'daemon/routing', 'daemon/serve', 'daemon/update', 'daemon/traffic', 'daemon'] },
  { name: 'daemon/exchange', may: ['core', 'geodb', 'healthchecks', 'daemon/wire', 'daemon/zone', 'daemon/routing', 'daemon/answer', 'daemon/serve', 'daemon/control', 'daemon/update', 'daemon'] },
  { name: 'daemon', may: ['core', 'geodb', 'healthchecks', 'daemon/pops', 'daemon/anycast', 'daemon/paths', 'daemon/wire', 'daemon/zone', 'daemon/routing', 'daemon/answer', 'daemon/limits', 'daemon/serve', 'daemon/traffic', 'daemon/control', 'daemon/exchange'], open: true },
  { name: 'edge/message', may: ['core'], pure: true },
  { name: 'edge/tls', may: ['core'] },
  { name: 'edge/bodies', may: ['core'] },
  { name: 'edge/http', may: ['core', 'edge/bodies', 'edge/message', 'edge/tls'] },
  { name: 'edge/cache', may: ['core', 'edge/message'], pure: true },
  { name: 'edge/store', may: ['core', 'edge/bodies', 'edge/message', 'edge/cache'] },
  { name: 'edge/tiers', may: ['core', 'edge/message', 'edge/http'] },
  { name: 'edge/viewers', may: ['core'] },
  { name: 'edge/coding', may: ['core', 'edge/message'], pure: true },
  { name: 'edge/policies', may: ['core', 'edge/message', 'edge/http', 'edge/cache'], pure: true },
  { name: 'edge', may: ['core', 'geodb', 'edge/bodies', 'edge/message', 'edge/http', 'edge/cache', 'edge/coding', 'edge/policies', 'edge/store', 'edge/tiers', 'edge/tls', 'edge/viewers'] },
  { name: 'fleet/authority', may: ['core'] },
  { name: 'fleet', may: ['core', 'fleet/authority'] },
  { name: 'fleet/drill', may: ['core', 'daemon'] },
  { name: 'cli', may: ['core', 'edge', 'healthchecks', 'daemon/pops', 'daemon/anycast', 'fleet', 'fleet/drill', 'daemon', 'daemon/zone', 'daemon/routing', 'daemon/control', 'daemon/exchange', 'daemon/traffic', 'daemon/update', 'daemon/wire', 'geodb'], open: true },
  { name: 'bench', may: ['*'], open: true },
  { name: 'test', may: ['*'], open: true }
]

export const socketModules = ['node:net', 'node:dgram', 'node:tls', 'node:http', 'node:https', 'node:http2', 'node:child_process', 'node:worker_threads', 'koffi']

/** Files of a room that others may enter beside its index.ts, with the reason. */
export const sideDoors: Readonly<Record<string, string>> = {
  'daemon/answer.ts': 'the hot file itself, which the room daemon/answer serves',
  'healthchecks/table.ts': 'the words of the health table, which every answer reads: what probes load does not come with them',
  'daemon/control/loading.ts': 'what reads zones and keys, for a server that has neither fleet nor health',
  'daemon/control/api.ts': 'the types of the admin API, which the command line reads; no code'
}

/** Who may read the clock, the environment or the arguments. */
export const clockReaders: Readonly<Record<string, string>> = {
  'core/clock.ts': 'the one real clock'
}
export const environmentReaders: Readonly<Record<string, string>> = {
  'cli/foreground.ts': 'whether npm or systemd started it: then it ends with npm, and tells systemd that it lives'
}

export function roomOf(path: string): Room {
  const found = rooms.filter((room) => path.startsWith(`${room.name}/`) || path === `${room.name}.ts`)
  const longest = found.toSorted((a, b) => b.name.length - a.name.length)[0]
  if (longest === undefined) throw new Error(`${path} is in no room`)
  return longest
}
