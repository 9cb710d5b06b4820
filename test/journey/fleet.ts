import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import type { MemberStatus, Status } from '../../daemon/control/api.ts'

// The real thing as a user meets it: npm start, dig, curl and the command line, on spare ports and copies of the zones.

export const root = fileURLToPath(new URL('../../..', import.meta.url))
/** What a user is promised within a second may take ten times that on a busy machine; what it took is printed. */
export const SLACK = 10

export interface Ports {
  readonly dns: number
  readonly http: number
  readonly https: number
  readonly admin: number
}

export interface Outcome {
  /** Exit status; undefined when a signal ended it. */
  readonly status: number | undefined
  readonly out: string
  readonly err: string
}

export interface Journey {
  readonly folder: string
  readonly zones: string
  readonly state: string
  readonly ports: Ports
  /** What `nearcast up` is given: ports and folders. */
  readonly options: readonly string[]
  /** `npm start` in the foreground, with everything that it printed so far. */
  start(): Promise<Running>
  /** `nearcast COMMAND…` against this fleet. */
  nearcast(...words: string[]): Promise<Outcome>
  dig(...words: string[]): Promise<Dug>
  curl(address: string, path?: string, ...words: string[]): Promise<Fetched>
  status(): Promise<Status>
  /** Whether the daemon answers and finds every edge up. */
  edgesUp(): Promise<boolean>
  member(name: string): Promise<MemberStatus>
}

export interface Running {
  readonly npm: ChildProcess
  /** Everything printed so far, standard output and error. */
  text(): string
  /** The supervisor and every process below it. */
  pids(): number[]
  supervisor(): number
  readonly ended: Promise<void>
}

/** Four ports that nobody has now: below those that the system gives out, and apart for each test process. */
export async function sparePorts(): Promise<Ports> {
  for (let base = 15_000 + (process.pid % 3000) * 4; ; base += 4) {
    const tcp = await Promise.all([0, 1, 2, 3].map((offset) => isSpare(base + offset, 'tcp')))
    if (!tcp.includes(false) && (await isSpare(base, 'udp'))) {
      return { dns: base, http: base + 1, https: base + 2, admin: base + 3 }
    }
  }
}

function isSpare(port: number, transport: 'udp' | 'tcp'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = transport === 'udp' ? createSocket('udp4') : createServer()
    const done = (): void => void socket.close(() => resolve(true))
    socket.on('error', () => resolve(false))
    if ('bind' in socket) socket.bind(port, done)
    else socket.listen(port, done)
  })
}

const started: Running[] = []
// A test that runs out of time ends without its teardown: its fleets must not stay.
process.on('exit', () => {
  for (const { npm } of started) npm.kill('SIGTERM')
})

/** Copies of the zones and a state folder, gone at the end of the test together with every process started. */
export async function makeJourney(t: Test): Promise<Journey> {
  const ports = await sparePorts()
  const folder = mkdtempSync(join(tmpdir(), 'nearcast-journey-'))
  const zones = join(folder, 'zones')
  const state = join(folder, 'state')
  cpSync(join(root, 'zones'), zones, { recursive: true })
  const running: Running[] = []
  t.teardown(async () => {
    for (const each of running) {
      if (!t.passing()) t.comment(`the fleet said:\n${each.text()}`)
      const pids = each.pids()
      each.npm.kill('SIGTERM')
      await Promise.race([each.ended, sleep(3000)])
      for (const pid of pids.filter(isAlive)) signal(pid, 'SIGKILL')
    }
    rmSync(folder, { recursive: true, force: true })
  })
  const options = ['--port', String(ports.dns), '--http-port', String(ports.http), '--https-port', String(ports.https), '--admin-port', String(ports.admin), '--state', state, '--zones', zones]
  const nearcast = (...words: string[]): Promise<Outcome> => run(process.execPath, [join(root, 'bin/nearcast.js'), ...words, '--state', state])
  const status = async (): Promise<Status> => {
    const { out, err } = await nearcast('status', '--json')
    if (out === '') throw new Error(err)
    return JSON.parse(out) as Status
  }
  return {
    folder,
    zones,
    state,
    ports,
    options,
    nearcast,
    status,
    edgesUp: async () => {
      const { out } = await nearcast('status', '--json')
      return out !== '' && (JSON.parse(out) as Status).members.every(({ role, health }) => role !== 'edge' || health === 'UP')
    },
    member: async (name) => (await status()).members.find((member) => member.name === name)!,
    start: async () => {
      const fleet = startNpm(options)
      running.push(fleet)
      started.push(fleet)
      return fleet
    },
    dig: async (...words) => readDig((await run('dig', ['@127.0.0.1', '-p', String(ports.dns), '+tries=3', '+time=5', ...words])).out),
    curl: async (address, path = '/', ...words) =>
      readCurl(await run('curl', ['-sS', '-i', '--max-time', '30', ...words, '-H', 'Host: d111111abcdef8.nearcast.test', `http://${address}:${ports.http}${path}`]))
  }
}

