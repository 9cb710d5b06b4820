import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeAnswerer, type Answerer } from './answer.ts'
import { startAnycast } from './announce.ts'
import { readCounters } from './answer/index.ts'
import { explainName, makeFleetRequests, openEverywhere, PopKeys, startAdmin, startHealth, startLatencies, tellPoints, type Ask, type FleetRequests, type Health, type Loader, type DaemonStatus, type ExplainQuestion } from './control/index.ts'
import { startPaths, tellPath, type Paths } from './paths/index.ts'
import type { Serving } from './serve/index.ts'
import { openPops, type Pops, type Vantage } from './pops/index.ts'
import { makeReclaimer } from './reclaim.ts'
import { startService, type Service } from './service.ts'
import { makeAffected, makeSurveyor, startCounting, type Counting } from './traffic/index.ts'
import { viewAt } from './view-answers.ts'
import { openWorld, type World, type WorldImage } from './world.ts'
import { attach, type Channel, type Setup, type ToProcess } from '../core/channel.ts'
import { systemAfter, systemClock } from '../core/clock.ts'
import { makeLogger, type Logger } from '../core/log.ts'
import { messageOf, never } from '../core/trouble.ts'
import { makeRate } from './rate.ts'

// The entry of the DNS daemon. The main thread reads no file and answers no query: it puts together the loader, the serving
// threads, the health of the fleet and the admin API, and tells each what it needs of the others.

/** Of the time a stop allows, what is kept for everything but the sockets. */
const REST_OF_STOP_MS = 400

attach(async (setup, channel, meanwhile) => {
  const log = makeLogger('dns', { readable: setup.readable, level: setup.config.log })
  const clock = systemClock
  const [startedAt, version] = [clock.now(), readVersion()]
  const pops = await openPoints(setup, log)
  const vantage = pops?.vantage
  const now: { service?: Service; counting?: Counting } = {}
  const explainer = makeExplainer()
  const health = startHealth({ setup, clock, after: systemAfter, log, routedTtl: () => now.service?.status().routedTtl ?? 0, affected: makeAffected(explainer.image), tellOrigins: (down) => channel.send({ kind: 'origins', down }), ...(vantage !== undefined && { vantage }) })
  // Zones take a while: whoever is still being started meanwhile has not fallen.
  meanwhile(health.fleet)
  const everywhere = pops && listenEverywhere(setup, pops, health, log)
  const fleet = makeFleetRequests(channel, systemAfter)
  const latencies = startLatencies({ setup, clock, after: systemAfter, log })
  const paths = startPaths({ config: setup.config, ...(pops !== undefined && { channel: pops.channel }), clock, after: systemAfter, log })
  const service = await startService({
    setup,
    port: setup.ports.dns,
    keyFiles: setup.keyFiles ?? [],
    health: health.table,
    clock,
    log,
    places: 'always',
    settings: { port: 'dns.port', listen: 'dns.listen' },
    adopt: health.adopt,
    after: health.settled,
    onWorld: (world) => {
      explainer.use(world)
      now.counting?.use(world)
      latencies?.use(world.places)
    }
  })
  const { loader, views, serving, exchange, counters } = service
  now.service = service
  latencies?.tellTo((image) => [loader, views].forEach((each) => each.measured(image)))
  paths?.tellTo((sources) => [loader, views].forEach((each) => each.paths(sources)))
  const counting = (now.counting = count(setup, service, explainer.image()!, log))
  const anycast = startAnycast({ setup, health, service, pops, log })
  const rate = makeRate(() => sumOf(counters, 'queries'), clock)
  const status = (): DaemonStatus => ({
    version, startedAt, listening: serving.listening,
    ...service.status(),
    secondaries: exchange.secondaries(),
    ...elsewhere({ vantage, paths, anycast }),
    queries: { total: sumOf(counters, 'queries'), perSecond: rate.perSecond(), counters: { ...readCounters(...counters), ...serving.traffic() } }
  })
  const admin = await startAdmin({ setup, clock, after: systemAfter, log, health, fleet, everywhere, latencies, anycast, status, explain: (question) => withReasons(explainer.explain(question), health, vantage, paths), inService: async (at) => ({ since: loader.status().since ?? { zones: {} }, policies: await loader.policiesAt(at), views: await views.past(at) }), traffic: makeSurveyor(explainer.image), asked: counting.asked, reload: service.reload, flush: (zone, isDry) => loader.flush(zone, isDry), refresh: (zone, isWhole) => exchange.refresh(zone, isWhole) })
  announce(channel, serving, loader, admin.url)
  const stop = async (withinMs: number): Promise<void> => {
    await Promise.all([service.close(Math.max(100, withinMs - REST_OF_STOP_MS)), admin.close(), health.close(), everywhere?.close(), latencies?.close(), paths?.close(), counting.close(), anycast?.close()])
    process.exit(0)
  }
  return listen({ health, fleet, stop, log })
})

/** What the supervisor tells. */
function listen({ health, fleet, stop, log }: { readonly health: Health; readonly fleet: FleetRequests; stop(withinMs: number): Promise<void>; readonly log: Logger }): (message: ToProcess) => void {
  return (message) => {
    switch (message.kind) {
      case 'setup':
      case 'inject':
      case 'origins':
      case 'purge':
        return
      case 'fleet':
        return health.fleet(message.members)
      case 'reply':
        return fleet.reply(message)
      case 'stop':
        return endWithin(message.withinMs, stop, log)
      default:
        never(message)
    }
  }
}

