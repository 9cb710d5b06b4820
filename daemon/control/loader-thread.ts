import { join, resolve } from 'node:path'
import { parentPort } from 'node:worker_threads'
import { systemAfter, systemClock } from '../../core/clock.ts'
import { threadData } from '../../core/early-thread.ts'
import { messageOf, never } from '../../core/trouble.ts'
import { findAsDatabase, noPlaces, type LatencyImage } from '../../geodb/index.ts'
import { collector, trimMemory } from '../reclaim.ts'
import type { PathSource } from '../paths/index.ts'
import type { Target } from '../routing/index.ts'
import { openJournals } from './journals.ts'
import type { FlushReply } from './api.ts'
import { openCatalogue, type Catalogue, type LoadRequest } from './loader-catalogue.ts'
import { makeNetworksKeeper, type FreshNetworks } from './loader-networks.ts'
import { makePlacesReader, type BroughtPlaces, type GeoSettings } from './loader-places.ts'
import type { Changed, ChangedBy, ChangeReply } from './loader-changes.ts'
import { isZoneFile, type Folder } from './loader-files.ts'
import { POLICIES, type Policies } from './loader-policies.ts'
import type { LoadResult } from './loader-state.ts'
import { makePolicyKeeper, type PastPolicies, type PolicyKeeper } from './past-policies.ts'
import { preread, type Preread } from './preread.ts'
import { FileWatcher } from './watch.ts'
import { unpackRecords, type PackedRecords, type ZoneChange } from '../zone/index.ts'

// The entry of the loader thread: everything that reads files and takes time. It looks after the zones folder by itself and
// tells the main thread of every load; the main thread asks only for a reload.

export interface LoaderData {
  readonly folder: Folder
  readonly stateFolder?: string
  readonly targets: readonly Target[]
  /** Names of the checks of nearcast.yaml. */
  readonly checks: readonly string[]
  readonly mostTargets: number
  /** Names of the zones that have primaries, without final dot. */
  readonly secondaries: readonly string[]
  /** Names of the zones whose serial rises by itself, without final dot. */
  readonly autoSerials: readonly string[]
  /** `tables`: where those of places are kept, when that is not in the state folder. */
  readonly geo: GeoSettings & { readonly when: 'always' | 'for policies'; readonly tables?: string }
}

export type FromLoader =
  | ({ readonly kind: 'places' } & BroughtPlaces)
  /** `id` is of the reload or the change that asked for it; absent when a file changed. `reply` is what a change is told once this is in service. */
  | ({ readonly kind: 'loaded'; readonly id?: number; readonly reply?: ChangeReply; readonly networks?: FreshNetworks } & LoadResult)
  /** What is known of networks, where the policies are as they were. */
  | ({ readonly kind: 'networks' } & FreshNetworks)
  /** A change that nothing came of. */
  | { readonly kind: 'unchanged'; readonly id: number; readonly reply: ChangeReply }
  /** Worth a line in the log; it goes on. */
  | { readonly kind: 'trouble'; readonly reason: string }
  /** What came of a flush. What was read again with it is told before. */
  | { readonly kind: 'flushed'; readonly id: number; readonly reply: FlushReply }
  | { readonly kind: 'past'; readonly id: number; readonly policies: PastPolicies }
  /** There is no database of places, or the thread cannot go on for another reason that a restart does not mend. */
  | { readonly kind: 'refused'; readonly reason: string }

export type ToLoader =
  | { readonly kind: 'reload'; readonly id: number; readonly force: boolean }
  | { readonly kind: 'change'; readonly id: number; readonly change: ZoneChange; readonly by: ChangedBy }
  | { readonly kind: 'replace'; readonly id: number; readonly origin: Uint8Array; readonly records: PackedRecords }
  | { readonly kind: 'expire'; readonly id: number; readonly origin: Uint8Array }
  | { readonly kind: 'flush'; readonly id: number; readonly zone?: string; readonly isDry: boolean }
  | { readonly kind: 'measured'; readonly measured: LatencyImage }
  | { readonly kind: 'paths'; readonly sources: readonly PathSource[] }
  /** The policies of a wall time are asked for. */
  | { readonly kind: 'past'; readonly id: number; readonly at: number }
  | { readonly kind: 'stop' }

/** Octets of an image that is worth collecting the garbage of its making at once. */
const LARGE = 8 << 20
const FREED_MS = 250

const port = parentPort!
let early: Preread | undefined
const { folder: place, stateFolder, targets, checks, mostTargets, secondaries, autoSerials, geo } = await threadData<LoaderData, Folder>((zones) => void (early = preread(zones)))
/** Whatever is read is known to the watcher as it was then. */
const folder: Folder & Required<Pick<Folder, 'stamps'>> = { ...place, stamps: new Map() }
const say = (message: FromLoader): void => port.postMessage(message)

/** Places are read once, when they are first needed. */
let places: Promise<void> | undefined

const reader = makePlacesReader(geo, stateFolder, geo.tables)
/** Files are read one after the other, so that what was read last is told last. */
let reading = Promise.resolve()

function bringPlaces(): Promise<void> {
  const brought = reading.then(async () => say({ kind: 'places', ...(await reader.bring()) }))
  reading = brought.catch(() => undefined)
  return brought
}

/** What cannot be read now leaves the places as they are. */
function refreshPlaces(): void {
  if (places === undefined) return
  bringPlaces().catch((error: unknown) => say({ kind: 'refused', reason: messageOf(error) }))
}

try {
  if (geo.when === 'always') await (places = bringPlaces())
  else say({ kind: 'places', places: noPlaces(), faults: [] })
  run()
} catch (error) {
  say({ kind: 'refused', reason: messageOf(error) })
}

