import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createSocket } from 'node:dgram'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { queryPacket } from './flood.ts'
import { end, familyOf, findProgram, start } from './processes.ts'

// Servers to be attacked: each over the same zone, with one worker, and with or without its response rate limiting at 200 answers
// a second to a /24, of which one in two is sent truncated.

export const ATTACKED_ZONE = 'attack.test'

export interface AttackedKind {
  readonly name: string
  /** Why it takes no part; undefined when it does. */
  missing(): string | undefined
  start(folder: string, port: number, options: { readonly isLimited: boolean }): Promise<Attacked>
}

export interface Attacked {
  pids(): number[]
  stop(): Promise<void>
}

const LARGE = Array.from({ length: 8 }, (_, index) => `"${String(index).repeat(130)}"`).join(' ')
const ZONE_TEXT = [
  `$ORIGIN ${ATTACKED_ZONE}.`, '$TTL 300', '@ SOA ns1 hostmaster 1 3600 600 604800 60', '@ NS ns1', 'ns1 A 127.0.0.1', 'www A 192.0.2.1',
  `large TXT ${LARGE}`, '@ MX 10 mail', 'mail A 192.0.2.2', ''
].join('\n')

const needs = (program: string) => (): string | undefined => (findProgram(program) === undefined ? `${program} is not installed` : undefined)

export const nearcastUnderAttack: AttackedKind = {
  name: 'nearcast',
  missing: () => undefined,
  start: async (folder, port, { isLimited }) => {
    const zones = join(folder, 'zones')
    mkdirSync(zones, { recursive: true })
    writeFileSync(join(zones, `${ATTACKED_ZONE}.zone`), ZONE_TEXT)
    // Loopback is exempt by default, and here it is where the attack comes from.
    writeFileSync(join(folder, 'nearcast.yaml'), `dns: { listen: [127.0.0.1], threads: 1, exempt: [], rate-limit: { mode: ${isLimited ? 'on' : 'off'} } }\n`)
    const program = fileURLToPath(new URL('../../bin/nearcast.js', import.meta.url))
    return whenUp(port, start(process.execPath, [program, 'dns', '--zones', zones, '--port', String(port), '--config', join(folder, 'nearcast.yaml')]))
  }
}

const knot: AttackedKind = {
  name: 'knot',
  missing: needs('knotd'),
  start: async (folder, port, { isLimited }) => {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'zone'), ZONE_TEXT)
    const module = isLimited ? 'mod-rrl:\n  - id: default\n    rate-limit: 200\n    slip: 2\ntemplate:\n  - id: default\n    global-module: mod-rrl/default\n' : ''
    const config = `server:
  rundir: ${folder}
  listen: 127.0.0.1@${port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
  tcp-max-clients: 500
database:
  storage: ${folder}
${module}zone:
  - domain: ${ATTACKED_ZONE}
    file: ${join(folder, 'zone')}
    zonefile-sync: -1
`
    writeFileSync(join(folder, 'knot.conf'), config)
    return whenUp(port, start(findProgram('knotd')!, ['-c', join(folder, 'knot.conf')]))
  }
}

const nsd: AttackedKind = {
  name: 'nsd',
  missing: needs('nsd'),
  start: async (folder, port, { isLimited }) => {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'zone'), ZONE_TEXT)
    const config = `server:
  server-count: 1
  ip-address: 127.0.0.1@${port}
  username: ""
  chroot: ""
  zonesdir: "${folder}"
  xfrdir: "${folder}"
  database: ""
  zonelistfile: "${folder}/zone.list"
  pidfile: "${folder}/nsd.pid"
  tcp-count: 500
  rrl-ratelimit: ${isLimited ? 200 : 0}
  rrl-slip: 2
  rrl-whitelist-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: "${ATTACKED_ZONE}"
  zonefile: "zone"
`
    writeFileSync(join(folder, 'nsd.conf'), config)
    return whenUp(port, start(findProgram('nsd')!, ['-d', '-c', join(folder, 'nsd.conf')]))
  }
}

/** Ours first. */
export const attackedKinds: readonly AttackedKind[] = [nearcastUnderAttack, knot, nsd]

/** Waits until a server answers, or its process has ended. */
async function whenUp(port: number, program: ReturnType<typeof start>): Promise<Attacked> {
  const query = queryPacket(`ns1.${ATTACKED_ZONE}`)
  const socket = createSocket('udp4')
  let answers = 0
  socket.on('message', () => answers++)
  socket.on('error', () => undefined)
  for (let tries = 0; tries < 200; tries++) {
    socket.send(query, port, '127.0.0.1')
    await sleep(50)
    if (answers > 0 || program.child.exitCode !== null) break
  }
  socket.close()
  if (answers === 0) {
    await end(program.child)
    throw new Error(`does not come up: ${program.said().trim().split('\n').slice(-3).join(' / ')}`)
  }
  return { pids: () => familyOf(program.child.pid!), stop: () => end(program.child) }
}

/** Datagrams that the system threw away because the sockets of a port were full: the last field of /proc/net/udp. */
export function receiveDrops(port: number): number {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return readFileSync('/proc/net/udp', 'latin1')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(suffix) === true)
    .reduce((sum, fields) => sum + Number(fields.at(-1)), 0)
}
