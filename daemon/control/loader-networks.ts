import { buildNetworks, type LatencyImage, type NetworksImage } from '../../geodb/index.ts'
import { NO_PLAN, type NetworkPlan } from '../routing/index.ts'

/** Networks that have just been laid out anew; the image is absent where there is nothing to tell of any. */
export interface FreshNetworks {
  readonly image: NetworksImage | undefined
}

/** Keeps what the table of networks is made from, and makes it when some of that has changed. Takes a while where there is much. */
export interface NetworksKeeper {
  /** What policies go by now. */
  plan(plan: NetworkPlan): FreshNetworks
  /** What is measured now, in the place of what was. */
  measured(measured: LatencyImage): FreshNetworks
}

export function makeNetworksKeeper(): NetworksKeeper {
  let current = NO_PLAN
  let rows: LatencyImage | undefined
  const build = (): FreshNetworks => ({ image: buildNetworks({ named: current.named, measured: rows }) })
  return {
    plan(plan) {
      current = plan
      return build()
    },
    measured(measured) {
      rows = measured
      return build()
    }
  }
}
