import { attach } from '../core/channel.ts'
import type { Counters } from '../core/channel.ts'
import { systemClock } from '../core/clock.ts'
import { makeLogger } from '../core/log.ts'
import { startWorker, type RunningWorker } from './index.ts'

// The process of an edge, a regional or a shield.

let worker: RunningWorker | undefined
const nothing: Counters = { requests: 0, hits: 0, fetches: 0, errors: 0, bytesSent: 0, stored: 0, objects: 0 }

attach(
  async (setup, channel) => {
    const log = makeLogger(`${setup.role}/${setup.name}`, { readable: setup.readable, level: setup.config.log })
    const running = await startWorker({ setup, clock: systemClock, log })
    worker = running
    channel.send({ kind: 'ready', listening: running.listening })
    return (message) => {
      if (message.kind === 'inject') running.inject(message.injection)
      if (message.kind === 'purge') {
        running.purge(message.purge)
        channel.send({ kind: 'purged', number: message.purge.number })
      }
      if (message.kind === 'origins') running.downOrigins(message.down)
      if (message.kind === 'stop') void running.close(message.withinMs).then(() => process.exit(0))
    }
  },
  () => worker?.counters() ?? nothing
)
