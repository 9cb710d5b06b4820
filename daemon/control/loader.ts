import type { Worker } from 'node:worker_threads'
import { parseAddress } from '../../core/address.ts'
import type { Setup } from '../../core/channel.ts'
import type { Clock } from '../../core/clock.ts'
import type { Config } from '../../core/config.ts'
import { startThread, type EarlyThread } from '../../core/early-thread.ts'
import type { Logger } from '../../core/log.ts'
import { formatFault, messageOf, type Fault } from '../../core/trouble.ts'
import type { LatencyImage, NetworksImage, PlacesImage } from '../../geodb/index.ts'
import type { HealthTable } from '../../healthchecks/index.ts'
import type { PathSource } from '../paths/index.ts'
import type { RoutingImage, Target } from '../routing/index.ts'
import type { WorldImage } from '../world.ts'
import { lowerName, type PackedRecords, type SharedZones, type ZoneChange, type ZoneStep } from '../zone/index.ts'
import { nameToText, nameFromText } from '../wire/index.ts'
import type { DaemonStatus, FlushReply, ReloadReply, ZoneStatus } from './api.ts'
import type { ChangedBy, ChangeReply } from './loader-changes.ts'
import type { FreshNetworks } from './loader-networks.ts'
import { geoSettings, type BroughtPlaces } from './loader-places.ts'
import { errorLines, sortedStatuses, takeReport, type LoadReport } from './loader-state.ts'
import type { PastPolicies } from './past-policies.ts'
import type { FromLoader, LoaderData, ToLoader } from './loader-thread.ts'

export type LoaderSetup = Pick<Setup, 'config' | 'zonesFolder' | 'zonesLabel'> & Partial<Pick<Setup, 'stateFolder'>>

export interface LoaderOptions {
  /** Without a state folder nothing is kept for the next start. */
  readonly setup: LoaderSetup
  readonly health: HealthTable
  readonly clock: Clock
  readonly log: Logger
  /** The database of places is read at once, or only where there are policies. */
  readonly places: 'always' | 'for policies'
  /** Where tables of places are kept for the next start, where another looks after what belongs to them. Absent: in the state folder. */
  readonly placesFolder?: string
  /** Its thread, begun already. */
  readonly early?: EarlyThread
  /** Told of policies before they are in service; what it returns is. */
  adopt?(routing: RoutingImage): RoutingImage
  /** Told of every world and of how the contents of its zones differ from those of the one before; resolves when every thread answers from it. */
  use(world: WorldImage, zoneChanges: readonly ZoneStep[]): Promise<void>
}

/** A loader thread that died is started again after this long. */
const RESTART_MS = 1000

/** The fleet's edges as targets of policies: their numbers are those of the health table. */
export function edgeTargets(config: Config): Target[] {
  return Object.entries(config.edges).map(([name, { address, at, capacity }]) => {
    const bytes = address.map((text) => parseAddress(text)!)
    const of = (family: 4 | 6): Uint8Array[] => bytes.filter((each) => each.family === family).map((each) => each.bytes)
    return { name, checked: true, ipv4: of(4), ipv6: of(6), at, capacity }
  })
}

/** Keeps the world in step with the files: owns the thread that reads zones, policies and places, and hands on what it makes. */
export class Loader {
  /** Resolves when `use` was told of the first world; rejects when there can be none. A folder without a sound zone makes an empty one. */
  readonly first: Promise<void>
  readonly #options: LoaderOptions
  readonly #data: LoaderData
  readonly #waiting = new Map<number, (reply: ReloadReply) => void>()
  readonly #changing = new Map<number, (reply: ChangeReply) => void>()
  readonly #flushing = new Map<number, { resolve(reply: FlushReply): void; reject(error: Error): void }>()
  readonly #asked = new Map<number, (policies: PastPolicies) => void>()
  readonly #parts: { places?: PlacesImage; networks?: NetworksImage | undefined; zones?: SharedZones; routing?: RoutingImage } = {}
  #report: LoadReport = { zones: [], isFirst: true, gone: [], faults: [], names: [], routedTtl: 0, changes: [] }
  readonly #zones = new Map<string, ZoneStatus>()
  #placeFaults: readonly Fault[] = []
  #networkFaults: readonly Fault[] = []
  #lastAt: number | undefined
  /** Since when what is in service has been so. */
  readonly #since: { policies?: number; places?: number; networks?: number; readonly zones: Record<string, number> } = { zones: {} }
  #generation = 0
  /** Counts what policies and places have been in service. */
  #policies = 0
  /** Counts what has been known of networks. */
  #networks = 0
  #measured: LatencyImage | undefined
  #paths: readonly PathSource[] | undefined
  #lastId = 0
  #isClosed = false
  /** Absent between the end of one and the start of the next. */
  #worker: Worker | undefined
  #settle: { resolve(): void; reject(error: Error): void } | undefined

