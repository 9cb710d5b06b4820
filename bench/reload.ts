import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openSender, type Load, type Sender } from './dns-load.ts'
import type { BenchOptions } from './options.ts'
import { peers, startNearcast, type Peer, type Running, type StartOptions } from './peers/index.ts'
import { benchZone, BENCH_ZONE, MILLION_ZONE, writeMillionZone } from './peers/zones.ts'
import { findProgram, freePort, median, start, table, temporaryFolder } from './processes.ts'
import { millionChange, policyChange, policyText, secretChange, secretText, zoneChange, type Change } from './reload-changes.ts'
import { circumstancesOf, isWhole, markdownTable, say, writeResult, type Circumstances } from './results.ts'
import { systemClock } from '../core/clock.ts'
import { messageOf } from '../core/trouble.ts'

// Whether a reload loses queries: a server answers as many as it can while its files change, and what is lost is counted.

const FIRST_PORT = 14800
/** Between one change that is seen and the next. */
const PAUSE_MS = 200
/** A change that is not seen by then has not been made. */
const SEEN_WITHIN_MS = 30_000

interface Outcome {
  readonly server: string
  readonly what: string
  readonly loads: readonly Load[]
  /** Milliseconds from the file being written to the first new answer, for each change; Infinity when it was not seen. */
  readonly seenAfter: readonly number[]
}

/** How each is told to read its zone files again. */
const tellings: Readonly<Record<string, (running: Running, folder: string) => void>> = {
  knot: hangUp,
  nsd: hangUp,
  bind: hangUp,
  gdnsd: (_, folder) => void start(findProgram('gdnsdctl')!, ['-c', folder, 'reload-zones'])
}

function hangUp(running: Running): void {
  process.kill(running.pids()[0]!, 'SIGHUP')
}

/** Counts, prints, and writes results/reload.md. */
export async function benchReload(options: BenchOptions): Promise<void> {
  const temporary = temporaryFolder()
  const outcomes: Outcome[] = []
  const circumstances = circumstancesOf(options)
  const sender = await openSender('static')
  const count = async (server: string, change: Change, port: number): Promise<void> => {
    const outcome = await countLost(server, change, { sender, port, times: options.rounds })
    outcomes.push(outcome)
    say(lineOf(outcome).join('  '))
  }
  try {
    const isWanted = (name: string): boolean => options.only.length === 0 || options.only.includes(name)
    for (const peer of peers.filter(({ name }) => name in tellings && isWanted(name))) {
      const own = await place(temporary.path, peer.name)
      await reloadPeer(peer, own, count).catch((error: unknown) => say(`${peer.name}: left out, ${messageOf(error)}`))
    }
    if (isWanted('nearcast')) await reloadOurs(await place(temporary.path, 'nearcast'), count)
  } finally {
    await sender.close()
    temporary.remove()
  }
  const rows = [HEAD, ...outcomes.map(lineOf)]
  say(`\n${table(rows)}`)
  if (isWhole(options)) writeResult('reload.md', pageOf(rows, circumstances))
}

type Count = (server: string, change: Change, port: number) => Promise<void>

async function place(root: string, name: string): Promise<StartOptions> {
  const folder = join(root, name)
  mkdirSync(folder)
  return { folder, port: await freePort(FIRST_PORT, 10), workers: 1, data: 'bench', files: { million: '', places: '' } }
}

async function reloadPeer(peer: Peer, own: StartOptions, count: Count): Promise<void> {
  const missing = peer.missing()
  if (missing !== undefined) throw new Error(missing)
  const running = await peer.start(own)
  const file = peer.name === 'gdnsd' ? join(own.folder, 'zones', BENCH_ZONE) : join(own.folder, 'zone')
  try {
    await count(peer.name, zoneChange(own.port, file, () => tellings[peer.name]!(running, own.folder)), own.port)
  } finally {
    await running.stop()
  }
}

