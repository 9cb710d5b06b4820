import type { Config } from '../../core/config.ts'
import { ConfigError, messageOf, type Fault } from '../../core/trouble.ts'
import { buildNetworks, findAsDatabase, readAsDatabase, type AsPrefixes, type LatencyImage, type NetworksImage, type PrefixList } from '../../geodb/index.ts'
import { readDigests, type PathSource } from '../paths/index.ts'
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
  /** What PoPs say of AS paths now. */
  paths(sources: readonly PathSource[]): FreshNetworks
  /** The database of autonomous systems may have changed; undefined when nobody goes by it. */
  refresh(): FreshNetworks | undefined
  /** What there would be for another plan; nothing is put in the place of anything. */
  beside(plan: NetworkPlan): FreshNetworks
}

/** What there is to tell of networks whatever policies go by. */
interface Told {
  readonly measured?: LatencyImage | undefined
  readonly paths?: ReturnType<typeof readDigests>
}

/** @param geo.folder where databases are dropped, absolute, and `geo.asn` */
export function makeNetworksKeeper(geo: { readonly folder: string; readonly asn: string }, told: Told = {}): NetworksKeeper {
  let plan = NO_PLAN
  let { measured, paths = [] } = told
  /** What the database said of the systems that were asked for when it was read. */
  let known: ReadonlyMap<number, PrefixList> = new Map()
  let faults: readonly Fault[] = []
  /** Systems that policies name, and those of which round trips were measured. */
  const wanted = (): readonly Pick<AsPrefixes, 'asn' | 'lists'>[] => {
    const planned = new Set(plan.asns.map(({ asn }) => asn))
    return [...plan.asns, ...[...(measured?.systems.keys() ?? [])].flatMap((asn) => (planned.has(asn) ? [] : [{ asn, lists: [] }]))]
  }
  const readSystems = (): void => {
    faults = []
    try {
      const path = findAsDatabase({ folder: geo.folder, setting: geo.asn })
      if (path !== undefined) known = readAsDatabase(path, new Set(wanted().map(({ asn }) => asn)))
      else if (plan.asns.length > 0) throw new Error('geo.asn: there is no database of autonomous systems any more; what it said before counts on')
    } catch (error) {
      faults = error instanceof ConfigError ? error.faults : [{ file: 'nearcast.yaml', line: 1, column: 1, severity: 'error', reason: messageOf(error) }]
    }
  }
  const build = (): FreshNetworks => {
    const systems = wanted()
    // A second of work for a whole database: not for what has been read already.
    if (systems.length === 0) faults = []
    else if (faults.length > 0 || systems.some(({ asn }) => !known.has(asn))) readSystems()
    const asns = systems.flatMap((each) => (known.has(each.asn) ? [{ ...each, prefixes: known.get(each.asn)! }] : []))
    return { image: buildNetworks({ named: plan.named, asns, measured, paths }), faults }
  }
  return {
    plan(fresh) {
      plan = fresh
      return build()
    },
    measured(rows) {
      // When all of it has been forgotten, policies are asked as if there had never been any.
      measured = rows.prefixes.length === 0 ? undefined : rows
      return build()
    },
    paths(sources) {
      paths = readDigests(sources)
      return build()
    },
    refresh() {
      if (wanted().length === 0) return undefined
      readSystems()
      return build()
    },
    beside: (other) => makeNetworksKeeper(geo, { measured, paths }).plan(other)
  }
}

/** Networks as a daemon of this configuration would have them for a plan, for whoever is none. @param measured round trips to go by */
export function bringNetworks(plan: NetworkPlan, config: Pick<Config, 'geo'>, measured?: LatencyImage): FreshNetworks {
  return makeNetworksKeeper(geoSettings(config), measured?.prefixes.length === 0 ? {} : { measured }).plan(plan)
}
