import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../core/clock.ts'
import { ATTACKED_ZONE, attackedKinds, receiveDrops, type Attacked, type AttackedKind } from './attack-servers.ts'
import { floodConnections } from './connection-flood.ts'
import { flood, makeRandom, queryPacket } from './flood.ts'
import { askInEarnest, type Fared } from './good-client.ts'
import { refuseUnknown, type BenchOptions } from './options.ts'
import { cpuMicroseconds, table } from './processes.ts'

// What attacks come to, with and without limits, beside Knot and NSD: what the server spends on it, what it sends to whom it is
// made to send to, and how clients in earnest fare meanwhile. Addresses of 127.0.0.0/8 stand for those of the world: each third
// octet is a network of its own.

const PORT = 13910
const RATE = 20_000
const CONNECTIONS = 1000
/** A client of another network, and one of a network that is attacked or in whose name others ask. */
const ELSEWHERE = '127.80.0.1'

interface Attack {
  readonly about: string
  readonly sources: readonly string[]
  /** Of one of the networks the attack comes from. */
  readonly neighbour: string
  readonly packet?: (index: number, random: () => number) => Buffer
  /** Connections instead of packets; each asks once, or nothing. */
  readonly connections?: 'silent' | 'asking'
}

const range = (count: number, of: (index: number) => string): string[] => Array.from({ length: count }, (_, index) => of(index))
const withEdns = { options: Buffer.alloc(0) }

const ATTACKS: Readonly<Record<string, Attack>> = {
  'random subdomains': {
    about: 'names that do not exist, through 40 resolvers in 8 networks', sources: range(40, (index) => `127.60.${index % 8}.${1 + (index >> 3)}`), neighbour: '127.60.0.200',
    packet: (index, random) => queryPacket(`${random().toString(36)}.${ATTACKED_ZONE}`, { id: index, ...withEdns })
  },
  any: {
    about: 'ANY for the apex, in the name of one network', sources: range(8, (index) => `127.61.0.${1 + index}`), neighbour: '127.61.0.200',
    packet: (index) => queryPacket(ATTACKED_ZONE, { id: index, type: 255, ...withEdns })
  },
  'spoofed, one victim': {
    about: 'a TXT of 1 KB, in the name of one network', sources: range(8, (index) => `127.62.0.${1 + index}`), neighbour: '127.62.0.200',
    packet: (index) => queryPacket(`large.${ATTACKED_ZONE}`, { id: index, type: 16, ...withEdns })
  },
  'spoofed, 200 victims': {
    about: 'a TXT of 1 KB, in the name of 200 networks in turn', sources: range(200, (index) => `127.63.${index}.1`), neighbour: '127.63.0.200',
    packet: (index) => queryPacket(`large.${ATTACKED_ZONE}`, { id: index, type: 16, ...withEdns })
  },
  'connections, one network': { about: 'TCP connections that ask nothing, from 4 addresses of one network', sources: range(4, (index) => `127.64.0.${1 + index}`), neighbour: '127.64.0.200', connections: 'silent' },
  'connections, 200 networks': { about: 'TCP connections that ask once and stay, from 200 networks', sources: range(200, (index) => `127.65.${index}.1`), neighbour: '127.65.0.200', connections: 'asking' }
}

export async function benchAttacks({ seconds, rate, only }: BenchOptions): Promise<void> {
  refuseUnknown(only, Object.keys(ATTACKS), 'attack')
  const folder = mkdtempSync(join(tmpdir(), 'nearcast-bench-'))
  try {
    for (const [name, attack] of Object.entries(ATTACKS)) {
      if (only.length > 0 && !only.some((part) => name.includes(part))) continue
      const pace = rate ?? (attack.connections === undefined ? RATE : CONNECTIONS)
      process.stdout.write(`${name}: ${attack.about}; ${pace} a second for ${seconds} s\n`)
      const rows: string[][] = []
      for (const [index, kind] of attackedKinds.entries()) {
        const missing = kind.missing()
        if (missing !== undefined) process.stdout.write(`${kind.name}: left out, ${missing}\n`)
        for (const isLimited of missing === undefined ? (attack.connections === undefined ? [false, true] : [true]) : []) {
          rows.push(await suffer(kind, isLimited, attack, { folder: join(folder, `${kind.name}-${name.replaceAll(/\W+/g, '-')}-${isLimited}`), port: PORT + index, pace, seconds }))
        }
      }
      const head = attack.connections === undefined ? ['µs CPU each', 'whole', 'truncated', 'octets out/in'] : ['µs CPU each', 'held at end', 'lost', 'CPU']
      process.stdout.write(`${table([['server', ...head, 'elsewhere', 'median', 'neighbour', 'median'], ...rows])}\n\n`)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function suffer(kind: AttackedKind, isLimited: boolean, attack: Attack, run: { folder: string; port: number; pace: number; seconds: number }): Promise<string[]> {
  const { folder, port, pace, seconds } = run
  const server = await kind.start(folder, port, { isLimited })
  try {
    const transport = attack.connections === undefined ? 'udp' : 'tcp'
    const clients = [ELSEWHERE, attack.neighbour].map((from) => askInEarnest({ port, from, name: `www.${ATTACKED_ZONE}`, everyMs: 50, transport }))
    await sleep(200)
    const measured = attack.connections === undefined ? await packets(server, attack, port, pace, seconds) : await connections(server, attack, port, pace, seconds)
    const fared = await Promise.all(clients.map((client) => client.stop()))
    return [`${kind.name}${attack.connections === undefined ? (isLimited ? ', limited' : ', unlimited') : ''}`, ...measured, ...fared.flatMap(faredText)]
  } finally {
    await server.stop()
  }
}

const faredText = ({ asked, answered, overTcp, medianMs }: Fared): string[] => [
  `${((answered / asked) * 100).toFixed(0)} %${overTcp > 0 ? ` (${((overTcp / asked) * 100).toFixed(0)} % by TCP)` : ''}`, Number.isNaN(medianMs) ? '-' : `${medianMs.toFixed(1)} ms`
]

async function packets(server: Attacked, { sources, packet }: Attack, port: number, rate: number, seconds: number): Promise<string[]> {
  const random = makeRandom(5)
  const made = Array.from({ length: 4096 }, (_, index) => packet!(index, random).toString('hex'))
  const [before, drops] = [cpuMicroseconds(server.pids()), receiveDrops(port)]
  const { sent, sentOctets, answered, truncated, octets } = await flood({ port, seconds, rate, sources, packets: made })
  const received = sent - (receiveDrops(port) - drops)
  const cost = (cpuMicroseconds(server.pids()) - before) / Math.max(1, received)
  const share = (part: number): string => `${((part / sent) * 100).toFixed(1)} %`
  return [cost.toFixed(1), share(answered - truncated), share(truncated), (octets / sentOctets).toFixed(2)]
}

async function connections(server: Attacked, { sources, connections: kind }: Attack, port: number, rate: number, seconds: number): Promise<string[]> {
  const [before, start] = [cpuMicroseconds(server.pids()), systemClock.elapsed()]
  const { opened, lost } = await floodConnections({ port, seconds, rate, sources, ...(kind === 'asking' && { name: `www.${ATTACKED_ZONE}` }) })
  const used = cpuMicroseconds(server.pids()) - before
  const share = ((used / 1000 / (systemClock.elapsed() - start)) * 100).toFixed(0)
  return [(used / Math.max(1, opened)).toFixed(0), String(opened - lost), String(lost), `${share} % of a core`]
}