function startNpm(options: readonly string[]): Running {
  const npm = spawn('npm', ['start', '--', ...options], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [npm.stdout, npm.stderr]) stream.setEncoding('utf8').on('data', (piece: string) => (text += piece))
  const seen = new Set<number>()
  const look = (): number[] => {
    for (const pid of descendants(npm.pid!)) seen.add(pid)
    return [...seen]
  }
  return {
    npm,
    text: () => text,
    pids: look,
    supervisor: () => look().find((pid) => /nearcast\.js up\b/.test(commandOf(pid)) && !/^(npm|sh)\b/.test(commandOf(pid)))!,
    ended: new Promise((resolve) => npm.on('exit', () => resolve()))
  }
}

/** Runs a program to its end; never rejects for what it says. */
export function run(program: string, words: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(program, words, { cwd: root, timeout: 400_000, maxBuffer: 16 * 1024 * 1024 }, (error, out, err) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : undefined
      resolve({ status: code, out, err })
    })
  })
}

/** Fails a subtest at once, rather than after all its waiting, when the fleet it needs has not come up. */
export function needs(t: Test, first: string, isUp: () => boolean): void {
  t.beforeEach(async (each) => {
    if (each.name !== first && !isUp()) throw new Error('the fleet is not up')
  })
}

/** Waits until `check` holds, looking every few milliseconds. Returns how long it took; throws after `limit` milliseconds. */
export async function until(what: string, limit: number, check: () => Promise<boolean> | boolean): Promise<number> {
  const began = performance.now()
  for (;;) {
    if (await check()) return Math.round(performance.now() - began)
    if (performance.now() - began > limit) throw new Error(`not within ${limit} ms: ${what}`)
    await sleep(25)
  }
}

/** What dig printed, taken apart. */
export interface Dug {
  readonly text: string
  readonly status: string
  readonly flags: readonly string[]
  /** Records as `name ttl type data`, single spaces. */
  readonly answers: readonly string[]
  readonly authorities: readonly string[]
  /** Of the answer section's address records. */
  readonly addresses: readonly string[]
  /** `168.126.63.0/24/16`: address, source and scope. */
  readonly subnet: string
}

function readDig(text: string): Dug {
  const section = (name: string): string[] => {
    const lines = text.split(`;; ${name} SECTION:\n`)[1]?.split('\n\n')[0]?.split('\n') ?? []
    return lines.filter((line) => line !== '' && !line.startsWith(';')).map((line) => line.replace(/\s+/g, ' ').replace(' IN ', ' '))
  }
  const answers = section('ANSWER')
  return {
    text,
    status: /status: (\w+)/.exec(text)?.[1] ?? 'none',
    flags: /flags: ([a-z ]*)/.exec(text)?.[1]?.split(' ') ?? [],
    answers,
    authorities: section('AUTHORITY'),
    addresses: answers.filter((line) => / (A|AAAA) /.test(line)).map((line) => line.split(' ').at(-1)!),
    subnet: /CLIENT-SUBNET: (\S+)/.exec(text)?.[1] ?? ''
  }
}

export interface Fetched {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** What curl said on standard error. */
  readonly trouble: string
}

function readCurl({ out, err }: Outcome): Fetched {
  const [head = '', ...rest] = out.split('\r\n\r\n')
  const [first = '', ...lines] = head.split('\r\n')
  const headers = lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()] as const)
  return { status: Number(first.split(' ')[1] ?? 0), headers: Object.fromEntries(headers), body: rest.join('\r\n\r\n'), trouble: err.trim() }
}

export function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended meanwhile.
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

/** A process and all below it, from /proc. */
function descendants(top: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      parents.set(Number(name), Number(/^\d+ \(.*\) \S (\d+)/s.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))?.[1]))
    } catch {
      // It has ended meanwhile.
    }
  }
  const found = [top]
  for (let at = 0; at < found.length; at++) for (const [pid, parent] of parents) if (parent === found[at]) found.push(pid)
  return found.filter((pid) => parents.has(pid))
}
