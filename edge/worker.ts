import { randomBytes } from 'node:crypto'
import type { MessagePort } from 'node:worker_threads'
import type { Clock } from '../core/clock.ts'
import type { Counters, Role, Setup } from '../core/channel.ts'
import type { Logger } from '../core/log.ts'
import { PassingMap, PassingSet } from '../core/passing.ts'
import type { Viewer } from './asked.ts'
import { makeBodies, mostFiles, roomForBodies, type Bodies } from './bodies/index.ts'
import { MOST_FLIGHTS, type Desk, type Flight } from './flight.ts'
import { partsKey, type StoredObject } from './cache/index.ts'
import { UNKNOWN_COUNTRY, type CountryOf } from './country.ts'
import { diskFolder } from './folders.ts'
import { makeKin } from './kin.ts'
import { UpstreamClient, type Connection, type RequestHead } from './http/index.ts'
import { makePurges } from './purges.ts'
import { heldAs, makeSites, type Site } from './sites.ts'
import { makeWarm, MemoryStore, DiskTier, type Warm } from './store/index.ts'
import { makeTunnels, type Tunnels } from './tunnel.ts'
import { makeViewers, type MeasuredRow, type Viewers } from './viewers/index.ts'
import { equalsOf, makeStandings, makeTierAuth, originsOf, routeOf, type Ledger, type Standing, type Tally, type TierAuth } from './tiers/index.ts'

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
  /** Where larger bodies lie, if that is not as any other. */
  readonly bodies: Bodies | undefined
  /** The others, where it is one of several of its edge. */
  crew: Crew | undefined
  /** Has the owner of what is lent answer, who makes of it what a viewer takes: once for all. Of a desk with what is lent. */
  readonly leaveToOwner: ((viewer: Viewer) => void) | undefined
  /** First half of every request id of this process. */
  readonly idPrefix: string
  /** Second half: counts up, and never over: 2 to the 48 requests. */
  nextId: number
}

/** A worker's way to the others of its edge. */
export interface Crew {
  /** Whose a request is: of GET or HEAD, that could be answered from what is held. Undefined: ours. */
  turn(viewer: Viewer): 'carried' | LentObject | undefined
  /** Has the first worker answer what the edge knows but once; false where that is this one, or is not there. */
  carryToFirst(request: RequestHead, reply: Connection): boolean
  /** Lends what has just been looked up, where whoever asked for it wants that. */
  lend(viewer: Viewer, key: string, object: StoredObject): void
  /** Has all others forget what is held under these, and voids what was lent of it. @param done told when nobody answers with it any more */
  forget(primaries: readonly string[], done: () => void): void
  /** Voids what was lent of it. */
  replaced(primary: string): void
  measured(row: MeasuredRow): void
  join(worker: number, port: MessagePort): void
  /** Octets of what is lent. */
  readonly lentOctets: number
}

/** What a worker may answer with of what is another's. */
export interface LentObject {
  /** As the worker itself, with what is lent for its store. */
  readonly desk: Worker
  readonly key: string
  readonly object: StoredObject
}

/** Which of several workers of an edge one is, and what they have in common. */
export interface Share {
  readonly worker: number
  readonly workers: number
  readonly ledger: Ledger
  readonly tunnels: Tally
  /** Where it writes which files its bodies lie in. */
  readonly bodies: SharedArrayBuffer
}

/** @param options `share` where it is one of several; `measured` is told of viewers that it measured, `replaced` of responses that it holds anew */
export function makeWorker(options: { setup: Setup; clock: Clock; log: Logger; countryOf?: CountryOf | undefined; share?: Share | undefined; measured?: (row: MeasuredRow) => void; replaced?: (primary: string) => void }): Worker {
  const { setup, clock, log, share } = options
  const { config, ports, role, name } = setup
  const counters: Counters = { requests: 0, hits: 0, fetches: 0, errors: 0, bytesSent: 0, stored: 0, objects: 0 }
  const auth = makeTierAuth(setup.tierSecret)
  const tellFault = makeComplaints((text) => log.error(text), clock)
  const fault = (error: unknown): void => {
    counters.errors++
    tellFault(`a fault of ours, what it was about is given up: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  }
  const disk = config.cache.disk === 0 ? undefined : new DiskTier({ folder: diskFolder(setup.stateFolder, role, name, share?.worker), limit: config.cache.disk, say: (text) => log.warn(text) })
  const bodies = config.cache.sendfile ? makeBodies(share?.bodies ?? roomForBodies(mostFiles())) : undefined
  const store = new MemoryStore(config.cache.memory, config.cache.eviction, disk, bodies)
  const flying = new PassingSet<Flight>()
  const { of: standingOf, liveness, hedges } = makeStandings({ retries: config.tiers['retry-share'], hedges: config.tiers['hedge-share'] }, share?.ledger)
  const sites = makeSites(config, (distribution, origins) => routeOf({ config, ports, role, name, distribution: config.distributions[distribution]!, origins, standingOf }), originsOf(config, ports, standingOf))
  const purges = makePurges(setup.purges ?? [], (what) => heldAs(sites.values(), what))
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
    flights: new PassingMap(),
    ...largestOf(config.cache, disk),
    auth,
    viewers: role === 'edge' ? makeViewers({ config, name, httpPort: ports.http, clock, also: options.measured }) : undefined,
    asker: {
      client: new UpstreamClient(fault),
      auth, liveness, clock,
      chance: Math.random,
      hedges,
      suspects: new Map(),
      changed: (parent, state, detail) => log[state === 'dead' ? 'warn' : 'info'](`${parent.kind === 'origin' ? 'origin' : 'parent'} ${parent.name} is ${state === 'dead' ? 'skipped' : 'used again'}: ${detail}`),
      purged: () => purges.last,
      sent: () => void counters.fetches++,
      fault
    },
    counters,
    tunnels: makeTunnels(config.http.upgrade, config.http.tunnels, share?.tunnels),
    underWay: 0,
    mostFlights: Math.ceil(MOST_FLIGHTS / (share?.workers ?? 1)),
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
    replaced: options.replaced ?? (() => undefined),
    bodies,
    kin: makeKin(),
    purges,
    hidesTags: role === 'edge' && config.cache.tags === 'hide',
    crew: undefined,
    leaveToOwner: undefined,
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
