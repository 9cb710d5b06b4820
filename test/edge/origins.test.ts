import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { parseConfig } from '../../core/config-file.ts'
import type { RunningWorker } from '../../edge/index.ts'
import { makeCircuit } from '../../edge/tiers/circuit.ts'
import { adviseShield } from '../../cli/shield-advice.ts'
import { watchOrigins } from '../../daemon/control/origin-health.ts'
import { balances } from '../../edge/tiers/balances.ts'
import { makeTimes } from '../../edge/tiers/times.ts'
import { makeManualClock, type ManualClock } from '../helpers/manual-clock.ts'
import { connectClient, type Reply } from './client.ts'
import { startOrigin, type Origin } from './origin.ts'
import { configOf, startMember } from './workers.ts'

// One edge over several origins.

t.setTimeout(120_000)

const PORT = 13260
const ADDRESS = '127.22.0.1'

interface Edge {
  readonly worker: RunningWorker
  readonly time: ManualClock
  get(target: string, more?: { method?: string; fields?: string }): Promise<Reply>
}

async function startEdge(t: Test, origins: Readonly<Record<string, unknown>>, group: unknown, tiers: unknown = {}): Promise<Edge> {
  const time = makeManualClock()
  const config = configOf({
    edges: { icn: { address: ADDRESS, city: 'Seoul', at: [37, 126] } },
    origins,
    'origin-groups': { all: group },
    tiers,
    distributions: { d1: { behaviours: [{ path: '/*', origin: 'all' }] } }
  })
  const worker = await startMember({ role: 'edge', name: 'icn', config, port: PORT, clock: time.clock })
  t.teardown(() => worker.close(0))
  const get: Edge['get'] = async (target, { method = 'GET', fields = '' } = {}) => {
    const client = await connectClient(ADDRESS, PORT)
    client.send(`${method} ${target} HTTP/1.1\r\nHost: d1.nearcast.test\r\n${fields}\r\n`)
    const reply = await client.reply(method === 'HEAD')
    client.close()
    return reply
  }
  return { worker, time, get }
}

const says = (body: string, status = 200) => ({ status, fields: [['Cache-Control', 'no-store']] as const, body })
const urlOf = ({ port }: Pick<Origin, 'port'>) => `http://127.0.0.1:${port}`

t.test('another origin of the group is asked on the statuses that were chosen, when one cannot be reached, and when it is silent', async (t) => {
  const [first, second] = [await startOrigin(), await startOrigin()]
  t.teardown(() => Promise.all([first.close(), second.close()]))
  const silent = createServer(() => undefined)
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  t.teardown(() => (silent.closeAllConnections(), silent.close()))
  const edge = await startEdge(
    t,
    { dead: { url: 'http://127.0.0.1:1' }, first: { url: urlOf(first), headers: { 'X-Key': 'sesame', 'User-Agent': 'nearcast' } }, silent: { url: urlOf({ port: (silent.address() as AddressInfo).port }), 'response-timeout': '50ms' }, second: { url: `${urlOf(second)}/site` } },
    { origins: ['dead', 'first', 'silent', 'second'], 'fail-over-on': [404, 503] }
  )
  for (const [status, path] of [[200, '/ok'], [404, '/none'], [503, '/busy'], [403, '/forbidden']] as const) first.answers.set(path, says('first', status))
  for (const path of ['/none', '/busy']) second.answers.set(`/site${path}`, says('second'))
  second.answers.set('/site/post', says('second'))
  t.equal((await edge.get('/ok', { fields: 'User-Agent: viewer\r\nX-Key: guess\r\n' })).body, 'first')
  t.equal(first.asked[0]!.headers['x-key'], 'sesame')
  t.equal(first.asked[0]!.headers['user-agent'], 'nearcast', 'fields of the origin take the place of the viewer\'s')
  t.equal((await edge.get('/none')).body, 'second', 'past the status and past the silent one, under the path of the next')
  t.equal((await edge.get('/busy')).body, 'second')
  t.equal((await edge.get('/busy', { method: 'HEAD' })).status, 200)
  t.equal((await edge.get('/forbidden')).status, 403, 'a status that was not chosen stands')
  t.equal((await edge.get('/none2')).status, 404, 'the last one is believed')
  first.answers.set('/post', says('first', 503))
  t.equal((await edge.get('/post', { method: 'POST', fields: 'Content-Length: 0\r\n' })).status, 503, 'what may have an effect is not asked twice')
})

