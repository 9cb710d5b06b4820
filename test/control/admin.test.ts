import { request } from 'node:http'
import { connect } from 'node:net'
import t from 'tap'
import type { Channel } from '../../core/channel.ts'
import { systemAfter } from '../../core/clock.ts'
import type { ForcesReply } from '../../daemon/control/api.ts'
import { makeFleetRequests, startAdmin, type Explanation } from '../../daemon/control/index.ts'
import { daemonStatus, makeSetup, makeToyFleet, silent, token } from './fleet.ts'

const PORT = 12053
const setup = makeSetup(undefined, PORT)
const fleet = makeToyFleet(setup)
const { clock, after } = fleet.time
const reloads: boolean[] = []
const refreshes: boolean[] = []
const admin = await startAdmin({
  setup,
  clock,
  after,
  log: silent,
  health: fleet.health,
  fleet: fleet.requests,
  status: () => daemonStatus,
  traffic: async (question) => (question.kind === 'drain' && question.patterns.includes('icn') ? { names: ['icn'], safe: true, reasons: [], notes: [], share: 0, to: [], loads: question.loads.map(({ name, now = 0, capacity }) => ({ name, now, later: now, capacity })), weighed: 'addresses', goneAfter: question.goneAfter } : { trouble: 'there is no edge ick' }),
  explain: ({ name, type, from }) => (name === 'bad..name' ? 'name: an empty label' : ({ question: { name, type, from: from.bytes.join('.') } } as Explanation)),
  inService: async () => ({ since: { zones: {} }, policies: { kind: 'same', since: 0 } }),
  reload: async (force) => {
    reloads.push(force)
    return { zones: [], faults: [] }
  },
  refresh: (zone, isWhole) => zone === 'example.org.' && refreshes.push(isWhole) > 0,
  flush: async (zone, isDry) => ({ zones: [{ origin: zone ?? 'all', serial: 1, file: '', lines: isDry ? ['dry'] : [], files: [], faults: [] }] })
})
await fleet.time.turn(50)
t.teardown(async () => {
  await admin.close()
  await fleet.health.close()
})

interface Asked {
  readonly status: number
  readonly body: Record<string, unknown>
}

function ask(method: string, path: string, options: { body?: unknown; headers?: Record<string, string>; token?: string | undefined } = {}): Promise<Asked> {
  const authorization: Record<string, string> = 'token' in options ? (options.token === undefined ? {} : { authorization: options.token }) : { authorization: `Bearer ${token}` }
  const text = options.body === undefined ? undefined : typeof options.body === 'string' ? options.body : JSON.stringify(options.body)
  return new Promise((resolve, reject) => {
    const asking = request({ host: '127.0.0.1', port: PORT, method, path, agent: false, headers: { ...authorization, ...options.headers } }, (response) => {
      let received = ''
      response.on('data', (chunk: Uint8Array) => (received += String(chunk)))
      response.on('end', () => resolve({ status: response.statusCode!, body: (received === '' ? {} : JSON.parse(received)) as Record<string, unknown> }))
    })
    asking.on('error', reject)
    asking.end(text)
  })
}

t.test('without the token nothing is told and nothing is done', async (t) => {
  for (const wrong of [undefined, '', 'Bearer', 'Bearer ', `Bearer ${token.slice(1)}`, `Bearer ${token}0`, `Basic ${token}`, token]) {
    for (const [method, path] of [['GET', '/v1/status'], ['POST', '/v1/stop'], ['GET', '/nowhere']] as const) {
      const { status, body } = await ask(method, path, { token: wrong, ...(method === 'POST' ? { body: { name: 'icn', now: true } } : {}) })
      t.equal(status, 401, `${path} with ${wrong}`)
      t.same(Object.keys(body), ['error'])
    }
  }
  t.same(fleet.asked, [])
})

t.test('a foreign Host and any Origin are refused, token or not', async (t) => {
  for (const host of ['nearcast.test', 'evil.example:12053', `127.0.0.1:${PORT + 1}`, '127.0.0.2', `127.0.0.1.evil.example:${PORT}`, 'localhost.evil.example', `a@127.0.0.1:${PORT}`]) {
    t.equal((await ask('GET', '/v1/status', { headers: { host } })).status, 403, `Host: ${host}`)
  }
  for (const host of ['127.0.0.1', `127.0.0.1:${PORT}`, 'localhost', `LOCALHOST:${PORT}`]) {
    t.equal((await ask('GET', '/v1/status', { headers: { host } })).status, 200, `Host: ${host}`)
  }
  for (const origin of ['https://evil.example', `http://127.0.0.1:${PORT}`, 'null']) {
    t.equal((await ask('GET', '/v1/status', { headers: { origin } })).status, 403, `Origin: ${origin}`)
  }
})

