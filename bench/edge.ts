import { fork, type ChildProcess } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, request, type Server } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { configSchema } from '../core/config.ts'
import type { FromProcess, Setup } from '../core/channel.ts'
import type { BenchOptions } from './main.ts'
import { drawChart, type Panel } from './chart.ts'
import { end, familyOf, findProgram, median, start, table, temporaryFolder, track, watchCpu } from './processes.ts'
import { circumstancesOf, isWhole, markdownTable, say, writeResult, type Circumstances } from './results.ts'

// What a hit costs: CPU microseconds (user and system, all threads) per request, ours beside nginx and Varnish where they
// are installed, with the same objects, clients and machine, a round of each in turn.

const SIZES = [1024, 100 * 1024]
const CLIENTS = 64
const FIRST_PORT = 14700
const HOST = 'bench.nearcast.test'

interface Peer {
  readonly name: string
  readonly port: number
  readonly process: ChildProcess
  end(): Promise<void>
  said(): string
}

interface Sample {
  readonly cpu: number
  readonly perSecond: number
  readonly p99: string
}

/** What was measured for one size; ours first. */
interface Measured {
  readonly size: number
  readonly samples: ReadonlyMap<string, readonly Sample[]>
}

/** Measures, prints, and writes results/edge.*. */
export async function benchEdge(options: BenchOptions): Promise<void> {
  const wrk = findProgram('wrk')
  if (wrk === undefined) throw new Error('wrk is not installed')
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
    if (nginx !== undefined && isWanted('nginx')) peers.push(startNginx(nginx, FIRST_PORT + 2, join(folder, 'nginx')))
    if (varnish !== undefined && isWanted('varnish')) peers.push(startVarnish(varnish, FIRST_PORT + 3, join(folder, 'varnish')))
    for (const peer of peers) for (const size of SIZES) await warm(peer, size)
    for (const size of SIZES) results.push({ size, samples: await measure(wrk, peers, size, options) })
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

async function startOurs(port: number, folder: string): Promise<Peer> {
  const config = configSchema.parse({
    edges: { bench: { address: '127.0.0.1', city: 'here', at: [0, 0] } },
    origins: { bench: { url: `http://127.0.0.1:${FIRST_PORT}` } },
    distributions: { bench: { behaviours: [{ path: '/*', origin: 'bench' }] } }
  })
  const setup: Setup = { role: 'edge', name: 'bench', config, ports: { dns: 1, http: port, admin: 1 }, stateFolder: folder, zonesFolder: folder, zonesLabel: 'zones/', tierSecret: '0'.repeat(64), readable: true }
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
  return { name: 'nearcast', port, process: worker, end, said: () => '' }
}

function startNginx(program: string, port: number, folder: string): Peer {
  mkdirSync(folder)
  const file = join(folder, 'nginx.conf')
  writeFileSync(
    file,
    `worker_processes 1; master_process off; daemon off; pid ${folder}/pid; error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 1000000000; open_file_cache max=1000;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  proxy_cache_path ${folder}/cache keys_zone=k:10m max_size=64m;
  server {
    listen 127.0.0.1:${port} backlog=1024;
    location / { proxy_pass http://127.0.0.1:${FIRST_PORT}; proxy_cache k; proxy_cache_lock on; add_header X-Cache $upstream_cache_status; }
  }
}
`
  )
  return peerOf('nginx', port, program, ['-p', folder, '-c', file, '-e', 'stderr'])
}

function startVarnish(program: string, port: number, folder: string): Peer {
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

async function measure(wrk: string, peers: readonly Peer[], size: number, { rounds, seconds }: BenchOptions): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>(peers.map(({ name }) => [name, []]))
  // Compilers and caches warm up first.
  for (const peer of peers) await sample(wrk, peer, size, 1)
  // It takes whole seconds.
  for (let round = 0; round < rounds; round++) for (const peer of peers) samples.get(peer.name)!.push(await sample(wrk, peer, size, Math.max(1, Math.round(seconds))))
  return samples
}

async function sample(wrk: string, peer: Peer, size: number, seconds: number): Promise<Sample> {
  const used = watchCpu(familyOf(peer.process.pid!))
  const { child, said } = start(wrk, ['-t1', `-c${CLIENTS}`, `-d${seconds}s`, '--latency', '-H', `Host: ${HOST}`, `http://127.0.0.1:${peer.port}/${size}`])
  await new Promise((resolve) => child.on('close', resolve))
  const microseconds = used()
  const printed = said()
  const requests = Number(/(\d+) requests in/.exec(printed)?.[1])
  const trouble = /.*(Non-2xx|Socket errors).*/.exec(printed)
  if (trouble !== null) throw new Error(`${peer.name}: ${trouble[0].trim()}`)
  return { cpu: microseconds / requests, perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(printed)?.[1]), p99: /^\s+99%\s+(\S+)/m.exec(printed)?.[1] ?? '?' }
}

const titleOf = ({ size }: Measured): string => `${size / 1024} KiB, ${CLIENTS} connections`
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
    return { title: titleOf(result), subtitle: 'cached, over HTTP/1.1', bars }
  })
  writeResult('edge.svg', drawChart({ title: 'CPU per cached HTTP request', subtitle: 'Microseconds, user and system, of all processes and threads of the server; medians with the range of the rounds; less is better', panels }))
  const tables = results.map((result) => `## ${titleOf(result)}\n\n${markdownTable(rowsOf(result))}`)
  const head = `# HTTP: CPU per hit\n\nMeasured on ${machine}, ${day}; ${rounds} rounds of ${Math.max(1, Math.round(seconds))} s, every server in turn in each. How and why: [docs/benchmarks.md](../../docs/benchmarks.md). Written by \`npm run bench -- edge\`.`
  writeResult('edge.md', `${[head, '![CPU per cached HTTP request](edge.svg)', ...tables].join('\n\n')}\n`)
}
