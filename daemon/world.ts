import { openNetworks, openPlaces, type Networks, type NetworksImage, type Places, type PlacesImage } from '../geodb/index.ts'
import type { HealthTable } from '../healthchecks/index.ts'
import { openRouting, type Routing, type RoutingImage, type Target } from './routing/index.ts'
import { openWithheld, type Withheld } from './withheld.ts'
import type { KeyRing } from './wire/index.ts'
import { openZoneImage, type SharedZones, type ZoneImage } from './zone/index.ts'

/** Everything a query reads, and nothing it may change. A reload makes a new one and swaps it whole. */
export interface World {
  readonly generation: number
  readonly zones: ZoneImage
  readonly places: Places
  /** What networks are beside where they are; absent where no policy and no measurement speaks of any. */
  readonly networks?: Networks | undefined
  readonly routing: Routing
  readonly targets: readonly Target[]
  readonly health: HealthTable
  /** TTL of routed answers, in seconds, while a target in question is suspect or down. */
  readonly suspectTtl: number
  /** Secrets of DNS cookies, 16 octets each: the first makes them, all are accepted. */
  readonly cookies?: readonly Uint8Array[]
  readonly withheld?: Withheld
  /** Two worlds of the same build of zones call the same nodes by the same numbers, and those of the same policies these; those of the same networks know the same of viewers. Absent: not known. */
  readonly kept?: { readonly zones: number; readonly policies: number; readonly networks?: number }
}

/** A world on its way to another thread: shared memory and plain values. `openWorld` makes it readable there. */
export interface WorldImage {
  readonly generation: number
  readonly zones: SharedZones
  readonly places: PlacesImage
  readonly networks?: NetworksImage | undefined
  readonly routing: RoutingImage
  readonly health: HealthTable
  readonly suspectTtl: number
  readonly cookies?: readonly Uint8Array[]
  /** TSIG keys. Absent: those that each thread was started with. */
  readonly tsig?: KeyRing
  /** Zones that are ours and have no contents that may be served: wire form, lower case. */
  readonly withheld?: readonly Uint8Array[]
  /** Counts the policies and places that were in service: the same number, the same of both. Absent: not known. */
  readonly policies?: number
  /** Counts the networks likewise. */
  readonly networksCount?: number
  /** Zones that only some networks see. */
  readonly views?: readonly ViewImage[]
}

/** What those in some networks are answered from first. */
export interface ViewImage {
  readonly name: string
  /** Prefixes. */
  readonly networks: readonly string[]
  readonly world: WorldImage
}

/**
 * Makes an image readable in this thread; cheap, for what is big is shared.
 * @param before the world it takes the place of here: of the same policies, what has been found out about them is still so
 */
export function openWorld(image: WorldImage, before?: World): World {
  const { generation, health, suspectTtl, cookies, withheld, policies, networksCount = 0 } = image
  const same = policies !== undefined && before?.kept?.policies === policies ? before : undefined
  const places = same?.places ?? openPlaces(image.places)
  const sameNetworks = (same?.kept?.networks ?? 0) === networksCount ? same : undefined
  const networks = sameNetworks === undefined ? image.networks && openNetworks(image.networks) : sameNetworks.networks
  const routing = sameNetworks?.routing ?? openRouting(image.routing, places, networks)
  return {
    generation, zones: openZoneImage(image.zones), places, networks, routing, targets: same?.targets ?? image.routing.targets, health, suspectTtl,
    ...(cookies !== undefined && { cookies }), withheld: openWithheld(withheld), ...(policies !== undefined && { kept: { zones: image.zones.build, policies, networks: networksCount } })
  }
}
