import { checkedName, type Branch, type Policies, type RoutingImage } from '../routing/index.ts'
import { openZoneImage, type SharedZones, type ZoneImage } from '../zone/index.ts'
import { steeredNames } from './names.ts'

/** Which steered names a target may be answered for. */
export interface Affected {
  readonly names: number
  /** The first of them, in the order of the alphabet. */
  readonly first: string[]
}

const SHOWN = 3
/** To walk more nodes than this would hold up the daemon: nothing is told then. */
const MOST_NODES = 300_000

interface World {
  readonly generation: number
  readonly zones: SharedZones
  readonly routing: RoutingImage
}

/** Finds out, when first asked of a world, which names each target stands behind. */
export function makeAffected(image: () => World | undefined): (target: string) => Affected | undefined {
  let known: { readonly of: number; readonly names: ReadonlyMap<string, readonly string[]> } | undefined
  return (target) => {
    const world = image()
    if (world === undefined) return undefined
    const zones = openZoneImage(world.zones)
    if (zones.nodeCount > MOST_NODES) return undefined
    // By its number: a world that is in use no more is not to be held.
    if (known?.of !== world.generation) known = { of: world.generation, names: namesByTarget(zones, world.routing) }
    const names = known.names.get(target) ?? []
    return { names: names.length, first: names.slice(0, SHOWN) }
  }
}

function namesByTarget(zones: ZoneImage, routing: RoutingImage): Map<string, string[]> {
  const { policies, targets } = routing
  const behind = new Map(policies.policies.map(({ name, root }) => [name, [...targetsOf(root, policies)].map((target) => checkedName(targets[target]!))]))
  const names = new Map<string, string[]>()
  for (const [name, policy] of steeredNames(zones)) {
    for (const target of behind.get(policy) ?? []) {
      const list = names.get(target)
      if (list === undefined) names.set(target, [name])
      else list.push(name)
    }
  }
  for (const list of names.values()) list.sort()
  return names
}

/** Every target that a branch may come to. */
function targetsOf(branch: Branch, policies: Policies, into = new Set<number>(), asked = new Set<number>()): Set<number> {
  if (branch.kind === 'target') into.add(branch.target)
  else if (branch.kind === 'policy') {
    if (asked.has(branch.policy)) return into
    asked.add(branch.policy)
    targetsOf(policies.policies[branch.policy]!.root, policies, into, asked)
  } else if (branch.kind === 'node') {
    const { arms, onAllDown } = policies.nodes[branch.node]!
    for (const { to } of arms) targetsOf(to, policies, into, asked)
    if (typeof onAllDown === 'object') targetsOf({ kind: 'policy', policy: onAllDown.policy }, policies, into, asked)
  }
  return into
}
