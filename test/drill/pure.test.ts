import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encode, decode } from 'dns-packet'
import t from 'tap'
import type { Clock } from '../../core/clock.ts'
import { encodeQuery, readAddresses } from '../../fleet/drill/asker.ts'
import { makeLoad } from '../../fleet/drill/load.ts'
import { takeLock, type Lock } from '../../fleet/drill/lock.ts'
import { defaultLimits } from '../../fleet/drill/limits.ts'
import { formatReport, makeReport } from '../../fleet/drill/report.ts'
import { readScenario } from '../../fleet/drill/scenario.ts'
import { makePace, makeResolver } from '../../fleet/drill/resolver.ts'
import { scout } from '../../fleet/drill/scout.ts'
import { makeTally, percentile, seeAnswer, seeRequest } from '../../fleet/drill/tally.ts'

const manualClock = (): Clock & { at: number } => {
  const clock = { at: 0, now: () => 1_800_000_000_000 + clock.at, elapsed: () => clock.at }
  return clock
}

t.test('a resolver believes an answer until its TTL has run out, and no longer', async (t) => {
  const resolver = makeResolver()
  t.equal(resolver.held(0), undefined)
  resolver.take({ target: 'icn', address: '192.0.2.1', ttl: 20 }, 1000)
  t.equal(resolver.held(1000)?.target, 'icn')
  t.equal(resolver.held(20_999)?.address, '192.0.2.1')
  t.equal(resolver.held(21_000), undefined)
  resolver.take({ target: 'nrt', address: '192.0.2.2', ttl: 20 }, 30_000, 0.25)
  t.equal(resolver.held(34_999)?.target, 'nrt')
  t.equal(resolver.held(35_000), undefined, 'a cache that was filled earlier hands out what is left')
  resolver.take({ target: 'nrt', address: '192.0.2.2', ttl: 0 }, 40_000)
  t.equal(resolver.held(40_000), undefined, 'a TTL of 0 is for one use')
})

t.test('a pace keeps its rate after small delays and makes no burst after a long one', async (t) => {
  const pace = makePace(50, 0)
  let sent = 0
  for (let now = 0; now <= 1000; now += 10) sent += pace.due(now)
  t.equal(sent, 50)
  t.equal(pace.due(1100), 5)
  t.equal(pace.due(60_000), 1, 'a process that was stopped does not flood')
  t.equal(pace.due(60_100), 5)
})

t.test('percentiles are of the nearest rank', async (t) => {
  const samples = Array.from({ length: 200 }, (_, index) => 200 - index)
  t.equal(percentile(samples, 0.5), 100)
  t.equal(percentile(samples, 0.99), 198)
  t.equal(percentile(samples, 1), 200)
  t.equal(percentile([7], 0.01), 7)
  t.equal(percentile([], 0.5), undefined)
})

t.test('a query carries the subnet, and an answer is followed through its aliases', async (t) => {
  const wire = encodeQuery({ name: 'www.example.com', type: 'A', subnet: '2001:db8:100::/40' })
  const opt = decode(wire).additionals![0] as unknown as { options: { ip: string; sourcePrefixLength: number; family: number }[] }
  t.match(opt.options[0], { ip: '2001:db8:100::', sourcePrefixLength: 40, family: 2 })
  const reply = decode(
    encode({
      type: 'response',
      questions: [{ name: 'www.example.com', type: 'A' }],
      answers: [
        { type: 'CNAME', name: 'WWW.example.com', ttl: 300, data: 'd1.example.com' },
        { type: 'A', name: 'd1.example.com', ttl: 20, data: '192.0.2.1' },
        { type: 'A', name: 'd1.example.com', ttl: 20, data: '192.0.2.2' },
        { type: 'A', name: 'stray.example.com', ttl: 1, data: '192.0.2.3' }
      ]
    })
  )
  t.same(readAddresses(reply, { name: 'www.example.com', type: 'A', subnet: '' }), { rcode: 'NOERROR', addresses: ['192.0.2.1', '192.0.2.2'], ttl: 20 })
})

