import type { Role, Setup } from '../../core/channel.ts'
import { systemClock, type Clock } from '../../core/clock.ts'
import type { Purge } from '../../core/purge.ts'
import { configSchema, type Config } from '../../core/config.ts'
import { makeLogger, type Logger } from '../../core/log.ts'
import { startWorker, type RunningWorker } from '../../edge/index.ts'

export const SECRET = 'c0ffee'.padEnd(64, '0')

/** Starts one worker of a configuration. */
export function startMember(options: { role: Role; name: string; config: Config; port: number; clock: Clock; secret?: string; https?: number; stateFolder?: string; purges?: readonly Purge[]; log?: Logger }): Promise<RunningWorker> {
  const { role, name, config, port, clock } = options
  const ports = { dns: 1, http: port, admin: 1, ...(options.https !== undefined && { https: options.https }) }
  const setup: Setup = { role, name, config, ports, stateFolder: options.stateFolder ?? '/', zonesFolder: '/', zonesLabel: 'zones/', tierSecret: options.secret ?? SECRET, readable: false, ...(options.purges !== undefined && { purges: options.purges }) }
  return startWorker({ setup, clock, log: options.log ?? makeLogger(name, { readable: false, level: 'silent' }) })
}

/** A clock that is turned by hand, by which connections do not grow idle: what is turned is the time of day. */
export const connectedClock = ({ clock }: { readonly clock: Clock }): Clock => ({ now: clock.now, elapsed: systemClock.elapsed })

/** A configuration as read from a file with these keys. */
export const configOf = (keys: Record<string, unknown>): Config => configSchema.parse(keys)
