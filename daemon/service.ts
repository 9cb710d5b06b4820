import { webcrypto } from 'node:crypto'
import { hostname } from 'node:os'
import { makeCounters, makeTally } from './answer/index.ts'
import type { DaemonStatus, ReloadReply } from './control/api.ts'
import { CookieSecrets, Loader, TsigKeyFiles, type LoaderSetup } from './control/loading.ts'
import { Exchange, exchangePlan, keysNamed, makeRules, withKeys, type Rules } from './exchange/index.ts'
import { makeBuckets, rateLimitsOf, tcpLimitsOf } from './limits/index.ts'
import type { ResponderData } from './responder.ts'
import type { RoutingImage } from './routing/index.ts'
import { startServing, threadPlans, type Lane, type ServeOptions, type Serving } from './serve/index.ts'
import { startViews, type ViewZones } from './view-zones.ts'
import type { WorldImage } from './world.ts'
import type { ZoneStep } from './zone/index.ts'
import { systemAfter, systemClock, type Clock } from '../core/clock.ts'
import type { KeyFile } from '../core/channel.ts'
import type { Config } from '../core/config.ts'
import { EarlyThreads, type EarlyThread } from '../core/early-thread.ts'
import type { Logger } from '../core/log.ts'
import type { HealthTable } from '../healthchecks/index.ts'

// What answers DNS, in a fleet or alone: a loader that keeps a world in step with the files, and the sockets and threads
// that answer from it.

export interface ServiceOptions {
  readonly setup: LoaderSetup
  readonly port: number
  /** Who may transfer, notify and update what; absent: what the configuration says without keys. */
  readonly rules?: Rules
  /** Files of TSIG keys, as they were read and checked at the start; they are followed. */
  readonly keyFiles?: readonly KeyFile[]
  readonly health: HealthTable
  readonly clock: Clock
  readonly log: Logger
  /** The database of places is read at once, or only where there are policies. */
  readonly places: 'always' | 'for policies'
  /** The loader's thread, begun already. */
  readonly earlyLoader?: EarlyThread
  /** How the operator sets the port and the addresses, for messages. */
  readonly settings: { readonly port: string; readonly listen: string }
  /** Told of policies before they are in service; what it returns is. */
  adopt?(routing: RoutingImage, view?: string): RoutingImage
  /** Called once there is something to answer from; nothing is answered before it resolves. */
  after?(): Promise<unknown>
  /** Told of every world before it is answered from. */
  onWorld?(world: WorldImage): void
}

export interface Service {
  readonly loader: Loader
  readonly views: Pick<ViewZones, 'past' | 'measured' | 'paths'>
  readonly serving: Serving
  readonly exchange: Exchange
  /** Of each thread. */
  readonly counters: readonly Float64Array[]
  /** Likewise, queries for steered names by country. */
  readonly tallies: readonly Int32Array[]
  /** Reads every file now: zones, policies, places and keys. Resolves when what came of it is in service. */
  reload(force: boolean): Promise<ReloadReply>
  status(): ReturnType<Loader['status']> & Pick<DaemonStatus, 'viewZones'>
  close(withinMs: number): Promise<void>
}

const RESPONDER = new URL('./responder.js', import.meta.url)

