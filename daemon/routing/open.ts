import type { Place, Places } from '../../geodb/index.ts'
import { choose } from './choose.ts'
import { greatCircle } from './distance.ts'
import { explain } from './explain.ts'
import { orderKey, simplify } from './simplify.ts'
import type { Branch, Order, Policies, View } from './tree.ts'
import type { Routing, RoutingImage, Target } from './types.ts'
import { VERBS } from './verbs.ts'

/** Classes of one policy that are told apart; further places are classes of their own, above this number. */
const MAX_CLASSES = 16_384
/** Octets for the arrays place -> class, of all policies together, in one thread. */
const CLASS_MEMORY = 64 * 1024 * 1024
/** Orders kept ready, of all policies together. */
const KEPT_ORDERS = 4096

/** What has been found out about one policy. */
interface Classes {
  /** Per place: its class + 1, or 0 when it has not been asked for. Absent when memory for it has run out. */
  readonly ofPlace?: Uint16Array
  readonly byKey: Map<string, number>
  /** A place of each class: what its order is computed from. */
  readonly placeOf: number[]
}

/** Opens compiled policies over places. Each thread opens its own; what it keeps is bounded and can be computed again. */
export function openRouting(image: RoutingImage, places: Places): Routing {
  const { policies, targets } = image
  const numbers = new Map(policies.policies.map(({ name }, number) => [name, number]))
  const usesPlace = policies.policies.map(({ root }) => needsPlace(root, policies))
  const classes: (Classes | undefined)[] = policies.policies.map(() => undefined)
  const orders = new Map<string, Order>()
  let memory = CLASS_MEMORY

  const orderFor = (policy: number, place: number): Order => simplify(rootOrder(policies, policy, makeView(policies, targets, places.place(place))))

  const classesOf = (policy: number): Classes => {
    const known = classes[policy]
    if (known !== undefined) return known
    const octets = places.size * 2
    const fits = octets <= memory
    if (fits) memory -= octets
    return (classes[policy] = { ...(fits && { ofPlace: new Uint16Array(places.size) }), byKey: new Map(), placeOf: [] })
  }

  const newClass = (policy: number, place: number): number => {
    const { ofPlace, byKey, placeOf } = classesOf(policy)
    const key = orderKey(orderFor(policy, place))
    let placeClass = byKey.get(key)
    if (placeClass === undefined) {
      if (placeOf.length === MAX_CLASSES) return MAX_CLASSES + place
      placeClass = placeOf.push(place) - 1
      byKey.set(key, placeClass)
    }
    if (ofPlace !== undefined) ofPlace[place] = placeClass + 1
    return placeClass
  }

  const orderOfClass = (policy: number, placeClass: number): Order => {
    const key = `${policy} ${placeClass}`
    let order = orders.get(key)
    if (order === undefined) {
      const place = !usesPlace[policy] ? 0 : placeClass >= MAX_CLASSES ? placeClass - MAX_CLASSES : classesOf(policy).placeOf[placeClass]
      if (place === undefined) throw new RangeError(`policy ${policy} has no place class ${placeClass}`)
      order = orderFor(policy, place)
      if (orders.size >= KEPT_ORDERS) orders.clear()
      orders.set(key, order)
    }
    return order
  }

  return {
    targets,
    find: (name) => numbers.get(name),
    usesPlace: (policy) => usesPlace[policy]!,
    classOf(policy, place) {
      if (!usesPlace[policy]) return 0
      const known = classes[policy]?.ofPlace?.[place]
      return known === undefined || known === 0 ? newClass(policy, place) : known - 1
    },
    choose: (policy, placeClass, health, family) => choose(orderOfClass(policy, placeClass), { targets, health, family }),
    explain(policy, place, health, family) {
      const view = makeView(policies, targets, places.place(place))
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
