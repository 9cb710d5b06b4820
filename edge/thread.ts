import { parentPort, workerData } from 'node:worker_threads'
import { HEARTBEAT_MS } from '../core/channel.ts'
import { systemClock } from '../core/clock.ts'
import { makeLogger } from '../core/log.ts'
import { messageOf } from '../core/trouble.ts'
import type { FromThread, ThreadData, ToThread } from './crew/index.ts'
import { catchFaults } from './last-net.ts'
import type { RunningMate } from './running.ts'
import { startWorker } from './start.ts'

// The thread of one worker of an edge that has several.

const { setup, place } = workerData as ThreadData
const lead = parentPort!
const tell = (word: FromThread): void => lead.postMessage(word)
const log = makeLogger(`${setup.role}/${setup.name}.${place.worker + 1}`, { readable: setup.readable, level: setup.config.log })

catchFaults(log, systemClock.elapsed, () => process.exit(1))

function obey(running: RunningMate, word: ToThread, end: () => void): void {
  if (word.kind === 'mate') running.join(word.worker, word.port)
  else if (word.kind === 'inject') running.inject(word.injection)
  else if (word.kind === 'origins') running.downOrigins(word.down)
  else if (word.kind === 'end') end()
  else if (word.kind === 'purge') {
    void running.purge(word.purge)
    tell({ kind: 'purged', number: word.purge.number })
  } else if (word.kind === 'drain') {
    const othersToo = new Promise<void>((resolve) => (ended = resolve))
    void running.close(word.withinMs, () => {
      tell({ kind: 'drained' })
      return othersToo
    }).then(() => process.exit(0))
  }
}

let ended: () => void = () => process.exit(0)

startWorker({ setup, clock: systemClock, log, place }).then(
  (running) => {
    lead.on('message', (word: ToThread) => obey(running, word, () => ended()))
    tell({ kind: 'ready', listening: running.listening })
    setInterval(() => tell({ kind: 'beat', counters: running.counters(), trouble: running.trouble() }), HEARTBEAT_MS)
  },
  (error: unknown) => tell({ kind: 'refused', reason: messageOf(error) })
)
