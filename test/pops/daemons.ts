import { execFile, fork, type ChildProcess } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import type { FromProcess, Member, Setup, ToProcess } from '../../core/channel.ts'
import { parseConfig } from '../../core/config-file.ts'
import { formatFault } from '../../core/trouble.ts'
import type { Explanation, PopsStatus } from '../../daemon/control/api.ts'
import { writeMmdb } from '../geodb/mmdb-writer.ts'

// Real daemons, a process each, as PoPs of one machine; the test is their supervisor. Between any two of them stand two relays
// of the test's, so that it can cut them off from each other, and what a daemon sees is a folder of files of its own: the check of
// an edge looks for a file of its name below the working folder of the daemon that runs it.

const ZONE = `$ORIGIN shop.test.
$TTL 300
@ SOA ns1 hostmaster 1 3600 600 604800 60
@ NS ns1
ns1 A 127.0.0.1
www 20 ROUTE near
`
const POLICIES = 'policies:\n  near: { failover: [icn, fra] }\n'
/** @param seconds between two checks: each is a process of its own */
const checkEvery = (seconds: number): string => `checks:
  sees: { exec: [/bin/sh, -c, 'test -e "/proc/$PPID/cwd/sees/$1"', sh, "{name}"], every: "*/${seconds} * * * * *", timeout: 20s, connect: 20s, fall: 1, rise: 1 }
  hold-down: 100ms
`
const KEY = `${'5e'.repeat(31)}01\n`
export const ADDRESSES = { icn: '127.0.90.1', fra: '127.0.90.2' } as const
export type Edge = keyof typeof ADDRESSES

export interface Pop {
  readonly name: string
  readonly folder: string
  /** From now on the daemon finds only these up. */
  sees(...edges: Edge[]): void
  /** What the supervisor tells of an edge that this PoP runs. */
  tell(edge: Edge, state: Member['state']): void
  /** The address that is answered. */
  answer(): Promise<string>
  pops(): Promise<PopsStatus | undefined>
  explain(): Promise<Explanation>
  /** A call of the admin API. */
  post(path: string, body: object): Promise<unknown>
  log(): string
  kill(): Promise<void>
  start(): Promise<void>
  signal(name: NodeJS.Signals): void
}

export interface Site {
  readonly pops: readonly Pop[]
  /** Nothing gets from one to the other any more, or again. */
  cut(one: string, other: string, isCut?: boolean): void
}

/** PoPs with these names; icn is run by the first of them, fra by the second. */
export async function makeSite(t: Test, names: readonly string[], settings = ''): Promise<Site> {
  const root = mkdtempSync(join(tmpdir(), 'nearcast-pops-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  writeFileSync(join(root, 'places.mmdb'), writeMmdb([['1.0.0.0/8', { country: { iso_code: 'KR' } }]], { ipVersion: 6 }))
  const ports = new Map<string, number>()
  for (const name of names) ports.set(name, await sparePort('udp'))
  const relays = await makeRelays(t, names, ports)
  const pops: Pop[] = []
  for (const name of names) {
    const others = names.filter((each) => each !== name).map((other) => `${other}: { address: 127.0.0.1, port: ${relays.seenBy(name, other)} }`)
    const config = `${checkEvery(names.length - 1)}geo: { database: ${join(root, 'places.mmdb')} }
dns: { listen: [127.0.0.1], threads: 1 }
edges:
  icn: { address: ${ADDRESSES.icn}, city: Seoul, at: [37.46, 126.44], check: sees, pop: ${names[0]} }
  fra: { address: ${ADDRESSES.fra}, city: Frankfurt, at: [50.03, 8.56], check: sees, pop: ${names[1]} }
pops: { name: ${name}, port: ${ports.get(name)}, keys: pops.keys, ${settings}others: { ${others.join(', ')} } }
`
    pops.push(makePop(t, name, join(root, name), config, { dns: await sparePort('both'), http: 1, admin: await sparePort('tcp') }))
  }
  await Promise.all(pops.map((pop) => pop.start()))
  return { pops, cut: relays.cut }
}

function makePop(t: Test, name: string, folder: string, text: string, ports: Setup['ports']): Pop {
  for (const part of ['sees', 'zones', 'state']) mkdirSync(join(folder, part), { recursive: true })
  writeFileSync(join(folder, 'zones/shop.test.zone'), ZONE)
  writeFileSync(join(folder, 'zones/policies.yaml'), POLICIES)
  const { config, faults } = parseConfig('nearcast.yaml', text)
  if (config === undefined) throw new Error(faults.map(formatFault).join('\n'))
  const setup: Setup = {
    role: 'daemon', name: 'daemon', config: { ...config, pops: { ...config.pops!, keys: join(folder, 'pops.keys') } }, ports, stateFolder: join(folder, 'state'), zonesFolder: join(folder, 'zones'), zonesLabel: 'zones',
    tierSecret: '0'.repeat(64), adminToken: 'token', popKeys: { label: 'pops.keys', path: join(folder, 'pops.keys'), text: KEY }, readable: false
  }
  let child: ChildProcess | undefined
  let log = ''
  const members = new Map<string, Member>()
  t.teardown(() => {
    if (!t.passing()) t.comment(`${name} said:\n${log}`)
    child?.kill('SIGKILL')
  })
  const sees = (...edges: Edge[]): void => {
    for (const edge of ['icn', 'fra'] as const) {
      if (edges.includes(edge)) writeFileSync(join(folder, 'sees', edge), '')
      else rmSync(join(folder, 'sees', edge), { force: true })
    }
  }
  const ask = async <T>(path: string): Promise<T> => (await (await fetch(`http://127.0.0.1:${ports.admin}${path}`, { headers: { authorization: 'Bearer token' } })).json()) as T
  const post = async (path: string, body: object): Promise<unknown> =>
    (await fetch(`http://127.0.0.1:${ports.admin}${path}`, { method: 'POST', headers: { authorization: 'Bearer token', 'content-type': 'application/json' }, body: JSON.stringify(body) })).json()
  sees('icn', 'fra')
  return {
    name,
    folder,
    sees,
    tell: (edge, state) => {
      members.set(edge, { name: edge, role: 'edge', state, since: members.size + log.length, why: 'told by the test', restarts: 0 })
      child!.send({ kind: 'fleet', members: [...members.values()] } satisfies ToProcess)
    },
    answer: () => dig(ports.dns),
    pops: () => ask<PopsStatus>('/v1/pops').catch(() => undefined),
    explain: () => ask<Explanation>('/v1/explain?name=www.shop.test'),
    post,
    log: () => log,
    kill: async () => {
      const ended = once(child!, 'exit')
      child!.kill('SIGKILL')
      await ended
    },
    start: async () => {
      child = fork(fileURLToPath(new URL('../../daemon/main.js', import.meta.url)), [], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], cwd: folder })
      const started = child
      started.stderr!.on('data', (chunk: Buffer) => (log += chunk.toString()))
      started.send({ kind: 'setup', setup } satisfies ToProcess)
      await new Promise<void>((resolve, reject) => {
        started.on('message', (message: FromProcess) => {
          if (message.kind === 'ready') resolve()
          if (message.kind === 'refused') reject(new Error(message.reason))
        })
        started.once('exit', () => reject(new Error(`the daemon ended: ${log}`)))
      })
    },
    signal: (signal) => void child!.kill(signal)
  }
}

