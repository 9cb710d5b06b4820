import { Worker } from 'node:worker_threads'
import { fileURLToPath } from 'node:url'
import { parseAddress } from '../../core/address.ts'
import type { Setup } from '../../core/channel.ts'
import type { Clock } from '../../core/clock.ts'
import type { Config } from '../../core/config.ts'
import type { Logger } from '../../core/log.ts'
import { formatFault, messageOf } from '../../core/trouble.ts'
import type { PlacesImage } from '../../geodb/index.ts'
import type { HealthTable } from '../../healthchecks/index.ts'
import type { RoutingImage, Target } from '../routing/index.ts'
import type { WorldImage } from '../world.ts'
import type { DaemonStatus, ReloadReply } from './api.ts'
import { errorLines, type LoadReport } from './loader-catalogue.ts'
import type { FromLoader, LoaderData, ToLoader } from './loader-thread.ts'

export interface LoaderOptions {
  readonly setup: Setup
  readonly health: HealthTable
  readonly clock: Clock
  readonly log: Logger
  /** Told of every world after the first; resolves when every thread answers from it. */
  use(world: WorldImage): Promise<void>
}

/** Keeps the world in step with the files. */
export interface Loader {
  /** Rejects when there can be none; a folder without a sound zone makes an empty one. */
  readonly first: Promise<WorldImage>
  /** Reads every file now, and resolves when what came of it is in service. */
  reload(force: boolean): Promise<ReloadReply>
  status(): Pick<DaemonStatus, 'geo' | 'names' | 'routedTtl' | 'zones' | 'reload'>
  close(): Promise<void>
}

/** A loader thread that died is started again after this long. */
const RESTART_MS = 1000

/** The fleet's edges as targets of policies: their numbers are those of the health table. */
export function edgeTargets(config: Config): Target[] {
  return Object.entries(config.edges).map(([name, { address, at }]) => {
    const bytes = address.map((text) => parseAddress(text)!)
    const of = (family: 4 | 6): Uint8Array[] => bytes.filter((each) => each.family === family).map((each) => each.bytes)
    return { name, checked: true, ipv4: of(4), ipv6: of(6), at }
  })
}

/** Starts the thread that reads zones, policies and places, and hands on what it makes. */
export function startLoader(options: LoaderOptions): Loader {
  const { setup, log, clock, health } = options
  const { config } = setup
  const data: LoaderData = {
    folder: { path: setup.zonesFolder, label: setup.zonesLabel },
    stateFolder: setup.stateFolder,
    targets: edgeTargets(config),
    mostTargets: health.words.length,
    geo: { folder: fileURLToPath(new URL('../../../geodb', import.meta.url)), setting: config.geo.database, local: config.geo.local }
  }
  const waiting = new Map<number, (reply: ReloadReply) => void>()
  const parts: { places?: PlacesImage; zones?: SharedArrayBuffer; routing?: RoutingImage } = {}
  let report: LoadReport = { zones: [], faults: [], names: [], routedTtl: 0, changes: [] }
  let lastAt: number | undefined
  let generation = 0
  let lastId = 0
  let isClosed = false
  let worker: Worker
  let settle: { resolve(world: WorldImage): void; reject(error: Error): void } | undefined
  const first = new Promise<WorldImage>((resolve, reject) => (settle = { resolve, reject }))

  const take = async (message: Extract<FromLoader, { kind: 'loaded' }>): Promise<void> => {
    const before = report
    report = message.report
    lastAt = clock.now()
    logChanges(log, before, report)
    // The first load of a thread brings both.
    parts.zones = message.zoneImage ?? parts.zones!
    parts.routing = message.routing ?? parts.routing!
    if (message.zoneImage !== undefined || message.routing !== undefined) {
      const { zones, routing, places } = parts
      const world: WorldImage = { generation: ++generation, zones, places: places!, routing, health, suspectTtl: config.checks['suspect-ttl'] }
      if (settle === undefined) await options.use(world)
      settle?.resolve(world)
      settle = undefined
    }
    if (message.id === undefined) return
    waiting.get(message.id)?.({ zones: report.zones, faults: errorLines(report) })
    waiting.delete(message.id)
  }
  const hear = (message: FromLoader): void => {
    if (message.kind === 'places') parts.places = message.places
    else if (message.kind === 'loaded') take(message).catch((error: unknown) => log.error(`a world could not be put in service: ${messageOf(error)}`))
    else settle?.reject(new Error(message.reason))
  }
  const start = (): void => {
    worker = new Worker(new URL('./loader-thread.js', import.meta.url), { workerData: data, name: 'dns loader' })
    worker.on('message', hear)
    worker.on('error', (error) => log.error(`the loader died: ${error.stack ?? error.message}`))
    worker.on('exit', () => {
      settle?.reject(new Error('the loader ended before it had read the zones'))
      if (isClosed || settle !== undefined) return
      for (const reply of waiting.values()) reply({ zones: report.zones, faults: ['the loader died while reading; what was served before is served on'] })
      waiting.clear()
      setTimeout(start, RESTART_MS).unref()
    })
  }
  const send = (message: ToLoader): void => worker.postMessage(message)
  start()
  return {
    first,
    reload: (force) =>
      new Promise((resolve) => {
        const id = ++lastId
        waiting.set(id, resolve)
        send({ kind: 'reload', id, force })
      }),
    status: () => ({
      geo: { about: parts.places?.about ?? '', local: config.geo.local },
      names: report.names,
      routedTtl: report.routedTtl,
      zones: report.zones,
      reload: { ...(lastAt === undefined ? {} : { lastAt }), faults: errorLines(report) }
    }),
    close: async () => {
      isClosed = true
      await worker.terminate()
    }
  }
}

/** What is new is logged, once: a fault that stays is not said again with every load. */
function logChanges(log: Logger, before: LoadReport, now: LoadReport): void {
  const known = new Set(before.faults.map(formatFault))
  for (const fault of now.faults) {
    const line = formatFault(fault)
    if (!known.has(line)) log[fault.severity === 'error' ? 'error' : 'warn'](line)
  }
  for (const change of now.changes) log.info(change)
}
