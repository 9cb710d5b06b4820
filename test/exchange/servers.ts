import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { packageRoot } from '../../cli/folders.ts'

// Real primaries of one zone, example.org, and Nearcast as their secondary; all on 127.0.0.1.

const PATH = `${process.env['PATH']}:/usr/sbin:/sbin`
const SECRET = 'c2VjcmV0IG9mIHRoZSB0ZXN0cyBvZiB0cmFuc2ZlcnM='
export const KEYS = `key "xfr" { algorithm hmac-sha256; secret "${SECRET}"; };\n`

export const hasProgram = (name: string): boolean => spawnSync('sh', ['-c', `command -v ${name}`], { env: { ...process.env, PATH } }).status === 0

/** A server that is a process. */
export interface Server {
  readonly port: number
  /** All it has said. */
  log(): string
  /** Reads its files again. */
  reload(): void
  stop(): Promise<void>
}

export interface PrimaryOptions {
  readonly folder: string
  readonly port: number
  /** Where the other answers: its secondary, or its primary. */
  readonly other: number
}

/** How a kind of server is configured: its files are written, and its command line comes back. */
type Setup = (options: PrimaryOptions) => readonly string[]

export type Kind = 'knotd' | 'nsd' | 'named'

const PRIMARIES: Readonly<Record<Kind, Setup>> = {
  knotd: ({ folder, port, other }) => {
    const conf = `server:
    listen: 127.0.0.1@${port}
    rundir: "${folder}"
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "${folder}"
log:
  - target: stderr
    any: info
key:
  - id: xfr
    algorithm: hmac-sha256
    secret: ${SECRET}
remote:
  - id: nearcast
    address: 127.0.0.1@${other}
    key: xfr
acl:
  - id: xfr
    key: xfr
    action: transfer
zone:
  - domain: example.org
    file: "${folder}/example.org.zone"
    acl: xfr
    notify: nearcast
    zonefile-sync: -1
    zonefile-load: difference
    journal-content: changes
    semantic-checks: off
`
    writeFileSync(join(folder, 'knot.conf'), conf)
    return ['knotd', '-c', join(folder, 'knot.conf')]
  },
  nsd: ({ folder, port, other }) => {
    const conf = `server:
  ip-address: 127.0.0.1@${port}
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "${folder}"
  database: ""
  pidfile: "${folder}/nsd.pid"
  xfrdfile: "${folder}/xfrd.state"
  xfrdir: "${folder}"
  zonelistfile: "${folder}/zone.list"
  verbosity: 1
remote-control:
  control-enable: no
key:
  name: xfr
  algorithm: hmac-sha256
  secret: "${SECRET}"
zone:
  name: example.org
  zonefile: example.org.zone
  notify: 127.0.0.1@${other} xfr
  provide-xfr: 127.0.0.1 xfr
  store-ixfr: yes
  create-ixfr: yes
`
    writeFileSync(join(folder, 'nsd.conf'), conf)
    return ['nsd', '-d', '-c', join(folder, 'nsd.conf')]
  },
  named: ({ folder, port, other }) => {
    const conf = `options {
  directory "${folder}"; pid-file "${folder}/named.pid"; session-keyfile "${folder}/session.key"; lock-file none;
  managed-keys-directory "${folder}"; listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; empty-zones-enable no; zone-statistics none; notify-delay 0;
};
controls { };
logging { channel e { stderr; severity info; }; category default { e; }; };
${KEYS}
zone "example.org" {
  type primary; file "example.org.zone"; ixfr-from-differences yes; check-names ignore; check-integrity no;
  allow-transfer { key xfr; }; notify explicit; also-notify { 127.0.0.1 port ${other} key xfr; };
};
`
    writeFileSync(join(folder, 'named.conf'), conf)
    // It does not load a zone that was edited while it was down, when there is a journal.
    rmSync(join(folder, 'example.org.zone.jnl'), { force: true })
    return ['named', '-g', '-4', '-n', '1', '-U', '1', '-c', join(folder, 'named.conf')]
  }
}

/** A folder with a path short enough for the sockets that servers make in it. */
export function temporary(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'nearcast-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
  return folder
}

export function writeZone(folder: string, text: string): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'example.org.zone'), text)
}

/** Starts a primary over the zone that `writeZone` wrote. */
export async function startPrimary(t: Test, kind: Kind, options: PrimaryOptions): Promise<Server> {
  return start(t, PRIMARIES[kind](options), options.folder, options.port)
}