  constructor(options: LoaderOptions) {
    this.#options = options
    const { config, zonesFolder, zonesLabel, stateFolder } = options.setup
    this.#data = {
      folder: { path: zonesFolder, label: zonesLabel },
      ...(stateFolder !== undefined && { stateFolder }),
      targets: edgeTargets(config),
      checks: Object.keys(config.checks.named),
      mostTargets: options.health.words.length,
      secondaries: Object.entries(config.zones).flatMap(([name, { primaries }]) => (primaries === undefined ? [] : [name])),
      autoSerials: Object.entries(config.zones).flatMap(([name, { serial }]) => (serial === 'auto' ? [name] : [])),
      geo: { ...geoSettings(config), when: options.places, ...(options.placesFolder !== undefined && { tables: options.placesFolder }) }
    }
    this.first = new Promise((resolve, reject) => (this.#settle = { resolve, reject }))
    this.#worker = this.#start(options.early)
  }

  /** Reads every file now, and resolves when what came of it is in service. `force`: also what looks like an accident. */
  reload(force: boolean): Promise<ReloadReply> {
    const worker = this.#worker
    if (worker === undefined) return Promise.resolve(this.#withoutLoader())
    return new Promise((resolve) => {
      const id = ++this.#lastId
      this.#waiting.set(id, resolve)
      worker.postMessage({ kind: 'reload', id, force } satisfies ToLoader)
    })
  }

  /** Writes what updates have changed back into zone files: of one zone, or of all. `isDry`: only says what it would write. */
  flush(zone: string | undefined, isDry: boolean): Promise<FlushReply> {
    const worker = this.#worker
    if (worker === undefined) return Promise.reject(new Error('the loader died and is being started again: nothing was written'))
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId
      this.#flushing.set(id, { resolve, reject })
      worker.postMessage({ kind: 'flush', id, isDry, ...(zone !== undefined && { zone }) } satisfies ToLoader)
    })
  }

  /**
   * One step of a zone from the serial that is served: a dynamic update of a zone that has a file, or an incremental transfer
   * into a secondary zone. Resolves, and never rejects, when it is durable and in service, or says why it is not: whatever of
   * it the loader refuses leaves the zone as it was. The records must be RDATA of their types; those deleted are found by owner,
   * type and data, whatever their TTL. Changes of one zone may be sent without waiting: they are taken in their order.
   */
  change(change: ZoneChange, by: ChangedBy): Promise<ChangeReply> {
    return this.#ask((id) => ({ kind: 'change', id, change, by }))
  }

  /** All that a secondary zone holds from now on, as a whole transfer brought it: its SOA once. Resolves as `change` does; what holds the same already is done at once. The memory of the records is handed over. */
  replace(origin: Uint8Array, records: PackedRecords): Promise<ChangeReply> {
    return this.#ask((id) => ({ kind: 'replace', id, origin, records }), records.pieces.map(({ buffer }) => buffer))
  }

  /** A secondary zone has not been refreshed for longer than its SOA allows (RFC 1035 §3.3.13): it is answered for no longer, until a transfer brings it back. */
  expire(origin: Uint8Array): Promise<ChangeReply> {
    return this.#ask((id) => ({ kind: 'expire', id, origin }))
  }

  /**
   * What has been measured, in the place of all that was measured before: a row for each prefix. Policies go by it once the
   * table of networks is made anew, which is work for another thread, and has every thread find out about viewers again: not
   * more often than once a minute.
   */
  measured(measured: LatencyImage): void {
    this.#measured = measured
    this.#worker?.postMessage({ kind: 'measured', measured } satisfies ToLoader)
  }

  /** What PoPs say of AS paths, in the place of what they said before. As with `measured`, not to be called for every trifle. */
  paths(sources: readonly PathSource[]): void {
    this.#paths = sources
    this.#worker?.postMessage({ kind: 'paths', sources } satisfies ToLoader)
  }

  /** The policies of a wall time, of the last day. */
  policiesAt(at: number): Promise<PastPolicies> {
    const worker = this.#worker
    if (worker === undefined) return Promise.resolve(NOT_KEPT)
    return new Promise((resolve) => {
      const id = ++this.#lastId
      this.#asked.set(id, resolve)
      worker.postMessage({ kind: 'past', id, at } satisfies ToLoader)
    })
  }

