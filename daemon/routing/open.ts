import { NOWHERE, type Place, type Places } from '../../geodb/index.ts'
import { choose } from './choose.ts'
import { makeClasses, type ClassLimits } from './classes.ts'
import { greatCircle } from './distance.ts'
import { explain } from './explain.ts'
import { simplify } from './simplify.ts'
import type { Branch, Order, Policies, View } from './tree.ts'
import type { Routing, RoutingImage, Target } from './types.ts'
import { VERBS } from './verbs.ts'

/** Opens compiled policies over places. Each thread opens its own; what it keeps is bounded and can be computed again. */
export function openRouting(image: RoutingImage, places: Places, limits?: ClassLimits): Routing {
  const { policies, targets } = image
  const numbers = new Map(policies.policies.map(({ name }, number) => [name, number]))
  const usesPlace = policies.policies.map(({ root }) => needsPlace(root, policies))
  const viewFrom = (place: number): View => makeView(policies, targets, places.place(place))
  const classes = makeClasses(places.size, (policy, place) => simplify(rootOrder(policies, policy, viewFrom(place))), limits)
  return {
    targets,
    find: (name) => numbers.get(name),
    usesPlace: (policy) => usesPlace[policy]!,
    // Where places have no say, one stands for all.
    classOf: (policy, place) => classes.classOf(policy, usesPlace[policy]! ? place : NOWHERE),
    choose: (policy, placeClass, health, family) => choose(classes.orderOf(policy, placeClass), { targets, health, family }),
    explain(policy, place, health, family) {
      const view = viewFrom(place)
      return explain(rootOrder(policies, policy, view), policies, view, { targets, health, family })
    }
  }
}

/** The order of a policy that a name stands for: `all` is what it answers when all is down and it says nothing else. */
function rootOrder(policies: Policies, policy: number, view: View): Order {
  const order = view.order(policies.policies[policy]!.root)
  return order.kind === 'or-else' ? order : { kind: 'or-else', node: -1, of: order, otherwise: 'all' }
}

function makeView(policies: Policies, targets: readonly Target[], place: Place): View {
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
    targets,
    kilometres,
    order(branch) {
      if (branch.kind === 'target') return { kind: 'target', target: branch.target }
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

function needsPlace(branch: Branch, { nodes, policies }: Policies, asked: Set<number> = new Set()): boolean {
  if (branch.kind === 'target') return false
  if (branch.kind === 'policy') {
    if (asked.has(branch.policy)) return false
    asked.add(branch.policy)
    return needsPlace(policies[branch.policy]!.root, { nodes, policies }, asked)
  }
  const { verb, arms, onAllDown } = nodes[branch.node]!
  if (VERBS[verb]!.usesPlace) return true
  if (typeof onAllDown === 'object' && needsPlace({ kind: 'policy', policy: onAllDown.policy }, { nodes, policies }, asked)) return true
  return arms.some(({ to }) => needsPlace(to, { nodes, policies }, asked))
}
