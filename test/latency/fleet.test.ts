import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Explanation, LatencyReply } from '../../daemon/control/api.ts'
import { writeMmdb } from '../geodb/mmdb-writer.ts'
import { isAlive, root, run, sparePorts, until } from '../journey/fleet.ts'

// Three edges and a daemon for real: viewers with addresses of their own report, and what dig is told changes.

t.setTimeout(400_000)
const PATIENCE = 90_000
const EDGES = { icn: '127.22.0.1', nrt: '127.22.0.2', fra: '127.22.0.3' }
const folder = mkdtempSync(join(tmpdir(), 'nearcast-latency-'))
const ports = await sparePorts()
mkdirSync(join(folder, 'zones'))
writeFileSync(join(folder, 'nearcast.yaml'), `
geo: { local: KR, asn: ${join(folder, 'as.mmdb')} }
latency: { local: true, collect: 200ms, change: 300ms }
edges:
  icn: { address: ${EDGES.icn}, city: Seoul, at: [37.46, 126.44] }
  nrt: { address: ${EDGES.nrt}, city: Tokyo, at: [35.76, 140.39] }
  fra: { address: ${EDGES.fra}, city: Frankfurt, at: [50.03, 8.56] }
`)
writeFileSync(join(folder, 'as.mmdb'), writeMmdb([['127.5.0.0/16', { autonomous_system_number: 64500 }], ['127.6.0.0/16', { autonomous_system_number: 64501 }]], { ipVersion: 4 }))
writeFileSync(join(folder, 'zones/policies.yaml'), 'policies: { quickest: { latency: [icn, nrt, fra] }, both: { closest: [icn, nrt, fra], count: 2, within: 3 } }\n')
writeFileSync(join(folder, 'zones/l.test.zone'), '$TTL 5\n@ SOA ns1 h 1 1h 1h 1w 1m\n  NS ns1\nns1 A 127.0.0.1\nquickest ROUTE quickest\nboth ROUTE both\n')

let fleet: ChildProcess | undefined
let printed = ''
process.on('exit', () => fleet?.kill('SIGKILL'))
function start(): void {
  fleet = spawn(process.execPath, [join(root, 'bin/nearcast.js'), 'up', '--port', String(ports.dns), '--http-port', String(ports.http), '--admin-port', String(ports.admin)], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  for (const stream of [fleet.stdout!, fleet.stderr!]) stream.setEncoding('utf8').on('data', (piece: string) => (printed += piece))
}
async function stop(): Promise<void> {
  const { pid } = fleet!
  fleet!.kill('SIGTERM')
  await until('the end of the fleet', PATIENCE, () => !isAlive(pid!))
}
t.teardown(async () => {
  await stop()
  if (!t.passing()) t.comment(printed)
  rmSync(folder, { recursive: true, force: true })
})

const dig = async (name: string, ...words: string[]): Promise<string> => (await run('dig', ['@127.0.0.1', '-p', String(ports.dns), '+tries=3', '+time=5', `${name}.l.test`, ...words])).out
const isAnswered = (name: string, words: readonly string[], wanted: readonly string[]) => async (): Promise<boolean> => {
  const addresses = (await dig(name, '+short', ...words)).split('\n').filter((line) => line !== '')
  return addresses.sort().join() === [...wanted].sort().join()
}
const nearcast = (...words: string[]): Promise<{ out: string; err: string }> => run(process.execPath, [join(root, 'bin/nearcast.js'), ...words, '--state', join(folder, 'state')])

/** A viewer with this address tells an edge something, or only connects. */
function visit(edge: string, localAddress: string, path: string, body?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const query = request({ host: edge, port: ports.http, path, localAddress, agent: false, method: body === undefined ? 'GET' : 'POST' }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode!))
    })
    query.on('error', reject)
    query.end(body)
  })
}

t.test('before anything is measured the distance decides', async (t) => {
  start()
  await until('the first answer', PATIENCE, isAnswered('quickest', [], [EDGES.icn]))
  // The admin API may come a little after the first answer.
  let told = { out: '', err: '' }
  await until('the word on what has been measured', PATIENCE, async () => /nothing has been measured yet/.test((told = await nearcast('latency')).out)).catch(() => t.fail(JSON.stringify(told)))
})

t.test('once viewers of a network have been measured, that network is answered by it', async (t) => {
  const viewers = Array.from({ length: 30 }, (_, index) => `127.5.0.${10 + index}`)
  const taken = await Promise.all(viewers.map((viewer) => visit(EDGES.fra, viewer, '/.nearcast/latency', 'icn=80&nrt=90.5')))
  t.same(taken, viewers.map(() => 204))
  await until('the measured answer', PATIENCE, isAnswered('quickest', ['+subnet=127.5.0.0/24'], [EDGES.fra]))
  await until('an answer for that network alone', PATIENCE, async () => (await dig('quickest', '+subnet=127.5.0.0/24')).includes('CLIENT-SUBNET: 127.5.0.0/24/24'))
  await until('another is answered by distance', PATIENCE, isAnswered('quickest', ['+subnet=127.6.0.0/24'], [EDGES.icn]))
  await until('by distance', PATIENCE, isAnswered('quickest', ['+subnet=168.126.63.0/24'], [EDGES.icn]))
  await until('closest: the next is more than three times as far', PATIENCE, isAnswered('both', ['+subnet=127.5.0.0/24'], [EDGES.fra]))
  await until('by distance', PATIENCE, isAnswered('both', ['+subnet=168.126.63.0/24'], [EDGES.icn]))
})

