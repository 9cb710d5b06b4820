import { fork, spawnSync, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FromProcess, Role, Setup } from '../../core/channel.ts'
import { configSchema } from '../../core/config.ts'
import type { Purge } from '../../core/purge.ts'

/** Three tiers as processes of their own, which can be killed and started again. */
export interface Members {
  /** Where viewers ask. */
  readonly edges: readonly string[]
  readonly all: readonly string[]
  /** Those that may be killed: all but the first edge, whose memory is watched. */
  readonly mortal: readonly string[]
  /** Kilobytes that the first edge holds (RSS). */
  memory(): number
  isAlive(name: string): boolean
  /** Undefined while it is not ready. */
  pidOf(name: string): number | undefined
  /** Tells all that are there, and those that come later at their start. */
  purge(purge: Purge): void
  /** It is alive and has begun to serve. */
  isReady(name: string): boolean
  kill(name: string): void
  start(name: string): Promise<void>
  stop(): Promise<void>
}

const ROLES: Readonly<Record<string, Role>> = { icn: 'edge', nrt: 'edge', 'apac-1': 'regional', 'apac-2': 'regional', tokyo: 'shield', osaka: 'shield' }
const NAMES = Object.keys(ROLES)
const addressOf = (name: string): string => `127.23.0.${NAMES.indexOf(name) + 1}`
export const SOAK_HOST = 'd1.nearcast.test'

/** So many are told to those that are started again. */
const MOST_PURGES = 100

/** @param origin port of the origin on 127.0.0.1, which has a twin at the next one @param secure port for TLS */
export async function startMembers({ port, secure, origin, folder }: { port: number; secure: number; origin: number; folder: string }): Promise<Members> {
  const edge = (name: string, at: readonly number[], workers: number): object => ({ address: addressOf(name), city: name, at, workers, parent: ['apac-1', 'apac-2'] })
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
  const made = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', certificate, '-subj', `/CN=${SOAK_HOST}`, '-days', '2'])
  if (made.status !== 0) throw new Error(`openssl makes no certificate: ${String(made.stderr)}`)
  const config = configSchema.parse({
    log: 'error',
    edges: { icn: edge('icn', [37, 126], 1), nrt: edge('nrt', [35, 139], 2) },
    regionals: { 'apac-1': { address: addressOf('apac-1') }, 'apac-2': { address: addressOf('apac-2') } },
    shields: { tokyo: { address: addressOf('tokyo') }, osaka: { address: addressOf('osaka') } },
    https: { certificate, key },
    cache: { memory: '24MiB', 'largest-object': '1MiB', disk: '24MiB' },
    tiers: { neighbours: ['edges', 'regionals'], 'hedge-share': 0.1 },
    origins: { main: { url: `http://127.0.0.1:${origin}`, 'response-timeout': '2s' }, twin: { url: `http://127.0.0.1:${origin + 1}`, 'response-timeout': '2s' } },
    'origin-groups': { both: { origins: ['main', 'twin'] } },
    distributions: { d1: { shield: 'tokyo', 'fallback-shield': 'osaka', behaviours: [{ path: '/*', origin: 'both' }] } }
  })
  const setup = { config, ports: { dns: 1, http: port, https: secure, admin: 1 }, stateFolder: folder, zonesFolder: folder, zonesLabel: '', tierSecret: 'c0ffee'.padEnd(64, '0'), readable: false }
  const purges: Purge[] = []
  const running = new Map<string, ChildProcess>()
  const ready = new Set<ChildProcess>()
  const start = (name: string): Promise<void> => {
    const child = fork(fileURLToPath(new URL('../../edge/main.js', import.meta.url)), { execArgv: [], env: { ...process.env, NODE_OPTIONS: '' } })
    running.set(name, child)
    child.once('exit', () => running.get(name) === child && running.delete(name))
    child.send({ kind: 'setup', setup: { ...setup, role: ROLES[name]!, name, purges } satisfies Setup }, () => undefined)
    return new Promise((resolve, reject) => {
      child.once('exit', (code, signal) => reject(new Error(`${name} ended: ${code ?? signal}`)))
      child.on('message', (message: FromProcess) => {
        if (message.kind === 'ready') resolve(void ready.add(child))
        if (message.kind === 'refused') reject(new Error(`${name}: ${message.reason}`))
      })
    })
  }
  await Promise.all(NAMES.map(start))
  const edges = NAMES.filter((name) => ROLES[name] === 'edge')
  return {
    edges: edges.map(addressOf),
    all: NAMES,
    mortal: NAMES.slice(1),
    memory: () => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${running.get(edges[0]!)!.pid}/status`, 'latin1'))![1]),
    isAlive: (name) => running.has(name),
    pidOf: (name) => (ready.has(running.get(name)!) ? running.get(name)!.pid : undefined),
    purge: (purge) => {
      purges.push(purge)
      if (purges.length > MOST_PURGES) purges.shift()
      for (const child of running.values()) if (child.connected) child.send({ kind: 'purge', purge }, () => undefined)
    },
    isReady: (name) => ready.has(running.get(name)!),
    kill: (name) => {
      const child = running.get(name)
      // It may take its time to be gone: nobody is to kill it again meanwhile, and then wait for another end of it.
      if (child !== undefined && ready.delete(child)) child.kill('SIGKILL')
    },
    start,
    stop: async () => {
      await Promise.all([...running.values()].map((child) => new Promise((resolve) => (child.once('exit', resolve), child.disconnect()))))
    }
  }
}