t.test('status is the daemon and its members', async (t) => {
  const { status, body } = await ask('GET', '/v1/status')
  t.equal(status, 200)
  t.match(body, { version: '0.1.0', routedTtl: 20 })
  const members = body['members'] as Record<string, unknown>[]
  t.same(members.map((member) => member['name']), ['icn', 'fra', 'apac', 'tokyo', 'demo', 'dns'])
  t.match(members[0], { role: 'edge', city: 'Seoul', parent: 'apac', health: 'UP', process: 'running', answerable: true })
  t.match(members[2], { role: 'regional', parent: 'tokyo', health: 'UP', answerable: undefined })
  t.match(members[4], { role: 'origin', health: undefined, process: 'running' })
  t.notMatch(JSON.stringify(body), token)
})

t.test('a mistake gets one line that says what was meant', async (t) => {
  const cases: readonly (readonly [string, string, unknown, number, RegExp])[] = [
    ['POST', '/v1/stop', { name: 'icm' }, 404, /^there is no member icm \(did you mean icn\?\)$/],
    ['POST', '/v1/kill', { name: 'nowhere' }, 404, /known: icn, fra, apac, tokyo, demo, dns/],
    ['POST', '/v1/stop', { nam: 'icn' }, 400, /name|nam/],
    ['POST', '/v1/stop', { name: 'icn', nwo: true }, 400, /^unknown key nwo \(did you mean now\?\)$/],
    ['POST', '/v1/stop', { name: 'icn', forMs: -1 }, 400, /^forMs: /],
    ['POST', '/v1/stop', { name: 'dns' }, 400, /daemon itself/],
    ['POST', '/v1/force', { name: 'icn', state: 'off' }, 400, /^state: .*drain/],
    ['POST', '/v1/force', { name: 'demo', state: 'down' }, 400, /not checked/],
    ['POST', '/v1/start', '{"name":', 400, /not JSON/],
    ['POST', '/v1/start', '[]', 400, /object/],
    ['GET', '/v1/stop', undefined, 405, /^\/v1\/stop is asked with POST$/],
    ['GET', '/v1/explain?name=a.test&from=nowhere', undefined, 400, /^from: expected an IPv4 or IPv6 address, not nowhere$/],
    ['GET', '/v1/explain?name=a.test&at=later', undefined, 400, /^at: later: expected a time/],
    ['GET', '/v1/explain?name=a.test&at=1999-01-01T00:00Z', undefined, 409, /^not known before /],
    ['GET', '/v1/explain', undefined, 400, /^name: /],
    ['GET', '/v1/explain?name=bad..name', undefined, 400, /empty label/],
    ['GET', '/v1/safe?edges=ick', undefined, 400, /^there is no edge ick$/],
    ['GET', '/v1/safe?edges=,', undefined, 400, /^edges: expected the name of an edge$/],
    ['GET', '/v1/where?policy=video', undefined, 400, /^unknown key policy/]
  ]
  for (const [method, path, body, status, error] of cases) {
    const reply = await ask(method, path, body === undefined ? {} : { body })
    t.equal(reply.status, status, `${method} ${path} ${JSON.stringify(body)}`)
    t.match(reply.body['error'], error)
    t.notMatch(reply.body['error'], /\n/)
  }
  for (const path of ['/v1/statsu', '//', '/', '/v1/status/']) {
    const reply = await ask('GET', path)
    t.equal(reply.status, 404)
    t.ok((reply.body['known'] as string[]).includes('/v1/status'))
  }
  t.same(fleet.asked, [], 'and none of it did anything')
})

t.test('bodies are bounded', async (t) => {
  t.equal((await ask('POST', '/v1/stop', { body: { name: 'x'.repeat(20_000) } })).status, 413)
  t.equal((await ask('GET', '/v1/status', { headers: { 'x-long': 'x'.repeat(10_000) } })).status, 400)
})

t.test('who sends no request at all is let go', async (t) => {
  const socket = connect(PORT, '127.0.0.1')
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.write('NONSENSE\r\n\r\n')
  const answer = await new Promise<string>((resolve) => {
    let text = ''
    socket.on('data', (chunk) => (text += String(chunk)))
    socket.on('close', () => resolve(text))
  })
  t.match(answer, /^HTTP\/1\.1 400 /)
})

t.test('connections that ask nothing keep nobody out', async (t) => {
  const silentOnes = Array.from({ length: 150 }, () => connect(PORT, '127.0.0.1'))
  for (const socket of silentOnes) {
    socket.on('error', () => undefined)
    socket.resume()
  }
  await Promise.all(silentOnes.map((socket) => new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))))
  t.equal((await ask('GET', '/v1/status')).status, 200)
  const letGo = (): number => silentOnes.filter((socket) => socket.destroyed).length
  for (let waits = 0; waits < 500 && letGo() < 150 - 32; waits++) await new Promise((resolve) => setTimeout(resolve, 10))
  t.ok(letGo() >= 150 - 32, `${letGo()} were let go`)
  for (const socket of silentOnes) socket.destroy()
})