t.test('what is known is told', async (t) => {
  const read = async (): Promise<LatencyReply> => JSON.parse((await nearcast('latency', '127.5.0.7', '--json')).out) as LatencyReply
  let reply = await read()
  // What the edge was told last may still be on its way.
  await until('what all viewers told', PATIENCE, async () => (reply = await read()).networks[0]!.trips.find(({ edge }) => edge === 'icn')!.samples >= 20).catch(() => undefined)
  t.equal(reply.networks.length, 1)
  const trips = new Map(reply.networks[0]!.trips.map((trip) => [trip.edge, trip]))
  t.match(trips.get('icn'), { ms: 80, by: 'browsers' })
  t.match(trips.get('nrt'), { ms: 90.5, by: 'browsers' })
  t.ok(trips.get('icn')!.samples >= 20 && trips.get('icn')!.samples <= 30, `${trips.get('icn')!.samples} samples, those of a while ago counting less`)
  t.ok(trips.get('icn')!.addresses >= 5 && trips.get('icn')!.addresses <= 30)
  // The kernel's own figure, where it can be asked.
  t.equal(trips.get('fra')?.by, 'edge')
  t.ok(trips.get('fra')!.ms > 0 && trips.get('fra')!.ms < 80, `${trips.get('fra')!.ms} ms on this machine`)
  t.match((await nearcast('latency')).out, /^127\.5\.0\.0\/24 +fra +\d/m)
  t.match((await nearcast('latency', '203.0.113.9')).out, /nothing has been measured of 203\.0\.113\.9/)
  t.match((await nearcast('latency', 'here')).err, /here: expected an address or a prefix/)
  const explained = JSON.parse((await nearcast('explain', 'quickest.l.test', '--from', '127.5.0.9', '--json')).out) as Explanation
  const said = explained.steps.map(({ text }) => text).join('\n')
  t.match(said, /latency: fra \d+(\.\d)? ms measured \(\d+ samples\), icn 80 ms measured \(\d+ samples\), nrt 91 ms measured/)
  t.match(explained.candidates.map(({ target, samples }) => `${target} ${samples !== undefined}`), ['fra true', 'icn true', 'nrt true'])
  t.equal(explained.answer.scope, '127.5.0.0/24')
})

t.test('what three networks of an autonomous system know counts for all of it, and before what their country knows', async (t) => {
  // With 127.5.0.0/24 each system has three; the two that agree are the median.
  const viewers = [['127.5.1', 'icn=200&nrt=20'], ['127.5.2', 'icn=200&nrt=20'], ['127.6.1', 'icn=300&nrt=300'], ['127.6.2', 'icn=300&nrt=300'], ['127.6.3', 'icn=300&nrt=300']]
  await Promise.all(viewers.flatMap(([network, body]) => Array.from({ length: 30 }, (_, index) => visit(EDGES.fra, `${network}.${10 + index}`, '/.nearcast/latency', body))))
  const said = async (from: string): Promise<string> => {
    const { steps } = JSON.parse((await nearcast('explain', 'quickest.l.test', '--from', from, '--json')).out) as Explanation
    return steps.map(({ text }) => text).join('\n')
  }
  await until('figures of both systems', PATIENCE, async () => /fra \S+ ms measured in its AS/.test(await said('127.5.77.9')) && /fra \S+ ms measured in its AS/.test(await said('127.6.77.9')))
  t.match(await said('127.5.77.9'), /127\.5\.77\.9 is AS64500; so is all of 127\.5\.64\.0\/18/)
  t.match(await said('127.5.77.9'), /nrt 20 ms measured in its AS \(\d+ samples\), icn 200 ms measured in its AS/)
  t.match(await said('127.6.77.9'), /icn 300 ms measured in its AS \(\d+ samples\)/)
  t.match(await said('127.7.77.9'), /icn \d+ ms measured in its country/)
  t.match(await said('127.5.0.9'), /icn 80 ms measured \(\d+ samples\)/, 'a network that knows for itself goes by that')
  t.match(await dig('quickest', '+subnet=127.5.77.0/24'), /CLIENT-SUBNET: 127\.5\.77\.0\/24\/18/, 'the answer holds for what is of the system and has no figures of its own')
  t.match((await nearcast('latency', '127.5.77.9')).out, /^AS64500 +fra .*its networks\n +nrt +20 ms.*\n +icn +200 ms.*\nKR/m)
  t.match((await nearcast('latency')).out, /^AS64501 +/m)
})

t.test('nobody but the daemon is told the rows, and nothing else is taken', async (t) => {
  t.equal(await visit(EDGES.icn, '127.0.0.1', '/.nearcast/latency'), 403)
  t.equal(await visit(EDGES.icn, '127.0.0.2', '/.nearcast/latency', 'icn=1&syd=2'), 400)
  t.equal(await visit(EDGES.icn, '127.0.0.3', '/.nearcast/latency', 'x'.repeat(5000)), 413)
  t.equal(await visit(EDGES.icn, '127.0.0.4', '/.nearcast/nothing'), 404)
  t.equal(await visit(EDGES.icn, '127.0.0.4', '/.nearcast/beacon.gif?1'), 200)
  t.equal(await visit(EDGES.icn, '127.0.0.4', '/.nearcast/latency.js'), 200)
})

t.test('it is known after a restart', async (t) => {
  await stop()
  start()
  await until('the measured answer', PATIENCE, isAnswered('quickest', ['+subnet=127.5.0.0/24'], [EDGES.fra]))
  await until('that of its system', PATIENCE, async () => (await nearcast('latency', '127.5.77.9')).out.includes('AS64500'))
  t.pass()
})
