import type { Command } from './command.ts'

/** Every command, in the order in which help lists them. A call loads its own alone: some bring half of Nearcast with them. */
const table: Readonly<Record<string, () => Promise<Command>>> = {
  up: async () => (await import('./up.ts')).up,
  status: async () => (await import('./status.ts')).status,
  pops: async () => (await import('./pops.ts')).pops,
  anycast: async () => (await import('./anycast.ts')).anycast,
  explain: async () => (await import('./explain.ts')).explain,
  latency: async () => (await import('./latency.ts')).latency,
  check: async () => (await import('./check.ts')).check,
  safe: async () => (await import('./safe.ts')).safe,
  diff: async () => (await import('./diff.ts')).diff,
  map: async () => (await import('./map.ts')).map,
  shield: async () => (await import('./shield.ts')).shield,
  top: async () => (await import('./top.ts')).top,
  events: async () => (await import('./events.ts')).events,
  reload: async () => (await import('./reload.ts')).reload,
  refresh: async () => (await import('./refresh.ts')).refresh,
  flush: async () => (await import('./flush.ts')).flush,
  purge: async () => (await import('./purge.ts')).purge,
  stop: async () => (await import('./stop.ts')).stop,
  start: async () => (await import('./start.ts')).start,
  force: async () => (await import('./force.ts')).force,
  drill: async () => (await import('./drill.ts')).drill,
  dns: async () => (await import('./dns.ts')).dns,
  completion: async () => (await import('./completion.ts')).completion,
  help: async () => (await import('./help.ts')).help,
  version: async () => (await import('./version.ts')).version
}

export const commandNames: readonly string[] = Object.keys(table)

/** The command of a name; undefined: there is none. */
export const loadCommand = (name: string): Promise<Command> | undefined => (Object.hasOwn(table, name) ? table[name]!() : undefined)

export const loadCommands = (): Promise<readonly Command[]> => Promise.all(Object.values(table).map((load) => load()))