t.test('clients leave as their answers run out: the last one a TTL after the change', async (t) => {
  const clock = manualClock()
  const tally = makeTally(['icn'])
  let seed = 42
  let current = '192.0.2.1'
  const load = makeLoad({
    viewpoints: [{ question: { name: 'a.example', type: 'A', subnet: '192.0.2.0/24' }, host: 'a.example', home: 'icn' }],
    clients: 100,
    rate: 50,
    names: new Map([['192.0.2.1', 'icn'], ['192.0.2.2', 'nrt']]),
    ask: async () => ({ rcode: 'NOERROR', addresses: [current], ttl: 20, sentAt: clock.at, at: clock.at }),
    fetch: async () => ({ sentAt: clock.at, at: clock.at + 2 }),
    tally,
    clock,
    random: () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647
  })
  const run = async (until: number): Promise<void> => {
    for (; clock.at < until; clock.at += 10) {
      load.tick()
      await load.settled()
    }
  }
  await run(30_000)
  const { queries, requests } = tally
  t.ok(Math.abs(requests - 1500) <= 2, `50 requests a second (${requests})`)
  t.ok(Math.abs(queries - 1500) <= 60, `50 queries a second, the clients' own included (${queries})`)
  t.ok(load.believers() > 90)
  current = '192.0.2.2'
  tally.orderedAt = clock.at
  await run(31_000)
  t.ok(load.believers() < 100 && load.believers() > 80, `a twentieth leaves each second (${load.believers()} after one)`)
  await run(40_000)
  t.ok(load.believers() > 30 && load.believers() < 70, `half of them in half the time (${load.believers()})`)
  await run(52_500)
  t.equal(load.believers(), 0)
  t.ok(tally.lastClientAt! - 30_000 > 18_500 && tally.lastClientAt! - 30_000 <= 20_000, `the last request ${tally.lastClientAt! - 30_000} ms after the change`)
  t.equal(tally.wrong + tally.failed + tally.unanswered, 0)
})

t.test('answers are judged by when they were asked for', async (t) => {
  const tally = makeTally(['icn'])
  const answer = (sentAt: number, ...targets: string[]): void => seeAnswer(tally, { sentAt, at: sentAt + 2, rcode: 'NOERROR', targets, ttl: 20, home: 'icn' })
  answer(0, 'icn')
  answer(10, 'nrt')
  t.equal(tally.wrong, 1, 'another edge before anything happened')
  tally.orderedAt = 100
  answer(101, 'icn')
  answer(110, 'nrt')
  t.equal(tally.turns.get('icn')!.leftAt, 112)
  answer(111, 'icn')
  t.equal(tally.wrong, 1, 'asked before the change was seen')
  answer(120, 'icn')
  t.equal(tally.wrong, 2, 'back without a start')
  seeAnswer(tally, { sentAt: 130, at: 131, rcode: 'SERVFAIL', targets: [], ttl: 0 })
  seeAnswer(tally, { sentAt: 140, at: 141, rcode: 'NOERROR', targets: [], ttl: 0 })
  t.equal(tally.wrong, 4)
  seeAnswer(tally, { sentAt: 150, at: 1150, rcode: 'LOST', targets: [], ttl: 0 })
  t.same([tally.wrong, tally.unanswered], [4, 1])
  tally.startedAt = 200
  answer(210, 'nrt')
  answer(220, 'icn')
  t.equal(tally.turns.get('icn')!.returnedAt, 222)
  answer(230, 'nrt')
  t.equal(tally.wrong, 5, 'it flaps')
  t.same([...tally.instead], ['nrt'])
})

t.test('what was asked before an order and answered after it is right either way', async (t) => {
  const tally = makeTally(['icn'])
  const asked = { rcode: 'NOERROR', ttl: 20, home: 'icn' }
  tally.orderedAt = 100
  seeAnswer(tally, { ...asked, sentAt: 99, at: 105, targets: ['nrt'] })
  seeAnswer(tally, { ...asked, sentAt: 101, at: 106, targets: ['nrt'] })
  tally.startedAt = 200
  seeAnswer(tally, { ...asked, sentAt: 199, at: 205, targets: ['icn'] })
  t.same([tally.wrong, tally.turns.get('icn')!.returnedAt], [0, 205])
})