t.test('a connection is tried again, within the budget', async (t) => {
  const edge = await startEdge(t, { dead: { url: 'http://127.0.0.1:1', attempts: 3 } }, { origins: ['dead'] }, { 'retry-share': 0 })
  const reply = await edge.get('/')
  t.equal(reply.status, 502)
  t.match(reply.body, /the origin cannot be reached/)
  let refusals = 2
  const late = await startOrigin()
  late.answers.set('/', says('late'))
  t.teardown(() => late.close())
  const { port } = late
  const flaky: Server = createServer((request, response: ServerResponse) => {
    if (refusals-- > 0) return void request.socket.destroy()
    response.writeHead(200, { 'Content-Length': 4, 'Cache-Control': 'no-store' }).end('late')
  })
  await late.close()
  await new Promise<void>((resolve) => flaky.listen(port, '127.0.0.1', resolve))
  t.teardown(() => (flaky.closeAllConnections(), flaky.close()))
  const config = configOf({
    edges: { nrt: { address: '127.22.0.2', city: 'Tokyo', at: [35, 139] } },
    origins: { flaky: { url: `http://127.0.0.1:${port}` } },
    distributions: { d1: { behaviours: [{ path: '/*', origin: 'flaky' }] } }
  })
  const worker = await startMember({ role: 'edge', name: 'nrt', config, port: PORT, clock: makeManualClock().clock })
  t.teardown(() => worker.close(0))
  const client = await connectClient('127.22.0.2', PORT)
  t.teardown(() => client.close())
  client.send('GET / HTTP/1.1\r\nHost: d1.nearcast.test\r\n\r\n')
  t.equal((await client.reply()).body, 'late', 'at the third attempt')
  refusals = 1
  client.send('POST / HTTP/1.1\r\nHost: d1.nearcast.test\r\nContent-Length: 0\r\n\r\n')
  t.equal((await client.reply()).status, 502, 'what may have been understood is not sent again where it may have an effect')
})

t.test('an origin that fails is left alone, tried by one request, and asked again once that is answered', async (t) => {
  const [first, second] = [await startOrigin(), await startOrigin()]
  t.teardown(() => Promise.all([first.close(), second.close()]))
  const edge = await startEdge(t, { first: { url: urlOf(first) }, second: { url: urlOf(second) } }, { origins: ['first', 'second'] })
  first.answers.set('/', says('first', 503))
  second.answers.set('/', says('second'))
  for (let times = 0; times < 60; times++) t.equal((await edge.get('/')).body, 'second')
  t.equal(first.asked.length, 20, 'no longer asked by every request')
  await edge.time.turn(1001)
  await Promise.all(Array.from({ length: 10 }, () => edge.get('/')))
  t.equal(first.asked.length, 21, 'one tries it')
  await edge.time.turn(1001)
  await edge.get('/')
  t.equal(first.asked.length, 21, 'and after a failure later than before')
  first.answers.set('/', says('first'))
  await edge.time.turn(1000)
  for (let times = 0; times < 5; times++) t.equal((await edge.get('/')).body, 'first')
})

t.test('what may be stale answers while its origin is left alone', async (t) => {
  const origin = await startOrigin()
  origin.answers.set('/', { status: 200, fields: [['Cache-Control', 'max-age=1, stale-while-revalidate=60']], body: 'held' })
  const edge = await startEdge(t, { only: { url: urlOf(origin), attempts: 1 } }, { origins: ['only'] })
  t.equal((await edge.get('/')).body, 'held')
  await origin.close()
  await edge.time.turn(2000)
  for (let times = 0; times < 6; times++) t.equal((await edge.get(`/${times}`)).status, 502)
  t.match(await edge.get('/'), { status: 200, body: 'held', broken: false })
})

