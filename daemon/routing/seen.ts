import type { LatencyImage, Network, Place } from '../../geodb/index.ts'
import { greatCircle } from './distance.ts'
import { makeRoundTrips } from './round-trips.ts'
import type { Order, Policies, View } from './tree.ts'
import type { Target } from './types.ts'
import { VERBS } from './verbs.ts'

/** Where somebody asks from. */
export interface Viewer {
  readonly place: Place
  readonly network: Network
  readonly source: Network
}

/** What verbs see of a viewer. */
export function makeView(policies: Policies, targets: readonly Target[], { place, network, source }: Viewer, latencies?: LatencyImage): View {
  const { latitude, longitude } = place
  const known = new Map<number, number>()
  const kilometres = (target: number): number | undefined => {
    const { at } = targets[target]!
    if (at === undefined || latitude === undefined || longitude === undefined) return undefined
    let distance = known.get(target)
    if (distance === undefined) {
      distance = greatCircle([latitude, longitude], at)
      known.set(target, distance)
    }
    return distance
  }
  const view: View = {
    place,
    network,
    source,
    targets,
    kilometres,
    ...makeRoundTrips({ place, network, targets, kilometres, latencies }),
    pathLength: (target) => network.paths?.[targets[target]!.name],
    order(branch) {
      if (branch.kind === 'target') return { kind: 'target', target: branch.target }
      if (branch.kind === 'nothing') return branch
      if (branch.kind === 'policy') return view.order(policies.policies[branch.policy]!.root)
      const node = policies.nodes[branch.node]!
      const of = VERBS[node.verb]!.order(node, branch.node, view)
      const { onAllDown } = node
      if (onAllDown === undefined) return of
      return { kind: 'or-else', node: branch.node, of, otherwise: typeof onAllDown === 'string' ? onAllDown : rootOrder(policies, onAllDown.policy, view) }
    }
  }
  return view
}

/** The order of a policy that a name stands for: `all` is what it answers when all is down and it says nothing else. */
export function rootOrder(policies: Policies, policy: number, view: View): Order {
  const order = view.order(policies.policies[policy]!.root)
  return order.kind === 'or-else' ? order : { kind: 'or-else', node: -1, of: order, otherwise: 'all' }
}
