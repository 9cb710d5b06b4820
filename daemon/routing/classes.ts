import { NO_NETWORK } from '../../geodb/index.ts'
import { orderKey } from './simplify.ts'
import { leavesOf, type Order } from './tree.ts'
import { makeViewerTable } from './viewer-table.ts'

/** What one thread may keep about viewers and policies. Beyond it things are computed again; nothing is refused. */
export interface ClassLimits {
  /** Classes of one policy that are told apart; further viewers are classes of their own, with numbers from here on. */
  readonly classes: number
  /** Octets for the arrays place -> class, of all policies together. */
  readonly octets: number
  /** Targets in the orders kept ready, of all policies together: 200,000 are some 20 MB. */
  readonly targets: number
  /** Viewers whose class is remembered, of all policies in which networks have a say: a power of two. */
  readonly viewers: number
}

const LIMITS: ClassLimits = { classes: 16_384, octets: 64 * 1024 * 1024, targets: 200_000, viewers: 1 << 16 }
/** Viewers beyond the classes that are told apart, each remembered for the question at hand and a few more. */
const MOST_BEYOND = 64

/** Who asks, by numbers: a place, the client's network, the network that the query came from. */
interface Viewer {
  readonly place: number
  readonly network: number
  readonly source: number
}

/** What has been found out about one policy. */
interface Known {
  /** Per place: its class + 1, or 0 when it has not been asked for. Absent when memory for it has run out. */
  readonly ofPlace?: Uint16Array
  readonly byKey: Map<string, number>
  /** A viewer of each class: what its order is computed from. */
  readonly viewerOf: Viewer[]
}

/** Classes of viewers and their orders, found out when first asked for. */
export interface Classes {
  /** Where networks have no say. */
  classOf(policy: number, place: number): number
  /** Where they have. */
  classOfViewer(policy: number, place: number, network: number, source: number): number
  /** @throws RangeError for a class that has not been given, or long ago */
  orderOf(policy: number, viewerClass: number): Order
}

/**
 * @param places how many there are
 * @param orderFor the simplified order of a policy for a viewer: the same order, the same class
 */
export function makeClasses(places: number, orderFor: (policy: number, place: number, network: number, source: number) => Order, limits: ClassLimits = LIMITS): Classes {
  const policies: Known[] = []
  const orders = makeOrders(limits.targets)
  const viewers = makeViewerTable(limits.viewers)
  /** Classes past `limits.classes + places`: a number is never given twice. */
  const beyond = new Map<number, Viewer>()
  let lastBeyond = limits.classes + places
  let octets = limits.octets

  const knownOf = (policy: number, needsPlaces: boolean): Known => {
    const known = policies[policy]
    if (known !== undefined) return known
    const fits = needsPlaces && places * 2 <= octets
    if (fits) octets -= places * 2
    return (policies[policy] = { ...(fits && { ofPlace: new Uint16Array(places) }), byKey: new Map(), viewerOf: [] })
  }

  /** The class by what the policy comes to, or -1 when there are too many. */
  const classFor = ({ byKey, viewerOf }: Known, policy: number, viewer: Viewer): number => {
    const key = orderKey(orderFor(policy, viewer.place, viewer.network, viewer.source))
    const known = byKey.get(key)
    if (known !== undefined) return known
    if (viewerOf.length >= limits.classes) return -1
    byKey.set(key, viewerOf.length)
    return viewerOf.push(viewer) - 1
  }

  const find = (policy: number, place: number): number => {
    const known = knownOf(policy, true)
    const placeClass = classFor(known, policy, { place, network: NO_NETWORK, source: NO_NETWORK })
    if (placeClass < 0) return limits.classes + place
    if (known.ofPlace !== undefined) known.ofPlace[place] = placeClass + 1
    return placeClass
  }

  const findViewer = (policy: number, viewer: Viewer): number => {
    const viewerClass = classFor(knownOf(policy, false), policy, viewer)
    if (viewerClass >= 0) {
      viewers.put(policy, viewer.place, viewer.network, viewer.source, viewerClass)
      return viewerClass
    }
    if (beyond.size >= MOST_BEYOND) beyond.delete(beyond.keys().next().value!)
    beyond.set(++lastBeyond, viewer)
    return lastBeyond
  }

  const viewerOf = (policy: number, viewerClass: number): Viewer | undefined => {
    const known = policies[policy]?.viewerOf[viewerClass] ?? beyond.get(viewerClass)
    if (known !== undefined || viewerClass < limits.classes || viewerClass >= limits.classes + places) return known
    return { place: viewerClass - limits.classes, network: NO_NETWORK, source: NO_NETWORK }
  }

  return {
    classOf(policy, place) {
      const known = policies[policy]?.ofPlace?.[place]
      return known === undefined || known === 0 ? find(policy, place) : known - 1
    },
    classOfViewer(policy, place, network, source) {
      const known = viewers.find(policy, place, network, source)
      return known < 0 ? findViewer(policy, { place, network, source }) : known
    },
    orderOf(policy, viewerClass) {
      return orders.find(`${policy} ${viewerClass}`, () => {
        const viewer = viewerOf(policy, viewerClass)
        if (viewer === undefined) throw new RangeError(`policy ${policy} has no class ${viewerClass}`)
        return orderFor(policy, viewer.place, viewer.network, viewer.source)
      })
    }
  }
}

/** Orders kept ready, until there are too many targets in them: then all are forgotten. */
function makeOrders(most: number): { find(key: string, make: () => Order): Order } {
  const orders = new Map<string, Order>()
  let targets = 0
  return {
    find(key, make) {
      const kept = orders.get(key)
      if (kept !== undefined) return kept
      const order = make()
      const size = leavesOf(order).size
      if (targets + size > most) {
        orders.clear()
        targets = 0
      }
      targets += size
      orders.set(key, order)
      return order
    }
  }
}