t.test('a report holds what was seen against the limits', async (t) => {
  const tally = makeTally(['icn'])
  Object.assign(tally, { orderedAt: 1000, clientsGoneAt: 20_500, startedAt: 24_000, queries: 1200 })
  Object.assign(tally.turns.get('icn')!, { detectedAt: 1004, leftAt: 1020, exitedAt: 23_100, returnedAt: 27_000 })
  for (let at = 0; at < 20_000; at += 100) seeRequest(tally, { target: 'icn', sentAt: at, at: at + 3 })
  const about = { title: 'icn', members: ['icn'], kind: 'stop', startedAt: '2026-01-01T00:00:00.000Z', tookMs: 30_000, limits: defaultLimits('stop', { ttl: 20, longestTtl: 20, rate: 50, times: 1 }), load: { clients: 100, rate: 50, ttl: 20, hosts: [], subnets: [] } } as const
  const good = makeReport(tally, ['icn'], about)
  t.equal(good.met, true)
  t.same(good.measures.map(({ measured }) => measured), [4, 20, 18_900, 22_100, 0, 0, 0, 0, 0, 3000])
  t.same(good.latencyMs.outage, { p50: 3, p95: 3, p99: 3, max: 3 })
  seeRequest(tally, { target: 'nrt', sentAt: 21_000, at: 21_001, failure: 'ECONNREFUSED' })
  const bad = makeReport(tally, ['icn'], about)
  t.equal(bad.met, false)
  t.same(bad.measures.filter(({ met }) => !met).map(({ what }) => what.trim()), ['failed requests', 'of other edges', 'after the last TTL'])
  t.match(formatReport(bad), /failed requests +1 of 201 +0 +missed\n/)
  t.match(formatReport(bad), /failed request 20 s after the order: nrt: ECONNREFUSED/)
  const cut = makeReport(makeTally(['icn']), ['icn'], { ...about, interrupted: 'SIGINT' })
  t.equal(cut.met, false)
  t.match(formatReport(cut), /cut short: SIGINT[^]*to the new answer +never/)
})

t.test('scouting keeps the places where the edge is the steady answer', async (t) => {
  let turn = 0
  const addresses: Record<string, string[]> = { '168.126.63.0/24': ['192.0.2.1'], '202.12.27.0/24': ['192.0.2.1', '192.0.2.2'] }
  const found = await scout(['a.example', 'b.example'], new Map([['192.0.2.1', 'icn']]), async ({ name, subnet }) => {
    const draws = subnet === '8.8.8.0/24' ? [turn++ % 2 === 0 ? '192.0.2.1' : '192.0.2.2'] : ['192.0.2.2']
    return { rcode: 'NOERROR', addresses: name === 'a.example' ? (addresses[subnet] ?? draws) : [], ttl: 20, sentAt: 0, at: 0 }
  })
  t.same(found.viewpoints.map(({ question, host }) => [host, question.subnet]), [['a.example', '168.126.63.0/24']])
  t.equal(found.ttl, 20)
})

t.test('one drill at a time, and the lock of a dead one does not count', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'drill-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'drill.lock')
  const lock = takeLock(file, process.pid) as Lock
  t.equal(readFileSync(file, 'utf8'), `${process.pid}\n`)
  t.equal(takeLock(file, process.pid), process.pid)
  lock.release()
  writeFileSync(file, '999999999\n')
  const again = takeLock(file, process.pid)
  t.equal(typeof again, 'object')
})

t.test('several struck edges are each judged by those that are at home there', async (t) => {
  const tally = makeTally(['icn', 'fra'])
  const answer = (home: string, sentAt: number, ...targets: string[]): void => seeAnswer(tally, { sentAt, at: sentAt + 2, rcode: 'NOERROR', targets, ttl: 20, home })
  tally.orderedAt = 100
  answer('icn', 110, 'nrt')
  answer('fra', 111, 'fra')
  answer('icn', 112, 'fra')
  t.equal(tally.wrong, 0, 'fra is not known to be down yet')
  answer('fra', 130, 'iad')
  t.same([tally.turns.get('icn')!.leftAt, tally.turns.get('fra')!.leftAt], [112, 132])
  tally.startedAt = 200
  answer('icn', 210, 'icn')
  t.equal(tally.turns.get('fra')!.returnedAt, undefined)
})

