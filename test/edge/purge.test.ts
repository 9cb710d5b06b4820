import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Role } from '../../core/channel.ts'
import type { Purge, PurgeOrder } from '../../core/purge.ts'
import type { RunningWorker } from '../../edge/index.ts'
import { purge as callPurge } from '../../daemon/control/admin-purge.ts'
import type { Control } from '../../daemon/control/admin-call.ts'
import { makePurges, purgedAs } from '../../edge/purges.ts'
import { makeManualClock, type ManualClock } from '../helpers/manual-clock.ts'
import { connectClient, type Reply } from './client.ts'
import { startOrigin, type Answer, type Origin } from './origin.ts'
import { configOf, startMember } from './workers.ts'

// Edge, regional and shield for real, told of purges as their supervisor tells them: shields first.

const PORT = 13600
const MEMBERS = { tokyo: ['shield', '127.23.2.1'], apac: ['regional', '127.23.1.1'], icn: ['edge', '127.23.0.1'] } as const
const HOST = 'd1.nearcast.test'

interface Fleet {
  readonly origin: Origin
  readonly time: ManualClock
  purge(order: PurgeOrder): void
  restart(): Promise<void>
}

async function makeFleet(t: Test, tags: 'hide' | 'show' = 'hide'): Promise<Fleet> {
  const stateFolder = mkdtempSync(join(tmpdir(), 'nearcast-purge-'))
  const origin = await startOrigin()
  const time = makeManualClock()
  const config = configOf({
    cache: { disk: '16MiB', tags },
    edges: { icn: { address: MEMBERS.icn[1], city: 'Seoul', at: [37, 126], parent: 'apac' } },
    regionals: { apac: { address: MEMBERS.apac[1], shield: 'tokyo' } },
    shields: { tokyo: { address: MEMBERS.tokyo[1] } },
    origins: { main: { url: `http://127.0.0.1:${origin.port}` } },
    distributions: { d1: { aliases: ['other.test'], behaviours: [{ path: '/list', origin: 'main', policy: 'list' }, { path: '/*', origin: 'main' }] } },
    'cache-policies': { list: { query: { only: ['page', 'of'] } } }
  })
  const running = new Map<string, RunningWorker>()
  const purges: Purge[] = []
  const start = async (): Promise<void> => {
    for (const [name, [role]] of Object.entries(MEMBERS) as [string, readonly [Role, string]][]) running.set(name, await startMember({ role, name, config, port: PORT, clock: time.clock, stateFolder, purges }))
  }
  const stop = async (): Promise<void> => {
    for (const worker of running.values()) await worker.close(0)
  }
  await start()
  t.teardown(async () => {
    await stop()
    await origin.close()
    rmSync(stateFolder, { recursive: true, force: true })
  })
  let number = time.clock.now()
  return {
    origin,
    time,
    purge: (order) => {
      const purge = { ...order, number: ++number, at: time.clock.now() }
      purges.push(purge)
      for (const worker of running.values()) worker.purge(purge)
    },
    restart: async () => {
      await stop()
      await start()
    }
  }
}

