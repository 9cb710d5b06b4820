import { fork, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { configSchema } from '../core/config.ts'
import type { FromProcess, Setup } from '../core/channel.ts'

// What a hit costs: CPU microseconds (user and system, all threads) per request, ours beside nginx and Varnish where they
// are installed, with the same objects, clients and machine, a round of each in turn.

const SIZES = [1024, 100 * 1024]
const ROUNDS = 3
const SECONDS = 3
const CLIENTS = 64
const FIRST_PORT = 13700
const HOST = 'bench.nearcast.test'

interface Peer {
  readonly name: string
  readonly port: number
  readonly process: ChildProcess
}

interface Sample {
  readonly cpu: number
  readonly perSecond: number
  readonly p99: string
}

/** Runs the measurements and prints a table. */
export async function benchEdge(): Promise<void> {
  if (!has('wrk')) {
    process.stdout.write('wrk is not installed: nothing measured\n')
    return
  }
  const folder = mkdtempSync(join(tmpdir(), 'nearcast-bench-'))
  const origin = await startOrigin(FIRST_PORT)
  const peers: Peer[] = []
  try {
    peers.push(await startOurs(FIRST_PORT + 1, folder))
    if (has('nginx')) peers.push(startNginx(FIRST_PORT + 2, join(folder, 'nginx')))
    if (has('varnishd')) peers.push(startVarnish(FIRST_PORT + 3, join(folder, 'varnish')))
    for (const peer of peers) for (const size of SIZES) await warm(peer, size)
    for (const size of SIZES) report(size, await measure(peers, size))
  } finally {
    for (const peer of peers) peer.process.kill(peer.name === 'nearcast' ? 'SIGKILL' : 'SIGTERM')
    origin.close()
    origin.closeAllConnections()
    await new Promise((resolve) => setTimeout(resolve, 500))
    rmSync(folder, { recursive: true, force: true })
  }
}

const has = (command: string): boolean => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0

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
  const worker = fork(fileURLToPath(new URL('../edge/main.js', import.meta.url)))
  const ready = new Promise<void>((resolve, reject) => {
    worker.on('message', (message: FromProcess) => {
      if (message.kind === 'ready') resolve()
      if (message.kind === 'refused') reject(new Error(message.reason))
    })
  })
  worker.send({ kind: 'setup', setup })
  await ready
  return { name: 'nearcast', port, process: worker }
}

function startNginx(port: number, folder: string): Peer {
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
  return { name: 'nginx', port, process: spawn('nginx', ['-p', folder, '-c', file, '-e', 'stderr'], { stdio: 'ignore' }) }
}

function startVarnish(port: number, folder: string): Peer {
  mkdirSync(folder)
  const options = ['-j', 'none', '-F', '-n', folder, '-a', `127.0.0.1:${port}`, '-b', `127.0.0.1:${FIRST_PORT}`, '-s', 'malloc,64m', '-p', 'thread_pools=1']
  return { name: 'varnish', port, process: spawn('varnishd', options, { stdio: 'ignore' }) }
}

/** Asks until the answer comes from the cache: twice at least. */
async function warm(peer: Peer, size: number): Promise<void> {
  for (let asked = 0, tries = 0; asked < 2; tries++) {
    if (tries > 100) throw new Error(`${peer.name} does not answer`)
    const status = await new Promise<number>((resolve) => {
      const outgoing = request({ host: '127.0.0.1', port: peer.port, path: `/${size}`, headers: { Host: HOST } }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode!))
      })
      outgoing.on('error', () => resolve(0)).end()
    })
    if (status === 200) asked++
    else await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function measure(peers: readonly Peer[], size: number): Promise<Map<Peer, Sample[]>> {
  const samples = new Map<Peer, Sample[]>(peers.map((peer) => [peer, []]))
  for (let round = 0; round < ROUNDS; round++) for (const peer of peers) samples.get(peer)!.push(await sample(peer, size))
  return samples
}

/** CPU time of a process and its children so far, in ticks of 10 ms. */
function ticks(pid: number): number {
  let total = 0
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const fields = readFileSync(`/proc/${entry}/stat`, 'latin1').replace(/^.*\) /, '').split(' ')
      if (Number(entry) === pid || Number(fields[1]) === pid) total += Number(fields[11]) + Number(fields[12])
    } catch {
      // It has ended meanwhile.
    }
  }
  return total
}

async function sample(peer: Peer, size: number): Promise<Sample> {
  const before = ticks(peer.process.pid!)
  const wrk = spawn('wrk', ['-t1', `-c${CLIENTS}`, `-d${SECONDS}s`, '--latency', '-H', `Host: ${HOST}`, `http://127.0.0.1:${peer.port}/${size}`])
  let printed = ''
  wrk.stdout.on('data', (text: Buffer) => (printed += text.toString()))
  await new Promise((resolve) => wrk.on('close', resolve))
  const used = ticks(peer.process.pid!) - before
  const requests = Number(/(\d+) requests in/.exec(printed)?.[1])
  if (/Non-2xx|Socket errors/.test(printed)) process.stdout.write(`${peer.name}: ${/.*(Non-2xx|Socket errors).*/.exec(printed)![0].trim()}\n`)
  return { cpu: (used * 10_000) / requests, perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(printed)?.[1]), p99: /99%\s+(\S+)/.exec(printed)?.[1] ?? '?' }
}

function report(size: number, samples: ReadonlyMap<Peer, readonly Sample[]>): void {
  const middle = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
  const rows = [...samples].map(([peer, taken]) => ({ name: peer.name, cpu: middle(taken.map(({ cpu }) => cpu)), perSecond: middle(taken.map(({ perSecond }) => perSecond)), taken }))
  process.stdout.write(`\n${size / 1024} KiB hit, ${CLIENTS} connections, ${ROUNDS} rounds of ${SECONDS} s in turn\n`)
  process.stdout.write(`${'server'.padEnd(10)} ${'CPU us'.padStart(8)} ${'per s'.padStart(8)} ${'ratio'.padStart(7)}   each round\n`)
  for (const row of rows) {
    const ratio = rows[0]!.cpu / row.cpu
    const each = row.taken.map((taken) => `${taken.cpu.toFixed(1)} us (p99 ${taken.p99})`).join(', ')
    process.stdout.write(`${row.name.padEnd(10)} ${row.cpu.toFixed(2).padStart(8)} ${row.perSecond.toFixed(0).padStart(8)} ${ratio.toFixed(2).padStart(7)}   ${each}\n`)
  }
  process.stdout.write('ratio: our CPU per request over theirs\n')
}
