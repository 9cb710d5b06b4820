import { fork, spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { FromProcess, Setup, ToProcess } from '../core/channel.ts'
import { parseConfig } from '../core/config-file.ts'
import { formatFault } from '../core/trouble.ts'
import { end, familyOf, findProgram, start } from './processes.ts'

/** What is asked; every server answers from the same data as far as it can. */
export type Case = 'static' | 'steered' | 'nxdomain'

export const ZONE = 'bench.test'
/** Names that are answered by place. */
export const STEERED_NAMES = 1000

export interface Running {
  /** Of every process of the server. */
  pids(): number[]
  stop(): Promise<void>
}

export interface ServerKind {
  readonly name: string
  readonly cases: readonly Case[]
  /** Why it takes no part; undefined when it does. */
  missing(): string | undefined
  /** Serves on 127.0.0.1 with one UDP thread, from files in a folder of its own; rejects when it does not come up. */
  start(folder: string, port: number): Promise<Running>
}

/** The zone, but for what each server needs for the steered names. */
function zoneText(steered: readonly string[]): string {
  return [
    `$ORIGIN ${ZONE}.`,
    '$TTL 300',
    '@ SOA ns1 hostmaster 1 3600 600 604800 60',
    '@ NS ns1',
    'ns1 A 127.0.0.1',
    'www A 192.0.2.1',
    ...steered,
    ''
  ].join('\n')
}

const plainZone = (): string => zoneText([])
const routed = (record: string): string[] => Array.from({ length: STEERED_NAMES }, (_, index) => `r${index} 20 ${record}`)

/** Waits until a server answers, or its process has ended. */
async function whenUp(port: number, program: ReturnType<typeof start>): Promise<Running> {
  const query = Buffer.concat([Buffer.from('123400000001000000000000', 'hex'), Buffer.from('\x03www\x05bench\x04test\0\0\x01\0\x01', 'latin1')])
  const socket = createSocket('udp4')
  const answers: Buffer[] = []
  socket.on('message', (answer) => answers.push(answer))
  socket.on('error', () => undefined)
  for (let tries = 0; tries < 100 && answers.length === 0 && program.child.exitCode === null; tries++) {
    socket.send(query, port, '127.0.0.1')
    await sleep(50)
  }
  socket.close()
  if (answers.length === 0) {
    await end(program.child)
    throw new Error(`does not come up: ${program.said().trim().split('\n').slice(-3).join(' / ')}`)
  }
  return { pids: () => familyOf(program.child.pid!), stop: () => end(program.child) }
}

const needs = (...names: readonly string[]) => (): string | undefined => (findProgram(...names) === undefined ? `${names[0]} is not installed` : undefined)

const floor: ServerKind = {
  name: 'C floor',
  cases: ['static', 'steered', 'nxdomain'],
  missing: needs('cc', 'gcc', 'clang'),
  start: async (folder, port) => {
    mkdirSync(folder, { recursive: true })
    const program = join(folder, 'floor')
    // Compiled JavaScript lies in build/bench, the C beside the sources.
    const source = fileURLToPath(new URL('../../bench/floor.c', import.meta.url))
    const compiled = spawnSync(findProgram('cc', 'gcc', 'clang')!, ['-O2', '-o', program, source], { encoding: 'utf8' })
    if (compiled.status !== 0) throw new Error(`does not compile: ${compiled.stderr}`)
    return whenUp(port, start(program, [String(port)]))
  }
}

const knot: ServerKind = {
  name: 'knot',
  cases: ['static', 'nxdomain'],
  missing: needs('knotd'),
  start: async (folder, port) => {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'zone'), plainZone())
    const config = `server:
  rundir: ${folder}
  listen: 127.0.0.1@${port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: ${folder}
zone:
  - domain: ${ZONE}
    file: ${join(folder, 'zone')}
    zonefile-sync: -1
`
    writeFileSync(join(folder, 'knot.conf'), config)
    return whenUp(port, start(findProgram('knotd')!, ['-c', join(folder, 'knot.conf')]))
  }
}

const nsd: ServerKind = {
  name: 'nsd',
  cases: ['static', 'nxdomain'],
  missing: needs('nsd'),
  start: async (folder, port) => {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'zone'), plainZone())
    const config = `server:
  server-count: 1
  ip-address: 127.0.0.1@${port}
  username: ""
  chroot: ""
  zonesdir: "${folder}"
  xfrdir: "${folder}"
  database: ""
  zonelistfile: "${folder}/zone.list"
  pidfile: "${folder}/nsd.pid"
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: "${ZONE}"
  zonefile: "zone"
`
    writeFileSync(join(folder, 'nsd.conf'), config)
    return whenUp(port, start(findProgram('nsd')!, ['-d', '-c', join(folder, 'nsd.conf')]))
  }
}

