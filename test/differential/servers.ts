import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, cpSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ask } from './ask.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const PATH = `${process.env['PATH']}:/usr/sbin:/sbin`

export const PEERS = ['knot', 'nsd', 'bind'] as const
export type Peer = (typeof PEERS)[number]
export type ServerName = Peer | 'nearcast'
/** Programs that a run needs. */
const PROGRAMS = ['knotd', 'nsd', 'named', 'kzonecheck', 'nsd-checkzone', 'named-checkzone']

/** Which of the programs are not installed. */
export function missingPrograms(): string[] {
  return PROGRAMS.filter((name) => spawnSync('sh', ['-c', `command -v ${name}`], { env: { ...process.env, PATH } }).status !== 0)
}

/** A server that answers for the zones of a folder. */
export interface Server {
  readonly name: ServerName
  readonly port: number
  readonly child: ChildProcess
  log(): string
}

type Launch = (folder: string, zones: string, origins: readonly string[], port: number) => readonly [command: string, ...words: string[]]

const LAUNCH: Readonly<Record<ServerName, Launch>> = { knot: launchKnot, nsd: launchNsd, bind: launchBind, nearcast: launchNearcast }

function launchKnot(folder: string, zones: string, origins: readonly string[], port: number): ReturnType<Launch> {
  const config = [
    'server:', `    listen: 127.0.0.1@${port}`, `    rundir: "${folder}"`, '    udp-workers: 1', '    tcp-workers: 1', '    background-workers: 1', '    udp-max-payload: 1232',
    '    version: ""', '    identity: ""', 'log:', '  - target: stderr', '    any: info', 'database:', `    storage: "${folder}"`,
    'template:', '  - id: default', `    storage: "${zones}"`, '    zonefile-sync: -1', '    zonefile-load: whole', '    journal-content: none', '    semantic-checks: off', '    adjust-threads: 1', 'zone:',
    ...origins.flatMap((origin) => [`  - domain: "${origin}"`, `    file: "${origin}zone"`])
  ]
  writeFileSync(join(folder, 'knot.conf'), `${config.join('\n')}\n`)
  return ['knotd', '-c', join(folder, 'knot.conf')]
}

function launchNsd(folder: string, zones: string, origins: readonly string[], port: number): ReturnType<Launch> {
  const config = [
    'server:', `  ip-address: 127.0.0.1@${port}`, '  do-ip6: no', '  server-count: 1', '  username: ""', '  chroot: ""', `  zonesdir: "${zones}"`, '  database: ""', `  pidfile: "${folder}/nsd.pid"`,
    `  xfrdfile: "${folder}/xfrd.state"`, `  xfrdir: "${folder}"`, `  zonelistfile: "${folder}/zone.list"`, '  rrl-ratelimit: 0', '  rrl-whitelist-ratelimit: 0', '  tcp-count: 100',
    '  ipv4-edns-size: 1232', '  minimal-responses: no', '  refuse-any: no', '  round-robin: no', '  answer-cookie: no', '  verbosity: 2', 'remote-control:', '  control-enable: no',
    ...origins.flatMap((origin) => ['zone:', `  name: "${origin}"`, `  zonefile: "${origin}zone"`])
  ]
  writeFileSync(join(folder, 'nsd.conf'), `${config.join('\n')}\n`)
  return ['nsd', '-d', '-c', join(folder, 'nsd.conf')]
}

function launchBind(folder: string, zones: string, origins: readonly string[], port: number): ReturnType<Launch> {
  const config = [
    'options {', `  directory "${zones}"; pid-file "${folder}/named.pid"; session-keyfile "${folder}/session.key"; lock-file none; managed-keys-directory "${folder}";`,
    `  listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; allow-query { any; }; notify no;`,
    '  dnssec-validation no; empty-zones-enable no; minimal-responses no; minimal-any no; check-names primary ignore; check-integrity no; check-dup-records ignore; check-mx ignore;',
    '  check-mx-cname ignore; check-srv-cname ignore; check-sibling no; check-spf ignore; check-wildcard no; edns-udp-size 1232; max-udp-size 1232; rrset-order { order none; };',
    '  version none; hostname none; max-records-per-type 0; max-types-per-name 0; zone-statistics none; querylog no; answer-cookie no;',
    '}; controls { }; logging { channel e { stderr; severity info; }; category default { e; }; };',
    ...origins.map((origin) => `zone "${origin}" { type primary; file "${origin}zone"; };`)
  ]
  writeFileSync(join(folder, 'named.conf'), `${config.join('\n')}\n`)
  return ['named', '-g', '-4', '-n', '1', '-U', '1', '-c', join(folder, 'named.conf')]
}

function launchNearcast(_folder: string, zones: string, _origins: readonly string[], port: number): ReturnType<Launch> {
  return [process.execPath, join(root, 'bin/nearcast.js'), 'dns', '--zones', zones, '--port', String(port), '--listen', '127.0.0.1', '--lab']
}

/** Zone files by origin with its final dot, as every server is to serve them. */
export type ZoneFiles = ReadonlyMap<string, string | Buffer>

/** Starts the servers over copies of the zones, and waits until they answer. */
export async function startServers(names: readonly ServerName[], files: ZoneFiles, work: string, firstPort: number): Promise<Server[]> {
  const zones = join(work, 'zones')
  mkdirSync(zones, { recursive: true })
  chmodSync(work, 0o755)
  for (const [origin, text] of files) writeFileSync(join(zones, `${origin}zone`), text)
  const started = await Promise.allSettled(names.map((name, index) => start(name, join(work, name), zones, [...files.keys()], firstPort + index)))
  const servers = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  const failed = started.find((each) => each.status === 'rejected')
  if (failed === undefined) return servers
  await stopServers(servers)
  throw failed.reason
}

async function start(name: ServerName, folder: string, source: string, origins: readonly string[], port: number): Promise<Server> {
  mkdirSync(folder, { recursive: true })
  const zones = join(folder, 'zones')
  cpSync(source, zones, { recursive: true })
  const [command, ...words] = LAUNCH[name](folder, zones, origins, port)
  const logFile = join(folder, 'log')
  const log = openSync(logFile, 'w')
  const child = spawn(command, words, { cwd: zones, stdio: ['ignore', log, log], env: { ...process.env, PATH } })
  const server: Server = { name, port, child, log: () => readFileSync(logFile, 'latin1') }
  const probe = Buffer.from('000100000001000000000000000006 0001'.replace(' ', ''), 'hex')
  // A machine at work elsewhere lets a server take its time.
  const end = performance.now() + 60_000
  while (performance.now() < end) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${name} ended: ${server.log().slice(-2000)}`)
    if (Buffer.isBuffer(await ask(port, probe, 'udp', 100))) return server
    await sleep(50)
  }
  await stopServers([server])
  throw new Error(`${name} does not come up: ${server.log().slice(-2000)}`)
}

/** Ends the servers that were started here. */
export async function stopServers(servers: readonly Server[]): Promise<void> {
  await Promise.all(
    servers.map(async ({ child }) => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), 5000)
      await ended
      clearTimeout(late)
    })
  )
}