const dig = (port: number): Promise<string> =>
  new Promise((resolve) => {
    execFile('dig', ['@127.0.0.1', '-p', String(port), '+short', '+time=2', '+tries=1', 'www.shop.test'], { encoding: 'utf8' }, (_, out) => resolve(out.trim()))
  })

/** For each pair of PoPs a socket that the one takes for the other: what comes in at it leaves by its counterpart. */
async function makeRelays(t: Test, names: readonly string[], ports: ReadonlyMap<string, number>): Promise<{ seenBy(name: string, other: string): number; cut(one: string, other: string, isCut?: boolean): void }> {
  const sockets = new Map<string, Socket>()
  const isCut = new Set<string>()
  const key = (name: string, other: string): string => `${name} sees ${other}`
  for (const name of names) {
    for (const other of names) {
      if (name === other) continue
      const socket = createSocket('udp4')
      sockets.set(key(name, other), socket)
      socket.on('error', () => undefined)
      socket.on('message', (octets, { port }) => {
        if (port === ports.get(name) && !isCut.has(key(name, other))) sockets.get(key(other, name))!.send(octets, ports.get(other)!, '127.0.0.1')
      })
      await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
    }
  }
  t.teardown(() => {
    for (const socket of sockets.values()) socket.close()
  })
  return {
    seenBy: (name, other) => sockets.get(key(name, other))!.address().port,
    cut: (one, other, cut = true) => {
      for (const each of [key(one, other), key(other, one)]) {
        if (cut) isCut.add(each)
        else isCut.delete(each)
      }
    }
  }
}

/** A port that the system has to spare. */
async function sparePort(transport: 'udp' | 'tcp' | 'both'): Promise<number> {
  for (;;) {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const socket = createSocket('udp4')
    const isFree = await new Promise<boolean>((resolve) => {
      socket.once('error', () => resolve(false))
      socket.bind(port, '127.0.0.1', () => resolve(true))
    })
    await new Promise((resolve) => server.close(resolve))
    socket.close()
    if (isFree || transport === 'tcp') return port
  }
}

/** Waits for what is to come true, however busy the machine is; false when it has not after a minute. */
export async function until(check: () => Promise<boolean> | boolean): Promise<boolean> {
  for (let tries = 0; tries < 600; tries++) {
    if (await check()) return true
    await sleep(100)
  }
  return false
}

export const skip = !existsSync('/proc/self/cwd') ? 'what these daemons see stands in /proc' : ['/usr/bin/dig', '/usr/local/bin/dig'].some((path) => existsSync(path)) ? false : 'dig is not installed'

export const answers = (pop: Pop, address: string): Promise<boolean> => until(async () => (await pop.answer()) === address)

export const isHeard = async (pop: Pop, other: string): Promise<boolean> => (await pop.pops())?.pops.find(({ name }) => name === other)?.isFresh === true

/** What is said of an edge where it is not seen alike. */
export const note = async (pop: Pop, edge: string): Promise<string> => (await pop.explain().catch(() => undefined))?.steps.find(({ text }) => text.startsWith(`${edge}: `))?.text ?? ''
