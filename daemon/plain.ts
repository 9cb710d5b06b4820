import { makeRules } from './exchange/index.ts'
import { startService } from './service.ts'
import type { KeyFile } from '../core/channel.ts'
import { parseConfig } from '../core/config-file.ts'
import { systemClock } from '../core/clock.ts'
import type { Config } from '../core/config.ts'
import type { EarlyThread } from '../core/early-thread.ts'
import type { Logger } from '../core/log.ts'
import { makeHealthTable } from '../healthchecks/table.ts'

/** Plain addresses that policies may name: without a fleet there are no others. */
const MOST_TARGETS = 4096

export interface PlainOptions {
  /** Absolute path, and how the operator calls it. */
  readonly zones: { readonly path: string; readonly label: string }
  /** Absolute path of a folder that is there; absent: nothing is kept. */
  readonly stateFolder?: string
  readonly port: number
  /** Addresses; absent: loopback. */
  readonly listen?: readonly string[]
  readonly threads?: number
  /** Of a nearcast.yaml: what it says of DNS, places, keys, peers and zones. */
  readonly config?: Config
  /** Files of TSIG keys, which have been checked; they are followed. */
  readonly keyFiles?: readonly KeyFile[]
  /** For experiments on one machine: loopback may transfer, and answers are not limited. */
  readonly lab: boolean
  readonly log: Logger
  /** Begun already: see `prepareLoader`. */
  readonly loader?: EarlyThread
}

/** A plain authoritative server: zones, and nothing beside them. */
export interface Plain {
  /** `127.0.0.1:53/udp`, `[::1]:53/tcp` and so on. */
  readonly listening: readonly string[]
  readonly notes: readonly string[]
  readonly zones: number
  readonly records: number
  close(withinMs: number): Promise<void>
}

/**
 * Serves every zone of a folder in this process, and follows what is edited there.
 * @throws Error with one line when an address cannot be used
 */
export async function startPlain({ zones, stateFolder, port, listen, threads, config, keyFiles = [], lab, log, loader: early }: PlainOptions): Promise<Plain> {
  const { edges, ...presets } = parseConfig('', '').config!
  const taken = config === undefined ? presets : { ...presets, dns: config.dns, geo: config.geo, peers: config.peers, zones: config.zones }
  const rateLimit = { ...taken.dns['rate-limit'], ...(lab && { mode: 'off' as const }) }
  const dns = { ...taken.dns, 'rate-limit': rateLimit, ...(listen !== undefined && { listen: [...listen] }), ...(threads !== undefined && { threads }) }
  const { loader, serving, close } = await startService({
    setup: { config: { ...taken, edges, dns }, zonesFolder: zones.path, zonesLabel: zones.label, ...(stateFolder !== undefined && { stateFolder }) },
    port,
    rules: makeRules({ config: taken, isLab: lab }),
    keyFiles,
    health: makeHealthTable(MOST_TARGETS),
    clock: systemClock,
    log,
    places: 'for policies',
    settings: { port: '--port', listen: '--listen' },
    ...(early !== undefined && { earlyLoader: early })
  })
  const status = loader.status()
  return {
    listening: serving.listening,
    notes: serving.notes,
    zones: status.zones.length,
    records: status.zones.reduce((sum, zone) => sum + zone.records, 0),
    close
  }
}
