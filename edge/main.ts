import { attach } from '../core/channel.ts'
import type { Counters, Setup } from '../core/channel.ts'
import { systemClock } from '../core/clock.ts'
import { makeLogger, type Logger } from '../core/log.ts'
import { canSharePort, removeOldFolders, startCrew, startWorker, type RunningWorker } from './index.ts'
import { catchFaults } from './last-net.ts'

// The process of an edge, a regional or a shield.

let worker: RunningWorker | undefined
const nothing: Counters = { requests: 0, hits: 0, fetches: 0, errors: 0, bytesSent: 0, stored: 0, objects: 0 }

/** One worker, or as many as an edge is to have. */
function start(setup: Setup, log: Logger): Promise<RunningWorker> {
  const workers = setup.role === 'edge' ? (setup.config.edges[setup.name]?.workers ?? 1) : 1
  if (setup.role === 'edge') removeOldFolders(setup.stateFolder, setup.name, workers)
  if (workers > 1 && canSharePort()) return startCrew({ setup, clock: systemClock, log, workers, failed: () => process.exit(1) })
  if (workers > 1) log.warn(`workers: ${workers} needs Linux and koffi, to share a port: there is one`)
  return startWorker({ setup, clock: systemClock, log })
}

attach(
  async (setup, channel) => {
    const log = makeLogger(`${setup.role}/${setup.name}`, { readable: setup.readable, level: setup.config.log })
    catchFaults(log, systemClock.elapsed, () => process.exit(1))
    const running = await start(setup, log)
    worker = running
    channel.send({ kind: 'ready', listening: running.listening })
    return (message) => {
      if (message.kind === 'inject') running.inject(message.injection)
      if (message.kind === 'purge') {
        const { purge } = message
        void Promise.resolve(running.purge(purge)).then(() => channel.send({ kind: 'purged', number: purge.number }))
      }
      if (message.kind === 'origins') running.downOrigins(message.down)
      if (message.kind === 'stop') void running.close(message.withinMs).then(() => process.exit(0))
    }
  },
  () => worker?.counters() ?? nothing,
  () => worker?.trouble()
)
