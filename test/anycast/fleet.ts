import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeMmdb } from '../geodb/mmdb-writer.ts'
import { INCLUDE, upstreamsOf } from './bird-conf.ts'
import type { Lab } from './lab.ts'
import { POPS, SERVICE, type Pop } from './map.ts'
import { until, type Ran } from './spaces.ts'

// Nearcast at every PoP of a lab: a supervisor, its daemon, one edge at an address of its own and one at the anycast address.

const nearcast = fileURLToPath(new URL('../../../bin/nearcast.js', import.meta.url))

const ZONE = `$ORIGIN lab.test.
$TTL 300
@    SOA ns1 hostmaster 1 3600 600 604800 60
     NS  ns1
ns1  A   ${SERVICE.dns.ipv4}
     AAAA ${SERVICE.dns.ipv6}
www  20 ROUTE near
any  A   ${SERVICE.edge.ipv4}
     AAAA ${SERVICE.edge.ipv6}
`
/** The edge that has an address of its own. */
export const unicastEdge = (pop: string): string => `${pop}1`
/** The edge that listens on the anycast address. */
export const anycastEdge = (pop: string): string => `${pop}2`

/** How long what was withdrawn is held back, milliseconds. */
export const HOLD = { holdMs: 3000, longestHoldMs: 12_000 } as const

const POLICIES = `policies:
  near: { score: [${POPS.map(({ name }) => unicastEdge(name)).join(', ')}], weights: { path: 1, latency: 0, capacity: 0, health: 0 } }
`

function configOf(pop: Pop, lab: Lab, isQuick: boolean): string {
  const folder = join(lab.folder, pop.name)
  const edge = ({ name, ipv4, ipv6, city, at }: Pop): string => `  ${unicastEdge(name)}: { address: [${ipv4}, "${ipv6}"], city: ${city}, at: [${at.join(', ')}], pop: ${name} }\n`
  return `domain: lab.test
log: info
dns: { listen: [0.0.0.0, "::"], port: 53, threads: 1, identity: ${pop.name}, rate-limit: { mode: off } }
http: { port: 80 }
geo: { database: ${join(lab.folder, 'places.mmdb')} }
cache: { memory: 16MiB }
pops:
  name: ${pop.name}
  listen: ${pop.ipv4}
  keys: ${join(folder, 'pops.keys')}
  others: { ${POPS.filter((other) => other !== pop).map(({ name, ipv4 }) => `${name}: { address: ${ipv4} }`).join(', ')} }
paths: { socket: ${lab.socket(pop.name)}, every: 2s }
anycast:
  asn: ${pop.as}
  upstreams: [${upstreamsOf(pop).join(', ')}]
  bird: { socket: ${lab.socket(pop.name)}, include: ${join(folder, INCLUDE)} }
  hold: ${isQuick ? 500 : HOLD.holdMs}ms
  longest-hold: ${isQuick ? 500 : HOLD.longestHoldMs}ms
  drain-for: 3s
  prefixes:
    dns4: { prefix: ${SERVICE.dns.prefix4}, addresses: [${SERVICE.dns.ipv4}] }
    dns6: { prefix: "${SERVICE.dns.prefix6}", addresses: ["${SERVICE.dns.ipv6}"] }
    edge4: { prefix: ${SERVICE.edge.prefix4}, addresses: [${SERVICE.edge.ipv4}], serves: edges }
    edge6: { prefix: "${SERVICE.edge.prefix6}", addresses: ["${SERVICE.edge.ipv6}"], serves: edges }
edges:
${POPS.map(edge).join('')}  ${anycastEdge(pop.name)}: { address: [${SERVICE.edge.ipv4}, "${SERVICE.edge.ipv6}"], city: ${pop.city}, at: [${pop.at.join(', ')}], pop: ${pop.name} }
origins: { demo: { demo: 127.0.13.1 } }
distributions: { d1: { aliases: [www.lab.test, any.lab.test], behaviours: [{ path: "/*", origin: demo }] } }
`
}

/**
 * Starts Nearcast at every PoP and waits until all of it answers, sees the others, and announces.
 * @param isQuick what was withdrawn is announced again as soon as all is well
 * @throws Error that names what has not come
 */