/** What does not end in time does not hold up the end. */
function endWithin(ms: number, stop: (withinMs: number) => Promise<void>, log: Logger): void {
  systemAfter(ms, () => process.exit(0))
  stop(ms).catch((error: unknown) => {
    log.error(`while stopping: ${messageOf(error)}`)
    process.exit(0)
  })
}

interface Elsewhere {
  readonly vantage: Vantage | undefined
  readonly paths: Paths | undefined
  readonly anycast: ReturnType<typeof startAnycast>
}

/** What is known of other PoPs and of the ways there, and what is announced. */
function elsewhere({ vantage, paths, anycast }: Elsewhere): Pick<DaemonStatus, 'pops' | 'paths' | 'anycast'> {
  return { ...(vantage !== undefined && { pops: vantage.status() }), ...(paths !== undefined && { paths: paths.status() }), ...(anycast !== undefined && { anycast: anycast.status() }) }
}

/** What other PoPs see, where there are any. */
function openPoints({ config, popKeys }: Setup, log: Logger): Promise<Pops | undefined> {
  const keys = popKeys && new PopKeys({ first: popKeys, file: config.pops!.keys, clock: systemClock, after: systemAfter, log })
  return openPops({ config, keys: () => keys?.now ?? [], clock: systemClock, after: systemAfter, log })
}

/** Forced states of all PoPs. */
function listenEverywhere({ config, stateFolder }: Setup, { channel }: Pops, { forces, members }: Health, log: Logger): ReturnType<typeof openEverywhere> {
  const knows = (wanted: string): boolean => wanted.includes('@') || members().some(({ name, health }) => name === wanted && health !== undefined)
  return openEverywhere({ own: config.pops!.name, channel, forces, knows, file: join(stateFolder, 'everywhere.json'), clock: systemClock, log })
}

/** With why targets are not simply up, what other PoPs see of them, and how far BIRD has the client. */
function withReasons(explanation: ReturnType<typeof explainName>, { reason }: Health, vantage: Vantage | undefined, paths: Paths | undefined): ReturnType<typeof explainName> {
  if (typeof explanation === 'string') return explanation
  const told = paths === undefined ? explanation : tellPath(explanation, paths)
  return tellPoints(told, (target) => vantage?.note(target) ?? reason(target))
}

/** Counts the queries for steered names. */
function count(setup: Setup, { tallies, counters }: Service, world: WorldImage, log: Logger): Counting {
  const counting = startCounting({ stateFolder: setup.stateFolder, tallies, total: () => sumOf(counters, 'queries'), clock: systemClock, warn: (line) => log.warn(line) })
  counting.use(world)
  return counting
}

/** Explains what is answered to those in a view by its zones where they have the name. */
function makeExplainer(): ReturnType<typeof makeOwnExplainer> {
  const all = makeOwnExplainer()
  const views = new Map<string, ReturnType<typeof makeOwnExplainer>>()
  return {
    image: all.image,
    use: (image) => {
      all.use(image)
      for (const { name, world } of image.views ?? []) {
        if (!views.has(name)) views.set(name, makeOwnExplainer())
        views.get(name)!.use(world)
      }
    },
    explain: (question) => {
      const found = viewAt(all.image()?.views ?? [], question.from)
      const past = question.past && found && { ...question.past, ...question.past.views?.[found.image.name] }
      const own = found && views.get(found.image.name)!.explain({ ...question, ...(past && { past }) })
      if (own === undefined || typeof own === 'string' || own.outcome === 'notours') return all.explain(question)
      return { ...own, steps: [{ depth: 0, text: `${own.question.from} is in ${found!.network}, and so in view ${found!.image.name}: its own zones come first` }, ...own.steps] }
    }
  }
}

/** An answerer of the main thread's own, whose answers are counted nowhere. */
function makeOwnExplainer(): { use(world: WorldImage): void; image(): WorldImage | undefined; explain(question: ExplainQuestion): ReturnType<typeof explainName> } {
  let now: WorldImage | undefined
  let world: World | undefined
  let answerer: Answerer | undefined
  const out = new Uint8Array(65535)
  const reclaim = makeReclaimer()
  const ask: Ask = (query, { family, bytes }, asked) => {
    // A world as somebody supposes it has an answerer of its own.
    const own = asked === world ? answerer! : makeAnswerer({ world: asked, preparedSize: 1 << 12 })
    const size = own.answer(query, 0, query.length, { family, bytes, at: 0 }, 'udp', out, 0, 1232)
    return size === 0 ? undefined : out.slice(0, size)
  }
  return {
    image: () => now,
    use: (image) => {
      now = image
      world = openWorld(image)
      if (answerer === undefined) answerer = makeAnswerer({ world, preparedSize: 1 << 16 })
      else answerer.use(world)
      reclaim(image.zones)
    },
    explain: (question) => (world === undefined ? 'the zones are still being read' : explainName(world, ask, question))
  }
}

function announce(channel: Channel, serving: Serving, loader: Loader, adminUrl: string): void {
  const { geo, zones } = loader.status()
  channel.send({
    kind: 'ready',
    listening: [...serving.listening, adminUrl],
    notes: [
      ...serving.notes,
      `places: ${geo.about}; loopback and private networks are in ${geo.local}`,
      ...zones.filter(({ state }) => state === 'old' || state === 'last-good').map(({ origin, file }) => `${origin} is served as it was when ${file} was last without faults`)
    ]
  })
}

function sumOf(counters: readonly Float64Array[], name: 'queries'): number {
  return readCounters(...counters)[name]
}

function readVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  return version
}
