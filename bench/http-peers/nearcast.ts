import { fork } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { FromProcess, Role, Setup } from '../../core/channel.ts'
import { systemClock } from '../../core/clock.ts'
import { configSchema, type Config } from '../../core/config.ts'
import { keepCertificates } from '../../fleet/authority/index.ts'
import { track } from '../processes.ts'
import { TLS_PORTS, type HttpPeer, type Place, type Running } from './types.ts'

/** The second of two tiers, at the port of the first. */
const ABOVE = '127.0.0.2'
const MEMORY = { memory: '512MiB' }

/** Starts one worker as a process of its own, with the same options of Node.js as the bench: a profile of it is had by `node --cpu-prof`. */
export async function startWorker(setup: Setup): Promise<Running> {
  const worker = track(fork(fileURLToPath(new URL('../../edge/main.js', import.meta.url))))
  const ready = new Promise<void>((resolve, reject) => {
    worker.on('message', (message: FromProcess) => {
      if (message.kind === 'ready') resolve()
      if (message.kind === 'refused') reject(new Error(message.reason))
    })
    worker.once('exit', (code, signal) => reject(new Error(`it ended: ${code ?? signal}`)))
  })
  worker.send({ kind: 'setup', setup })
  await ready
  return {
    pids: [worker.pid!],
    said: () => '',
    end: async () => {
      const gone = new Promise((resolve) => worker.once('exit', resolve))
      worker.disconnect()
      await gone
    }
  }
}

const setupOf = (role: Role, name: string, config: Config, { folder, port }: Place): Setup => ({
  role, name, config, ports: { dns: 1, http: port, https: port + TLS_PORTS, admin: 1 }, stateFolder: folder, zonesFolder: folder, zonesLabel: 'zones/', tierSecret: '0'.repeat(64), readable: true
})

const keysOf = ({ origin }: Place): object => ({
  http: { 'clients-per-address': 20_000, clients: 20_000 },
  cache: MEMORY,
  origins: { bench: { url: `http://127.0.0.1:${origin}` } },
  https: {},
  distributions: { bench: { behaviours: [{ path: '/*', origin: 'bench' }] } }
})

async function startOne(place: Place): Promise<Running> {
  mkdirSync(place.folder)
  const config = configSchema.parse({ ...keysOf(place), edges: { bench: { address: '127.0.0.1', city: 'here', at: [0, 0], workers: place.workers ?? 1 } } })
  keepCertificates(place.folder, config, systemClock.now())
  return startWorker(setupOf('edge', 'bench', config, place))
}

async function startTwo(place: Place): Promise<Running> {
  mkdirSync(place.folder)
  const config = configSchema.parse({ ...keysOf(place), edges: { bench: { address: '127.0.0.1', city: 'here', at: [0, 0], parent: 'above' } }, regionals: { above: { address: ABOVE } } })
  keepCertificates(place.folder, config, systemClock.now())
  const above = await startWorker(setupOf('regional', 'above', config, place))
  const below = await startWorker(setupOf('edge', 'bench', config, place))
  return {
    pids: [...below.pids, ...above.pids],
    said: () => '',
    end: async () => {
      await below.end()
      await above.end()
    }
  }
}

export const nearcast: HttpPeer = { name: 'nearcast', ours: true, missing: () => undefined, version: () => '', start: startOne, startTwo }
