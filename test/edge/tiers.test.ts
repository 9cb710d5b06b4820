import { createServer, type Server, type ServerResponse } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import t, { type Test } from 'tap'
import type { Config } from '../../core/config.ts'
import type { RunningWorker } from '../../edge/index.ts'
import { UpstreamClient } from '../../edge/http/index.ts'
import { makeLiveness } from '../../edge/tiers/index.ts'
import { makeManualClock, type ManualClock } from '../helpers/manual-clock.ts'
import { connectClient, type Reply } from './client.ts'
import { startOrigin, type Origin } from './origin.ts'
import { configOf, startMember } from './workers.ts'

// Edge, regional and shield for real, over sockets, in one process.

const PORT = 13200
const ADDRESS = { icn: '127.20.0.1', nrt: '127.20.0.2', apac: '127.20.1.1', tokyo: '127.20.2.1' }
const ROLES = { icn: 'edge', nrt: 'edge', apac: 'regional', tokyo: 'shield' } as const
type Name = keyof typeof ADDRESS
const HOST = 'd1.nearcast.test'

interface Fleet {
  readonly origin: Origin
  readonly time: ManualClock
  readonly config: Config
  readonly running: ReadonlyMap<Name, RunningWorker>
  start(name: Name, secret?: string): Promise<void>
  stop(name: Name): Promise<void>
}

async function makeFleet(t: Test, names: readonly Name[] = ['tokyo', 'apac', 'icn', 'nrt']): Promise<Fleet> {
  const origin = await startOrigin()
  const time = makeManualClock()
  const config = configOf({
    edges: {
      icn: { address: ADDRESS.icn, city: 'Seoul', at: [37, 126], parent: 'apac' },
      nrt: { address: ADDRESS.nrt, city: 'Tokyo', at: [35, 139], parent: 'apac' }
    },
    regionals: { apac: { address: ADDRESS.apac, shield: 'tokyo' } },
    shields: { tokyo: { address: ADDRESS.tokyo } },
    origins: { main: { url: `http://127.0.0.1:${origin.port}` } },
    distributions: { d1: { behaviours: [{ path: '/*', origin: 'main' }] } }
  })
  const running = new Map<Name, RunningWorker>()
  const fleet: Fleet = {
    origin,
    time,
    config,
    running,
    start: async (name, secret) => {
      const worker = await startMember({ role: ROLES[name], name, config, port: PORT, clock: time.clock, ...(secret === undefined ? {} : { secret }) })
      running.set(name, worker)
    },
    stop: async (name) => {
      await running.get(name)!.close(0)
      running.delete(name)
    }
  }
  for (const name of names) await fleet.start(name)
  t.teardown(async () => {
    for (const worker of running.values()) await worker.close(0)
    await origin.close()
  })
  return fleet
}

async function get(name: Name, target: string, fields: readonly string[] = [`Host: ${HOST}`]): Promise<Reply> {
  const client = await connectClient(ADDRESS[name], PORT)
  client.send(`GET ${target} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`)
  const reply = await client.reply()
  client.close()
  return reply
}

const page = { status: 200, fields: [['Cache-Control', 'max-age=60'], ['ETag', '"1"']] as const, body: 'hello', etag: '"1"' }

