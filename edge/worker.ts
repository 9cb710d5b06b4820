import { randomBytes } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import type { Counters, Role, Setup } from '../core/channel.ts'
import type { Logger } from '../core/log.ts'
import { makeBodies, mostFiles } from './bodies/index.ts'
import { MOST_FLIGHTS, type Desk, type Flight } from './flight.ts'
import { partsKey, type StoredObject } from './cache/index.ts'
import { UNKNOWN_COUNTRY, type CountryOf } from './country.ts'
import { makeKin } from './kin.ts'
import { UpstreamClient } from './http/index.ts'
import { makePurges } from './purges.ts'
import { heldAs, makeSites, type Site } from './sites.ts'
import { makeWarm, MemoryStore, openDisk, type DiskTier, type Warm } from './store/index.ts'
import { diskFolder, type Crew, type CrewPlace, type Shares } from './crew/index.ts'
import { makeTunnels, type Tunnels } from './tunnel.ts'
import { makeViewers, type MeasuredRow, type Viewers } from './viewers/index.ts'
import { equalsOf, makeBudget, makeLiveness, makeStandings, makeTierAuth, originsOf, routeOf, type Standing, type TierAuth } from './tiers/index.ts'

/** All that one worker of the CDN works with; its configuration is fixed, its cache and counters live. */
export interface Worker extends Desk {
  readonly name: string
  readonly role: Role
  readonly sites: ReadonlyMap<string, Site>
  readonly auth: TierAuth
  /** Of an edge that measures its viewers. */
  readonly viewers: Viewers | undefined
  readonly standingOf: (kind: 'tier' | 'origin', name: string) => Standing
  /** It is an edge that answers its equals from what it holds. */
  readonly hasEquals: boolean
  readonly warm: Warm | undefined
  /** Drops what is held under a primary key, and keeps what is under way from being held. */
  forget(primary: string): void
  readonly countryOf: CountryOf
  /** Bodies that are being compressed or decompressed, by what they will be held under. */
  readonly coding: Map<string, Promise<StoredObject>>
  readonly tunnels: Tunnels
  /** The others, where it is one of several of its edge. */
  crew: Crew | undefined
  /** First half of every request id of this process. */
  readonly idPrefix: string
  /** Second half: counts up, and never over: 2 to the 48 requests. */
  nextId: number
}

/** @param options `place` and `shares` where it is one of several; `measured` is told of viewers that it measured */
export function makeWorker(options: { setup: Setup; clock: Clock; log: Logger; countryOf?: CountryOf | undefined; place?: CrewPlace | undefined; shares?: Shares | undefined; measured?: (row: MeasuredRow) => void }): Worker {
  const { setup, clock, log, place, shares } = options
  const { config, ports, role, name } = setup
  const counters: Counters = { requests: 0, hits: 0, fetches: 0, errors: 0, bytesSent: 0, stored: 0, objects: 0 }
  const auth = makeTierAuth(setup.tierSecret)
  const tellFault = makeComplaints((text) => log.error(text), clock)
  const fault = (error: unknown): void => {
    counters.errors++
    tellFault(`a fault of ours, what it was about is given up: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  }
  const disk = config.cache.disk === 0 ? undefined : openDisk({ folder: diskFolder(setup.stateFolder, role, name, place?.worker), limit: config.cache.disk, say: (text) => log.warn(text) })
  const store = new MemoryStore(config.cache.memory, config.cache.eviction, disk, config.cache.sendfile ? makeBodies(Math.floor(mostFiles() / (place?.workers ?? 1))) : undefined)
  const flying = new Set<Flight>()
  const standingOf = makeStandings(config.tiers['retry-share'])
  const sites = makeSites(config, (distribution, origins) => routeOf({ config, ports, role, name, distribution: config.distributions[distribution]!, origins, standingOf }), originsOf(config, ports, standingOf))
  return {
    name,
    role,
    node: `nearcast-${name}`,
    clock,
    complain: makeComplaints((text) => log.warn(text), clock),
    fault,
    sites,
    store,
    disk,
    warm: disk === undefined ? undefined : makeWarm(store, disk),
    flights: new Map(),
    ...largestOf(config.cache, disk),
    auth,
    viewers: role === 'edge' ? makeViewers({ config, name, httpPort: ports.http, clock, also: options.measured }) : undefined,
    asker: {
      client: new UpstreamClient(fault),
      auth,
      liveness: makeLiveness(),
      clock,
      chance: Math.random,
      hedges: makeBudget(config.tiers['hedge-share']),
      suspects: new Map(),
      changed: (parent, state, detail) => log[state === 'dead' ? 'warn' : 'info'](`${parent.kind === 'origin' ? 'origin' : 'parent'} ${parent.name} is ${state === 'dead' ? 'skipped' : 'used again'}: ${detail}`),
      sent: () => void counters.fetches++,
      fault
    },
    counters,
    tunnels: makeTunnels(config.http.upgrade, config.http.tunnels, shares?.tunnels),
    underWay: 0,
    mostFlights: Math.ceil(MOST_FLIGHTS / (place?.workers ?? 1)),
    flying,
    standingOf,
    hasEquals: role === 'edge' && equalsOf(config, role, name).length > 1,
    // Beyond those of every process before this one: what they left on disk is not taken for a variant of something newer.
    nextGeneration: clock.now() * 1000,
    forget: (primary) => {
      store.delete(primary)
      store.delete(partsKey(primary))
      for (const flight of flying) if (flight.primary === primary) flight.outdate()
    },
    coding: new Map(),
    kin: makeKin(),
    purges: makePurges(setup.purges ?? [], (what) => heldAs(sites.values(), what)),
    hidesTags: role === 'edge' && config.cache.tags === 'hide',
    crew: undefined,
    countryOf: options.countryOf ?? (() => UNKNOWN_COUNTRY),
    idPrefix: randomBytes(5).toString('hex'),
    nextId: 1
  }
}

/** The sizes of the largest bodies: with a disk, what would take more than a quarter of memory lies there alone. */
function largestOf({ memory, 'largest-object': largest }: Setup['config']['cache'], disk: DiskTier | undefined): Pick<Worker, 'largestObject' | 'largestInMemory'> {
  const largestObject = Math.min(largest, Math.max(memory, disk?.largestBody ?? 0))
  return { largestObject, largestInMemory: disk === undefined ? largestObject : Math.min(largestObject, Math.floor(memory / 4)) }
}

const COMPLAINT_MS = 1000

function makeComplaints(say: (text: string) => void, clock: Clock): (text: string) => void {
  let last = -Infinity
  let left = 0
  return (text) => {
    const now = clock.elapsed()
    if (now - last < COMPLAINT_MS) return void left++
    say(left === 0 ? text : `${text} (and ${left} more since the last line)`)
    last = now
    left = 0
  }
}