/** Ours reads what has changed without being told. It holds the small zone and the large one. */
async function reloadOurs(own: StartOptions, count: Count): Promise<void> {
  const zones = join(own.folder, 'zones')
  mkdirSync(zones)
  const inZones = (file: string): string => join(zones, file)
  const files = { zone: inZones(`${BENCH_ZONE}.zone`), policies: inZones('policies.yaml'), secrets: join(own.folder, 'secrets'), config: join(own.folder, 'nearcast.yaml'), million: inZones(`${MILLION_ZONE}.zone`) }
  writeFileSync(files.zone, benchZone('ROUTE places'))
  writeFileSync(files.policies, policyText(99))
  writeFileSync(files.secrets, secretText(99))
  writeFileSync(files.config, `dns: { cookies: enforced, cookie-secrets: ${files.secrets} }\n`)
  const stamps = writeStampedMillion(files.million)
  const running = await startNearcast(own, ['--config', files.config])
  const { port } = own
  try {
    await count('nearcast', zoneChange(port, files.zone, () => undefined, 'ROUTE places'), port)
    await count('nearcast', policyChange(port, files.policies), port)
    const secret = secretChange(port, files.secrets)
    await secret.isSeen(0)
    await count('nearcast', secret, port)
    await count('nearcast', millionChange(port, files.million, stamps), port)
  } finally {
    await running.stop()
  }
}

/** The large zone with a serial and a record whose last three digits can be written over: where these are. */
function writeStampedMillion(file: string): { serialAt: number; stampAt: number } {
  writeMillionZone(file)
  const text = readFileSync(file, 'latin1').replace(' 1 3600', ' 100 3600').replace('www A', 'stamp 1 A 10.9.2.100\nwww A')
  writeFileSync(file, text, 'latin1')
  return { serialAt: text.indexOf(' 100 3600') + 1, stampAt: text.indexOf('10.9.2.100') + 7 }
}

/** Makes a change again and again while the server is asked as much as it answers. */
async function countLost(server: string, change: Change, { sender, port, times }: { sender: Sender; port: number; times: number }): Promise<Outcome> {
  const seenAfter: number[] = []
  const loads: Load[] = [await sender.run({ port, workers: 1, seconds: 0.5, check: 'right' })]
  const over = { is: false }
  const changing = (async () => {
    for (let index = 1; index <= times; index++) {
      await sleep(PAUSE_MS)
      seenAfter.push(await makeAndSee(change, index))
    }
    over.is = true
  })()
  while (!over.is) loads.push(await sender.run({ port, workers: 1, seconds: 0.5, check: 'right' }))
  await changing
  return { server, what: change.what, loads, seenAfter }
}

async function makeAndSee(change: Change, index: number): Promise<number> {
  const from = systemClock.elapsed()
  change.make(index)
  while (systemClock.elapsed() - from < SEEN_WITHIN_MS) {
    if (await change.isSeen(index)) return systemClock.elapsed() - from
    await sleep(5)
  }
  return Infinity
}

const HEAD = ['server', 'changed under load', 'times', 'queries', 'a second', 'lost', 'wrong', 'longest silence', 'answered anew after (worst)']

function lineOf({ server, what, loads, seenAfter }: Outcome): string[] {
  const sum = (of: (load: Load) => number): number => loads.reduce((total, load) => total + of(load), 0)
  const worst = Math.max(...seenAfter)
  return [
    server, what, String(seenAfter.length), sum(({ sent }) => sent).toLocaleString('en'), (sum(({ answered }) => answered) / sum(({ seconds }) => seconds)).toFixed(0), String(sum(({ lost }) => lost)), String(sum(({ wrong }) => wrong)),
    `${Math.max(...loads.map(({ longestGapMs }) => longestGapMs)).toFixed(0)} ms`, worst === Infinity ? 'never' : `${median(seenAfter).toFixed(0)} ms (${worst.toFixed(0)} ms)`
  ]
}

function pageOf(rows: string[][], { machine, day }: Circumstances): string {
  return `# Reloading under full load

Measured on ${machine}, ${day}. One UDP worker answers as many queries as it can, every answer is checked, and meanwhile its files change. How and why: [docs/benchmarks.md](../../docs/benchmarks.md). Written by \`npm run bench -- reload\`.

${markdownTable(rows)}
`
}