/** The same servers as secondaries, made of what they are as primaries. */
const SECONDARIES: Readonly<Record<Kind, (options: PrimaryOptions) => readonly string[]>> = {
  knotd: (options) => rewrite(options, 'knot.conf', PRIMARIES.knotd(options), [
    [/^ {4}action: transfer$/m, '    action: [transfer, notify]'], [/^ {4}notify: nearcast$/m, '    master: nearcast'], [/^ {4}zonefile-load: .*$/m, '    zonefile-load: none'], [/changes$/m, 'all']
  ]),
  nsd: (options) => rewrite(options, 'nsd.conf', PRIMARIES.nsd(options), [
    [/^ {2}notify: .*$/m, `  request-xfr: 127.0.0.1@${options.other} xfr\n  allow-notify: 127.0.0.1 xfr`], [/^ {2}(store|create)-ixfr: yes\n/gm, '']
  ]),
  named: (options) => rewrite(options, 'named.conf', PRIMARIES.named(options), [
    [/type primary; file "[^"]+"; ixfr-from-differences yes; check-names ignore; check-integrity no;/, `type secondary; file "copy"; primaries { 127.0.0.1 port ${options.other} key xfr; };`],
    [/notify explicit; also-notify .*$/m, 'notify no;']
  ])
}

function rewrite({ folder }: PrimaryOptions, name: string, command: readonly string[], changes: readonly (readonly [RegExp, string])[]): readonly string[] {
  const file = join(folder, name)
  writeFileSync(file, changes.reduce((text, [from, to]) => text.replace(from, to), readFileSync(file, 'utf8')))
  return command
}

export async function startSecondary(t: Test, kind: Kind, options: PrimaryOptions): Promise<Server> {
  mkdirSync(options.folder, { recursive: true })
  return start(t, SECONDARIES[kind](options), options.folder, options.port)
}

/** Starts `nearcast dns` with a nearcast.yaml; it has no zone files of its own unless `folder/zones` holds some. */
export async function startNearcast(t: Test, folder: string, port: number, yaml: string): Promise<Server> {
  mkdirSync(join(folder, 'zones'), { recursive: true })
  writeFileSync(join(folder, 'transfer.keys'), KEYS)
  writeFileSync(join(folder, 'nearcast.yaml'), `dns: { listen: [127.0.0.1], port: ${port}, threads: 1 }\nkeys: [transfer.keys]\n${yaml}`)
  const words = ['dns', '--config', join(folder, 'nearcast.yaml'), '--zones', join(folder, 'zones'), '--state', join(folder, 'state')]
  return start(t, [process.execPath, join(packageRoot, 'bin/nearcast.js'), ...words], folder, port)
}

async function start(t: Test, [command, ...words]: readonly string[], folder: string, port: number): Promise<Server> {
  const file = join(folder, 'log')
  const log = openSync(file, 'a')
  const child: ChildProcess = spawn(command!, words, { stdio: ['ignore', log, log], env: { ...process.env, PATH } })
  const ended = once(child, 'exit')
  const server: Server = {
    port,
    log: () => readFileSync(file, 'utf8'),
    reload: () => void child.kill('SIGHUP'),
    stop: async () => {
      child.kill('SIGKILL')
      await ended
    }
  }
  t.teardown(() => server.stop())
  const isUp = await until(async () => {
    if (child.exitCode !== null) throw new Error(`${command} ended: ${server.log().slice(-2000)}`)
    return /status: /.test(await dig(port, 'example.org', 'SOA'))
  })
  if (!isUp) throw new Error(`${command} does not come up: ${server.log().slice(-2000)}`)
  return server
}

const run = promisify(execFile)

/** What dig says. */
export async function dig(port: number, ...words: readonly string[]): Promise<string> {
  const all = ['@127.0.0.1', '-p', String(port), '+norecurse', '+time=10', '+tries=1', ...words]
  const { stdout } = await run('dig', all, { maxBuffer: 1 << 26 }).catch((error: { stdout: string }) => error)
  return stdout
}

export async function serialAt(port: number): Promise<number> {
  return Number((await dig(port, 'example.org', 'SOA', '+short')).split(' ')[2] ?? NaN)
}

/** Every record of the zone, in an order of its own; signed with the key where it is asked for. */
export async function contents(port: number, isSigned: boolean): Promise<readonly string[]> {
  const key = isSigned ? ['-y', `hmac-sha256:xfr:${SECRET}`] : []
  const text = await dig(port, ...key, 'example.org', 'AXFR', '+noall', '+answer', '+unknownformat')
  return text.split('\n').map((line) => line.trim().replaceAll(/\s+/g, ' ')).filter((line) => line !== '' && !line.startsWith(';') && !line.includes('TYPE250')).toSorted()
}

/** Waits until a server has said something: its words may come after what they tell of. */
export async function says(t: Test, server: Pick<Server, 'log'>, what: RegExp, message?: string): Promise<void> {
  await until(() => what.test(server.log()))
  t.match(server.log(), what, message ?? `it says ${what}`)
}

/** True once something holds; false when it does not within `seconds`. */
export async function until(holds: () => boolean | Promise<boolean>, seconds = 60): Promise<boolean> {
  for (let tries = 0; tries < seconds * 20; tries++) {
    if (await holds()) return true
    await sleep(50)
  }
  return false
}