t.test('the circuit: five connections that are not made open it, and what was sent before counts no more', (t) => {
  const circuit = makeCircuit()
  for (let times = 0; times < 4; times++) t.equal(circuit.failed(0, true), false)
  t.equal(circuit.failed(0, true), true)
  t.equal(circuit.failed(0, true), false, 'told once')
  t.equal(circuit.enter(999), false)
  t.equal(circuit.enter(1000), true)
  t.equal(circuit.enter(1000), false, 'half-open: one alone')
  circuit.abandoned()
  t.equal(circuit.enter(1001), true, 'another one, as nobody waits for the first')
  circuit.failed(1002, true)
  t.equal(circuit.isOpen(3001), true, 'twice as long')
  t.equal(circuit.enter(3002), true)
  t.equal(circuit.succeeded(3003), true)
  for (let times = 0; times < 100; times++) circuit.succeeded(3003)
  for (let times = 0; times < 99; times++) t.equal(circuit.failed(3003, false), false, 'fewer than half')
  t.end()
})

t.test('the ways to balance', (t) => {
  const loads = [0, 0, 0]
  const times = [makeTimes(), makeTimes(), makeTimes()]
  const members = ['a', 'b', 'c'].map((name, at) => ({ name, weight: [5, 1, 2][at]!, underWay: () => loads[at]!, expected: (now: number) => times[at]!.expected(now) }))
  const firsts = (name: keyof typeof balances, count: number, key = (at: number): string => `/${at}`): string => {
    const order = balances[name](members)
    return Array.from({ length: count }, (_, at) => {
      const all = order({ key: key(at), viewer: () => `192.0.2.${at}` }, 0)
      if (all.toSorted().join() !== '0,1,2') throw new Error(`${name}: ${all.join()}: not everybody once`)
      return 'abc'[all[0]!]
    }).join('')
  }
  t.equal(firsts('failover', 4), 'aaaa')
  t.equal(firsts('round-robin', 7), 'abcabca')
  t.equal(firsts('weighted', 16), 'acaabacaacaabaca')
  t.equal(firsts('url-hash', 20, () => '/same'), firsts('url-hash', 1, () => '/same').repeat(20))
  for (const name of ['url-hash', 'ip-hash'] as const) t.equal(new Set(firsts(name, 60)).size, 3, name)
  t.equal(firsts('least-connections', 6), 'abcabc', 'equals take turns')
  loads.splice(0, 3, 11, 2, 6)
  t.equal(firsts('least-connections', 4), 'bbbb', 'by their weights')
  loads.fill(0)
  times[0]!.add(30, 0)
  times[1]!.add(10, 0)
  t.equal(firsts('response-time', 1), 'c', 'who is not known is tried')
  times[2]!.add(40, 0)
  t.equal(firsts('response-time', 1), 'b')
  loads[1] = 3
  t.equal(firsts('response-time', 1), 'a', 'by those who wait already')
  times[0]!.add(100, 0)
  t.equal(times[0]!.expected(0), 100, 'a slow answer counts at once')
  t.equal(Math.round(times[0]!.expected(10_000)), 37, 'and is forgotten with time')
  t.equal(times[0]!.p95(), undefined)
  for (let ms = 1; ms <= 98; ms++) times[0]!.add(ms, 0)
  t.ok(times[0]!.p95()! > 80 && times[0]!.p95()! < 98)
  t.end()
})

t.test('an origin that its check finds down is asked last', async (t) => {
  const [first, second] = [await startOrigin(), await startOrigin()]
  t.teardown(() => Promise.all([first.close(), second.close()]))
  const edge = await startEdge(t, { first: { url: urlOf(first) }, second: { url: urlOf(second) } }, { origins: ['first', 'second'] })
  first.answers.set('/', says('first'))
  second.answers.set('/', says('second'))
  edge.worker.downOrigins(['first'])
  t.equal((await edge.get('/')).body, 'second')
  edge.worker.downOrigins(['first', 'second'])
  t.equal((await edge.get('/')).body, 'first', 'all down: as if all were up')
  edge.worker.downOrigins([])
  t.equal((await edge.get('/')).body, 'first')
})