/**
 * Reads the zones, binds the sockets and answers.
 * @throws Error with one line when there is no database of places or an address cannot be used
 */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { setup, health, clock, log, places, onWorld } = options
  const now: { world?: WorldImage; serving?: Serving; exchange?: Exchange } = {}
  // What there is to tell before there is an exchange to tell it to.
  const untold: ZoneStep[] = []
  const put = async (world: WorldImage, steps: readonly ZoneStep[]): Promise<void> => {
    now.world = { ...world, cookies: secrets.now, tsig: keys.now, views: views.now().map((view) => ({ ...view, world: { ...view.world, cookies: secrets.now } })) }
    onWorld?.(now.world)
    if (now.exchange === undefined) untold.push(...steps)
    await Promise.all([now.serving?.use(now.world), now.exchange?.use(now.world, steps)])
  }
  const secrets = new CookieSecrets({ file: setup.config.dns['cookie-secrets'], clock, after: systemAfter, log, changed: () => now.world !== undefined && void put(now.world, []) })
  const views = startViews({ setup, health, adopt: options.adopt, clock, log, changed: async () => now.world && put(now.world, []) })
  const unkeyed = options.rules ?? makeRules({ config: setup.config })
  const keys = new TsigKeyFiles({ files: options.keyFiles ?? [], named: keysNamed(unkeyed), clock, after: systemAfter, log, changed: async () => now.world && put(now.world, []) })
  const loader = new Loader({
    setup,
    health,
    clock,
    log,
    places,
    ...(options.adopt !== undefined && { adopt: (routing: RoutingImage) => options.adopt!(routing) }),
    ...(options.earlyLoader !== undefined && { early: options.earlyLoader }),
    use: put
  })
  // While the zones are read there is time for what else a start takes.
  const early = new EarlyThreads([...threadPlans(setup.config.dns.threads, RESPONDER), exchangePlan])
  const counters: Float64Array[] = []
  const tallies: Int32Array[] = []
  try {
    await Promise.all([loader.first, views.first])
    early.stop()
    await options.after?.()
    const world = now.world!
    const rules = withKeys(unkeyed, keys.now)
    const exchange = new Exchange({ rules, world, steps: untold.splice(0), loader, stateFolder: setup.stateFolder, early, hello: helloOf(setup.config.dns), log, onRestart: () => now.serving?.relane() })
    now.exchange = exchange
    const serving = await startSockets({ ...options, rules, early }, world, counters, tallies, () => exchange.openLane())
    now.serving = serving
    exchange.begin()
    // What was edited while the threads came up.
    if (now.world !== world) await serving.use(now.world)
    const close = async (withinMs: number): Promise<void> => {
      secrets.close()
      keys.close()
      await Promise.all([serving.close(withinMs).then(() => exchange.close()), loader.close(), views.close()])
    }
    return { loader, views, serving, exchange, counters, tallies, ...withFaults(loader, keys, views), close }
  } catch (error) {
    secrets.close()
    keys.close()
    await Promise.all([loader.close(), views.close(), now.exchange?.close()])
    throw error
  } finally {
    early.end()
  }
}

/** What the loader does and says, with the files of keys and the zones of views beside its own. */
function withFaults(loader: Loader, keys: TsigKeyFiles, views: ViewZones): Pick<Service, 'reload' | 'status'> {
  return {
    reload: async (force) => {
      const [faults, reply, others] = await Promise.all([keys.reread(), loader.reload(force), views.reload(force)])
      return { ...reply, faults: [...faults, ...reply.faults, ...others.flatMap((other) => other.faults)] }
    },
    status: () => {
      const { reload, ...status } = loader.status()
      const within = Object.entries(views.statuses())
      const routedTtl = Math.max(status.routedTtl, ...within.map(([, view]) => view.routedTtl))
      const viewZones = Object.fromEntries(within.map(([name, { zones }]) => [name, zones]))
      return { ...status, routedTtl, ...(within.length > 0 ? { viewZones } : {}), reload: { ...reload, faults: [...keys.faults, ...reload.faults, ...views.faults()] } }
    }
  }
}

function startSockets({ setup, port, rules, settings, log, early }: ServiceOptions & Pick<ServeOptions, 'early'> & { readonly rules: Rules }, world: WorldImage, counters: Float64Array[], tallies: Int32Array[], openLane: () => Lane): Promise<Serving> {
  const { dns } = setup.config
  const rateLimit = makeRateLimit(dns)
  const hello = helloOf(dns)
  return startServing({
    listen: dns.listen,
    port,
    threads: dns.threads,
    tcp: tcpLimitsOf(dns),
    gathers: dns.gather,
    backend: 'auto',
    responder: {
      module: RESPONDER,
      data: (thread): ResponderData => {
        counters[thread] = makeCounters()
        tallies[thread] = makeTally()
        return { counters: counters[thread], tally: tallies[thread], ...hello, rules, seed: systemClock.now() + thread * 7919, ...(rateLimit !== undefined && { rateLimit }) }
      }
    },
    world,
    settings,
    openLane,
    ...(early !== undefined && { early }),
    log
  })
}

/** The limits with buckets for all threads. Their key is of chance: nobody outside can tell which clients share a bucket. */
function makeRateLimit(dns: ServiceOptions['setup']['config']['dns']): ResponderData['rateLimit'] {
  const limits = rateLimitsOf(dns)
  const [a = 0, b = 0] = webcrypto.getRandomValues(new Int32Array(2))
  return limits && { limits, buckets: makeBuckets(dns['rate-limit'].table, [a, b]) }
}

/** What each thread says of itself and of what it takes. */
function helloOf(dns: Config['dns']): Omit<ResponderData, 'counters' | 'seed'> {
  const { identity, version, cookies, payload, any } = dns
  return {
    ...(identity !== 'off' && { serverId: identity === 'hostname' ? hostname() : identity }),
    ...(version !== 'off' && { version }),
    ...(cookies !== 'off' && { cookies }),
    payload,
    hasMinimalAny: any === 'minimal',
    idleMs: dns['tcp-idle']
  }
}
