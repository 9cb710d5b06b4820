import { join } from 'node:path'
import type { Config } from '../core/config.ts'
import type { ReloadReply } from './control/api.ts'
import { Loader, type LoaderSetup, type Past } from './control/loading.ts'
import type { RoutingImage } from './routing/index.ts'
import type { ViewImage, WorldImage } from './world.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { HealthTable } from '../healthchecks/table.ts'

/** Zones that only some networks see, each view with a folder, a loader and a state folder of its own. */
export interface ViewZones {
  /** Resolves when each has been read. */
  readonly first: Promise<unknown>
  now(): readonly ViewImage[]
  reload(force: boolean): Promise<readonly ReloadReply[]>
  faults(): readonly string[]
  /** Of each view, by name. */
  statuses(): Readonly<Record<string, ReturnType<Loader['status']>>>
  /** As it was at a wall time, by the name of the view. */
  past(at: number): Promise<NonNullable<Past['views']>>
  /** What is measured, and what PoPs say, counts for every view alike. */
  measured: Loader['measured']
  paths: Loader['paths']
  close(): Promise<unknown>
}

export interface ViewOptions {
  readonly setup: LoaderSetup
  /** Of the fleet: views answer with its edges too. */
  readonly health: HealthTable
  /** Told of the policies of a view before they are in service. */
  readonly adopt?: ((routing: RoutingImage, view: string) => RoutingImage) | undefined
  readonly clock: Clock
  readonly log: Logger
  /** Some of them are other ones now. */
  changed(): Promise<void>
}

export function startViews({ setup, health, adopt, clock, log, changed }: ViewOptions): ViewZones {
  const { config, zonesFolder, zonesLabel, stateFolder } = setup
  const worlds = new Map<string, WorldImage>()
  // What nearcast.yaml says of zones is for those that all see: a view has neither primaries nor secondaries.
  const bare: Config = { ...config, zones: {} }
  const names = Object.keys(config.dns.views)
  const loaders = names.map((name) => new Loader({
    setup: { config: bare, zonesFolder: join(zonesFolder, 'views', name), zonesLabel: `${zonesLabel}views/${name}/`, ...(stateFolder !== undefined && { stateFolder: join(stateFolder, 'views', name) }) },
    health,
    clock,
    log,
    places: 'for policies',
    ...(stateFolder !== undefined && { placesFolder: join(stateFolder, 'geodb') }),
    ...(adopt !== undefined && { adopt: (routing: RoutingImage) => adopt(routing, name) }),
    use: async (world) => {
      worlds.set(name, world)
      await changed()
    }
  }))
  return {
    first: Promise.all(loaders.map(({ first }) => first)),
    now: () => names.flatMap((name) => (worlds.has(name) ? [{ name, networks: config.dns.views[name]!, world: worlds.get(name)! }] : [])),
    reload: (force) => Promise.all(loaders.map((loader) => loader.reload(force))),
    faults: () => loaders.flatMap((loader) => loader.status().reload.faults),
    statuses: () => Object.fromEntries(loaders.map((loader, number) => [names[number]!, loader.status()])),
    past: async (at) => Object.fromEntries(await Promise.all(loaders.map(async (loader, number) => [names[number]!, { since: loader.status().since ?? { zones: {} }, policies: await loader.policiesAt(at) }] as const))),
    measured: (image) => loaders.forEach((loader) => loader.measured(image)),
    paths: (sources) => loaders.forEach((loader) => loader.paths(sources)),
    close: () => Promise.all(loaders.map((loader) => loader.close()))
  }
}