t.test('the calls do what they say', async (t) => {
  t.same(await ask('POST', '/v1/stop', { body: { name: 'icn' } }), { status: 200, body: { exitsInMs: 22_000 } })
  t.same(await ask('POST', '/v1/start', { body: { name: 'icn' } }), { status: 200, body: { done: true } })
  t.same(await ask('POST', '/v1/stop', { body: { name: 'demo' } }), { status: 200, body: { exitsInMs: 0 } })
  t.same(await ask('POST', '/v1/kill', { body: { name: 'fra', forMs: 3000 } }), { status: 200, body: { done: true } })
  t.same(fleet.asked, ['stop demo', 'kill fra'])
  t.match(fleet.health.members()[1], { health: 'DOWN', why: 'its process has ended: killed by SIGKILL', answerable: false })
  t.same(await ask('POST', '/v1/force', { body: { name: 'icn', state: 'drain', why: 'new disks', forMs: 60_000 } }), { status: 200, body: { done: true } })
  t.match(fleet.health.members()[0], { answerable: false, forced: { state: 'drain', why: 'new disks', until: clock.now() + 60_000 } })
  await ask('POST', '/v1/force', { body: { name: 'icn', state: 'none' } })
  t.match(fleet.health.members()[0], { answerable: true, forced: undefined })
  t.same(await ask('POST', '/v1/force', { body: { name: '?cn*', state: 'down' } }), { status: 200, body: { done: true, names: ['icn'] } })
  t.same(await ask('POST', '/v1/force', { body: { name: '*a*', state: 'down', forMs: 60_000 } }), { status: 200, body: { done: true, names: ['fra', 'apac'] } })
  t.match(fleet.health.members()[1], { forced: { state: 'down', until: clock.now() + 60_000 } })
  const forced = (await ask('GET', '/v1/forces')).body as unknown as ForcesReply
  t.same(forced.forces.map(({ name, state, until }) => [name, state, until]), [['icn', 'down', undefined], ['fra', 'down', clock.now() + 60_000], ['apac', 'down', clock.now() + 60_000]])
  t.match(await ask('POST', '/v1/force', { body: { name: 'icn', state: 'down', everywhere: true } }), { status: 400, body: { error: 'this daemon has no other PoPs: nearcast.yaml has no pops:' } })
  t.match(await ask('POST', '/v1/force', { body: { name: 'x*', state: 'down' } }), { status: 404, body: { error: 'x* fits no member (known: icn, fra, apac, tokyo)' } })
  t.same((await ask('POST', '/v1/force', { body: { name: '*', state: 'none' } })).body['names'], ['icn', 'fra', 'apac', 'tokyo'])
  t.match(fleet.health.members()[0], { answerable: true, forced: undefined })
  fleet.refuseWith('it is being restarted')
  t.same(await ask('POST', '/v1/kill', { body: { name: 'icn' } }), { status: 502, body: { error: 'it is being restarted' } })
  t.same((await ask('POST', '/v1/reload', { body: { force: true } })).body, { zones: [], faults: [] })
  await ask('POST', '/v1/reload')
  t.same(reloads, [true, false])
  t.same(await ask('POST', '/v1/refresh', { body: { zone: 'Example.ORG', whole: true } }), { status: 200, body: { done: true } })
  await ask('POST', '/v1/refresh', { body: { zone: 'example.org.' } })
  t.same(refreshes, [true, false])
  t.match(await ask('POST', '/v1/refresh', { body: { zone: 'example.net' } }), { status: 404, body: { error: /^there is no secondary zone example\.net\./ } })
  t.match((await ask('GET', '/v1/safe?edges=icn')).body, { safe: true, goneAfter: 20, loads: [{ name: 'icn', now: 0, capacity: 5000 }, { name: 'fra' }] }, 'with the load and the capacity of each edge')
  t.same((await ask('GET', '/v1/explain?name=www.nearcast.test&from=192.0.2.1')).body, { question: { name: 'www.nearcast.test', type: 'A', from: '192.0.2.1' } })
})

t.test('a supervisor that does not answer is not waited for without end, and an admin API needs a token', async (t) => {
  const mute: Channel = { send: () => undefined }
  const requests = makeFleetRequests(mute, (milliseconds, run) => systemAfter(milliseconds / 1000, run))
  t.equal(await requests.ask('stop', 'icn'), 'the supervisor does not answer')
  const many = Array.from({ length: 65 }, () => requests.ask('stop', 'icn'))
  t.equal(await many[64], 'too many requests wait for the supervisor')
  await Promise.all(many)
  const { adminToken: _, ...tokenless } = setup
  await t.rejects(startAdmin({ setup: tokenless, clock, after, log: silent, health: fleet.health, fleet: requests, status: () => daemonStatus, traffic: async () => ({ trouble: '' }), explain: () => '', inService: async () => ({ since: { zones: {} }, policies: { kind: 'same', since: 0 } }), reload: async () => ({ zones: [], faults: [] }), refresh: () => false, flush: async () => ({ zones: [] }) }), /token/)
})
