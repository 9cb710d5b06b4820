import { fork, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../core/clock.ts'
import { buildNetworks, openNetworks } from '../geodb/index.ts'
import { giveBack, piecesOf, readDigests, startThread } from '../daemon/paths/index.ts'
import type { FromPathsThread, PathsThreadData } from '../daemon/paths/thread.ts'
import type { BenchOptions } from './options.ts'

// What it costs to read the AS paths of a full table from BIRD: time, CPU and memory of the process that reads, and how long its
// main thread is held up. From a stand-in that lists 1,000,000 prefixes, and from a real BIRD with as many as it is quickly given.

const FULL = { v4: 1_000_000, v6: 250_000 }
const REAL = 200_000

type Read = Extract<FromPathsThread, { kind: 'read' }>

export async function benchPaths(options: BenchOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'nearcast-paths-'))
  try {
    process.stdout.write('routes                              time    CPU      octets/route  memory: more at most, kept  main thread held up\n')
    await fromStandIn(folder, { v4: FULL.v4, v6: 0 }, options.rounds)
    await fromStandIn(folder, FULL, options.rounds)
    await fromBird(folder, options.rounds)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function fromStandIn(folder: string, { v4, v6 }: typeof FULL, rounds: number): Promise<void> {
  const socket = join(folder, `bird-${v6}.ctl`)
  const child = fork(fileURLToPath(new URL('paths-bird.js', import.meta.url)), [socket, String(v4), String(v6)])
  try {
    await new Promise((resolve) => child.once('message', resolve))
    await measure(`stand-in, ${v4} IPv4, ${v6} IPv6`, { socket, of: v6 === 0 ? ['table master4'] : ['table master4', 'table master6'] }, rounds)
  } finally {
    child.kill()
  }
}

async function fromBird(folder: string, rounds: number): Promise<void> {
  if (spawnSync('bird', ['--version']).error !== undefined) return void process.stdout.write('bird is not installed: left out\n')
  const socket = join(folder, 'real.ctl')
  const routes = Array.from({ length: REAL }, (_, route) => `route ${(route >>> 14) + 11}.${(route >>> 6) & 255}.${(route & 63) * 4}.0/22 blackhole { bgp_path.prepend(${64_000 + (route % 900)}); bgp_path.prepend(${1000 + (route % 60_000)}); };`)
  writeFileSync(join(folder, 'bird.conf'), `router id 10.0.0.1;\nprotocol device {}\nprotocol static many { ipv4;\n${routes.join('\n')}\n}\n`)
  const bird = spawn('bird', ['-f', '-c', join(folder, 'bird.conf'), '-s', socket, '-P', join(folder, 'bird.pid')], { stdio: 'ignore' })
  try {
    for (let tries = 0; !existsSync(socket) && tries < 300; tries++) await sleep(100)
    await sleep(2000)
    await measure(`BIRD, ${REAL} IPv4`, { socket, of: ['table master4'] }, rounds)
  } finally {
    bird.kill()
  }
}

/** Long enough for what a reading has let go to be given back before the next. */
const EVERY_MS = 2000

/** Resident memory of this process, MiB. */
const resident = (): number => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]) / 1024

async function measure(name: string, { socket, of }: Pick<PathsThreadData, 'socket' | 'of'>, rounds: number): Promise<void> {
  const before = resident()
  const delay = monitorEventLoopDelay({ resolution: 1 })
  let most = 0
  const watch = setInterval(() => (most = Math.max(most, resident())), 10)
  delay.enable()
  const cpu = process.cpuUsage()
  const worker = startThread({ socket, of, everyMs: EVERY_MS, patienceMs: 60_000, rows: 16_384 })
  const times: number[] = []
  let last: Read | undefined
  await new Promise<void>((resolve, reject) => {
    worker.on('message', (message: FromPathsThread) => {
      if (message.kind === 'trouble') return reject(new Error(message.reason))
      // As the daemon does: the new one in the place of the old one, whose memory goes back.
      if (last !== undefined) giveBack(worker, last.tables)
      last = message
      if (times.push(message.tookMs) === rounds) resolve()
    })
  })
  const used = process.cpuUsage(cpu)
  delay.disable()
  clearInterval(watch)
  await sleep(EVERY_MS / 2)
  const kept = resident()
  await worker.terminate()
  const median = times.sort((a, b) => a - b)[times.length >> 1]!
  const { v4, v6, tables, rows, entries } = last!
  const cells = [name.padEnd(34), `${(median / 1000).toFixed(2)} s`.padEnd(7), `${((used.user + used.system) / 1e6 / rounds).toFixed(2)} s`.padEnd(8), (piecesOf(tables).reduce((sum, piece) => sum + piece.byteLength, 0) / (v4 + v6)).toFixed(1).padEnd(13), `${(most - before).toFixed(0)} MiB, ${(kept - before).toFixed(0)} MiB`.padEnd(27), `${(delay.max / 1e6).toFixed(0)} ms at most`]
  const from = systemClock.elapsed()
  const networks = openNetworks(buildNetworks({ named: [], paths: readDigests(['icn', 'fra', 'iad'].map((edge) => ({ edges: [edge], values: [...entries.values()] }))) })!)
  process.stdout.write(`${cells.join(' ')}\n  ${v4 + v6} read; digest of ${rows} rows, ${entries.size} entries, ${[...entries.values()].reduce((sum, value) => sum + value.length, 0)} octets; three such digests laid out for policies in ${Math.round(systemClock.elapsed() - from)} ms, ${networks.size} networks\n`)
}
