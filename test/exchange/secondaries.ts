import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { packageRoot } from '../../cli/folders.ts'

// Other name servers as they come from their packages, as secondaries of Nearcast.

export interface Key {
  readonly name: string
  readonly algorithm: string
  readonly secret: string
}

export interface SecondaryPlan {
  readonly zone: string
  readonly primary: number
  readonly port: number
  /** The address that it asks from. */
  readonly source: string
  readonly key?: Key
}

export interface Program {
  /** All that it has said. */
  said(): string
  stop(signal?: NodeJS.Signals): Promise<void>
}

type Kind = 'knotd' | 'nsd' | 'named'

/** Where a program is, or undefined. */
export function findProgram(name: string): string | undefined {
  const { stdout } = spawnSync('sh', ['-c', `PATH="$PATH:/usr/sbin" command -v ${name}`], { encoding: 'utf8' })
  return stdout.trim() || undefined
}

export function run(t: Test, command: string, argv: readonly string[]): Program {
  const child = spawn(command, argv, { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const ended = once(child, 'close')
  t.teardown(() => child.kill('SIGKILL'))
  return {
    said: () => said,
    stop: async (signal = 'SIGTERM') => {
      child.kill(signal)
      await ended
    }
  }
}

export const nearcast = (t: Test, ...argv: string[]): Program => run(t, process.execPath, [join(packageRoot, 'bin/nearcast.js'), ...argv])

/** Starts one that has the zone from the primary and nothing of its own. */
export function startSecondary(t: Test, kind: Kind, plan: SecondaryPlan): Program {
  // Short: Knot's control socket stands in it, and the name of a socket has 108 octets.
  const folder = mkdtempSync(join(tmpdir(), `${kind}-`))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  chmodSync(folder, 0o777)
  const file = join(folder, 'server.conf')
  writeFileSync(file, CONFIGS[kind](folder, plan))
  const argv = { knotd: ['-c', file], nsd: ['-d', '-c', file], named: ['-g', '-n', '1', '-c', file] }[kind]
  const program = run(t, findProgram(kind)!, argv)
  if (kind !== 'nsd') return program
  return { ...program, said: () => program.said() + readFileSync(join(folder, 'log'), 'utf8') }
}

const CONFIGS: Record<Kind, (folder: string, plan: SecondaryPlan) => string> = {
  knotd: (folder, { zone, primary, port, source, key }) => `
server:
  rundir: "${folder}"
  listen: 127.0.0.1@${port}
log:
  - target: stderr
    any: info
database:
  storage: "${folder}"
${key === undefined ? '' : `key:\n  - id: ${key.name}\n    algorithm: ${key.algorithm}\n    secret: ${key.secret}`}
remote:
  - id: primary
    address: 127.0.0.1@${primary}
    via: ${source}
${key === undefined ? '' : `    key: ${key.name}`}
acl:
  - id: notified
    address: 127.0.0.0/8
    action: notify
${key === undefined ? '' : `    key: ${key.name}`}
template:
  - id: default
    storage: "${folder}"
zone:
  - domain: ${zone}
    master: primary
    acl: notified
`,
  nsd: (folder, { zone, primary, port, source, key }) => `
server:
  ip-address: 127.0.0.1@${port}
  username: ""
  server-count: 1
  database: ""
  zonesdir: "${folder}"
  xfrdir: "${folder}"
  xfrdfile: "${folder}/xfrd.state"
  zonelistfile: "${folder}/zone.list"
  pidfile: "${folder}/nsd.pid"
  logfile: "${folder}/log"
  verbosity: 2
remote-control:
  control-enable: no
${key === undefined ? '' : `key:\n  name: "${key.name}"\n  algorithm: ${key.algorithm}\n  secret: "${key.secret}"`}
zone:
  name: ${zone}
  zonefile: "${zone}.zone"
  request-xfr: 127.0.0.1@${primary} ${key?.name ?? 'NOKEY'}
  allow-notify: 127.0.0.1 ${key?.name ?? 'NOKEY'}
  outgoing-interface: ${source}
`,
  named: (folder, { zone, primary, port, source, key }) => `
options {
  directory "${folder}"; listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; notify no; pid-file none;
  session-keyfile "${folder}/session.key"; lock-file none; managed-keys-directory "${folder}"; dnssec-validation no; masterfile-format text;
};
controls { };
${key === undefined ? '' : `key "${key.name}" { algorithm ${key.algorithm}; secret "${key.secret}"; };`}
zone "${zone}" {
  type secondary; file "${zone}.copy"; transfer-source ${source}; allow-notify { 127.0.0.0/8; };
  primaries { 127.0.0.1 port ${primary}${key === undefined ? '' : ` key "${key.name}"`}; };
};
`
}

/** What dig prints of the answers, without what differs by itself: BIND gives owners back in the case of the zone. */
export function dig(port: number, ...words: string[]): string[] {
  const { stdout } = spawnSync('dig', ['+norecurse', '+nocookie', '+noall', '+answer', '+nocl', '+tries=3', '+time=5', ...words, '@127.0.0.1', '-p', String(port)], { encoding: 'utf8' })
  return stdout.split('\n').filter((line) => line !== '' && !line.startsWith(';')).map((line) => line.replace(/\s+/g, ' ').replace(/^\S+/, (owner) => owner.toLowerCase()))
}

export async function until(what: () => boolean | Promise<boolean>, tries = 1500): Promise<boolean> {
  for (let left = tries; left > 0; left--) {
    if (await what()) return true
    await sleep(50)
  }
  return false
}
