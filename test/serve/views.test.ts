import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Explanation } from '../../daemon/control/api.ts'
import { isAlive, root, run, sparePorts, until } from '../journey/fleet.ts'

// Zones that only some networks see: split horizon and private zones, as dig meets them from one address and from another.

t.setTimeout(400_000)
const PATIENCE = 90_000
const [INSIDE, LAB, OUTSIDE] = ['127.7.0.1', '127.7.9.1', '127.0.0.1']
const folder = mkdtempSync(join(tmpdir(), 'nearcast-views-'))
const ports = await sparePorts()
const HEAD = '$TTL 60\n@ SOA ns1 h 1 1h 1h 1w 1m\n  NS ns1\nns1 A 127.0.0.1\n'
const write = (path: string, text: string): void => {
  writeFileSync(join(folder, `${path}.new`), text)
  renameSync(join(folder, `${path}.new`), join(folder, path))
}
for (const view of ['', 'views/office', 'views/lab']) mkdirSync(join(folder, 'zones', view), { recursive: true })
write('nearcast.yaml', 'geo: { local: KR }\ndns: { views: { office: [127.7.0.0/16], lab: [127.7.9.0/24] } }\nedges:\n  icn: { address: 127.62.0.9, city: Seoul, at: [37.46, 126.44] }\nchecks: { port: { tcp: 4711, every: "* * * * * *", timeout: 500ms } }\n')
write('zones/policies.yaml', 'policies: { nearest: { latency: [icn] } }\n')
write('zones/example.test.zone', `${HEAD}www A 192.0.2.1\nto-corp CNAME host.corp.test.\nmx MX 10 host.corp.test.\nsteered ROUTE nearest\n`)
write('zones/views/office/example.test.zone', `${HEAD}www A 10.0.0.1\nwiki A 10.0.0.2\nout CNAME www.public.test.\n`)
write('zones/public.test.zone', `${HEAD}www A 192.0.2.7\n`)
write('zones/views/office/corp.test.zone', `${HEAD}host A 10.0.0.3\n* A 10.0.0.4\n`)
write('zones/views/lab/corp.test.zone', `${HEAD}host A 10.9.0.3\n`)

