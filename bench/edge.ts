import { fork, type ChildProcess } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, request, type Server } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../core/clock.ts'
import { configSchema } from '../core/config.ts'
import { ownTls } from '../core/own-tls.ts'
import { keepCertificates } from '../fleet/authority/index.ts'
import type { FromProcess, Setup } from '../core/channel.ts'
import type { BenchOptions } from './main.ts'
import { drawChart, type Panel } from './chart.ts'
import { end, familyOf, findProgram, median, start, table, temporaryFolder, track, watchCpu } from './processes.ts'
import { circumstancesOf, isWhole, markdownTable, say, writeResult, type Circumstances } from './results.ts'

// What a hit costs: CPU microseconds (user and system, all threads) per request, ours beside nginx and Varnish where they
// are installed, with the same objects, clients and machine, a round of each in turn.

/** One kind of request. */
interface Case {
  readonly title: string
  /** Octets of the object. */
  readonly size: number
  readonly over: 'HTTP/1.1' | 'TLS' | 'HTTP/2'
  readonly clients: number
  /** A field that is sent along. */
  readonly field?: string
}

const MEBIBYTE = 1024 * 1024
const CASES: readonly Case[] = [
  { title: '1 KiB', size: 1024, over: 'HTTP/1.1', clients: 64 },
  { title: '100 KiB', size: 100 * 1024, over: 'HTTP/1.1', clients: 64 },
  { title: '10 MiB', size: 10 * MEBIBYTE, over: 'HTTP/1.1', clients: 4 },
  { title: '304 to If-None-Match', size: 1024, over: 'HTTP/1.1', clients: 64, field: 'If-None-Match: "1024"' },
  { title: '1 KiB over TLS 1.3', size: 1024, over: 'TLS', clients: 64 },
  { title: '1 KiB over HTTP/2', size: 1024, over: 'HTTP/2', clients: 8 }
]
/** Requests at once on a connection of HTTP/2. */
const STREAMS = 8
const FIRST_PORT = 14700
const TLS_PORTS = 10
const HOST = 'bench.nearcast.test'

export interface Peer {
  readonly name: string
  readonly port: number
  /** Absent where it does not speak TLS. */
  readonly tlsPort?: number
  readonly process: ChildProcess
  end(): Promise<void>
  said(): string
}

interface Sample {
  readonly cpu: number
  readonly perSecond: number
  readonly p99: string
}

/** What was measured of one kind of request; ours first. */
interface Measured {
  readonly asked: Case
  readonly samples: ReadonlyMap<string, readonly Sample[]>
}

/** Measures, prints, and writes results/edge.*. */
export async function benchEdge(options: BenchOptions): Promise<void> {
  const wrk = findProgram('wrk')
  if (wrk === undefined) throw new Error('wrk is not installed')
  const h2load = findProgram('h2load')
  if (h2load === undefined) say('HTTP/2 is left out: h2load is not installed')
  const circumstances = circumstancesOf(options)
  const temporary = temporaryFolder()
  const folder = temporary.path
  const results: Measured[] = []
  const origin = await startOrigin(FIRST_PORT)
  const peers: Peer[] = []
  const isWanted = (name: string): boolean => options.only.length === 0 || options.only.includes(name)
  const [nginx, varnish] = [findProgram('nginx'), findProgram('varnishd')]
  try {
    peers.push(await startOurs(FIRST_PORT + 1, folder))
    if (nginx !== undefined && isWanted('nginx')) peers.push(startNginx(nginx, FIRST_PORT + 2, join(folder, 'nginx'), ownTls(folder)))
    if (varnish !== undefined && isWanted('varnish')) peers.push(startVarnish(varnish, FIRST_PORT + 3, join(folder, 'varnish')))
    for (const peer of peers) for (const size of new Set(CASES.map(({ size }) => size))) await warm(peer, size)
    for (const asked of CASES) {
      if (asked.over === 'HTTP/2' && h2load === undefined) continue
      const able = peers.filter(({ tlsPort }) => asked.over === 'HTTP/1.1' || tlsPort !== undefined)
      results.push({ asked, samples: await measure(asked.over === 'HTTP/2' ? h2load! : wrk, able, asked, options) })
    }
  } finally {
    for (const peer of peers) await peer.end()
    origin.close()
    origin.closeAllConnections()
    temporary.remove()
  }
  for (const result of results) say(`\n${titleOf(result)}\n${table(rowsOf(result))}`)
  if (isWhole(options)) write(results, circumstances)
}

