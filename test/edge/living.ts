import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer, get, type Agent, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import type { FromProcess, Setup } from '../../core/channel.ts'
import { configSchema } from '../../core/config.ts'
import { SECRET } from './workers.ts'

// A real process of an edge, and an origin whose objects tell whether they are right, for what no stub can stand in for.

export const LIVING_HOST = 'd1.nearcast.test'

export interface Living {
  readonly port: number
  readonly pid: number
  readonly folder: string
  /** Lines that it logged. */
  readonly said: string[]
  /** What it says in its heartbeats that it goes on without. */
  trouble(): string | undefined
  /** Files that it has open. */
  descriptors(): number
  /** Undefined while it runs; how it ended. */
  ended(): string | undefined
  /** Asks for an object: `right`, a status, `cut off`; throws on a wrong octet. */
  ask(number: number, options?: { headers?: Record<string, string>; agent?: Agent }): Promise<string>
}

/** Octets that say whose they are; every 20th is larger than a quarter of a MiB. */
export function objectOf(number: number): Buffer {
  const size = number % 20 === 0 ? 300_000 + number : 3000 + ((number * 7919) % 20_000)
  const body = Buffer.alloc(size, `object ${number}, `)
  for (let at = 0; at + 4 <= size; at += 512) body.writeUInt32LE(at ^ number, at)
  return body
}

/** @param options `keys` of its configuration; `wrap` a command that runs it; `preload` a module that it loads first */
export async function startLiving(t: Test, options: { keys?: Record<string, unknown>; workers?: number; folder?: string; wrap?: readonly string[]; preload?: string; env?: Record<string, string> } = {}): Promise<Living> {
  const { workers = 1, wrap = [], preload } = options
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'nearcast-living-'))
  const origin = createServer((asked, response) => {
    const body = objectOf(Number(/\d+/.exec(asked.url!)?.[0] ?? 0))
    response.writeHead(200, { 'Cache-Control': 'max-age=3600', 'Content-Length': body.length, ETag: `"${asked.url!}"` }).end(body)
  })
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve))
  const port = await freePort()
  const config = configSchema.parse({
    cache: { memory: '1MiB', disk: '16MiB' },
    edges: { icn: { address: '127.0.0.1', city: 'Seoul', at: [37, 126], workers } },
    origins: { main: { url: `http://127.0.0.1:${(origin.address() as AddressInfo).port}` } },
    distributions: { d1: { behaviours: [{ path: '/*', origin: 'main' }] } },
    log: 'warn',
    ...options.keys
  })
  const setup: Setup = { role: 'edge', name: 'icn', config, ports: { dns: 1, http: port, admin: 1 }, stateFolder: folder, zonesFolder: folder, zonesLabel: 'zones/', tierSecret: SECRET, readable: false }
  const command = [...wrap, process.execPath, ...(preload === undefined ? [] : ['--import', preload]), fileURLToPath(new URL('../../edge/main.js', import.meta.url))]
  const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env: { ...process.env, NODE_OPTIONS: '', ...options.env } })
  const said: string[] = []
  for (const stream of [child.stdout!, child.stderr!]) createInterface({ input: stream }).on('line', (line) => said.push(line))
  let trouble: string | undefined
  let ended: string | undefined
  const gone = new Promise<void>((resolve) => child.once('exit', (code, signal) => ((ended = String(signal ?? code)), resolve())))
  t.teardown(async () => {
    child.kill('SIGKILL')
    await gone
    origin.closeAllConnections()
    origin.close()
    if (options.folder === undefined) rmSync(folder, { recursive: true, force: true })
  })
  await new Promise<void>((resolve, reject) => {
    child.on('message', (message: FromProcess) => {
      if (message.kind === 'heartbeat') trouble = message.trouble
      if (message.kind === 'ready') resolve()
      if (message.kind === 'refused') reject(new Error(message.reason))
    })
    child.once('error', reject).once('exit', () => reject(new Error(`it ended: ${said.join('\n')}`)))
    child.send({ kind: 'setup', setup })
  })
  return {
    port,
    pid: child.pid!,
    folder,
    said,
    trouble: () => trouble,
    descriptors: () => readdirSync(`/proc/${child.pid}/fd`).length,
    ended: () => ended,
    ask: (number, asked = {}) => askFor(port, number, asked)
  }
}

function askFor(port: number, number: number, { headers, agent }: { headers?: Record<string, string>; agent?: Agent }): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path: `/${number}`, headers: { Host: LIVING_HOST, ...headers }, agent: agent ?? false, timeout: 30_000 }, (response: IncomingMessage) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('error', () => undefined)
      response.on('close', () => {
        if (!response.complete) return resolve('cut off')
        if (response.statusCode !== 200) return resolve(String(response.statusCode))
        if (Buffer.concat(pieces).equals(objectOf(number))) resolve('right')
        else reject(new Error(`/${number}: wrong octets (${response.headers['cache-status']})`))
      })
    })
    request.on('error', () => resolve('cut off'))
    request.on('timeout', () => request.destroy())
  })
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Waits until it is so, for half a minute at most; `step` is done before each look. @returns whether it came to be so */
export async function becomes(isSo: () => boolean, step: () => Promise<unknown> = () => sleep(50)): Promise<boolean> {
  for (const until = performance.now() + 30_000; performance.now() < until; ) {
    if (isSo()) return true
    await step()
  }
  return isSo()
}
