import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { systemAfter, systemClock } from '../../core/clock.ts'
import { messageOf } from '../../core/trouble.ts'
import { buildPlaces, findDatabase, noPlaces, type PlacesImage } from '../../geodb/index.ts'
import type { Target } from '../routing/index.ts'
import { isZoneFile, openCatalogue, type LoadRequest, type LoadResult } from './loader-catalogue.ts'
import type { Folder } from './loader-files.ts'
import { POLICIES } from './loader-policies.ts'
import { FileWatcher } from './watch.ts'

// The entry of the loader thread: everything that reads files and takes time. It looks after the zones folder by itself and
// tells the main thread of every load; the main thread asks only for a reload.

export interface LoaderData {
  readonly folder: Folder
  readonly stateFolder?: string
  readonly targets: readonly Target[]
  readonly mostTargets: number
  readonly geo: { readonly folder: string; readonly setting: string; readonly local: string; readonly when: 'always' | 'for policies' }
}

export type FromLoader =
  | { readonly kind: 'places'; readonly places: PlacesImage }
  /** `id` is of the reload that asked for it; absent when a file changed. */
  | ({ readonly kind: 'loaded'; readonly id?: number } & LoadResult)
  /** There is no database of places, or the thread cannot go on for another reason that a restart does not mend. */
  | { readonly kind: 'refused'; readonly reason: string }

export type ToLoader = { readonly kind: 'reload'; readonly id: number; readonly force: boolean } | { readonly kind: 'stop' }

const port = parentPort!
const { folder, stateFolder, targets, mostTargets, geo } = workerData as LoaderData
const say = (message: FromLoader): void => port.postMessage(message)

/** Places are read once, when they are first needed. */
let places: Promise<void> | undefined

async function bringPlaces(): Promise<void> {
  const database = findDatabase({ folder: geo.folder, setting: geo.setting })
  if ('fault' in database) throw new Error(`${database.fault.file}: ${database.fault.reason}`)
  const cache = stateFolder === undefined ? {} : { cacheFolder: join(stateFolder, 'geodb') }
  say({ kind: 'places', places: await buildPlaces({ database: database.path, local: geo.local, ...cache }) })
}

try {
  if (geo.when === 'always') await (places = bringPlaces())
  else say({ kind: 'places', places: noPlaces() })
  run()
} catch (error) {
  say({ kind: 'refused', reason: messageOf(error) })
}

function run(): void {
  const catalogue = openCatalogue({ folder, targets, mostTargets, ...(stateFolder !== undefined && { stateFolder }) })
  // Before the first load, so that what changes during it is seen.
  const watcher = new FileWatcher({
    folder: folder.path,
    wants: (name) => name === POLICIES || isZoneFile(name),
    changed: (changed, moving) => load({ changed, moving }),
    clock: systemClock,
    after: systemAfter
  })
  let said = Promise.resolve()
  const load = (request: LoadRequest, id?: number): void => {
    const result = catalogue.load(request)
    watcher.follow(catalogue.follows())
    // Loads are told in their order, and policies not before the places they speak of.
    const ready = result.usesPolicies ? (places ??= bringPlaces().catch((error: unknown) => say({ kind: 'refused', reason: messageOf(error) }))) : undefined
    said = said.then(() => ready).then(() => say(id === undefined ? { kind: 'loaded', ...result } : { kind: 'loaded', id, ...result }))
  }
  port.on('message', (message: ToLoader) => {
    if (message.kind === 'reload') {
      load({ force: message.force }, message.id)
      return
    }
    watcher.close()
    port.close()
  })
  load({})
}