  #ask(message: (id: number) => ToLoader, handedOver: readonly ArrayBuffer[] = []): Promise<ChangeReply> {
    const worker = this.#worker
    if (worker === undefined) return Promise.resolve(LOADER_DIED)
    return new Promise((resolve) => {
      const id = ++this.#lastId
      this.#changing.set(id, resolve)
      worker.postMessage(message(id), handedOver)
    })
  }

  status(): Pick<DaemonStatus, 'geo' | 'names' | 'routedTtl' | 'zones' | 'reload' | 'since'> {
    const { names, routedTtl } = this.#report
    const lastAt = this.#lastAt === undefined ? {} : { lastAt: this.#lastAt }
    const geo = { about: this.#parts.places?.about ?? '', local: this.#options.setup.config.geo.local }
    return { geo, names, routedTtl, since: this.#since, zones: sortedStatuses(this.#zones), reload: { ...lastAt, faults: [...[...this.#placeFaults, ...this.#networkFaults].map(formatFault), ...errorLines(this.#report)] } }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#worker?.terminate()
  }

  #start(early?: EarlyThread): Worker {
    const { log } = this.#options
    const worker = startThread(new URL('./loader-thread.js', import.meta.url), 'dns loader', this.#data, [], early)
    worker.on('message', (message: FromLoader) => {
      if (message.kind === 'places') this.#takePlaces(message).catch((error: unknown) => log.error(`places could not be put in service: ${messageOf(error)}`))
      else if (message.kind === 'loaded') this.#take(message).catch((error: unknown) => log.error(`a world could not be put in service: ${messageOf(error)}`))
      else if (message.kind === 'networks') this.#takeNetworks(message).catch((error: unknown) => log.error(`networks could not be put in service: ${messageOf(error)}`))
      else if (message.kind === 'trouble') log.warn(message.reason)
      else if (message.kind === 'unchanged') this.#answer(message.id, message.reply)
      else if (message.kind === 'flushed') {
        this.#flushing.get(message.id)?.resolve(message.reply)
        this.#flushing.delete(message.id)
      } else if (message.kind === 'past') {
        this.#asked.get(message.id)?.(message.policies)
        this.#asked.delete(message.id)
      } else this.#refuse(message.reason)
    })
    worker.on('error', (error) => log.error(`the loader died: ${error.stack ?? error.message}`))
    worker.on('exit', () => this.#onExit())
    if (this.#measured !== undefined) worker.postMessage({ kind: 'measured', measured: this.#measured } satisfies ToLoader)
    if (this.#paths !== undefined) worker.postMessage({ kind: 'paths', sources: this.#paths } satisfies ToLoader)
    return worker
  }

  /** Before the first world there is nothing to go on with; after it, what is served is served on. */
  #refuse(reason: string): void {
    if (this.#settle === undefined) this.#options.log.error(reason)
    this.#settle?.reject(new Error(reason))
  }

  /** What is served is served on; a loader that ended is started again, and reads everything. */
  #onExit(): void {
    if (this.#isClosed) return
    if (this.#settle !== undefined) {
      this.#settle.reject(new Error('the loader ended before it had read the zones'))
      return
    }
    this.#worker = undefined
    for (const reply of this.#waiting.values()) reply(this.#withoutLoader())
    this.#waiting.clear()
    for (const reply of this.#changing.values()) reply(LOADER_DIED)
    this.#changing.clear()
    for (const { reject } of this.#flushing.values()) reject(new Error('the loader died while it wrote: reload, and see what the files say'))
    this.#flushing.clear()
    for (const resolve of this.#asked.values()) resolve(NOT_KEPT)
    this.#asked.clear()
    setTimeout(() => (this.#worker = this.#start()), RESTART_MS).unref()
  }

  #withoutLoader(): ReloadReply {
    return { zones: sortedStatuses(this.#zones), faults: ['the loader died while reading and is being started again; what was served before is served on'] }
  }

  #answer(id: number, reply: ChangeReply): void {
    this.#changing.get(id)?.(reply)
    this.#changing.delete(id)
  }

  async #takePlaces({ places, faults, change }: BroughtPlaces): Promise<void> {
    const { log } = this.#options
    logFresh(log, this.#placeFaults, faults)
    if (change !== undefined) log.info(change)
    this.#placeFaults = faults
    // A reload reads the same ones again.
    if (change !== undefined || places.about !== this.#parts.places?.about) this.#since.places = this.#options.clock.now()
    this.#parts.places = places
    this.#policies++
    // Before the first load there is nothing to answer yet.
    if (this.#settle === undefined) await this.#use([])
  }

  async #takeNetworks(fresh: FreshNetworks): Promise<void> {
    this.#putNetworks(fresh)
    if (this.#settle === undefined) await this.#use([])
  }

  #putNetworks({ image, faults }: FreshNetworks): void {
    const parts = this.#parts
    logFresh(this.#options.log, this.#networkFaults, faults)
    this.#networkFaults = faults
    // Policies that go by measurements are asked in another way while there are any.
    if ((image?.latencies === undefined) !== (parts.networks?.latencies === undefined) || image?.hasPaths !== parts.networks?.hasPaths) this.#policies++
    parts.networks = image
    this.#networks++
    this.#since.networks = this.#options.clock.now()
  }

  async #use(zoneChanges: readonly ZoneStep[]): Promise<void> {
    const { health, setup, use } = this.#options
    const { zones, routing, places, networks } = this.#parts
    await use({ generation: ++this.#generation, policies: this.#policies, networksCount: this.#networks, zones: zones!, places: places!, networks, routing: routing!, health, suspectTtl: Math.max(setup.config.checks['suspect-ttl'], setup.config.checks['least-ttl']), withheld: withheldIn(this.#zones.values()) }, zoneChanges)
  }

  async #take(message: Extract<FromLoader, { kind: 'loaded' }>): Promise<void> {
    const { clock, log } = this.#options
    const before = this.#report
    this.#report = message.report
    takeReport(this.#zones, message.report)
    this.#lastAt = clock.now()
    logChanges(log, before, message.report)
    const parts = this.#parts
    // The first load of a thread brings both.
    parts.zones = message.zoneImage ?? parts.zones!
    if (message.routing !== undefined) parts.routing = this.#options.adopt?.(message.routing) ?? message.routing
    if (message.networks !== undefined) this.#putNetworks(message.networks)
    if (message.zoneImage !== undefined || message.routing !== undefined) {
      if (message.routing !== undefined) {
        this.#policies++
        this.#since.policies = clock.now()
      }
      this.#since.zones[''] ??= clock.now()
      for (const { origin } of this.#settle === undefined ? message.zoneChanges : []) this.#since.zones[nameToText(origin)] = clock.now()
      await this.#use(message.zoneChanges)
      this.#settle?.resolve()
      this.#settle = undefined
    }
    if (message.id === undefined) return
    if (message.reply !== undefined) this.#answer(message.id, message.reply)
    this.#waiting.get(message.id)?.({ zones: sortedStatuses(this.#zones), faults: errorLines(message.report) })
    this.#waiting.delete(message.id)
  }
}

/** Zones that are ours, of which nothing may be served. */
function withheldIn(zones: Iterable<ZoneStatus>): Uint8Array[] {
  const withheld: Uint8Array[] = []
  for (const { origin, state } of zones) if (state === 'awaited' || state === 'expired') withheld.push(lowerName(nameFromText(origin) as Uint8Array))
  return withheld
}

const LOADER_DIED: ChangeReply = {
  outcome: 'refused',
  isTrouble: true,
  faults: [{ file: 'zones', line: 1, column: 1, severity: 'error', reason: 'the loader died and is being started again; what was served before is served on' }]
}

const NOT_KEPT: PastPolicies = { kind: 'unknown', reason: 'the loader died and is being started again' }

const isError = ({ severity }: Fault): boolean => severity === 'error'

/** Logs the faults that were not there before. */
function logFresh(log: Logger, before: readonly Fault[], now: readonly Fault[]): void {
  const known = new Set(before.map(formatFault))
  for (const line of now.map(formatFault)) if (!known.has(line)) log.error(line)
}

/** What is new is logged, once: a fault that stays is not said again with every load. */
function logChanges(log: Logger, before: LoadReport, now: LoadReport): void {
  const known = new Set(before.faults.map(formatFault))
  for (const fault of now.faults) {
    const line = formatFault(fault)
    if (!known.has(line)) log[fault.severity === 'error' ? 'error' : 'warn'](line)
  }
  const broken = new Set(now.faults.filter(isError).map(({ file }) => file))
  for (const file of new Set(before.faults.filter(isError).map((fault) => fault.file))) if (!broken.has(file)) log.info(`${file}: without faults again`)
  for (const change of now.changes) log.info(change)
}
