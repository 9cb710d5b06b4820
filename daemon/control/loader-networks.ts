import type { Config } from '../../core/config.ts'
import { ConfigError, messageOf, type Fault } from '../../core/trouble.ts'
import { buildNetworks, findAsDatabase, readAsDatabase, type AsPrefixes, type LatencyImage, type NetworksImage } from '../../geodb/index.ts'
import { NO_PLAN, type NetworkPlan } from '../routing/index.ts'
import { geoSettings } from './loader-places.ts'

/** Networks that have just been laid out anew; the image is absent where there is nothing to tell of any. */
export interface FreshNetworks {
  readonly image: NetworksImage | undefined
  /** Of the database of autonomous systems: what it said before is then gone by. */
  readonly faults: readonly Fault[]
}

/** Keeps what the table of networks is made from, and makes it when some of that has changed. Takes a while where there is much. */
export interface NetworksKeeper {
  /** What policies go by now. */
  plan(plan: NetworkPlan): FreshNetworks
  /** What is measured now, in the place of what was. */
  measured(measured: LatencyImage): FreshNetworks
  /** The database of autonomous systems may have changed; undefined when nobody goes by it. */
  refresh(): FreshNetworks | undefined
}

/** @param geo.folder where databases are dropped, absolute, and `geo.asn` */
export function makeNetworksKeeper(geo: { readonly folder: string; readonly asn: string }): NetworksKeeper {
  let plan = NO_PLAN
  let measured: LatencyImage | undefined
  let asns: readonly AsPrefixes[] = []
  let faults: readonly Fault[] = []
  const readSystems = (): void => {
    faults = []
    if (plan.asns.length === 0) return void (asns = [])
    try {
      const path = findAsDatabase({ folder: geo.folder, setting: geo.asn })
      if (path === undefined) throw new Error('geo.asn: there is no database of autonomous systems any more; what it said before counts on')
      const found = readAsDatabase(path, new Set(plan.asns.map(({ asn }) => asn)))
      asns = plan.asns.map((each) => ({ ...each, prefixes: found.get(each.asn)! }))
    } catch (error) {
      faults = error instanceof ConfigError ? error.faults : [{ file: 'nearcast.yaml', line: 1, column: 1, severity: 'error', reason: messageOf(error) }]
      const known = new Map(asns.map(({ asn, prefixes }) => [asn, prefixes]))
      asns = plan.asns.flatMap((each) => (known.has(each.asn) ? [{ ...each, prefixes: known.get(each.asn)! }] : []))
    }
  }
  const build = (): FreshNetworks => ({ image: buildNetworks({ named: plan.named, asns, measured }), faults })
  return {
    plan(fresh) {
      plan = fresh
      readSystems()
      return build()
    },
    measured(rows) {
      // When all of it has been forgotten, policies are asked as if there had never been any.
      measured = rows.prefixes.length === 0 ? undefined : rows
      return build()
    },
    refresh() {
      if (plan.asns.length === 0) return undefined
      readSystems()
      return build()
    }
  }
}

/** Networks as a daemon of this configuration would have them for a plan, for whoever is none: without measurements. */
export function bringNetworks(plan: NetworkPlan, config: Pick<Config, 'geo'>): FreshNetworks {
  return makeNetworksKeeper(geoSettings(config)).plan(plan)
}