async function startOrigin(port: number): Promise<Server> {
  const server = createServer((asked, response) => {
    const size = Number(asked.url!.slice(1))
    response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': size, 'Cache-Control': 'max-age=3600', ETag: `"${size}"` }).end(Buffer.alloc(size, 'x'))
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return server
}

export async function startOurs(port: number, folder: string): Promise<Peer> {
  const config = configSchema.parse({
    http: { 'clients-per-address': 10_000 },
    edges: { bench: { address: '127.0.0.1', city: 'here', at: [0, 0] } },
    origins: { bench: { url: `http://127.0.0.1:${FIRST_PORT}` } },
    https: {},
    distributions: { bench: { behaviours: [{ path: '/*', origin: 'bench' }] } }
  })
  keepCertificates(folder, config, systemClock.now())
  const setup: Setup = { role: 'edge', name: 'bench', config, ports: { dns: 1, http: port, https: port + TLS_PORTS, admin: 1 }, stateFolder: folder, zonesFolder: folder, zonesLabel: 'zones/', tierSecret: '0'.repeat(64), readable: true }
  const worker = track(fork(fileURLToPath(new URL('../edge/main.js', import.meta.url))))
  const ready = new Promise<void>((resolve, reject) => {
    worker.on('message', (message: FromProcess) => {
      if (message.kind === 'ready') resolve()
      if (message.kind === 'refused') reject(new Error(message.reason))
    })
  })
  worker.send({ kind: 'setup', setup })
  await ready
  const end = async (): Promise<void> => {
    const gone = new Promise((resolve) => worker.once('exit', resolve))
    worker.disconnect()
    await gone
  }
  return { name: 'nearcast', port, tlsPort: port + TLS_PORTS, process: worker, end, said: () => '' }
}

export function startNginx(program: string, port: number, folder: string, tls: { certificate: string; key: string }): Peer {
  mkdirSync(folder)
  const file = join(folder, 'nginx.conf')
  writeFileSync(
    file,
    `worker_processes 1; master_process off; daemon off; pid ${folder}/pid; error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 1000000000; open_file_cache max=1000;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  proxy_cache_path ${folder}/cache keys_zone=k:10m max_size=64m;
  ssl_certificate ${tls.certificate}; ssl_certificate_key ${tls.key}; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:s:1m;
  server {
    listen 127.0.0.1:${port} backlog=1024;
    listen 127.0.0.1:${port + TLS_PORTS} ssl http2 backlog=1024;
    location / { proxy_pass http://127.0.0.1:${FIRST_PORT}; proxy_cache k; proxy_cache_lock on; add_header X-Cache $upstream_cache_status; }
  }
}
`
  )
  return { ...peerOf('nginx', port, program, ['-p', folder, '-c', file, '-e', 'stderr']), tlsPort: port + TLS_PORTS }
}

export function startVarnish(program: string, port: number, folder: string): Peer {
  mkdirSync(folder)
  const options = ['-j', 'none', '-F', '-n', folder, '-a', `127.0.0.1:${port}`, '-b', `127.0.0.1:${FIRST_PORT}`, '-s', 'malloc,64m', '-p', 'thread_pools=1']
  return peerOf('varnish', port, program, options)
}

function peerOf(name: string, port: number, program: string, words: readonly string[]): Peer {
  const { child, said } = start(program, words)
  return { name, port, process: child, said, end: () => end(child) }
}

/** Asks until the answer comes from the cache: twice at least. */
async function warm(peer: Peer, size: number): Promise<void> {
  for (let asked = 0, tries = 0; asked < 2; tries++) {
    if (tries > 100) throw new Error(`${peer.name} does not answer: ${peer.said()}`)
    const status = await new Promise<number>((resolve) => {
      const outgoing = request({ host: '127.0.0.1', port: peer.port, path: `/${size}`, headers: { Host: HOST } }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode!))
      })
      outgoing.on('error', () => resolve(0)).end()
    })
    if (status === 200) asked++
    else await sleep(100)
  }
}

