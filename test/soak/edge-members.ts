import { fork, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { FromProcess, Role, Setup } from '../../core/channel.ts'
import { configSchema } from '../../core/config.ts'

/** Three tiers as processes of their own, which can be killed and started again. */
export interface Members {
  /** Where viewers ask. */
  readonly edges: readonly string[]
  /** Those that may be killed: all but the first edge, whose memory is watched. */
  readonly mortal: readonly string[]
  /** Kilobytes that the first edge holds (RSS). */
  memory(): number
  isAlive(name: string): boolean
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

/** @param origin port of the origin on 127.0.0.1, which has a twin at the next one */
export async function startMembers({ port, origin, folder }: { port: number; origin: number; folder: string }): Promise<Members> {
  const edge = (name: string, at: readonly number[]): object => ({ address: addressOf(name), city: name, at, parent: ['apac-1', 'apac-2'] })
  const config = configSchema.parse({
    log: 'error',
    edges: { icn: edge('icn', [37, 126]), nrt: edge('nrt', [35, 139]) },
    regionals: { 'apac-1': { address: addressOf('apac-1') }, 'apac-2': { address: addressOf('apac-2') } },
    shields: { tokyo: { address: addressOf('tokyo') }, osaka: { address: addressOf('osaka') } },
    cache: { memory: '24MiB', 'largest-object': '1MiB' },
    tiers: { neighbours: ['edges', 'regionals'], 'hedge-share': 0.1 },
    origins: { main: { url: `http://127.0.0.1:${origin}`, 'response-timeout': '2s' }, twin: { url: `http://127.0.0.1:${origin + 1}`, 'response-timeout': '2s' } },
    'origin-groups': { both: { origins: ['main', 'twin'] } },
    distributions: { d1: { shield: 'tokyo', 'fallback-shield': 'osaka', behaviours: [{ path: '/*', origin: 'both' }] } }
  })
  const setup = { config, ports: { dns: 1, http: port, admin: 1 }, stateFolder: folder, zonesFolder: folder, zonesLabel: '', tierSecret: 'c0ffee'.padEnd(64, '0'), readable: false }
  const running = new Map<string, ChildProcess>()
  const ready = new Set<ChildProcess>()
  const start = (name: string): Promise<void> => {
    const child = fork(fileURLToPath(new URL('../../edge/main.js', import.meta.url)), { execArgv: [], env: { ...process.env, NODE_OPTIONS: '' } })
    running.set(name, child)
    child.once('exit', () => running.get(name) === child && running.delete(name))
    child.send({ kind: 'setup', setup: { ...setup, role: ROLES[name]!, name } satisfies Setup })
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
    mortal: NAMES.slice(1),
    memory: () => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${running.get(edges[0]!)!.pid}/status`, 'latin1'))![1]),
    isAlive: (name) => running.has(name),
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
