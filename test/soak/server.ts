import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FromProcess, Setup, ToProcess } from '../../core/channel.ts'
import { parseConfig } from '../../core/config-file.ts'

// The server that is soaked: the daemon in a process of its own, over a zone, policies and edges that change under it.

export const ZONE = 'soak.test'
/** Loopback networks: those in earnest are exempt from limits, the others are not. */
export const EARNEST = (network: number): string => `127.90.${network}.1`
export const NETWORKS = 20
export const HOSTILE = (host: number): string => `127.91.0.${host}`
export const EDGES = ['127.92.0.1', '127.92.0.2', '127.92.0.3']
/** A record of each edition of the zone tells its number; so many hosts are there besides. */
export const HOSTS = 500

const CONFIG = `log: warn
dns:
  listen: [127.0.0.1]
  threads: 2
  exempt: [127.90.0.0/16]
  tcp-idle: 3s
  tcp-transfer: 1s
  tcp-lifetime: 20s
  tcp-clients: 200
  rate-limit: { responses: 20, nodata: 20, nxdomain: 20, errors: 50 }
checks: { default: { every: "*/2 * * * * *", timeout: 1s } }
zones: { ${ZONE}: { allow-transfer: [127.90.0.0/16] } }
edges:
${EDGES.map((address, index) => `  e${index}: { address: ${address}, city: E${index}, at: [${index * 20}, ${index * 30}] }`).join('\n')}
`

/** The zone in its edition; `isBroken`: with a fault, so that the edition before goes on. */
export function zoneText(edition: number, isBroken = false): string {
  return [
    `$ORIGIN ${ZONE}.`, '$TTL 60', `@ SOA ns1 hostmaster ${edition} 3600 600 604800 30`, '@ NS ns1', 'ns1 A 192.0.2.53', `edition TXT "${edition}"`, `$GENERATE 0-${HOSTS - 1} h$ A 10.0.0.1`,
    'www A 192.0.2.1', 'alias CNAME www', '*.wild TXT "wild"', 'sub NS ns.sub', 'ns.sub A 192.0.2.54', 'renamed DNAME wild', 'mail MX 10 www',
    `large TXT ${Array.from({ length: 9 }, (_, index) => `"${String(index).repeat(200)}"`).join(' ')}`, 'steered 20 ROUTE nearest', 'pick 20 ROUTE any', ...(isBroken ? ['broken A 192.0.2'] : []), ''
  ].join('\n')
}

const policiesText = (turn: number): string => `policies:\n  nearest: { latency: [e0, e1, e2] }\n  any: { weighted: { e0: ${1 + (turn % 200)}, e1: 50, e2: 50 } }\n`

export interface SoakedServer {
  readonly pid: number
  readonly port: number
  /** What it has logged lately. */
  log(): string
  /** Writes another edition of the zone. */
  edit(edition: number, isBroken: boolean): void
  editPolicies(turn: number): void
  /** Lets an edge pass or fail its checks. */
  flip(edge: number, isUp: boolean): void
  /** Kilobytes of memory in use. */
  memory(): number
  /** Microseconds of CPU so far. */
  cpu(): number
  hasEnded(): boolean
  stop(): Promise<void>
}

export async function startSoaked(folder: string, port: number): Promise<SoakedServer> {
  const zones = join(folder, 'zones')
  for (const each of [zones, join(folder, 'state')]) mkdirSync(each, { recursive: true })
  const zoneFile = join(zones, `${ZONE}.zone`)
  const policyFile = join(zones, 'policies.yaml')
  writeFileSync(zoneFile, zoneText(1))
  writeFileSync(policyFile, policiesText(0))
  const { config, faults } = parseConfig('nearcast.yaml', CONFIG)
  if (config === undefined) throw new Error(JSON.stringify(faults))
  const setup: Setup = {
    role: 'daemon', name: 'daemon', config, ports: { dns: port, http: port + 1, admin: port + 2 }, stateFolder: join(folder, 'state'), zonesFolder: zones, zonesLabel: 'zones',
    tierSecret: '0'.repeat(64), adminToken: 'soak', readable: false
  }
  const up = EDGES.map(() => true)
  const edges = await Promise.all(EDGES.map((address, index) => answerHealth(address, port + 1, () => up[index]!)))
  // Without what a test runner has its processes load, which every thread of the server would load too.
  const { NODE_OPTIONS: _, ...env } = process.env
  const child = fork(fileURLToPath(new URL('../../daemon/main.js', import.meta.url)), [], { env, execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  let said = ''
  child.stderr!.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-20_000)))
  const stop = async (): Promise<void> => {
    for (const edge of edges) edge.close().closeAllConnections()
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.send({ kind: 'stop', withinMs: 2000 } satisfies ToProcess)
    await ended
  }
  await ready(child, setup, () => said)
  return {
    pid: child.pid!, port, stop, log: () => said, edit: (edition, isBroken) => writeFileSync(zoneFile, zoneText(edition, isBroken)),
    editPolicies: (turn) => writeFileSync(policyFile, policiesText(turn)),
    flip: (edge, isUp) => (up[edge] = isUp),
    memory: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid!}/status`, 'latin1'))?.[1] ?? NaN),
    cpu: () => {
      const fields = readFileSync(`/proc/${child.pid!}/stat`, 'latin1').split(') ')[1]!.split(' ')
      return (Number(fields[11]) + Number(fields[12])) * 10_000
    },
    hasEnded: () => child.exitCode !== null || child.signalCode !== null
  }
}

function ready(child: ChildProcess, setup: Setup, said: () => string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.on('message', (message: FromProcess) => {
      if (message.kind === 'ready') resolve()
      if (message.kind === 'refused') reject(new Error(message.reason))
    })
    child.once('exit', () => reject(new Error(`the daemon ended: ${said()}`)))
    child.send({ kind: 'setup', setup } satisfies ToProcess)
  })
}

function answerHealth(address: string, port: number, isUp: () => boolean): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((_request, response) => response.writeHead(isUp() ? 200 : 503).end('ok'))
    server.once('error', reject)
    server.listen(port, address, () => resolve(server))
  })
}