const gdnsd: ServerKind = {
  name: 'gdnsd',
  cases: ['static', 'steered', 'nxdomain'],
  missing: needs('gdnsd'),
  start: async (folder, port) => {
    mkdirSync(join(folder, 'zones'), { recursive: true })
    writeFileSync(join(folder, 'zones', ZONE), zoneText(routed('DYNA geoip!www')))
    // Every /12 is somewhere: about as many networks as there are countries with several each.
    const nets = Array.from({ length: 14 * 256 }, (_, index) => `${(index >> 4) + 1}.${(index & 15) << 4}.0.0/12 => [dc${(index * 7) % 6}, dc${(index * 7 + 1) % 6}]`)
    const targets = Array.from({ length: 6 }, (_, index) => `dc${index} => 127.0.39.${index + 1}`)
    const config = `options => {
  listen => { 127.0.0.1:${port} => { udp_threads = 1, tcp_threads = 1 } }
  run_dir = ${folder}
  state_dir = ${folder}
}
plugins => { geoip => {
  maps => { places => { datacenters => [dc0, dc1, dc2, dc3, dc4, dc5], nets => {
    ${nets.join('\n    ')}
  } } }
  resources => { www => { map => places, service_types => up, dcmap => { ${targets.join(', ')} } } }
} }
`
    writeFileSync(join(folder, 'config'), config)
    return whenUp(port, start(findProgram('gdnsd')!, ['-c', folder, 'start']))
  }
}

const CITIES = [[37.46, 126.44], [35.76, 140.39], [50.03, 8.56], [38.95, -77.45], [-23.43, -46.47], [-33.95, 151.18]] as const

const nearcast: ServerKind = {
  name: 'nearcast',
  cases: ['static', 'steered', 'nxdomain'],
  missing: () => undefined,
  start: async (folder, port) => {
    const zones = join(folder, 'zones')
    mkdirSync(zones, { recursive: true })
    writeFileSync(join(zones, `${ZONE}.zone`), zoneText(routed('ROUTE nearest')))
    writeFileSync(join(zones, 'policies.yaml'), 'policies:\n  nearest: { latency: [e0, e1, e2, e3, e4, e5] }\n')
    const edges = CITIES.map((at, index) => `  e${index}: { address: 127.0.39.${index + 1}, city: E${index}, at: [${at.join(', ')}] }`)
    const { config, faults } = parseConfig('bench', `log: warn\ndns: { listen: [127.0.0.1], threads: 1 }\nedges:\n${edges.join('\n')}\n`)
    if (config === undefined) throw new Error(faults.map(formatFault).join('\n'))
    const ports = { dns: port, http: port + 1, admin: port + 2 }
    const setup: Setup = {
      role: 'daemon', name: 'daemon', config, ports, stateFolder: join(folder, 'state'), zonesFolder: zones, zonesLabel: 'zones',
      tierSecret: '0'.repeat(64), adminToken: 'bench', readable: false
    }
    mkdirSync(setup.stateFolder, { recursive: true })
    const healthy = await Promise.all(CITIES.map((_, index) => answerHealth(`127.0.39.${index + 1}`, ports.http)))
    const child = fork(fileURLToPath(new URL('../daemon/main.js', import.meta.url)), [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const stop = async (): Promise<void> => {
      for (const server of healthy) server.close().closeAllConnections()
      child.send({ kind: 'stop', withinMs: 1000 } satisfies ToProcess)
      await sleep(50)
      await end(child)
    }
    await new Promise<void>((resolve, reject) => {
      child.once('exit', () => reject(new Error('the daemon ended')))
      child.on('message', (message: FromProcess) => {
        if (message.kind === 'ready') resolve()
        if (message.kind === 'refused') reject(new Error(message.reason))
      })
      child.send({ kind: 'setup', setup } satisfies ToProcess)
    }).catch(async (error: unknown) => {
      await stop()
      throw error
    })
    return { pids: () => [child.pid!], stop }
  }
}

function answerHealth(address: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((_request, response) => response.end('ok'))
    server.once('error', reject)
    server.listen(port, address, () => resolve(server))
  })
}

/** The floor first, ours last. */
export const serverKinds: readonly ServerKind[] = [floor, knot, nsd, gdnsd, nearcast]
