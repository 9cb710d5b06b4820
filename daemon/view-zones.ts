import { join } from 'node:path'
import type { Config } from '../core/config.ts'
import type { ReloadReply } from './control/api.ts'
import { Loader, type LoaderSetup } from './control/loading.ts'
import type { ViewImage, WorldImage } from './world.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import { makeHealthTable } from '../healthchecks/table.ts'

/** Zones that only some networks see, each view with a folder and a loader of its own. */
export interface ViewZones {
  /** Resolves when each has been read. */
  readonly first: Promise<unknown>
  now(): readonly ViewImage[]
  reload(force: boolean): Promise<readonly ReloadReply[]>
  faults(): readonly string[]
  close(): Promise<unknown>
}

export interface ViewOptions {
  readonly setup: LoaderSetup
  readonly clock: Clock
  readonly log: Logger
  /** Some of them are other ones now. */
  changed(): Promise<void>
}

/** Addresses that policies of a view may name: such policies know neither edges nor checks. */
const MOST_TARGETS = 1024

export function startViews({ setup, clock, log, changed }: ViewOptions): ViewZones {
  const { config, zonesFolder, zonesLabel } = setup
  const worlds = new Map<string, WorldImage>()
  const bare: Config = { ...config, edges: {}, zones: {}, checks: { ...config.checks, named: {} } }
  const names = Object.keys(config.dns.views)
  const loaders = names.map((name) => new Loader({
    setup: { config: bare, zonesFolder: join(zonesFolder, 'views', name), zonesLabel: `${zonesLabel}views/${name}/` },
    health: makeHealthTable(MOST_TARGETS),
    clock,
    log,
    places: 'for policies',
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
    close: () => Promise.all(loaders.map((loader) => loader.close()))
  }
}
