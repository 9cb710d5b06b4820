import { spawn } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Report } from '../../fleet/drill/index.ts'
import { makeJourney, needs, root, SLACK, until } from './fleet.ts'

// Drills against the real fleet, with a TTL of two seconds so that they are short.

const SECOND = 1000
const NAME = 'd111111abcdef8.nearcast.test'
t.jobs = 1
// Most of it is waiting for others: half a minute on an idle machine.
t.setTimeout(580_000)
const journey = await makeJourney(t)
const zone = join(journey.zones, 'nearcast.test.zone')
writeFileSync(zone, readFileSync(zone, 'utf8').replace(/(\s)20(\s+(ROUTE|ALIAS))/g, '$12$2'))
const patient = ['--slack', '10', '--max-unanswered', '50']
const koreans = async (): Promise<string | undefined> => (await journey.dig(NAME, '+subnet=168.126.63.0/24')).addresses[0]

const tell = (t: { comment: (text: string) => void }, report: Report): void => {
  for (const { what, measured, of } of report.measures) t.comment(`${what.trim()}: ${measured ?? 'never'}${of === undefined ? ' ms' : ` of ${of}`}`)
}

let isUp = false
needs(t, 'the fleet is up', () => isUp)

t.test('the fleet is up', async () => {
  await journey.start()
  await until('every edge is up', 10 * SECOND * SLACK, journey.edgesUp)
  isUp = true
})

t.test('a planned stop fails not one request', async (t) => {
  const { status, out, err } = await journey.nearcast('drill', 'icn', ...patient, '--warm-up', '1s')
  t.equal(status, 0, err + out)
  t.match(out, /to the new answer +\d/)
  const [file] = readdirSync(join(journey.state, 'drills'))
  const report = JSON.parse(readFileSync(join(journey.state, 'drills', file!), 'utf8')) as Report
  tell(t, report)
  t.match(report, { title: 'icn', members: ['icn'], kind: 'stop', met: true, failures: {}, instead: ['nrt'] })
  const exit = report.measures.find(({ what }) => what === 'to the end of its process')!.measured!
  t.ok(exit >= 4000, `it served on for TTL + 2 s (${exit} ms)`)
  t.equal(await koreans(), '127.0.10.1')
})

t.test('an unannounced death costs what was under way, until the last TTL ran out', async (t) => {
  const { status, out, err } = await journey.nearcast('drill', 'icn', '--kill', '--json', ...patient, '--warm-up', '1s')
  t.equal(status, 0, err + out)
  const report = JSON.parse(out) as Report
  tell(t, report)
  const failed = report.measures.find(({ what }) => what === 'failed requests')!
  t.ok(failed.measured! > 0, 'some requests met a closed door')
  t.match(report.failures, { ECONNREFUSED: Number })
})

t.test('a drill that is ended undoes what it did', async (t) => {
  const drill = spawn(process.execPath, [join(root, 'bin/nearcast.js'), 'drill', 'icn', '--warm-up', '500ms', '--state', journey.state], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<number | null>((resolve) => drill.on('exit', resolve))
  await until('the edge is out', 5 * SECOND * SLACK, async () => (await koreans()) === '127.0.10.2')
  const other = await journey.nearcast('drill', 'nrt')
  t.equal(other.status, 1)
  t.match(other.err, /another drill runs/)
  drill.kill('SIGTERM')
  t.equal(await ended, 1)
  t.comment(`back ${await until('the edge is back', 5 * SECOND * SLACK, async () => (await koreans()) === '127.0.10.1')} ms after the drill ended`)
})

t.test('a drill that is killed has left word when its stop ends', async (t) => {
  const drill = spawn(process.execPath, [join(root, 'bin/nearcast.js'), 'drill', 'icn', '--warm-up', '500ms', '--state', journey.state], { cwd: root, stdio: 'ignore' })
  await until('the edge is out', 5 * SECOND * SLACK, async () => (await koreans()) === '127.0.10.2')
  drill.kill('SIGKILL')
  const { forced } = await journey.member('icn')
  t.ok(forced?.until !== undefined && forced.until > forced.since, 'the stop has an end')
  const again = await journey.nearcast('drill', 'icn')
  t.equal(again.status, 1)
  t.match(again.err, /icn is forced down/)
  await journey.nearcast('start', 'icn')
  await until('the edge is back', 5 * SECOND * SLACK, async () => (await koreans()) === '127.0.10.1')
})

t.test('every scenario, on a fleet of its own: all is found out, and all is well again', async (t) => {
  const own = join(journey.folder, 'own')
  cpSync(join(root, 'drills'), join(own, 'drills'), { recursive: true })
  cpSync(join(root, 'nearcast.yaml'), join(own, 'nearcast.yaml'))
  // Those of one edge that ends are above.
  for (const name of ['edge-stops', 'edge-dies']) rmSync(join(own, 'drills', `${name}.yaml`))
  for (const name of readdirSync(join(own, 'drills'))) {
    const file = join(own, 'drills', name)
    writeFileSync(file, readFileSync(file, 'utf8').replace(/^for: .*$/m, 'for: 4s').replace(/^times: 4$/m, 'times: 2').replace(/^every: 6s$/m, 'every: 3s'))
  }
  const scratch = ['--all', '--scratch', '--config', join(own, 'nearcast.yaml'), '--zones', journey.zones, '--warm-up', '500ms', '--json']
  const { status, out, err } = await journey.nearcast('drill', ...scratch, '--slack', '10', '--max-unanswered', '1000', '--max-failed', '2000', '--max-failed-late', '20')
  t.equal(status, 0, err + out)
  const reports = JSON.parse(out) as Report[]
  for (const report of reports) {
    t.comment(report.title)
    tell(t, report)
  }
  t.same(reports.map(({ title }) => title), ['daemon-dies', 'edge-errors', 'edge-flaps', 'edge-hangs', 'edge-silent', 'edge-slow', 'half-the-fleet', 'origin-dies', 'shield-dies'])
  const of = (title: string): Report => reports.find((report) => report.title === title)!
  t.match(Object.keys(of('edge-errors').failures), ['status 503'])
  t.ok(of('edge-slow').latencyMs.outage!.p50 >= 500)
  t.same(of('half-the-fleet').members, ['icn', 'fra', 'gru'])
  t.ok(of('daemon-dies').measures.find(({ what }) => what === 'unanswered queries')!.measured! > 0)
})

t.test('the last healthy edge of a name is not drilled', async (t) => {
  const policies = join(journey.zones, 'policies.yaml')
  writeFileSync(policies, 'policies: { nearest: { simple: [nrt] }, video: { simple: [icn] }, canary: nearest }\n')
  await until('the new policies', SECOND * SLACK, async () => (await journey.dig(NAME, '+subnet=8.8.8.0/24')).addresses[0] === '127.0.10.1')
  const { status, err } = await journey.nearcast('drill', 'icn')
  t.equal(status, 1)
  t.match(err, /last healthy edge.*--force/)
  t.equal(err.trim().split('\n').length, 1)
})