t.test('a response passes every tier once, and each tells what it did', async (t) => {
  const { origin, time } = await makeFleet(t)
  origin.answers.set('/', page)
  const first = await get('icn', '/')
  t.equal(first.body, 'hello')
  t.equal(first.fields.get('x-cache'), 'Miss from nearcast')
  t.equal(first.fields.get('via'), '1.1 nearcast-tokyo, 1.1 nearcast-apac, 1.1 nearcast-icn')
  t.equal(first.fields.get('cache-status'), ['tokyo', 'apac', 'icn'].map((name) => `nearcast-${name}; fwd=uri-miss; ttl=60; stored`).join(', '))
  t.equal(first.fields.get('x-nearcast-tier'), undefined, 'the proofs stay inside')
  t.equal(origin.asked[0]!.headers['cdn-loop'], 'nearcast-icn, nearcast-apac, nearcast-tokyo')
  t.equal(origin.asked[0]!.headers['x-forwarded-for'], '127.0.0.1')
  t.equal(origin.asked[0]!.headers['x-nearcast-tier'], undefined)
  t.equal(origin.asked[0]!.headers['x-nearcast-request-id'], first.fields.get('x-nearcast-request-id'), 'one id all the way')
  await time.turn(5000)
  const second = await get('icn', '/')
  t.equal(second.fields.get('x-cache'), 'Hit from nearcast')
  t.equal(second.fields.get('cache-status'), 'nearcast-icn; hit; ttl=55')
  const other = await get('nrt', '/')
  t.equal(other.fields.get('x-cache'), 'Miss from nearcast')
  t.equal(other.fields.get('cache-status'), 'nearcast-apac; hit; ttl=55, nearcast-nrt; fwd=uri-miss; ttl=55; stored')
  t.equal(other.fields.get('age'), '5')
  t.equal(origin.asked.length, 1)
  await time.turn(60_000)
  const third = await get('icn', '/')
  t.equal(third.fields.get('x-cache'), 'RefreshHit from nearcast')
  t.match(third.fields.get('cache-status'), /^nearcast-tokyo; fwd=stale; fwd-status=304; ttl=60, nearcast-apac; .*, nearcast-icn; fwd=stale; fwd-status=304; ttl=60$/)
  t.equal(origin.asked.length, 2)
})

t.test('regionals and shields answer the tiers alone', async (t) => {
  const { origin } = await makeFleet(t)
  origin.answers.set('/', page)
  await get('icn', '/')
  for (const name of ['apac', 'tokyo'] as const) {
    t.equal((await get(name, '/')).status, 403, `${name} has it, and does not give it to a viewer`)
    t.equal((await get(name, '/', [`Host: ${HOST}`, `X-Nearcast-Tier: 1767225600000.${'0'.repeat(24)}.${'0'.repeat(64)}`])).status, 403, 'nor to a forger')
    t.equal((await get(name, '/healthz', ['Host: 127.0.0.1'])).status, 200)
  }
  t.equal((await get('icn', '/', ['Host: other.test'])).status, 421)
  t.equal(origin.asked.length, 1)
})

t.test('a parent that is gone is skipped, and used again when it is back', async (t) => {
  const { origin, time, ...fleet } = await makeFleet(t)
  for (const path of ['/1', '/2', '/3', '/4']) origin.answers.set(path, page)
  await get('icn', '/1')
  await fleet.stop('apac')
  const passed = await get('icn', '/2')
  t.equal(passed.status, 200)
  t.equal(passed.fields.get('via'), '1.1 nearcast-tokyo, 1.1 nearcast-icn')
  await fleet.stop('tokyo')
  t.equal((await get('icn', '/3')).fields.get('via'), '1.1 nearcast-icn', 'the origin when no tier is left')
  await fleet.start('tokyo')
  await fleet.start('apac')
  t.equal((await get('icn', '/4')).fields.get('via'), '1.1 nearcast-icn', 'not asked at once')
  await time.turn(1001)
  origin.answers.set('/5', page)
  t.equal((await get('icn', '/5')).fields.get('via'), '1.1 nearcast-tokyo, 1.1 nearcast-apac, 1.1 nearcast-icn')
  await origin.close()
  const none = await get('icn', '/6')
  t.equal(none.status, 502)
  t.match(none.body, /the origin cannot be reached/)
  t.equal(none.fields.get('x-cache'), 'Miss from nearcast', 'the shield says so, the edge passes it on')
})

t.test('a parent that is not of the fleet is not believed', async (t) => {
  const { origin, start } = await makeFleet(t, ['tokyo', 'icn'])
  origin.answers.set('/', page)
  await start('apac', 'bad'.padEnd(64, '0'))
  t.equal((await get('icn', '/')).fields.get('via'), '1.1 nearcast-tokyo, 1.1 nearcast-icn')
})

t.test('no viewer can make a tier look like a stranger', async (t) => {
  const { origin } = await makeFleet(t)
  origin.answers.set('/', { ...page, fields: [['Cache-Control', 'no-store']] })
  const through = /nearcast-tokyo.*nearcast-apac.*nearcast-icn/
  const room = 20_480 - `GET / HTTP/1.1\r\nHost: ${HOST}\r\nX: \r\n\r\n`.length
  t.match((await get('icn', '/', [`Host: ${HOST}`, `X: ${'x'.repeat(room)}`])).fields.get('via'), through, 'by the largest head')
  t.match((await get('icn', '/', [`Host: ${HOST}`, ...Array<string>(127).fill('X:1')])).fields.get('via'), through, 'by the most fields')
})

