import { NO_NETWORK, NOWHERE, UNKNOWN_NETWORK, type Networks, type Places } from '../../geodb/index.ts'
import { policiesWithNames } from './check-names.ts'
import { choose } from './choose.ts'
import { makeClasses, type ClassLimits } from './classes.ts'
import type { KnownShares } from './draw.ts'
import { explain } from './explain.ts'
import { simplify } from './simplify.ts'
import { tellDraw } from './tell-draw.ts'
import type { View } from './tree.ts'
import type { Family, Routing, RoutingImage } from './types.ts'
import { usesOf } from './uses.ts'
import { makeView, rootOrder } from './seen.ts'

/**
 * Opens compiled policies over places and networks. Each thread opens its own; what it keeps is bounded and can be computed again.
 * @param networks absent: no network is known
 */
export function openRouting(image: RoutingImage, places: Places, networks?: Networks, limits?: ClassLimits): Routing {
  const { policies, targets } = image
  const numbers = new Map(policies.policies.map(({ name }, number) => [name, number]))
  const uses = usesOf(policies, { isMeasured: networks?.latencies !== undefined, hasPaths: networks?.hasPaths === true })
  const isByPlace = uses.map(({ network, source }) => !network && !source)
  const networkOf = (number: number) => networks?.network(number) ?? UNKNOWN_NETWORK
  const viewFrom = (place: number, network: number, source: number): View => makeView(policies, targets, { place: places.place(place), network: networkOf(network), source: networkOf(source) }, networks?.latencies)
  const classes = makeClasses(places.size, (policy, place, network, source) => simplify(rootOrder(policies, policy, viewFrom(place, network, source))), limits)
  const withNames = policiesWithNames(policies, targets)
  // A name that has a CNAME has it for every type: where there may be one, what is chosen must not go by the type.
  const familyFor = (policy: number, family: Family | undefined) => (withNames.has(policy) ? undefined : family)
  const shares: KnownShares = new Map()
  return {
    targets,
    find: (name) => numbers.get(name),
    leadsToNames: (policy) => withNames.has(policy),
    usesPlace: (policy) => uses[policy]!.place,
    usesNetwork: (policy) => uses[policy]!.network,
    usesSource: (policy) => uses[policy]!.source,
    // What has no say is the same for all.
    classOf(policy, place, network = NO_NETWORK, source = NO_NETWORK) {
      if (isByPlace[policy]!) return classes.classOf(policy, uses[policy]!.place ? place : NOWHERE)
      return classes.classOfViewer(policy, uses[policy]!.place ? place : NOWHERE, uses[policy]!.network ? network : NO_NETWORK, uses[policy]!.source ? source : NO_NETWORK)
    },
    choose: (policy, placeClass, health, family) => choose(classes.orderOf(policy, placeClass), { targets, health, family: familyFor(policy, family), shares }),
    tellDraw: (choice, drawer) => tellDraw(choice, policies, targets, drawer),
    explain(policy, place, health, family, network = NO_NETWORK, source = NO_NETWORK) {
      const view = viewFrom(place, network, source)
      return explain(rootOrder(policies, policy, view), policies, view, { targets, health, family: familyFor(policy, family), shares })
    }
  }
}
