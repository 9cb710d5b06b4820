import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { systemClock } from '../core/clock.ts'
import { makeAsker } from '../fleet/drill/index.ts'
import { makeJourney, needs, signal, SLACK, until, type Running } from './journey/fleet.ts'

// One afternoon with Nearcast: start it, ask it, edit its files, break them, and take edges away.

const NAME = 'd111111abcdef8.nearcast.test'
const EDGES = { icn: '127.0.10.1', nrt: '127.0.10.2', fra: '127.0.10.3', iad: '127.0.10.4', gru: '127.0.10.5', syd: '127.0.10.6' }
const KOREA = '+subnet=168.126.63.0/24'
const SECOND = 1000

t.jobs = 1
// Most of it is waiting for others: half a minute on an idle machine.
t.setTimeout(480_000)
const journey = await makeJourney(t)
const { dig, curl, nearcast, member, zones } = journey
const zoneFile = join(zones, 'nearcast.test.zone')
const policyFile = join(zones, 'policies.yaml')
const FIRST = 'npm start brings up the fleet and says what runs where'
let fleet: Running
let isUp = false
needs(t, FIRST, () => isUp)

const koreans = async (): Promise<string | undefined> => (await dig(NAME, KOREA)).addresses[0]
/** At once as a rule; an edge that a busy machine kept from its heartbeats is given time to be back. */
const koreansGetSeoul = () => until('Koreans get Seoul', 5 * SECOND * SLACK, async () => (await koreans()) === EDGES.icn)

t.test(FIRST, async (t) => {
  fleet = await journey.start()
  const took = await until('the start-up text', 10 * SECOND * SLACK, () => /nearcast (stop|status|explain|drill)/.test(fleet.text()))
  t.comment(`the start-up text came after ${took} ms`)
  const text = fleet.text()
  for (const name of Object.keys(EDGES)) t.match(text, new RegExp(`\\b${name}\\b`))
  for (const word of ['Seoul', 'Tokyo', 'Frankfurt', 'Ashburn', 'São Paulo', 'Sydney', 'apac', 'atlantic', '127.0.10.1', '127.0.12.1', NAME]) t.ok(text.includes(word), word)
  t.match(text, new RegExp(`dig @\\S+ -p ${journey.ports.dns}`), 'the exact dig command')
  t.match(text, /curl /)
  t.match(text, /\bKR\b|Korea/, 'where loopback is taken to be')
  await until('every edge is up', 5 * SECOND * SLACK, journey.edgesUp)
  isUp = true
})

t.test('clients get the edge that is near them', async (t) => {
  const near = [
    ['168.126.63.0/24', 'icn'],
    ['193.0.6.0/24', 'fra'],
    ['200.160.0.0/24', 'gru'],
    ['8.8.8.0/24', 'iad'],
    ['2001:67c:2e8::/48', 'fra']
  ] as const
  const plain = await dig(NAME)
  t.same(plain.answers, [`${NAME}. 20 A ${EDGES.icn}`], 'loopback is in Korea')
  t.ok(plain.flags.includes('aa'))
  for (const [subnet, edge] of near) {
    for (const transport of ['+notcp', '+tcp']) {
      const answer = await dig(NAME, `+subnet=${subnet}`, transport)
      t.same(answer.addresses, [EDGES[edge]], `${subnet} gets ${edge} (${transport})`)
      const [, source, scope] = answer.subnet.split('/').map(Number)
      t.ok(source === Number(subnet.split('/')[1]) && scope! > 0, `it holds for ${answer.subnet}`)
    }
  }
})

t.test('every kind of question is answered as it should be, over UDP and TCP', async (t) => {
  for (const transport of ['+notcp', '+tcp']) {
    const none = await dig(NAME, 'AAAA', transport)
    t.same([none.status, none.answers.length], ['NOERROR', 0], 'the edges have no IPv6 addresses')
    t.match(none.authorities, [/^nearcast\.test\. \d+ SOA ns1\.nearcast\.test\. /])
    t.match((await dig('status.nearcast.test', 'TXT', transport)).answers, [/ TXT "try: npx nearcast status"$/])
    t.match((await dig('nearcast.test', 'NS', transport)).answers, ['nearcast.test. 300 NS ns1.nearcast.test.'])
    t.match((await dig('nearcast.test', 'SOA', transport)).answers, [/ SOA ns1\.nearcast\.test\. hostmaster\.nearcast\.test\. 2026112101 3600 600 604800 60$/])
    t.same((await dig('nearcast.test', transport)).answers, [`nearcast.test. 20 A ${EDGES.icn}`], 'ALIAS at the apex')
    t.same((await dig('www.nearcast.test', KOREA, transport)).answers, [`www.nearcast.test. 300 CNAME ${NAME}.`, `${NAME}. 20 A ${EDGES.icn}`])
    t.same((await dig('any.thing.wild.nearcast.test', '+subnet=139.130.4.0/24', transport)).answers, [`any.thing.wild.nearcast.test. 20 A ${EDGES.syd}`], 'wildcard')
    const missing = await dig('nobody.nearcast.test', transport)
    t.equal(missing.status, 'NXDOMAIN')
    t.match(missing.authorities, [/ SOA /])
    const type = await dig('ns1.nearcast.test', 'MX', transport)
    t.same([type.status, type.answers.length], ['NOERROR', 0])
    t.match(type.authorities, [/ SOA /])
    t.equal((await dig('example.org', transport)).status, 'REFUSED', 'a zone that is not ours')
  }
})