export async function startFleet(lab: Lab, { isQuick = false } = {}): Promise<void> {
  writeFileSync(join(lab.folder, 'places.mmdb'), writeMmdb([['198.18.0.0/15', { country: { iso_code: 'KR' } }]], { ipVersion: 6 }))
  for (const pop of POPS) {
    const folder = join(lab.folder, pop.name)
    mkdirSync(join(folder, 'zones'), { recursive: true })
    writeFileSync(join(folder, 'zones', 'lab.test.zone'), ZONE)
    writeFileSync(join(folder, 'zones', 'policies.yaml'), POLICIES)
    writeFileSync(join(folder, 'pops.keys'), `${'5e'.repeat(31)}01\n`)
    chmodSync(join(folder, 'pops.keys'), 0o600)
    writeFileSync(join(folder, 'nearcast.yaml'), configOf(pop, lab, isQuick))
    const bound = await bindAt(lab, pop.name, 'bind')
    if (bound.status !== 0) throw new Error(`${pop.name}: ${bound.err.trim()}`)
    startPop(lab, pop.name)
  }
  for (const { name } of POPS) {
    if (!(await until(() => isReady(lab, name), 180_000))) throw new Error(`Nearcast at ${name} has not come up: see ${lab.folder}/${name}-nearcast.log`)
  }
}

export function startPop(lab: Lab, pop: string): void {
  lab.start(`${pop} nearcast`, pop, [process.execPath, nearcast, 'up', ...foldersOf(lab, pop)])
}

function foldersOf(lab: Lab, pop: string): string[] {
  const folder = join(lab.folder, pop)
  return ['--config', join(folder, 'nearcast.yaml'), '--zones', join(folder, 'zones'), '--state', join(folder, 'state')]
}

/** `nearcast WORDS…` at a PoP. */
export function nearcastAt(lab: Lab, pop: string, ...words: string[]): Promise<Ran> {
  return lab.run(pop, process.execPath, nearcast, ...words, '--state', join(lab.folder, pop, 'state'))
}

/** Puts the service addresses on a PoP's loopback, or takes them off. */
export function bindAt(lab: Lab, pop: string, verb: 'bind' | 'unbind'): Promise<Ran> {
  return nearcastAt(lab, pop, 'anycast', verb, '--config', join(lab.folder, pop, 'nearcast.yaml'))
}

/** All others are heard, every edge is up. */
async function isReady(lab: Lab, pop: string): Promise<boolean> {
  const status = await statusAt(lab, pop)
  return status !== undefined && status.pops.pops.every(({ isFresh }) => isFresh) && status.members.every(({ role, health }) => role !== 'edge' || health === 'UP') && POPS.every(({ name }) => name === pop || status.paths.heard[name] !== undefined)
}

/** What is read here of `nearcast status --json`. */
interface PopStatus {
  readonly members: readonly { readonly name: string; readonly role: string; readonly pid?: number; readonly health?: string; readonly process?: string }[]
  readonly pops: { readonly quorum: { readonly has: boolean }; readonly pops: readonly { readonly isFresh: boolean }[] }
  readonly paths: { readonly heard: Readonly<Record<string, number>> }
}

export async function statusAt(lab: Lab, pop: string): Promise<PopStatus | undefined> {
  const { status, out } = await nearcastAt(lab, pop, 'status', '--json')
  return status === 0 ? (JSON.parse(out) as PopStatus) : undefined
}

/** What is read here of what a PoP's daemon has written down last: also of one that hangs. */
export interface PopWritten {
  readonly pid: number
  readonly prefixes: Readonly<Record<string, { readonly history: { readonly state: string; readonly since: number; readonly wellSince?: number; readonly flaps: number }; readonly isWell: boolean; readonly leases: readonly { readonly isWell: boolean; readonly isLeaving: boolean }[] }>>
}

/** Whether a PoP's dead-man holds its announcements. */
export function isHeldByDeadman(lab: Lab, pop: string): boolean {
  return readFileSync(join(lab.folder, pop, 'state', 'deadman.json'), 'utf8').includes('"isActing":true')
}

export function writtenAt(lab: Lab, pop: string): PopWritten | undefined {
  try {
    return JSON.parse(readFileSync(join(lab.folder, pop, 'state', 'anycast.json'), 'utf8')) as PopWritten
  } catch {
    return undefined
  }
}

/** Cuts a PoP off from what other PoPs say to it and hear of it, or joins it again; its clients are not touched. */
export async function cutOff(lab: Lab, pop: string, isCut = true): Promise<void> {
  await lab.sh(pop, ...POPS.filter(({ name }) => name !== pop).map(({ ipv4 }) => `ip route ${isCut ? 'add' : 'del'} blackhole ${ipv4}/32 metric 1`))
}

/** The pid of one of a PoP's processes: `daemon`, or a worker by its name. */
export async function processOf(lab: Lab, pop: string, member: string): Promise<number> {
  let pid: number | undefined
  await until(async () => {
    pid = (await statusAt(lab, pop))?.members.find(({ name }) => name === member)?.pid
    return pid !== undefined
  })
  if (pid === undefined) throw new Error(`${pop} has no process ${member}`)
  return pid
}
