import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { makeAnswerer, type Answerer } from './answer.ts'
import { makeCounters, readCounters } from './answer/index.ts'
import { explainName, makeFleetRequests, startAdmin, startHealth, Loader, type Ask, type DaemonStatus, type ExplainQuestion } from './control/index.ts'
import type { ResponderData } from './responder.ts'
import { startServing, type Serving } from './serve/index.ts'
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

attach(async (setup, channel) => {
  const log = makeLogger('dns', { readable: setup.readable, level: setup.config.log })
  const clock = systemClock
  const startedAt = clock.now()
  const version = readVersion()
  const health = startHealth({ setup, clock, after: systemAfter, log })
  const fleet = makeFleetRequests(channel, systemAfter)
  const explainer = makeExplainer()
  const now: { world?: WorldImage; serving?: Serving } = {}
  const loader = new Loader({
    setup,
    health: health.table,
    clock,
    log,
    use: async (world) => {
      now.world = world
      explainer.use(world)
      await now.serving?.use(world)
    }
  })
  const [first] = await Promise.all([loader.first, health.firstRound])
  const world = now.world ?? first
  explainer.use(world)
  const { serving: sockets, counters } = await startSockets(setup, world, log)
  now.serving = sockets
  // What was edited while the threads came up.
  if (now.world !== undefined && now.world !== world) await sockets.use(now.world)
  const rate = makeRate(() => sumOf(counters, 'queries'), clock)
  const status = (): DaemonStatus => ({
    version,
    startedAt,
    listening: sockets.listening,
    ...loader.status(),
    queries: { total: sumOf(counters, 'queries'), perSecond: rate.perSecond(), counters: { ...readCounters(...counters), ...sockets.traffic() } }
  })
  const admin = await startAdmin({ setup, clock, after: systemAfter, log, health, fleet, status, explain: explainer.explain, reload: (force) => loader.reload(force) })
  announce(channel, sockets, loader, admin.url)
  const stop = async (withinMs: number): Promise<void> => {
    await Promise.all([sockets.close(Math.max(100, withinMs - REST_OF_STOP_MS)), admin.close(), health.close(), loader.close()])
    process.exit(0)
  }
  return (message: ToProcess) => {
    switch (message.kind) {
      case 'setup':
        return
      case 'fleet':
        health.fleet(message.members)
        return
      case 'reply':
        fleet.reply(message)
        return
      case 'stop':
        // What does not end in time does not hold up the end.
        systemAfter(message.withinMs, () => process.exit(0))
        stop(message.withinMs).catch((error: unknown) => {
          log.error(`while stopping: ${messageOf(error)}`)
          process.exit(0)
        })
        return
      default:
        never(message)
    }
  }
})

async function startSockets(setup: Setup, world: WorldImage, log: Logger): Promise<{ serving: Serving; counters: readonly Float64Array[] }> {
  const { dns } = setup.config
  const counters: Float64Array[] = []
  const serving = await startServing({
    listen: dns.listen,
    port: setup.ports.dns,
    threads: dns.threads,
    tcp: { clients: dns['tcp-clients'], clientsPerAddress: dns['tcp-clients-per-address'], idleMs: dns['tcp-idle'] },
    backend: 'auto',
    responder: {
      module: new URL('./responder.js', import.meta.url),
      data: (thread): ResponderData => {
        counters[thread] = makeCounters()
        return { counters: counters[thread], serverId: hostname(), seed: systemClock.now() + thread * 7919 }
      }
    },
    world,
    log
  })
  return { serving, counters }
}

/** An answerer of the main thread's own, whose answers are counted nowhere. */
function makeExplainer(): { use(world: WorldImage): void; explain(question: ExplainQuestion): ReturnType<typeof explainName> } {
  let world: World | undefined
  let answerer: Answerer | undefined
  const out = new Uint8Array(65535)
  const ask: Ask = (query, { family, bytes }) => {
    const size = answerer!.answer(query, 0, query.length, { family, bytes, at: 0 }, 'udp', out, 0, 1232)
    return size === 0 ? undefined : out.slice(0, size)
  }
  return {
    use: (image) => {
      world = openWorld(image)
      if (answerer === undefined) answerer = makeAnswerer({ world, preparedSize: 1 << 16 })
      else answerer.use(world)
    },
    explain: (question) => (world === undefined ? 'the zones are still being read' : explainName(world, ask, question))
  }
}

function announce(channel: Channel, serving: Serving, loader: Loader, adminUrl: string): void {
  const { geo, reload, zones } = loader.status()
  channel.send({
    kind: 'ready',
    listening: [...serving.listening, adminUrl],
    notes: [
      ...serving.notes,
      `places: ${geo.about}; loopback and private networks are in ${geo.local}`,
      ...zones.filter(({ state }) => state !== 'current').map(({ origin, file }) => `${origin} is served as it was when ${file} was last without faults`),
      ...reload.faults
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