t.test('the address serves the site, first from the origin, then from its cache', async (t) => {
  const first = await curl(EDGES.icn)
  t.equal(first.status, 200, first.trouble)
  t.match(first.headers, { 'x-cache': 'Miss from nearcast', 'cache-status': /./, via: /./ })
  const second = await curl(EDGES.icn)
  t.match(second.headers, { 'x-cache': 'Hit from nearcast', age: /^\d+$/, 'cache-status': /hit/ })
  t.ok(Object.values(second.headers).some((value) => /\bicn\b/i.test(value)), 'the PoP says its name')
  t.equal(second.body, first.body)
  const stranger = await curl(EDGES.icn, '/', '-H', 'Host: nobody.example')
  t.ok(stranger.status === 421 || stranger.status === 400, `a host of no distribution gets ${stranger.status}`)
})

t.test('edits answer within a second, and no query is lost meanwhile', async (t) => {
  const asker = makeAsker({ address: '127.0.0.1', port: journey.ports.dns }, 30_000, systemClock)
  const replies: Promise<{ rcode: string }>[] = []
  const load = setInterval(() => replies.push(asker.ask({ name: NAME, type: 'A', subnet: '168.126.63.0/24' })), 5)
  try {
    appendFileSync(zoneFile, 'fresh 60 TXT "just written"\n')
    t.comment(`a new record answered after ${await until('the new record', SECOND * SLACK, async () => (await dig('fresh.nearcast.test', 'TXT')).answers.length === 1)} ms`)
    const policies = readFileSync(policyFile, 'utf8')
    writeFileSync(policyFile, policies.replace('failover: [icn, nrt]', 'failover: [nrt, icn]'))
    t.comment(`a new policy answered after ${await until('the new policy', SECOND * SLACK, async () => (await koreans()) === EDGES.nrt)} ms`)
    writeFileSync(policyFile, policies)
    await until('the old policy', SECOND * SLACK, async () => (await koreans()) === EDGES.icn)
  } finally {
    clearInterval(load)
  }
  const lost = (await Promise.all(replies)).filter(({ rcode }) => rcode !== 'NOERROR')
  asker.close()
  t.ok(replies.length > 50)
  t.same(lost, [], `none of ${replies.length} queries`)
})

t.test('a broken edit changes nothing, and says where it is broken', async (t) => {
  const good = readFileSync(zoneFile, 'utf8')
  const lines = good.split('\n').length
  writeFileSync(zoneFile, `${good}bad A 192.0.2.300\nworse ROUTE vidoe\n`)
  await until('the log line', SECOND * SLACK, () => fleet.text().includes(`nearcast.test.zone:${lines}:`))
  await koreansGetSeoul()
  t.equal((await dig('bad.nearcast.test')).status, 'NXDOMAIN')
  const check = await nearcastCheck()
  t.equal(check.status, 1)
  const faults = check.out.split('\n').filter((line) => line.includes('nearcast.test.zone:'))
  t.equal(faults.length, 2, check.out)
  t.ok(faults[0]?.includes(`:${lines}:`) && faults[1]?.includes(`:${lines + 1}:`))
  t.match(faults[1], /vidoe.*\(did you mean video\?\)/)
  t.ok(fleet.text().includes(faults[0]!), 'the log says the same')
  writeFileSync(zoneFile, '')
  await until('the empty file is refused', SECOND * SLACK, () => /zone:1:1: /.test(fleet.text()))
  await koreansGetSeoul()
  writeFileSync(zoneFile, `${good}mended TXT "yes"\n`)
  await until('the mended zone', SECOND * SLACK, async () => (await dig('mended.nearcast.test', 'TXT')).answers.length === 1)
  t.equal((await nearcastCheck()).status, 0)
})

const nearcastCheck = async () => {
  const { run, root } = await import('./journey/fleet.ts')
  return run(process.execPath, [join(root, 'bin/nearcast.js'), 'check', '--zones', zones])
}

