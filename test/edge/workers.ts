import type { Role, Setup } from '../../core/channel.ts'
import { systemClock, type Clock } from '../../core/clock.ts'
import type { Purge } from '../../core/purge.ts'
import { configSchema, type Config } from '../../core/config.ts'
import { makeLogger, type Logger } from '../../core/log.ts'
import { startCrew, startWorker, type RunningCrew, type RunningWorker } from '../../edge/index.ts'

export const SECRET = 'c0ffee'.padEnd(64, '0')

/** Starts one worker of a configuration. */
export function startMember(options: { role: Role; name: string; config: Config; port: number; clock: Clock; secret?: string; https?: number; stateFolder?: string; purges?: readonly Purge[]; log?: Logger }): Promise<RunningWorker> {
  const { role, name, config, port, clock } = options
  const ports = { dns: 1, http: port, admin: 1, ...(options.https !== undefined && { https: options.https }) }
  const setup: Setup = { role, name, config, ports, stateFolder: options.stateFolder ?? '/', zonesFolder: '/', zonesLabel: 'zones/', tierSecret: options.secret ?? SECRET, readable: false, ...(options.purges !== undefined && { purges: options.purges }) }
  return startWorker({ setup, clock, log: options.log ?? makeLogger(name, { readable: false, level: 'silent' }) })
}

/** Starts an edge with as many workers as its configuration says. */
export function startEdge(options: { name: string; config: Config; port: number; https?: number; stateFolder?: string; purges?: readonly Purge[]; log?: Logger; failed?: () => void }): Promise<RunningCrew> {
  const { name, config, port } = options
  const ports = { dns: 1, http: port, admin: 1, ...(options.https !== undefined && { https: options.https }) }
  const setup: Setup = { role: 'edge', name, config, ports, stateFolder: options.stateFolder ?? '/', zonesFolder: '/', zonesLabel: 'zones/', tierSecret: SECRET, readable: false, ...(options.purges !== undefined && { purges: options.purges }) }
  return startCrew({ setup, clock: systemClock, log: options.log ?? makeLogger(name, { readable: false, level: 'silent' }), workers: config.edges[name]!.workers, failed: options.failed ?? (() => undefined) })
}

/** A clock that is turned by hand, by which connections do not grow idle: what is turned is the time of day. */
export const connectedClock = ({ clock }: { readonly clock: Clock }): Clock => ({ now: clock.now, elapsed: systemClock.elapsed })

/** A configuration as read from a file with these keys. */
export const configOf = (keys: Record<string, unknown>): Config => configSchema.parse(keys)