async function measure(client: string, peers: readonly Peer[], asked: Case, { rounds, seconds }: BenchOptions): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>(peers.map(({ name }) => [name, []]))
  // Compilers and caches warm up first.
  for (const peer of peers) await sample(client, peer, asked, 1)
  // It takes whole seconds.
  for (let round = 0; round < rounds; round++) for (const peer of peers) samples.get(peer.name)!.push(await sample(client, peer, asked, Math.max(1, Math.round(seconds))))
  return samples
}

async function sample(client: string, peer: Peer, asked: Case, seconds: number): Promise<Sample> {
  const used = watchCpu(familyOf(peer.process.pid!))
  const { child, said } = start(client, wordsFor(peer, asked, seconds))
  await new Promise((resolve) => child.on('close', resolve))
  const microseconds = used()
  const printed = said()
  const trouble = /.*(Non-2xx|Socket errors|[1-9]\d* (?:failed|errored|timeout)).*/.exec(printed)
  if (trouble !== null && asked.field === undefined) throw new Error(`${peer.name}: ${trouble[0].trim()}`)
  const requests = Number(/(\d+) requests in/.exec(printed)?.[1] ?? /(\d+) succeeded/.exec(printed)?.[1])
  if (!(requests > 0)) throw new Error(`${peer.name}: ${asked.title}: ${printed.trim().split('\n').at(-1) ?? ''}`)
  const p99 = /^\s+99%\s+(\S+)/m.exec(printed)?.[1] ?? ''
  return { cpu: microseconds / requests, perSecond: requests / seconds, p99 }
}

function wordsFor(peer: Peer, { size, over, clients, field }: Case, seconds: number): string[] {
  const port = over === 'HTTP/1.1' ? peer.port : peer.tlsPort!
  if (over === 'HTTP/2') return ['-t1', `-c${clients}`, `-m${STREAMS}`, `-D${seconds}`, '-H', `:authority: ${HOST}`, `https://127.0.0.1:${port}/${size}`]
  const headers = ['-H', `Host: ${HOST}`, ...(field === undefined ? [] : ['-H', field])]
  return ['-t1', `-c${clients}`, `-d${seconds}s`, '--latency', ...headers, `${over === 'TLS' ? 'https' : 'http'}://127.0.0.1:${port}/${size}`]
}

const titleOf = ({ asked: { title, over, clients } }: Measured): string => `${title}, ${clients} connections${over === 'HTTP/2' ? ` of ${STREAMS} streams` : ''}`
const costsOf = (samples: readonly Sample[]): number[] => samples.map(({ cpu }) => cpu)

function rowsOf({ samples }: Measured): string[][] {
  const ours = median(costsOf([...samples.values()][0]!))
  const rows = [...samples].map(([name, taken]) => {
    const cpu = median(costsOf(taken))
    const range = `${Math.min(...costsOf(taken)).toFixed(2)} – ${Math.max(...costsOf(taken)).toFixed(2)}`
    return [name, cpu.toFixed(2), range, (ours / cpu).toFixed(2), median(taken.map(({ perSecond }) => perSecond)).toFixed(0), taken.map(({ p99 }) => p99).join(' ')]
  })
  return [['server', 'µs CPU', 'range', 'ours / theirs', 'requests/s', 'p99 of each round'], ...rows]
}

function write(results: readonly Measured[], { machine, day, rounds, seconds }: Circumstances): void {
  const panels = results.map((result): Panel => {
    const bars = [...result.samples].map(([label, taken]) => {
      const costs = costsOf(taken)
      return { label, kind: label === 'nearcast' ? 'ours' as const : 'peer' as const, value: median(costs), low: Math.min(...costs), high: Math.max(...costs), text: median(costs).toFixed(2) }
    })
    return { title: titleOf(result), subtitle: 'cached', bars }
  })
  writeResult('edge.svg', drawChart({ title: 'CPU per cached HTTP request', subtitle: 'Microseconds, user and system, of all processes and threads of the server; medians with the range of the rounds; less is better', panels }))
  const tables = results.map((result) => `## ${titleOf(result)}\n\n${markdownTable(rowsOf(result))}`)
  const head = `# HTTP: CPU per hit\n\nMeasured on ${machine}, ${day}; ${rounds} rounds of ${Math.max(1, Math.round(seconds))} s, every server in turn in each. How and why: [docs/benchmarks.md](../../docs/benchmarks.md). Written by \`npm run bench -- edge\`.`
  writeResult('edge.md', `${[head, '![CPU per cached HTTP request](edge.svg)', ...tables].join('\n\n')}\n`)
}