async function ask(target: string, fields = '', host = HOST): Promise<Reply> {
  const client = await connectClient(MEMBERS.icn[1], PORT)
  client.send(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`)
  const reply = await client.reply()
  client.close()
  return reply
}

const page = (body: string, ...fields: readonly (readonly [string, string])[]): Answer => ({ status: 200, fields: [['Cache-Control', 'max-age=600'], ...fields], body })
const hard = (kind: PurgeOrder['kind'], what: string): PurgeOrder => ({ kind, what, soft: false })
const cacheOf = (reply: Reply): string | undefined => reply.fields.get('x-cache')

t.test('a URL is purged at every tier, with all its variants and under all names, and nothing else is', async (t) => {
  const { origin, purge } = await makeFleet(t)
  const set = (edition: string): void => {
    for (const path of ['/a', '/a?x', '/ab']) origin.answers.set(path, page(`${edition} of ${path}`, ['Vary', 'Accept-Language']))
  }
  set('first')
  const languages = ['', 'Accept-Language: ko\r\n']
  for (const language of languages) for (const path of ['/a', '/a?x', '/ab']) await ask(path, language)
  await ask('/a', '', 'other.test')
  set('second')
  purge(hard('url', 'd1 /a'))
  for (const language of languages) t.equal((await ask('/a', language)).body, 'second of /a', language)
  t.equal((await ask('/a', '', 'other.test')).body, 'second of /a', 'under its other name')
  t.equal((await ask('/a?x')).body, 'first of /a?x')
  t.equal((await ask('/ab')).body, 'first of /ab')
  t.match(cacheOf(await ask('/a')), /^Hit/, 'what came after the purge is held')
})

t.test('the query of a URL counts as its policy lets it count', async (t) => {
  const { origin, purge, restart } = await makeFleet(t)
  origin.answers.set('/list?of=a&page=1', page('first'))
  t.equal((await ask('/list?page=1&of=a&utm=x')).body, 'first')
  origin.answers.set('/list?of=a&page=1', page('second'))
  purge(hard('url', 'd1 /list?page=2&of=a'))
  t.equal((await ask('/list?page=1&of=a')).body, 'first', 'another page')
  purge(hard('url', 'd1 /list?page=1&utm=y&of=a'))
  t.equal((await ask('/list?page=1&of=a&utm=x')).body, 'second')
  origin.answers.set('/list?of=a&page=1', page('third'))
  purge(hard('url', 'd1 /list?page=1&of=a'))
  await restart()
  t.equal((await ask('/list?page=1&of=a')).body, 'third', 'told at a start')
})

t.test('a prefix and a tag are purged; tags reach every tier and no viewer', async (t) => {
  const { origin, purge } = await makeFleet(t)
  const set = (edition: string): void => {
    origin.answers.set('/img/1', page(`${edition} 1`, ['Cache-Tag', 'images, large']))
    origin.answers.set('/img/2', page(`${edition} 2`, ['Cache-Tag', 'images']))
    origin.answers.set('/css', page(`${edition} css`, ['Cache-Tag', 'large']))
  }
  const bodies = async (): Promise<string[]> => [(await ask('/img/1')).body, (await ask('/img/2')).body, (await ask('/css')).body]
  set('A')
  await bodies()
  set('B')
  purge(hard('prefix', 'd1 /img/'))
  t.same(await bodies(), ['B 1', 'B 2', 'A css'])
  set('C')
  purge(hard('tag', 'large'))
  t.same(await bodies(), ['C 1', 'B 2', 'C css'])
  purge(hard('tag', 'larg'))
  purge(hard('tag', 'images, large'))
  set('D')
  t.same(await bodies(), ['C 1', 'B 2', 'C css'], 'tags are taken whole')
  t.equal((await ask('/img/1')).fields.get('cache-tag'), undefined)
})

t.test('tags are shown to viewers where that is configured', async (t) => {
  const { origin } = await makeFleet(t, 'show')
  origin.answers.set('/', page('x', ['Cache-Tag', 'one, two']))
  t.equal((await ask('/')).fields.get('cache-tag'), 'one, two')
})

t.test('soft: what is held is asked about, and stands in for an error', async (t) => {
  const { origin, purge } = await makeFleet(t)
  origin.answers.set('/', { ...page('kept'), fields: [['Cache-Control', 'max-age=600, stale-if-error=600'], ['ETag', '"1"']], etag: '"1"' })
  await ask('/')
  purge({ kind: 'url', what: 'd1 /', soft: true })
  t.match(cacheOf(await ask('/')), /^RefreshHit/)
  t.match(cacheOf(await ask('/')), /^Hit/)
  purge({ kind: 'prefix', what: 'd1 /', soft: true })
  origin.answers.set('/', { status: 503, fields: [], body: 'down' })
  t.equal((await ask('/')).body, 'kept')
})

t.test('what was on its way when it was purged answers those who had asked, and nobody else', async (t) => {
  const { origin, purge } = await makeFleet(t)
  for (const order of [hard('url', 'd1 /slow'), hard('prefix', 'd1 /s'), hard('tag', 'slow')]) {
    let open = (): void => undefined
    origin.answers.set('/slow', { ...page('old', ['Cache-Tag', 'slow']), gate: new Promise<void>((resolve) => (open = resolve)) })
    const before = origin.asked.length
    const early = ask('/slow')
    while (origin.asked.length === before) await new Promise(setImmediate)
    purge(order)
    origin.answers.set('/slow', page('new', ['Cache-Tag', 'slow']))
    t.equal((await ask('/slow')).body, 'new', order.kind)
    open()
    t.equal((await early).body, 'old')
    t.equal((await ask('/slow')).body, 'new', 'and it is not held')
    purge(hard('url', 'd1 /slow'))
  }
})

t.test('what is on disk is subject to what was purged while its process was away', async (t) => {
  const { origin, purge, restart } = await makeFleet(t)
  for (const path of ['/a', '/b']) origin.answers.set(path, page(`first ${path}`))
  for (let times = 0; times < 3; times++) for (const path of ['/a', '/b']) await ask(path)
  await restart()
  const asked = origin.asked.length
  t.match(cacheOf(await ask('/b')), /^Hit/, 'it has what it had')
  t.equal(origin.asked.length, asked)
  for (const path of ['/a', '/b']) origin.answers.set(path, page(`second ${path}`))
  purge(hard('url', 'd1 /a'))
  await restart()
  t.equal((await ask('/a')).body, 'second /a')
  t.equal((await ask('/b')).body, 'first /b')
})

t.test('however many purges: an object is subject to those after it was asked for, the hard one first', async (t) => {
  const order = (number: number, kind: Purge['kind'], what: string, soft = false): Purge => ({ number, kind, what, soft, at: 0 })
  const purges = makePurges([order(1, 'url', 'd /a'), order(2, 'prefix', 'd /', true), order(3, 'tag', 'x')])
  t.equal(purges.last, 3)
  const find = (target: string, tags: string, above: number): number | undefined => purges.find(`d host ${target}\n#7\naccept:x`, tags, above)?.number
  t.equal(find('/a', '', 0), 1)
  t.equal(find('/a', '', 1), 2)
  t.equal(find('/b', 'y, x', 0), 3)
  t.equal(find('/b', 'y', 2), undefined)
  purges.add(order(9, 'all', ''))
  t.equal(find('/b', '', 8), 9)
  t.equal(find('/b', '', 9), undefined)
  for (let number = 10; number < 10_010; number++) purges.add(order(number, 'tag', `tag ${number}`))
  t.equal(find('/b', 'tag 10009', 10_008), 10_009)
  t.ok(find('/b', '', 20)! > 4000, 'what was forgotten holds for everything before it')
  t.equal(find('/b', '', 10_000), undefined)
  // What stands for those that were forgotten comes to stand before some that are newer, once others are purged again.
  const again = makePurges([])
  let number = 0
  for (; number < 10_001; ) again.add(order(++number, 'tag', `tag ${number}`))
  for (const which of [5002, 5003]) again.add(order(++number, 'tag', `tag ${which}`))
  for (; number < 15_003; ) again.add(order(++number, 'tag', `tag ${number}`))
  t.ok(again.find('d host /b', '', 0)!.number > 9990)
  t.equal(purgedAs('d host /x?y=1\nmore here'), 'd /x?y=1')
})

t.test('a URL may leave its path out, before a query too', async (t) => {
  const orders: PurgeOrder[] = []
  const config = configOf({ domain: 'nearcast.test', origins: { main: { url: 'http://127.0.0.1' } }, distributions: { d1: { aliases: ['other.test'], behaviours: [{ path: '/*', origin: 'main' }] } } })
  const fleet = { purge: async (order: PurgeOrder) => (orders.push(order), { number: 1, told: [], later: [], silent: [] }) }
  const control = { setup: { config }, log: { info: () => undefined }, fleet } as unknown as Control
  const statuses: number[] = []
  for (const what of ['http://other.test', 'http://other.test?x', 'other.test?x=/a*', 'https://OTHER.test:8443/?x', 'http://other.test#x', 'http://other.test*', 'http://?x']) statuses.push((await callPurge({ what, isTag: false, soft: false }, control)).status)
  t.same(statuses, [200, 200, 200, 200, 400, 400, 400])
  t.same(orders.map(({ kind, what }) => [kind, what]), [['url', 'd1 /'], ['url', 'd1 /?x'], ['prefix', 'd1 /?x=/a'], ['url', 'd1 /?x']])
})
