import type { Config } from '../../core/config.ts'
import type { After, Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { openChannel, type Channel } from './channel.ts'
import type { PopKey } from './keys.ts'
import { Vantage } from './vantage.ts'

export interface PopsOptions {
  readonly config: Config
  keys(): readonly PopKey[]
  readonly clock: Clock
  readonly after: After
  readonly log: Logger
}

/** How far networks are does not change because a PoP has fallen silent. */
const PATHS_LEASE_MS = 600_000

/** The channel to other PoPs, and what is decided with them. */
export interface Pops {
  readonly channel: Channel
  readonly vantage: Vantage
}

/** Opens the channel that `pops:` speaks of; undefined without it. Rejects with one line when an address cannot be used. */
export async function openPops({ config, keys, clock, after, log }: PopsOptions): Promise<Pops | undefined> {
  const { pops } = config
  if (pops === undefined) return undefined
  const { name, listen, port, others, lease } = pops
  const channel = await openChannel({ name, listen, port, others, keys, leases: { verdicts: lease, forces: lease, leases: lease, paths: PATHS_LEASE_MS }, skewMs: pops['clock-skew'], clock, after, log })
  const workers = new Map([...Object.entries(config.edges), ...Object.entries(config.regionals), ...Object.entries(config.shields)])
  const runnerOf = (target: string): string | undefined => {
    const worker = workers.get(target)
    return worker === undefined ? undefined : (worker.pop ?? 'each')
  }
  const rules = { total: Object.keys(others).length + 1, quorum: pops.quorum, healthyAbove: pops['healthy-above'] / 100 }
  return { channel, vantage: new Vantage({ name, channel, rules, runnerOf, clock, log }) }
}
