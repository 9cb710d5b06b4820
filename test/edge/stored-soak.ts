import { fork, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs'
import { Agent, createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { FromProcess, Setup } from '../../core/channel.ts'
import { configSchema } from '../../core/config.ts'

// Random objects with known checksums through one edge with a disk, whose process is killed again and again, and whose files are
// damaged while it is away. `node build/test/edge/stored-soak.js ROUNDS` plays it alone.

const HOST = 'soak.nearcast.test'
const OBJECTS = 400
const CLIENTS = 8
const REQUESTS_A_ROUND = 600

export interface Soaked {
  readonly requests: number
  readonly wrong: number
  /** Requests that the kill cut off. */
  readonly cutOff: number
  readonly hits: number
  /** Fetches from the origin of what had been asked for often before the last kill, and was not damaged. */
  readonly fetchedAfterKill: number
  readonly asked: number
}

/** The body of an object: its size and octets follow from its number. */
export function bodyOf(number: number): Buffer {
  const seed = createHash('sha256').update(`object ${number}`).digest()
  // Those of more than 256 KiB, a quarter of its memory, lie in files of their own.
  const size = number % 20 === 0 ? 300_000 + (seed.readUInt32LE() % 500_000) : number % 10 === 0 ? 100_000 + (seed.readUInt16LE() % 150_000) : seed.readUInt16LE() % 20_000
  const body = Buffer.alloc(size, seed)
  for (let at = 0; at + 4 <= size; at += 1024) body.writeUInt32LE(at, at)
  return body
}

export async function soakStored(rounds: number, say: (line: string) => void): Promise<Soaked> {
  const folder = mkdtempSync(join(tmpdir(), 'nearcast-stored-'))
  let fetches = 0
  const origin = createServer((asked, response) => {
    fetches++
    const body = bodyOf(Number(asked.url!.slice(1)))
    response.writeHead(200, { 'Cache-Control': 'max-age=3600', 'Content-Length': body.length, ETag: `"${asked.url!}"` }).end(body)
  })
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve))
  const port = (origin.address() as AddressInfo).port
  const totals = { requests: 0, wrong: 0, cutOff: 0, hits: 0 }
  try {
    for (let round = 0; round < rounds; round++) {
      const edge = await startEdge(folder, port)
      await ask(edge.port, totals, (done) => {
        if (done === Math.floor(REQUESTS_A_ROUND * (0.3 + 0.6 * Math.random()))) edge.process.kill('SIGKILL')
      })
      await edge.end()
      if (round % 2 === 1) damage(join(folder, 'cache', 'edge-soak'))
      say(`round ${round + 1} of ${rounds}: ${totals.requests} requests, ${totals.hits} hits, ${totals.cutOff} cut off, ${totals.wrong} wrong; ${fetches} fetches`)
    }
    // What was asked for often is on disk, and answers from there.
    const edge = await startEdge(folder, port)
    for (let number = 1; number < 20; number++) for (let time = 0; time < 3; time++) await fetchOne(edge.port, number, totals)
    await sleep(1000)
    edge.process.kill('SIGKILL')
    await edge.end()
    const again = await startEdge(folder, port)
    const before = fetches
    for (let number = 1; number < 20; number++) await fetchOne(again.port, number, totals)
    again.process.kill('SIGKILL')
    await again.end()
    return { ...totals, fetchedAfterKill: fetches - before, asked: 19 }
  } finally {
    origin.close()
    origin.closeAllConnections()
    rmSync(folder, { recursive: true, force: true })
  }
}

interface Edge {
  readonly port: number
  readonly process: ChildProcess
  end(): Promise<void>
}

async function startEdge(stateFolder: string, origin: number): Promise<Edge> {
  const port = await freePort()
  const config = configSchema.parse({
    cache: { memory: '1MiB', disk: '16MiB' },
    edges: { soak: { address: '127.0.0.1', city: 'here', at: [0, 0] } },
    origins: { soak: { url: `http://127.0.0.1:${origin}` } },
    distributions: { soak: { behaviours: [{ path: '/*', origin: 'soak' }] } },
    log: 'error'
  })
  const setup: Setup = { role: 'edge', name: 'soak', config, ports: { dns: 1, http: port, admin: 1 }, stateFolder, zonesFolder: stateFolder, zonesLabel: 'zones/', tierSecret: '0'.repeat(64), readable: false }
  const child = fork(fileURLToPath(new URL('../../edge/main.js', import.meta.url)), { execArgv: [] })
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  await new Promise<void>((resolve, reject) => {
    child.on('message', (message: FromProcess) => {
      if (message.kind === 'ready') resolve()
      if (message.kind === 'refused') reject(new Error(message.reason))
    })
    child.send({ kind: 'setup', setup })
  })
  return {
    port,
    process: child,
    end: async () => {
      child.kill('SIGKILL')
      await gone
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

interface Totals {
  requests: number
  wrong: number
  cutOff: number
  hits: number
}

async function ask(port: number, totals: Totals, told: (done: number) => void): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS })
  let [done, failed] = [0, 0]
  const client = async (): Promise<void> => {
    while (done < REQUESTS_A_ROUND && failed < CLIENTS) {
      told(done++)
      // Few are asked for often.
      if (!(await fetchOne(port, Math.floor(OBJECTS * Math.random() ** 3), totals, agent))) failed++
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  agent.destroy()
}

/** False when the edge was not there, or went. */
function fetchOne(port: number, number: number, totals: Totals, agent?: Agent): Promise<boolean> {
  return new Promise((resolve) => {
    const gone = (): void => {
      totals.cutOff++
      resolve(false)
    }
    totals.requests++
    const asked = get({ host: '127.0.0.1', port, path: `/${number}`, headers: { Host: HOST }, ...(agent !== undefined && { agent }) }, (response: IncomingMessage) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('error', gone)
      response.on('end', () => {
        if (!response.complete) return gone()
        if (response.statusCode !== 200 || !Buffer.concat(pieces).equals(bodyOf(number))) totals.wrong++
        if (String(response.headers['x-cache']).startsWith('Hit')) totals.hits++
        resolve(true)
      })
    })
    asked.on('error', gone)
  })
}

/** Turns octets in every file. */
function damage(folder: string): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    const { size } = statSync(path)
    const file = openSync(path, 'r+')
    for (let times = 0; times < 20; times++) writeSync(file, Buffer.from([Math.floor(Math.random() * 256)]), 0, 1, Math.floor(Math.random() * size))
    closeSync(file)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const soaked = await soakStored(Number(process.argv[2] ?? 10), (line) => process.stdout.write(`${line}\n`))
  process.stdout.write(`${JSON.stringify(soaked)}\n`)
  process.exitCode = soaked.wrong === 0 ? 0 : 1
}
