import { join } from 'node:path'
import { z } from 'zod'
import { ipv4Number } from '../../core/address.ts'
import type { Setup } from '../../core/channel.ts'
import type { After, Clock } from '../../core/clock.ts'
import type { Config } from '../../core/config.ts'
import type { Logger } from '../../core/log.ts'
import { makeTierAuth } from '../../core/tier-auth.ts'
import { openPlaces, type LatencyImage, type Places, type PlacesImage } from '../../geodb/index.ts'
import { makeLatencyTable, systemName, type KnownCell, type LatencyTable, type Where } from '../latency/index.ts'
import { greatCircle } from '../routing/index.ts'
import { makeStateFile, readStateFile } from './health-file.ts'
import { makeAskEdge, type AskedEdge, type AskEdge } from './latency-ask.ts'
import { makeSystems, type Systems } from './latency-systems.ts'
import { geoSettings } from './loader-places.ts'

/** The daemon's table of measured round trips, kept up to date by asking the edges. */
export interface Latencies {
  readonly table: Pick<LatencyTable, 'cells' | 'wholes'>
  /** Names, in the order of the figures. */
  readonly edges: readonly string[]
  /** The autonomous system and the country of an address, as the table names them: `AS4766`, `KR`. */
  wholesOf(address: Uint8Array): readonly string[]
  /** Where networks are from now on. */
  use(places: PlacesImage): void
  /** What policies are to go by is told there from now on. */
  tellTo(changed: (latencies: LatencyImage) => void): void
  /** Ends all asking; resolves when what is known is on disk. */
  close(): Promise<void>
}

export interface LatenciesOptions {
  readonly setup: Pick<Setup, 'config' | 'ports' | 'stateFolder' | 'tierSecret'>
  readonly clock: Clock
  readonly after: After
  readonly log: Logger
  /** Instead of HTTP, for tests. */
  readonly ask?: AskEdge
}

const FILE = 'latencies.json'
const SAVE_EVERY_MS = 60_000
/** Twice light's way in a vacuum: 1 ms for 150 km there and back. Nothing is quicker. */
const KM_PER_MS = 150
/** How far off a place may be: a country's middle stands for all of it. */
const COUNTRY_SLACK_KM = 3000
const CITY_SLACK_KM = 500

const savedRows = z.array(z.string().max(160))

/** Starts asking every edge; undefined when nothing is to be measured. */
export function startLatencies(options: LatenciesOptions): Latencies | undefined {
  const { setup, clock, after, log } = options
  const { config, ports, stateFolder } = setup
  const { latency } = config
  if (!latency.measure) return undefined
  const names = Object.keys(config.edges)
  const table = restoreTable({ config, stateFolder, log, now: clock.now() })
  const disk = makeStateFile(join(stateFolder, FILE), log)
  const ask = options.ask ?? makeAskEdge(makeTierAuth(setup.tierSecret), after)
  const edges = names.map((name): AskedEdge => ({ name, address: config.edges[name]!.address[0]!, port: ports.http }))
  const since = new Map<string, string>()
  const systems = makeSystems(geoSettings(config), log)
  systems.refresh()
  let where: ((address: Uint8Array) => Where) | undefined
  let placed: SharedArrayBuffer | undefined
  let changed: ((latencies: LatencyImage) => void) | undefined
  let toldAt = -Infinity
  let isClosed = false
  const cancels = new Map<string, () => void>()
  const later = (what: string, ms: number, run: () => void): void => void cancels.set(what, after(ms, run))

  const tell = (): void => {
    if (where === undefined || changed === undefined || isClosed || clock.elapsed() - toldAt < latency.change) return
    toldAt = clock.elapsed()
    systems.refresh()
    const image = table.told(where, clock.now())
    if (image !== undefined) changed(image)
  }
  const collect = async (): Promise<void> => {
    await Promise.all(edges.map(async (edge) => {
      const answer = await ask(edge, since.get(edge.name), clock.now())
      if (typeof answer === 'string') return log.debug({ target: edge.name }, `${edge.name} does not tell its viewers' round trips: ${answer}`)
      table.take(answer, edge.name, clock.now())
      since.set(edge.name, `${answer.boot}.${answer.at}`)
    }))
    tell()
    if (!isClosed) later('collect', latency.collect, () => void collect())
  }
  const save = (): Promise<void> => disk.write(table.cells().map(writeCell))
  const saveOn = (): void => {
    void save()
    later('save', SAVE_EVERY_MS, saveOn)
  }
  later('collect', latency.collect, () => void collect())
  later('save', SAVE_EVERY_MS, saveOn)
  return {
    table,
    edges: names,
    wholesOf(address) {
      const { system, country } = where?.(address) ?? {}
      return [...(system === undefined ? [] : [systemName(system)]), ...(country === undefined ? [] : [country])]
    },
    use(image) {
      if (placed === image.tables) return
      placed = image.tables
      where = whereIn(openPlaces(image), config, systems)
      tell()
    },
    tellTo(told) {
      changed = told
      tell()
    },
    close: async () => {
      isClosed = true
      for (const cancel of cancels.values()) cancel()
      await save()
    }
  }
}

interface TableSource {
  readonly config: Config
  readonly stateFolder: string
  readonly log: Logger
  readonly now: number
}

/** The table of this configuration with what was known when it was last written. */
function restoreTable({ config: { latency, edges }, stateFolder, log, now }: TableSource): LatencyTable {
  const table = makeLatencyTable({ edges: Object.keys(edges), networks: latency.networks, forgetMs: latency.forget, leastAddresses: latency.addresses, leastSamples: latency.samples, local: latency.local })
  table.restore((readStateFile(join(stateFolder, FILE), savedRows, log) ?? []).flatMap(readCell), now)
  return table
}

/** Round trips as a daemon of this configuration last wrote them down, for whoever is none; undefined when there are none to go by. */
export function bringLatencies(source: TableSource, places: PlacesImage): LatencyImage | undefined {
  if (!source.config.latency.measure) return undefined
  const systems = makeSystems(geoSettings(source.config), source.log)
  systems.refresh()
  return restoreTable(source).told(whereIn(openPlaces(places), source.config, systems), source.now)
}

/** Where networks are, by the places of the daemon, and whose they are. */
function whereIn(places: Places, config: Config, systems: Systems): (address: Uint8Array) => Where {
  const edges = Object.values(config.edges).map(({ at }) => at)
  return (address) => {
    const found = address.length === 4 ? places.find4(ipv4Number(address)) : places.find6(address, 0)
    const { country, city, latitude, longitude } = places.place(found >>> 8)
    const system = systems.systemOf(address)
    const slack = city === undefined ? COUNTRY_SLACK_KM : CITY_SLACK_KM
    return {
      ...(country !== undefined && { country }),
      ...(system !== undefined && { system }),
      leastMs: (edge) => (latitude === undefined || longitude === undefined ? 0 : Math.max(0, greatCircle([latitude, longitude], edges[edge]!) - slack) / KM_PER_MS)
    }
  }
}

function writeCell({ network, edge, ms, samples, addresses, at, own }: KnownCell): string {
  return `${network} ${edge} ${ms} ${samples} ${addresses} ${at} ${own ? 'own' : 'told'}`
}

function readCell(line: string): KnownCell[] {
  const [network = '', edge = '', ms, samples, addresses, at, own] = line.split(' ')
  return [{ network, edge, ms: Number(ms), samples: Number(samples), addresses: Number(addresses), at: Number(at), own: own === 'own' }]
}
