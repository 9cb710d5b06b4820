import { fork, type ChildProcess } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FromProcess, Setup, ToProcess } from '../../core/channel.ts'
import { parseConfig } from '../../core/config-file.ts'
import { formatFault } from '../../core/trouble.ts'
import { end, start, track } from '../processes.ts'
import { COUNTRIES } from './places.ts'
import type { Peer, Running, StartOptions } from './types.ts'
import { originOf, whenUp, zoneFile } from './up.ts'
import { addressText, benchZone, BENCH_ZONE, targetAddress } from './zones.ts'

// Ours: `nearcast dns` for plain zones, and the daemon of a fleet with six edges, under health checks, for names by country.

/** This program, as operators start it. */
export const NEARCAST = fileURLToPath(new URL('../../../bin/nearcast.js', import.meta.url))

export const nearcast: Peer = {
  name: 'nearcast',
  serves: ['bench', 'million'],
  transports: ['udp', 'tcp'],
  about: () => `nearcast dns, Node.js ${process.versions.node}`,
  missing: () => undefined,
  start: (options) => {
    const zones = join(options.folder, 'zones')
    mkdirSync(zones)
    symlinkSync(zoneFile(options), join(zones, `${originOf(options.data)}.zone`))
    return startNearcast(options, [])
  }
}

/** Serves what lies in the folder `zones` of the server's own folder. */
export function startNearcast(options: StartOptions, more: readonly string[]): Promise<Running> {
  const words = ['dns', '--zones', join(options.folder, 'zones'), '--port', String(options.port), '--listen', '127.0.0.1', '--threads', String(options.workers), '--lab', ...more]
  return whenUp(options, start(process.execPath, [NEARCAST, ...words]))
}

export const nearcastSteering: Peer = {
  name: 'nearcast steering',
  serves: ['routed'],
  transports: ['udp'],
  about: () => `the DNS daemon of a fleet, Node.js ${process.versions.node}: by country of the database, the health of six edges probed and looked at`,
  missing: () => undefined,
  start: async (options) => {
    const setup = setupOf(options)
    const healthy = await Promise.all(COUNTRIES.map((_, index) => answerHealth(addressText(targetAddress(index)), setup.ports.http)))
    const child = track(fork(fileURLToPath(new URL('../../daemon/main.js', import.meta.url)), [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }))
    const stop = async (): Promise<void> => {
      for (const server of healthy) server.close().closeAllConnections()
      if (child.connected) child.send({ kind: 'stop', withinMs: 1000 } satisfies ToProcess)
      await end(child)
    }
    try {
      await whenReady(child, setup)
      return { pids: () => [child.pid!], stop }
    } catch (error) {
      await stop()
      throw error
    }
  }
}

function setupOf({ folder, port, workers, files }: StartOptions): Setup {
  const zones = join(folder, 'zones')
  mkdirSync(zones)
  writeFileSync(join(zones, `${BENCH_ZONE}.zone`), benchZone('ROUTE places'))
  writeFileSync(join(zones, 'policies.yaml'), `policies:\n  places: { geolocation: { ${COUNTRIES.map(({ code }, index) => `${code}: e${index}`).join(', ')}, default: e0 } }\n`)
  const edges = COUNTRIES.map(({ code, at }, index) => `  e${index}: { address: ${addressText(targetAddress(index))}, city: ${code}, at: [${at.join(', ')}] }`)
  const { config, faults } = parseConfig('bench', `log: warn\ngeo: { database: ${files.places} }\ndns: { listen: [127.0.0.1], threads: ${workers} }\nedges:\n${edges.join('\n')}\n`)
  if (config === undefined) throw new Error(faults.map(formatFault).join('\n'))
  const stateFolder = join(folder, 'state')
  mkdirSync(stateFolder)
  return {
    role: 'daemon', name: 'daemon', config, ports: { dns: port, http: port + 1, admin: port + 2 }, stateFolder, zonesFolder: zones, zonesLabel: 'zones',
    tierSecret: '0'.repeat(64), adminToken: 'bench', readable: false
  }
}

function whenReady(child: ChildProcess, setup: Setup): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error('the daemon ended')))
    child.on('message', (message: FromProcess) => {
      if (message.kind === 'ready') resolve()
      if (message.kind === 'refused') reject(new Error(message.reason))
    })
    child.send({ kind: 'setup', setup } satisfies ToProcess)
  })
}

function answerHealth(address: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((_request, response) => response.end('ok'))
    server.once('error', reject)
    server.listen(port, address, () => resolve(server))
  })
}