t.test('an edge that is to stay in the answers is missed, and one that flaps may come and go', async (t) => {
  const stays = makeTally(['icn'], 'stays')
  const flaps = makeTally(['icn'], 'flaps')
  for (const tally of [stays, flaps]) {
    tally.orderedAt = 100
    for (const [at, target] of [[110, 'nrt'], [120, 'icn'], [130, 'nrt'], [140, 'icn']] as const) {
      seeAnswer(tally, { sentAt: at, at: at + 2, rcode: 'NOERROR', targets: [target], ttl: 20, home: 'icn' })
    }
  }
  t.same([stays.wrong, flaps.wrong], [2, 0])
  t.equal(flaps.turns.get('icn')!.leaves, 2)
})

t.test('where nobody is at home recovery is until the last that failed, and silence is measured', async (t) => {
  const tally = makeTally(['daemon'])
  tally.orderedAt = 100
  for (const at of [90, 110, 900, 950]) seeAnswer(tally, { sentAt: at, at: at + 1, rcode: 'NOERROR', targets: ['icn'], ttl: 20 })
  tally.startedAt = 1000
  seeAnswer(tally, { sentAt: 1400, at: 2400, rcode: 'LOST', targets: [], ttl: 0 })
  const limits = { ...defaultLimits('kill', { ttl: 20, longestTtl: 20, rate: 50, times: 1 }), unanswered: 1, silentMs: 700, recoveryMs: 300 }
  const report = makeReport(tally, [], { title: 'daemon', members: ['daemon'], kind: 'kill', startedAt: '', tookMs: 1, limits, load: { clients: 1, rate: 1, ttl: 20, hosts: [], subnets: [] } })
  t.same(report.measures.filter(({ met }) => !met).map(({ what, measured }) => [what, measured]), [['longest silence of DNS', 790], ['recovery', 400]])
})

t.test('a scenario is read, and every mistake in one is told at once', async (t) => {
  const { scenario } = readScenario('drills/slow.yaml', 'about: slow\nslow: { icn: 200ms, nrt: 200ms }\nfor: 5s\nstays: true\nload: { rate: 10, warm-up: 500ms }\nlimits: { failed: 0, gone: 3s }\n')
  t.match(scenario, {
    name: 'slow', blow: { kind: 'slow', members: ['icn', 'nrt'], delayMs: 200 }, forMs: 5000, stays: true,
    load: { rate: 10, clients: 100, warmMs: 500 }, limits: { failed: 0, goneMs: 3000 }
  })
  const { faults } = readScenario('x.yaml', 'kil: icn\nfor: soon\nlimits: { anwser: 1s, failed: -1 }\nload: { rate: 0 }\nerror: { icn: 200 }\n')
  t.same(faults.map(({ line, column, reason, hint }) => `${line}:${column}: ${reason}${hint === undefined ? '' : ` (${hint})`}`).sort(), [
    '1:1: unknown key kil (did you mean kill?)', '2:6: for: expected a duration such as 500ms, 5s or 2m', '3:11: unknown key anwser (did you mean answer?)',
    '3:31: limits.failed: expected a whole number from 0 to 1000000000', '4:15: load.rate: expected a whole number from 1 to 2000', '5:15: error.icn: expected a whole number from 400 to 599'
  ])
  const known = (text: string): string[] => readScenario('x.yaml', text, ['icn', 'nrt', 'daemon']).faults.map(({ line, column, reason, hint }) => `${line}:${column}: ${reason} (${hint})`)
  t.same(known('kill: [icn, nrrt]\n'), ['1:13: there is no member nrrt (did you mean nrt?)'])
  t.same(known('slow: { icm: 1s }\n'), ['1:9: there is no member icm (did you mean icn?)'])
  t.same(known('stop: tokyo\n'), ['1:7: there is no member tokyo (known: icn, nrt, daemon, half)'])
  for (const text of ['stop: half\n', 'kill: daemon\n', 'slow: { icn: 1s, nrt: 1s }\n']) t.same(known(text), [], text)
  for (const text of ['[]', 'stop: icn\nkill: nrt\n', 'stop: []\n', 'about: nothing\n']) t.ok(readScenario('x.yaml', text).faults.length > 0, text)
})