t.test('a stopped edge leaves the answers at once and comes back when it is started', async (t) => {
  const stop = await nearcast('stop', 'icn')
  t.equal(stop.status, 0, stop.err)
  t.comment(`out of the answers ${await until('Koreans get Tokyo', SECOND * SLACK, async () => (await koreans()) === EDGES.nrt)} ms after stop`)
  t.equal((await curl(EDGES.nrt)).status, 200)
  t.equal((await curl(EDGES.icn)).status, 200, 'whoever still has the old answer is served')
  const stopped = await member('icn')
  t.match(stopped, { answerable: false, forced: { state: 'down', why: /stop/ } })
  const table = await nearcast('status')
  t.match(table.out, /icn .*(stopp|down)/i)
  const start = await nearcast('start', 'icn')
  t.equal(start.status, 0, start.err)
  t.comment(`back in the answers ${await until('Koreans get Seoul', 5 * SECOND * SLACK, async () => (await koreans()) === EDGES.icn)} ms after start`)
})

t.test('a worker that is killed leaves the answers within a second, and is back within five', async (t) => {
  const { pid } = await member('icn')
  signal(pid!, 'SIGKILL')
  t.comment(`out of the answers ${await until('Koreans get Tokyo', SECOND * SLACK, async () => (await koreans()) === EDGES.nrt)} ms after kill -9`)
  t.comment(`back ${await until('Koreans get Seoul', 5 * SECOND * SLACK, async () => (await koreans()) === EDGES.icn)} ms later`)
  const again = await member('icn')
  t.not(again.pid, pid)
  t.equal(again.restarts, 1)
  t.equal((await curl(EDGES.icn)).status, 200)
})

t.test('a worker that hangs leaves the answers within a second', async (t) => {
  const { pid } = await member('gru')
  const brazilians = async (): Promise<string | undefined> => (await dig(NAME, '+subnet=200.160.0.0/24')).addresses[0]
  signal(pid!, 'SIGSTOP')
  t.comment(`out of the answers ${await until('Brazilians get another', SECOND * SLACK, async () => (await brazilians()) !== EDGES.gru)} ms after kill -STOP`)
  t.equal(await brazilians(), EDGES.iad)
  signal(pid!, 'SIGCONT')
  t.comment(`back ${await until('Brazilians get São Paulo', 10 * SECOND * SLACK, async () => (await brazilians()) === EDGES.gru)} ms after kill -CONT`)
})

t.test('the daemon itself is restarted when it dies', async (t) => {
  const daemon = (await journey.status()).members.find(({ role }) => role === 'daemon')!
  signal(daemon.pid!, 'SIGKILL')
  await until('the old daemon is gone', SECOND * SLACK, async () => !isRunning(daemon.pid!))
  t.comment(`DNS answers again after ${await until('DNS answers', 5 * SECOND * SLACK, async () => (await koreans()) === EDGES.icn)} ms`)
})

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

t.test('status and explain tell what is going on', async (t) => {
  const table = await nearcast('status')
  t.equal(table.status, 0, table.err)
  for (const name of Object.keys(EDGES)) t.match(table.out, new RegExp(`${name} .*UP`, 'i'))
  const told = await nearcast('explain', NAME, '--from', '168.126.63.1')
  t.equal(told.status, 0, told.err)
  for (const word of ['nearcast.test', 'video', 'KR', 'icn', 'nrt', 'failover', EDGES.icn]) t.ok(told.out.includes(word), `explain speaks of ${word}`)
  const now = await nearcast('explain', NAME, '--from', '168.126.63.1', '--at', '0s')
  t.match(now.out, /as of .*, from the journal: .*\n(.*\n)*.* policies: as of now, the same since /, now.err)
  const before = await nearcast('explain', NAME, '--at', '2001-01-01T00:00Z')
  t.match([before.status, before.err], [1, /^nearcast: not known before .*, when the journal of health begins\n$/])
  const json = JSON.parse((await nearcast('explain', NAME, '--from', '193.0.6.1', '--json')).out) as { candidates: { target: string; chosen: boolean }[]; answer: { ttl: number; answers: string[] } }
  t.equal(json.candidates.find(({ chosen }) => chosen)?.target, 'fra')
  t.equal(json.answer.ttl, 20)
})

t.test('what is mistyped gets one line and exit status 2', async (t) => {
  for (const [words, hint] of [
    [['stop', 'icm'], /icn/],
    [['statsu'], /status/],
    [['drill', 'apac'], /regional/],
    [['stop', 'icn', '--nwo'], /--now/]
  ] as const) {
    const { status, out, err } = await nearcast(...words)
    t.same([status, out, err.trim().split('\n').length], [2, '', 1], words.join(' '))
    t.match(err, hint)
  }
})
