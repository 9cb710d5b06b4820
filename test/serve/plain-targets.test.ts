import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Explanation } from '../../daemon/control/api.ts'
import { isAlive, root, run, sparePorts, until } from '../journey/fleet.ts'

// Targets that are no edges, with checks of their own: servers that are killed for real, and what dig is told then. localhost is
// known to programs, and to no resolver: that target's check is a program.

t.setTimeout(400_000)
const PATIENCE = 90_000
const [FIRST, SECOND, NAMED] = ['127.61.0.1', '127.61.0.2', '127.0.0.1']
const folder = mkdtempSync(join(tmpdir(), 'nearcast-plain-'))
const ports = await sparePorts()
const web = (await sparePorts()).http
mkdirSync(join(folder, 'zones'))
writeFileSync(join(folder, 'nearcast.yaml'), `
checks:
  web: { http: /up, port: ${web}, text: fine, every: "* * * * * *", timeout: 2s, fall: 1, rise: 1 }
  local: { exec: [/usr/bin/env, curl, -fsS, "http://{address}:${web}/up"], every: "* * * * * *", timeout: 2s, fall: 1, rise: 1 }
edges:
  icn: { address: 127.61.0.9, city: Seoul, at: [37.46, 126.44] }
`)
writeFileSync(join(folder, 'zones/policies.yaml'), `
policies:
  ladder:
    failover:
      - { address: ${FIRST}, check: web }
      - { address: ${SECOND}, check: web }
      - { cname: localhost., check: local }
      - icn
  both: { multivalue: [{ address: ${FIRST}, check: web }, { address: ${SECOND}, check: web }, 192.0.2.9] }
`)
writeFileSync(join(folder, 'zones/p.test.zone'), '$TTL 30\n@ SOA ns1 h 1 1h 1h 1w 1m\n  NS ns1\nns1 A 127.0.0.1\nladder ROUTE ladder\nboth ROUTE both\n')

const servers = new Map<string, ChildProcess>()
/** A web server of its own process; resolves once it listens. */
async function serve(address: string): Promise<void> {
  const child = spawn(process.execPath, ['-e', `require('node:http').createServer((_, response) => response.end('fine')).listen(${web}, '${address}', () => console.log('up'))`], { stdio: ['ignore', 'pipe', 'inherit'] })
  servers.set(address, child)
  await new Promise((resolve) => child.stdout.once('data', resolve))
}
const kill = (address: string): boolean => servers.get(address)!.kill('SIGKILL')

let printed = ''
await Promise.all([FIRST, SECOND, NAMED].map(serve))
const fleet = spawn(process.execPath, [join(root, 'bin/nearcast.js'), 'up', '--port', String(ports.dns), '--http-port', String(ports.http), '--admin-port', String(ports.admin)], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
for (const stream of [fleet.stdout, fleet.stderr]) stream.setEncoding('utf8').on('data', (piece: string) => (printed += piece))
process.on('exit', () => [fleet, ...servers.values()].forEach((child) => child.kill('SIGKILL')))
t.teardown(async () => {
  fleet.kill('SIGTERM')
  for (const address of servers.keys()) kill(address)
  await until('the end of the fleet', PATIENCE, () => !isAlive(fleet.pid!))
  if (!t.passing()) t.comment(printed)
  rmSync(folder, { recursive: true, force: true })
})

const dig = async (name: string, ...words: string[]): Promise<string[]> => (await run('dig', ['@127.0.0.1', '-p', String(ports.dns), '+tries=3', '+time=5', '+noall', '+answer', `${name}.p.test`, ...words])).out.split('\n').filter((line) => line !== '')
const data = (lines: readonly string[]): string => lines.map((line) => line.split(/\s+/).slice(3).join(' ')).sort().join()
const nearcast = (...words: string[]): Promise<{ out: string; err: string }> => run(process.execPath, [join(root, 'bin/nearcast.js'), ...words, '--state', join(folder, 'state')])
const becomes = (name: string, wanted: string, ...words: string[]): Promise<unknown> => until(`${name} ${words.join(' ')}: ${wanted}`, PATIENCE, async () => data(await dig(name, ...words)) === wanted)

t.test('each that dies gives way to the next, and comes back', async (t) => {
  await until('the edge', PATIENCE, async () => /^icn\s.*\sUP\s/m.test((await nearcast('status')).out))
  await becomes('ladder', `A ${FIRST}`)
  await becomes('both', ['A 127.61.0.1', 'A 127.61.0.2', 'A 192.0.2.9'].join())
  kill(FIRST)
  await becomes('ladder', `A ${SECOND}`)
  await becomes('both', ['A 127.61.0.2', 'A 192.0.2.9'].join())
  const [answer] = await dig('ladder')
  t.match(answer, /^ladder\.p\.test\.\s+5\s+IN/, 'the TTL is cut while one in question is down')
  kill(SECOND)
  await becomes('ladder', 'CNAME localhost.')
  await becomes('ladder', 'CNAME localhost.', 'TXT')
  kill(NAMED)
  await becomes('ladder', 'A 127.61.0.9')
  await becomes('both', 'A 192.0.2.9')
  const { steps, candidates } = JSON.parse((await nearcast('explain', 'ladder.p.test', '--json')).out) as Explanation
  t.match(steps.map(({ text }) => text).join('\n'), /127\.61\.0\.1, 127\.61\.0\.2, localhost\. are DOWN: skipped\n[\s\S]*icn is UP/)
  t.same(candidates.map(({ target, state, chosen }) => `${target} ${state} ${chosen}`), ['127.61.0.1 DOWN false', '127.61.0.2 DOWN false', 'localhost. DOWN false', 'icn UP true'])
  await serve(SECOND)
  await becomes('ladder', `A ${SECOND}`)
  await serve(FIRST)
  await becomes('ladder', `A ${FIRST}`)
})

t.test('what answers the wrong thing is down too, and an operator\'s word goes before its checks', async (t) => {
  kill(FIRST)
  const child = spawn(process.execPath, ['-e', `require('node:http').createServer((_, response) => response.end('sorry')).listen(${web}, '${FIRST}', () => console.log('up'))`], { stdio: ['ignore', 'pipe', 'inherit'] })
  servers.set(FIRST, child)
  await new Promise((resolve) => child.stdout.once('data', resolve))
  await becomes('ladder', `A ${SECOND}`)
  t.match((await nearcast('force', `web@${FIRST}`, 'up')).out, new RegExp(`web@${FIRST}`))
  await becomes('ladder', `A ${FIRST}`)
  await nearcast('force', `web@${FIRST}`, 'none')
  await becomes('ladder', `A ${SECOND}`)
  t.match(printed, /web@127\.61\.0\.1/, 'and the log names it')
})
