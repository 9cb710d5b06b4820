import { orderKey } from './simplify.ts'
import { leavesOf, type Order } from './tree.ts'

/** What one thread may keep about places and policies. Beyond it things are computed again; nothing is refused. */
export interface ClassLimits {
  /** Classes of one policy that are told apart; further places are classes of their own, with numbers from here on. */
  readonly classes: number
  /** Octets for the arrays place -> class, of all policies together. */
  readonly octets: number
  /** Targets in the orders kept ready, of all policies together: 200,000 are some 20 MB. */
  readonly targets: number
}

const LIMITS: ClassLimits = { classes: 16_384, octets: 64 * 1024 * 1024, targets: 200_000 }

/** What has been found out about one policy. */
interface Known {
  /** Per place: its class + 1, or 0 when it has not been asked for. Absent when memory for it has run out. */
  readonly ofPlace?: Uint16Array
  readonly byKey: Map<string, number>
  /** A place of each class: what its order is computed from. */
  readonly placeOf: number[]
}

/** Classes of places and their orders, found out when first asked for. */
export interface Classes {
  classOf(policy: number, place: number): number
  /** @throws RangeError for a class that `classOf` has not given */
  orderOf(policy: number, placeClass: number): Order
}

/** @param orderFor the simplified order of a policy for a place: the same order, the same class */
export function makeClasses(places: number, orderFor: (policy: number, place: number) => Order, limits: ClassLimits = LIMITS): Classes {
  const policies: Known[] = []
  const orders = new Map<string, Order>()
  let octets = limits.octets
  let targets = 0

  const knownOf = (policy: number): Known => {
    const known = policies[policy]
    if (known !== undefined) return known
    const fits = places * 2 <= octets
    if (fits) octets -= places * 2
    return (policies[policy] = { ...(fits && { ofPlace: new Uint16Array(places) }), byKey: new Map(), placeOf: [] })
  }

  const find = (policy: number, place: number): number => {
    const { ofPlace, byKey, placeOf } = knownOf(policy)
    const key = orderKey(orderFor(policy, place))
    let placeClass = byKey.get(key)
    if (placeClass === undefined) {
      if (placeOf.length >= limits.classes) return limits.classes + place
      placeClass = placeOf.push(place) - 1
      byKey.set(key, placeClass)
    }
    if (ofPlace !== undefined) ofPlace[place] = placeClass + 1
    return placeClass
  }

  const keep = (key: string, order: Order): void => {
    const size = leavesOf(order).size
    if (targets + size > limits.targets) {
      orders.clear()
      targets = 0
    }
    targets += size
    orders.set(key, order)
  }

  return {
    classOf(policy, place) {
      const known = policies[policy]?.ofPlace?.[place]
      return known === undefined || known === 0 ? find(policy, place) : known - 1
    },
    orderOf(policy, placeClass) {
      const key = `${policy} ${placeClass}`
      const kept = orders.get(key)
      if (kept !== undefined) return kept
      const place = placeClass >= limits.classes ? placeClass - limits.classes : policies[policy]?.placeOf[placeClass]
      if (place === undefined) throw new RangeError(`policy ${policy} has no place class ${placeClass}`)
      const order = orderFor(policy, place)
      keep(key, order)
      return order
    }
  }
}