let printed = ''
const start = () => spawn(process.execPath, [join(root, 'bin/nearcast.js'), 'up', '--port', String(ports.dns), '--http-port', String(ports.http), '--admin-port', String(ports.admin)], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
let fleet = start()
const listen = (): void => [fleet.stdout, fleet.stderr].forEach((stream) => void stream.setEncoding('utf8').on('data', (piece: string) => (printed += piece)))
listen()
process.on('exit', () => fleet.kill('SIGKILL'))
t.teardown(async () => {
  fleet.kill('SIGTERM')
  await until('the end of the fleet', PATIENCE, () => !isAlive(fleet.pid!))
  if (!t.passing()) t.comment(printed)
  rmSync(folder, { recursive: true, force: true })
})

/** The response code, and the data of the answers. */
async function dig(from: string, name: string, ...words: string[]): Promise<string> {
  const { out } = await run('dig', ['@127.0.0.1', '-b', from, '-p', String(ports.dns), '+tries=3', '+time=5', name, ...words])
  const answers = /ANSWER SECTION:\n([\s\S]*?)\n\n/.exec(`${out}\n\n`)?.[1] ?? ''
  return [/status: (\w+)/.exec(out)?.[1], ...answers.split('\n').filter((line) => line !== '').map((line) => line.split(/\s+/).slice(3).join(' '))].join(', ')
}
const nearcast = (...words: string[]): Promise<{ out: string; err: string }> => run(process.execPath, [join(root, 'bin/nearcast.js'), ...words, ...(words[0] === 'check' ? ['--config', join(folder, 'nearcast.yaml'), '--zones', join(folder, 'zones')] : ['--state', join(folder, 'state')])])

t.test('the same name, and names that only some have', async (t) => {
  await until('an answer', PATIENCE, async () => (await dig(OUTSIDE, 'www.example.test')) === 'NOERROR, A 192.0.2.1')
  const cases: readonly (readonly [from: string, name: string, words: readonly string[], wanted: string])[] = [
    [INSIDE, 'www.example.test', [], 'NOERROR, A 10.0.0.1'],
    [INSIDE, 'WWW.example.test', ['+tcp'], 'NOERROR, A 10.0.0.1'],
    [INSIDE, 'wiki.example.test', [], 'NOERROR, A 10.0.0.2'],
    [OUTSIDE, 'wiki.example.test', [], 'NXDOMAIN'],
    [OUTSIDE, 'wiki.example.test', ['TXT'], 'NXDOMAIN'],
    [OUTSIDE, 'host.corp.test', [], 'REFUSED'],
    [INSIDE, 'host.corp.test', [], 'NOERROR, A 10.0.0.3'],
    [INSIDE, 'any.corp.test', [], 'NOERROR, A 10.0.0.4'],
    [LAB, 'host.corp.test', [], 'NOERROR, A 10.9.0.3'],
    [LAB, 'www.example.test', [], 'NOERROR, A 192.0.2.1'],
    // A client subnet can be written by anybody, and opens nothing.
    [OUTSIDE, 'host.corp.test', ['+subnet=127.7.0.0/24'], 'REFUSED'],
    [INSIDE, 'www.public.test', [], 'NOERROR, A 192.0.2.7'],
    [INSIDE, 'out.example.test', [], 'NOERROR, CNAME www.public.test.'],
    // What is seen by all leads nobody into what is not.
    [OUTSIDE, 'to-corp.example.test', [], 'NOERROR, CNAME host.corp.test.'],
    [OUTSIDE, 'mx.example.test', ['MX'], 'NOERROR, MX 10 host.corp.test.'],
    // The zone of the view is the whole zone: what it does not have is not there.
    [INSIDE, 'steered.example.test', [], 'NXDOMAIN'],
    [OUTSIDE, 'steered.example.test', [], 'NOERROR, A 127.62.0.9']
  ]
  // Twice: what is kept ready of one is not given to another.
  for (const turn of [1, 2]) await Promise.all(cases.map(async ([from, name, words, wanted]) => t.equal(await dig(from, name, ...words), wanted, `${turn}: ${name} ${words.join(' ')} from ${from}`)))
  t.notMatch((await run('dig', ['@127.0.0.1', '-p', String(ports.dns), 'corp.test', 'AXFR'])).out, /10\.0\.0/)
  t.notMatch((await run('dig', ['@127.0.0.1', '-p', String(ports.dns), 'mx.example.test', 'MX'])).out, /10\.0\.0/, 'nothing of it beside an answer either')
})

t.test('explain and check know of views', async (t) => {
  const told = async (from: string, name: string): Promise<Explanation> => JSON.parse((await nearcast('explain', name, '--from', from, '--json')).out) as Explanation
  const inside = await told(INSIDE, 'wiki.example.test')
  t.match(inside.steps[0], { text: '127.7.0.1 is in 127.7.0.0/16, and so in view office: its own zones come first' })
  t.same(inside.answer.answers, ['wiki.example.test. 60 A 10.0.0.2'])
  t.equal((await told(OUTSIDE, 'wiki.example.test')).outcome, 'nxdomain')
  t.equal((await told(INSIDE, 'www.public.test')).outcome, 'found')
  t.match((await nearcast('check')).out, /^all is well.*views\/lab\/corp\.test\.zone \(4 records\)/m)
  t.match((await nearcast('status')).out, /^view lab: zone corp\.test\. serial \d+, 4 records, .*views\/lab\/corp\.test\.zone$/m)
  write('zones/views/lab/other.test.zone', `${HEAD}x ROUTE nearest\n`)
  t.match((await nearcast('check')).out, /views\/lab\/other\.test\.zone:5:9: there is no policy nearest/)
  rmSync(join(folder, 'zones/views/lab/other.test.zone'))
})

t.test('a view steers to edges by their health, and to targets with a check of its own', async (t) => {
  write('zones/views/lab/policies.yaml', 'policies:\n  near: { failover: [ick, { address: 127.7.7.7, check: port }] }\n')
  t.match((await nearcast('check')).out, /views\/lab\/policies\.yaml:2:22: there is no edge or policy ick .did you mean icn/)
  write('zones/views/lab/policies.yaml', 'policies:\n  near: { failover: [icn, { address: 127.7.7.7, check: port }, 10.9.9.8] }\n')
  write('zones/views/lab/corp.test.zone', `${HEAD}host A 10.9.0.3\nsteered 10 ROUTE near\n`)
  await until('the edge', PATIENCE, async () => (await dig(LAB, 'steered.corp.test')) === 'NOERROR, A 127.62.0.9')
  const before = new Date().toISOString()
  await nearcast('force', 'icn', 'down')
  // Nobody listens where it would be checked.
  await until('what stands behind both', PATIENCE, async () => (await dig(LAB, 'steered.corp.test')) === 'NOERROR, A 10.9.9.8')
  const told = async (...words: string[]): Promise<Explanation> => JSON.parse((await nearcast('explain', 'steered.corp.test', '--from', LAB, '--json', ...words)).out) as Explanation
  t.match(await told(), { policy: 'near', candidates: [{ target: 'icn', state: 'UP, forced down' }, { target: '127.7.7.7', check: 'port' }, { target: '10.9.9.8', chosen: true }] })
  t.match((await nearcast('status')).out, /port@127\.7\.7\.7/)
  write('zones/views/lab/policies.yaml', 'policies:\n  near: 10.9.9.7\n')
  await until('other policies', PATIENCE, async () => (await dig(LAB, 'steered.corp.test')) === 'NOERROR, A 10.9.9.7')
  await until('that they are kept', PATIENCE, async () => (await told('--at', before)).policiesOfThen !== undefined)
  t.match(await told('--at', before), { candidates: [{ target: 'icn' }, { target: '127.7.7.7' }, { target: '10.9.9.8' }] }, 'those of then, of the view')
  await nearcast('force', 'icn', 'none')
})

t.test('an edit counts at once, and a broken one leaves what was', async () => {
  write('zones/views/office/corp.test.zone', `${HEAD}host A 10.0.0.33\n`)
  await until('the edit', PATIENCE, async () => (await dig(INSIDE, 'host.corp.test')) === 'NOERROR, A 10.0.0.33')
  write('zones/views/office/corp.test.zone', `${HEAD}host A 10.0.0.300\n`)
  await until('the fault', PATIENCE, async () => (await nearcast('status')).out.includes('zones/views/office/corp.test.zone:5:8:'))
  await until('what was', PATIENCE, async () => (await dig(INSIDE, 'host.corp.test')) === 'NOERROR, A 10.0.0.33')
  write('zones/example.test.zone', `${HEAD}www A 192.0.2.99\n`)
  await until('an edit of the zones for all', PATIENCE, async () => (await dig(LAB, 'www.example.test')) === 'NOERROR, A 192.0.2.99' && (await dig(INSIDE, 'www.example.test')) === 'NOERROR, A 10.0.0.1')
})

t.test('what a view was when its file was last without faults serves after a restart', async (t) => {
  await until('the fault', PATIENCE, async () => (await nearcast('status')).out.includes('zones/views/office/corp.test.zone:5:8:'))
  fleet.kill('SIGTERM')
  await until('the end of the fleet', PATIENCE, () => !isAlive(fleet.pid!))
  fleet = start()
  listen()
  await until('an answer', PATIENCE, async () => (await dig(OUTSIDE, 'www.example.test')) === 'NOERROR, A 192.0.2.99')
  t.equal(await dig(INSIDE, 'host.corp.test'), 'NOERROR, A 10.0.0.33')
  t.equal(await dig(OUTSIDE, 'host.corp.test'), 'REFUSED')
  t.equal(await dig(LAB, 'steered.corp.test'), 'NOERROR, A 10.9.9.7')
})