t.test('a parent is skipped for longer each time it has been tried in vain, not by how many asked it', (t) => {
  const liveness = makeLiveness()
  t.equal(liveness.failed('apac', 0), true)
  for (let at = 0; at < 100; at++) t.equal(liveness.failed('apac', at), false)
  t.equal(liveness.isDead('apac', 999), true)
  t.equal(liveness.isDead('apac', 1000), false, 'this one tries it')
  t.equal(liveness.isDead('apac', 1001), true, 'the others do not')
  liveness.failed('apac', 1100)
  t.equal(liveness.isDead('apac', 3099), true)
  t.equal(liveness.isDead('apac', 3100), false)
  t.equal(liveness.answered('apac'), true)
  t.equal(liveness.isDead('apac', 3101), false)
  t.end()
})

t.test('a worker that was held up itself reads what came meanwhile before it gives up', async (t) => {
  const { origin } = await makeFleet(t, [])
  origin.answers.set('/', page)
  const client = new UpstreamClient()
  const heard = new Promise<string>((resolve) => {
    const receiver = { head: () => undefined, data: () => undefined, end: () => resolve('all of it'), trouble: ({ detail }: { detail: string }) => resolve(detail) }
    client.fetch({ server: { secure: false, address: '127.0.0.1', port: origin.port }, method: 'GET', path: '/', fields: ['Host', HOST], connectMs: 500, responseMs: 500 }, receiver)
  })
  setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1200))
  t.equal(await heard, 'all of it')
  client.close()
})

t.test('a parent that hangs is found out and passed by', async (t) => {
  const { origin } = await makeFleet(t, ['tokyo', 'icn'])
  origin.answers.set('/', page)
  const silent = createTcpServer(() => undefined)
  await new Promise<void>((resolve) => silent.listen(PORT, ADDRESS.apac, resolve))
  t.teardown(() => silent.close())
  t.equal((await get('icn', '/')).fields.get('via'), '1.1 nearcast-tokyo, 1.1 nearcast-icn')
})

/** So many requests have been read by these members. */
async function haveCome(running: ReadonlyMap<Name, RunningWorker>, count: number, ...names: readonly Name[]): Promise<void> {
  const come = (): number => names.reduce((sum, name) => sum + running.get(name)!.counters().requests, 0)
  for (let tries = 0; come() < count && tries < 3000; tries++) await new Promise((resolve) => setTimeout(resolve, 10))
}