/** What is done behind a load, when nobody waits for it any more: its copies are kept, and its garbage is collected. */
function makeSettler(catalogue: Pick<Catalogue, 'flush'>, keeper: PolicyKeeper): (result: LoadResult, policies: Policies) => void {
  const collect = collector()
  let build = 0
  return ({ zoneImage, routing }, policies) => {
    const trouble = catalogue.flush()
    if (trouble !== undefined) say({ kind: 'trouble', reason: trouble })
    const untold = routing && keeper.note(policies)
    if (untold !== undefined) say({ kind: 'trouble', reason: `the policies could not be kept for explain --at: ${untold}` })
    if (zoneImage === undefined || zoneImage.build === build || zoneImage.byteLength < LARGE) return
    // What a large zone was read into is larger than its image, and this thread may have nothing to do for days.
    build = zoneImage.build
    collect()
    // What that has let go is freed by another thread.
    systemAfter(FREED_MS, trimMemory)
  }
}

function asDatabase(): string | undefined {
  return findAsDatabase({ folder: geo.folder, setting: geo.asn })
}

function openFiles(): { readonly catalogue: Catalogue; readonly keeper: PolicyKeeper } {
  const over = openJournals({ auto: new Set(autoSerials), ...(stateFolder !== undefined && { folder: join(stateFolder, 'journal') }) })
  const options = { folder, targets, checks, mostTargets, hasAsDatabase: () => asDatabase() !== undefined, ...(stateFolder !== undefined && { stateFolder }) }
  return { catalogue: openCatalogue({ ...options, secondaries, over, ...(early !== undefined && { preread: early }) }), keeper: makePolicyKeeper(options, systemClock) }
}

function run(): void {
  const { catalogue, keeper } = openFiles()
  // Before the first load, so that what changes during it is seen.
  const watcher = new FileWatcher({ folder: folder.path, wants: (name) => name === POLICIES || isZoneFile(name), changed: (changed, moving) => load({ changed, moving }), stamps: folder.stamps, clock: systemClock, after: systemAfter })
  const geoWatcher = new FileWatcher({ folder: geo.folder, wants: reader.wants, changed: (files) => refreshGeo(files), clock: systemClock, after: systemAfter })
  geoWatcher.follow([...reader.follows(), ...(geo.asn === 'auto' ? [] : [resolve(geo.asn)])])
  let said = Promise.resolve()
  const tell = (message: () => FromLoader, ready?: Promise<unknown>): void => {
    // Loads are told in their order, and policies not before the places they speak of.
    said = said.then(() => ready).then(() => say(message()))
  }
  const settle = makeSettler(catalogue, keeper)
  const networks = makeNetworksKeeper(geo)
  const tellLoad = (result: LoadResult, more: { readonly id?: number; readonly reply?: ChangeReply }): void => {
    const ready = result.usesPolicies ? (places ??= bringPlaces().catch((error: unknown) => say({ kind: 'refused', reason: messageOf(error) }))) : undefined
    // Policies and the networks they go by are put in service together.
    const policies = catalogue.policies()
    const fresh = result.routing === undefined ? undefined : networks.plan(policies.networks)
    tell(() => ({ kind: 'loaded', ...more, ...result, ...(fresh !== undefined && { networks: fresh }) }), ready)
    // Nobody waits for the copies: they are for the next start.
    said = said.then(() => settle(result, policies))
  }
  const taken = (result: LoadResult, more: { readonly id?: number } = {}): void => {
    watcher.follow(catalogue.follows())
    tellLoad(result, more)
  }
  const load = (request: LoadRequest, id?: number): void => taken(catalogue.load(request), id === undefined ? {} : { id })
  const tellNetworks = (fresh: FreshNetworks | undefined): void => void (fresh !== undefined && tell(() => ({ kind: 'networks', ...fresh })))
  /** Policies that were refused for want of a database may be taken now. */
  const refreshGeo = (files: ReadonlySet<string>): void => {
    refreshPlaces()
    const database = asDatabase()
    if (database !== undefined && !files.has(database)) return
    load({ changed: new Set([join(folder.path, POLICIES)]) })
    tellNetworks(networks.refresh())
  }
  const tellChange = (id: number, { reply, result }: Changed): void => {
    if (result === undefined) tell(() => ({ kind: 'unchanged', id, reply }))
    else tellLoad(result, { id, reply })
  }
  const flush = (id: number, zone: string | undefined, isDry: boolean): void => {
    const { reply, result } = catalogue.writeBack(zone, isDry)
    if (result !== undefined) taken(result)
    tell(() => ({ kind: 'flushed', id, reply }))
  }
  port.on('message', (message: ToLoader) => {
    switch (message.kind) {
      case 'reload':
        refreshPlaces()
        return load({ force: message.force }, message.id)
      case 'change': return tellChange(message.id, catalogue.change(message.change, message.by))
      case 'replace': return tellChange(message.id, catalogue.replace(message.origin, [...unpackRecords(message.records)]))
      case 'expire': return tellChange(message.id, catalogue.expire(message.origin))
      case 'flush': return flush(message.id, message.zone, message.isDry)
      case 'measured': return tellNetworks(networks.measured(message.measured))
      case 'paths': return tellNetworks(networks.paths(message.sources))
      // Behind what has been loaded by now.
      case 'past': return tell(() => ({ kind: 'past', id: message.id, policies: keeper.find(message.at, (plan) => networks.beside(plan).image) }))
      case 'stop':
        watcher.close()
        geoWatcher.close()
        port.close()
        return
      default:
        never(message)
    }
  })
  load({})
}