t.test('which origins are down is told when that changes: by their checks, and as they are forced', (t) => {
  const told: string[] = []
  const config = configOf({ checks: { deep: { http: '/deep' } }, origins: { one: { url: 'https://192.0.2.1', check: 'deep' }, two: { url: 'http://192.0.2.2:8000/x', check: 'default' }, three: { url: 'http://192.0.2.3' } } })
  const origins = watchOrigins(config, (down) => told.push(down.join(' ')))
  t.same(origins.targets.map(({ name }) => name), ['origin/one', 'origin/two'])
  const state = new Map<string, { verdict: 'UP' | 'DOWN' | 'UNKNOWN'; forced: 'none' | 'up' | 'down' | 'drain' }>()
  const set = (name: string, verdict: 'UP' | 'DOWN' | 'UNKNOWN', forced: 'none' | 'up' | 'down' | 'drain'): void => {
    state.set(name, { verdict, forced })
    origins.note(name, { report: (asked) => ({ name: asked, check: 'default', why: '', since: 0, checkedAt: 0, falls: 0, suspect: false, ...(state.get(asked) ?? { verdict: 'UNKNOWN', forced: 'none' }) }) })
  }
  set('origin/one', 'UNKNOWN', 'none')
  set('icn', 'DOWN', 'none')
  t.same(told, [])
  set('origin/two', 'DOWN', 'none')
  set('origin/two', 'DOWN', 'none')
  set('origin/one', 'UP', 'drain')
  set('origin/two', 'DOWN', 'up')
  t.same(told, ['two', 'one two', 'one'])
  t.end()
})

t.test('where a shield should stand', (t) => {
  const config = configOf({
    edges: {
      icn: { address: '127.0.0.2', city: 'Seoul', at: [37.46, 126.44], region: 'ap-northeast-2' },
      nrt: { address: '127.0.0.3', city: 'Tokyo', at: [35.76, 140.39], region: 'ap-northeast-1' },
      fra: { address: '127.0.0.4', city: 'Frankfurt', at: [50.03, 8.56], region: 'eu-central-1' },
      iad: { address: '127.0.0.5', city: 'Ashburn', at: [38.95, -77.45], region: 'us-east-1' }
    },
    shields: { tokyo: { address: '127.0.0.6', at: [35.69, 139.69] } },
    origins: { far: { url: 'http://192.0.2.1', region: 'us-east-1' }, other: { url: 'http://192.0.2.2', region: 'mars-1' } },
    distributions: { d1: { behaviours: [{ path: '/*', origin: 'far' }] }, d2: { behaviours: [{ path: '/*', origin: 'other' }] } }
  })
  const shares = (icn: number, nrt: number, fra: number, iad: number) => new Map(Object.entries({ icn, nrt, fra, iad }))
  t.same(adviseShield(config, 'd1', shares(1, 1, 1, 1))!.best.members, ['iad'], 'where its origin is')
  t.same(adviseShield(config, 'd2', shares(10, 9, 1, 0))!.best.members, ['icn'], 'else where the traffic is')
  t.same(adviseShield(config, 'd2', shares(1, 9, 0, 0))!.best.members, ['tokyo', 'nrt'], 'members beside each other are one place')
  t.same(adviseShield(config, 'd2', shares(1, 9, 0, 0))!.fallback!.members, ['icn'])
  t.ok(adviseShield(config, 'd2', shares(0, 0, 0, 0)), 'without traffic')
  t.end()
})

t.test('what cannot be is refused where it stands', (t) => {
  const text = `origins:
  main: { url: "http://127.0.0.1:8000", headers: { Via: x } }
  other: { url: "http://127.0.0.1:8001", check: nun }
origin-groups:
  main: { origins: [other, mian], fail-over-on: [418] }
  pair: { origins: { other: 2, mein: 1 }, balance: wighted }
  good: { origins: { other: 2, mein: 1 } }
distributions: { d1: { behaviours: [{ path: "/*", origin: god }] } }
`
  t.same(
    parseConfig('nearcast.yaml', text).faults.map(({ line, reason }) => `${line} ${reason}`),
    [
      '2 origins.main.headers.Via: this field is made for each request and cannot be set',
      '3 origins.other.check: there is no check nun',
      '5 origin-groups.main: main is already the name of an origin',
      '5 origin-groups.main.origins.1: there is no origin mian',
      '5 origin-groups.main.fail-over-on.0: expected some of 403, 404, 500, 502, 503, 504',
      '6 origin-groups.pair.origins.mein: there is no origin mein',
      '6 origin-groups.pair.balance: expected failover or round-robin or weighted or least-connections or ip-hash or url-hash or response-time, found the text "wighted" (did you mean weighted?)',
      '7 origin-groups.good.origins.mein: there is no origin mein',
      '8 distributions.d1.behaviours.0.origin: there is no origin or group of origins god'
    ]
  )
  t.end()
})