t.test('one fetch, however many ask at once', async (t) => {
  const { origin, running } = await makeFleet(t)
  let open = (): void => undefined
  origin.answers.set('/', { ...page, body: 'x'.repeat(100_000), gate: new Promise<void>((resolve) => (open = resolve)) })
  const asking = Array.from({ length: 100 }, (_, at) => get(at % 2 === 0 ? 'icn' : 'nrt', '/'))
  while (origin.asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  await haveCome(running, 100, 'icn', 'nrt')
  open()
  const replies = await Promise.all(asking)
  t.equal(origin.asked.length, 1)
  t.ok(replies.every(({ status, body, broken }) => status === 200 && body.length === 100_000 && !broken))
  t.equal(replies.filter(({ fields }) => fields.get('cache-status')!.endsWith('collapsed; ttl=60; stored')).length, 98, 'all but one at each edge')
})

t.test('a leader that leaves does not stop the fetch', async (t) => {
  const { origin, running } = await makeFleet(t)
  let open = (): void => undefined
  origin.answers.set('/', { ...page, gate: new Promise<void>((resolve) => (open = resolve)) })
  const leader = await connectClient(ADDRESS.icn, PORT)
  leader.send(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
  while (origin.asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  const follower = get('icn', '/')
  await haveCome(running, 2, 'icn')
  leader.close()
  await new Promise((resolve) => setTimeout(resolve, 50))
  open()
  t.equal((await follower).body, 'hello')
  t.equal((await get('icn', '/')).fields.get('x-cache'), 'Hit from nearcast')
  t.equal(origin.asked.length, 1)
})

t.test('what cannot be shared releases those who wait, and is not waited for again', async (t) => {
  const { origin, running } = await makeFleet(t)
  let open = (): void => undefined
  const secret = { status: 200, fields: [['Cache-Control', 'no-store']] as const, body: 'secret' }
  origin.answers.set('/', { ...secret, gate: new Promise<void>((resolve) => (open = resolve)) })
  const asking = Array.from({ length: 20 }, () => get('icn', '/'))
  while (origin.asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  await haveCome(running, 20, 'icn')
  t.equal(origin.asked.length, 1, 'it might have been for all')
  open()
  for (const reply of await Promise.all(asking)) t.equal(reply.body, 'secret')
  t.equal(origin.asked.length, 20, 'one fetch each')
  let openAgain = (): void => undefined
  origin.answers.set('/', { ...secret, gate: new Promise<void>((resolve) => (openAgain = resolve)) })
  const again = Array.from({ length: 5 }, () => get('icn', '/'))
  for (let tries = 0; origin.asked.length < 25 && tries < 2000; tries++) await new Promise((resolve) => setTimeout(resolve, 10))
  t.equal(origin.asked.length, 25, 'all are sent before one is answered')
  openAgain()
  await Promise.all(again)
})

t.test('those who wait for a response that turns out to vary get their own variant, one fetch for each', async (t) => {
  const { origin, running } = await makeFleet(t)
  let open = (): void => undefined
  const gate = new Promise<void>((resolve) => (open = resolve))
  origin.answers.set('/', { status: 200, fields: [['Cache-Control', 'max-age=60'], ['Vary', 'Accept-Language']], body: 'text', gate })
  const languages = ['de', 'en', 'de', 'en', 'fr', 'en']
  const asking = languages.map((language) => get('icn', '/', [`Host: ${HOST}`, `Accept-Language: ${language}`]))
  while (origin.asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  await haveCome(running, 6, 'icn')
  open()
  for (const reply of await Promise.all(asking)) t.equal(reply.body, 'text')
  t.same(origin.asked.map(({ headers }) => headers['accept-language']).sort(), ['de', 'en', 'fr'])
})

/** An origin whose one response is written by hand. */
async function startSlow(t: Test, origin: Origin): Promise<{ begun: Promise<ServerResponse> }> {
  await origin.close()
  let server: Server | undefined
  const response = new Promise<ServerResponse>((resolve) => {
    server = createServer((_request, response) => {
      response.writeHead(200, { 'Cache-Control': 'max-age=60', 'Content-Length': 20 })
      response.write('0123456789')
      resolve(response)
    })
  })
  await new Promise<void>((resolve) => server!.listen(origin.port, '127.0.0.1', resolve))
  t.teardown(() => {
    server!.closeAllConnections()
    server!.close()
  })
  return { begun: response }
}

t.test('followers have the first octets while the last are still to come', async (t) => {
  const { origin } = await makeFleet(t)
  const { begun } = await startSlow(t, origin)
  const clients = [await connectClient(ADDRESS.icn, PORT), await connectClient(ADDRESS.icn, PORT), await connectClient(ADDRESS.nrt, PORT)]
  const firstOctets = clients.map((client) => new Promise<void>((resolve) => client.socket.on('data', (text: string) => text.includes('0123456789') && resolve())))
  for (const client of clients) client.send(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
  const response = await begun
  await Promise.all(firstOctets)
  response.end('abcdefghij')
  for (const client of clients) {
    t.equal((await client.reply()).body, '0123456789abcdefghij')
    client.close()
  }
})

t.test('a parent that dies in the middle of a body', async (t) => {
  const { origin, running, stop } = await makeFleet(t)
  const { begun } = await startSlow(t, origin)
  const asking = [get('icn', '/'), get('icn', '/')]
  await begun
  await haveCome(running, 2, 'icn')
  await stop('apac')
  for (const reply of await Promise.all(asking)) {
    t.equal(reply.status, 200)
    t.ok(reply.broken, 'the client sees that it is not whole')
  }
  const { objects, stored } = running.get('icn')!.counters()
  t.same({ objects, stored }, { objects: 0, stored: 0 }, 'and nothing of it is held')
})
