import fc from 'fast-check'
import t, { type Test } from 'tap'
import { parseConfig } from '../../core/config-file.ts'
import type { Role } from '../../core/channel.ts'
import type { RunningWorker } from '../../edge/index.ts'
import { makeRing } from '../../edge/tiers/index.ts'
import { makeManualClock, type ManualClock } from '../helpers/manual-clock.ts'
import { connectClient, type Reply } from './client.ts'
import { startOrigin, type Origin } from './origin.ts'
import { configOf, startMember } from './workers.ts'

t.setTimeout(120_000)

const KEYS = Array.from({ length: 20_000 }, (_, at) => `d1 h.test /${at}`)
const owners = (names: readonly string[]): string[] => {
  const ring = makeRing(names)
  return KEYS.map((key) => names[ring.order(key)[0]!]!)
}
const names = fc.uniqueArray(fc.stringMatching(/^[a-z0-9-]{1,12}$/), { minLength: 2, maxLength: 12 })

t.test('keys are shared out evenly, and a member that joins or leaves moves its share alone', (t) => {
  fc.assert(
    fc.property(names, fc.stringMatching(/^[A-Z]{3}$/), (members, joiner) => {
      const before = owners(members)
      const after = owners([...members, joiner])
      const fair = KEYS.length / (members.length + 1)
      let moved = 0
      for (const [at, owner] of before.entries()) {
        if (owner === after[at]) continue
        moved++
        if (after[at] !== joiner) throw new Error(`a key went from ${owner} to ${after[at]}`)
      }
      if (moved < fair * 0.7 || moved > fair * 1.3) throw new Error(`${moved} of ${KEYS.length} keys moved, and ${fair} would be fair`)
      for (const name of members) {
        const share = after.filter((owner) => owner === name).length
        if (share < fair * 0.7 || share > fair * 1.3) throw new Error(`${name} has ${share} keys, and ${fair} would be fair`)
      }
    }),
    { numRuns: 12, seed: 1 }
  )
  const [one, other] = [owners(['a', 'b', 'c']), owners(['c', 'a', 'b'])]
  t.same(one, other, 'in whatever order they are named')
  t.end()
})

t.test('nobody gets more than the bound of what is under way, whatever is asked for', (t) => {
  fc.assert(
    fc.property(names, fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 3000 }), (members, distinct, count) => {
      const ring = makeRing(members)
      const loads = members.map(() => 0)
      for (let at = 0; at < count; at++) loads[ring.bounded(`/${at % distinct}`, (member) => loads[member]!, 1.25, () => true)[0]!]!++
      const most = Math.max(16, Math.ceil((1.25 * count) / members.length))
      if (Math.max(...loads) > most) throw new Error(`${loads.join(' ')}: more than ${most}`)
    }),
    { numRuns: 60, seed: 2 }
  )
  const ring = makeRing(['a', 'b', 'c'])
  for (const key of KEYS.slice(0, 100)) {
    const order = ring.order(key)
    t.same(ring.bounded(key, () => 3, 1.25, () => true), order, 'a key stays with its owner while little is under way')
    t.same(ring.bounded(key, () => 0, 1.25, (member) => member !== order[0]), [order[1], order[2], order[0]], 'and goes to the next while its owner is dead')
  }
  t.end()
})

const PORT = 13230
const ADDRESS = { icn: '127.21.0.1', nrt: '127.21.0.2', a: '127.21.1.1', b: '127.21.1.2', c: '127.21.1.3', tokyo: '127.21.2.1', osaka: '127.21.2.2' }
type Name = keyof typeof ADDRESS
const ROLES: Readonly<Record<Name, Role>> = { icn: 'edge', nrt: 'edge', a: 'regional', b: 'regional', c: 'regional', tokyo: 'shield', osaka: 'shield' }
/** The clock stands still, so that no answer seems to take any time: every fetch would be hedged. */
const UNHEDGED = { 'hedge-share': 0 }
const page = { status: 200, fields: [['Cache-Control', 'max-age=60']] as const, body: 'hello' }

interface Fleet {
  readonly origin: Origin
  readonly time: ManualClock
  readonly running: ReadonlyMap<Name, RunningWorker>
  start(name: Name): Promise<void>
  stop(name: Name): Promise<void>
}

async function makeFleet(t: Test, tiers: unknown): Promise<Fleet> {
  const origin = await startOrigin()
  const time = makeManualClock()
  const config = configOf({
    edges: { icn: { address: ADDRESS.icn, city: 'Seoul', at: [37, 126], parent: ['a', 'b', 'c'] }, nrt: { address: ADDRESS.nrt, city: 'Tokyo', at: [35, 139], parent: ['c', 'b', 'a'] } },
    regionals: { a: { address: ADDRESS.a }, b: { address: ADDRESS.b }, c: { address: ADDRESS.c } },
    shields: { tokyo: { address: ADDRESS.tokyo }, osaka: { address: ADDRESS.osaka } },
    origins: { main: { url: `http://127.0.0.1:${origin.port}` } },
    tiers,
    distributions: { d1: { shield: 'tokyo', 'fallback-shield': 'osaka', behaviours: [{ path: '/*', origin: 'main' }] } }
  })
  const running = new Map<Name, RunningWorker>()
  const start = async (name: Name): Promise<void> => void running.set(name, await startMember({ role: ROLES[name], name, config, port: PORT, clock: time.clock }))
  const stop = async (name: Name): Promise<void> => {
    await running.get(name)!.close(0)
    running.delete(name)
  }
  for (const name of Object.keys(ADDRESS) as Name[]) await start(name)
  t.teardown(async () => {
    for (const worker of running.values()) await worker.close(0)
    await origin.close()
  })
  return { origin, time, running, start, stop }
}

async function get(target: string, name: Name = 'icn'): Promise<Reply> {
  const client = await connectClient(ADDRESS[name], PORT)
  client.send(`GET ${target} HTTP/1.1\r\nHost: d1.nearcast.test\r\n\r\n`)
  const reply = await client.reply()
  client.close()
  return reply
}

/** The tiers that a response has come through, from the origin's side. */
const wayOf = ({ fields }: Reply): string[] => (fields.get('via') ?? '').split(', ').map((each) => each.replace('1.1 nearcast-', ''))

t.test('regionals share the keys of an edge; one that dies hands over its share alone, and has it back', async (t) => {
  const { origin, time, start, stop } = await makeFleet(t, UNHEDGED)
  const targets = Array.from({ length: 18 }, (_, at) => `/${at}`)
  const ask = async (prefix: string): Promise<string[]> => {
    const regionals: string[] = []
    for (const target of targets) {
      origin.answers.set(prefix + target, page)
      const way = wayOf(await get(prefix + target))
      if (way.length !== 3) throw new Error(`${way.join(' ')}: not three tiers`)
      regionals.push(way[1]!)
    }
    return regionals
  }
  const ring = makeRing(['a', 'b', 'c'])
  const owner = (prefix: string, lacking?: string): string[] =>
    targets.map((target) => ring.order(`d1 d1.nearcast.test ${prefix}${target}`).map((member) => ['a', 'b', 'c'][member]!).find((name) => name !== lacking)!)
  t.same(await ask('/1'), owner('/1'))
  t.equal(new Set(owner('/1')).size, 3)
  await stop('b')
  t.same(await ask('/2'), owner('/2', 'b'))
  await start('b')
  await time.turn(1001)
  await ask('/3')
  t.same(await ask('/4'), owner('/4'), 'its own again')
  t.equal(origin.asked.length, 4 * targets.length)
})

t.test('the shield of the distribution, then its fallback, then the origin: one fetch for each key', async (t) => {
  const { origin, stop } = await makeFleet(t, UNHEDGED)
  const ask = async (target: string): Promise<string | undefined> => {
    origin.answers.set(target, page)
    const replies = await Promise.all(Array.from({ length: 10 }, () => get(target)))
    t.ok(replies.every(({ status, body }) => status === 200 && body === 'hello'))
    t.equal(origin.asked.filter(({ url }) => url === target).length, 1, `one fetch of ${target}`)
    const way = wayOf(replies[0]!)
    return way.length === 3 ? way[0] : undefined
  }
  t.equal(await ask('/1'), 'tokyo')
  await stop('tokyo')
  t.equal(await ask('/2'), 'osaka')
  await stop('osaka')
  t.equal(await ask('/3'), undefined, 'the regional asked the origin')
})

t.test('a miss asks an equal for what it holds, before it goes up', async (t) => {
  const { origin, stop } = await makeFleet(t, { ...UNHEDGED, neighbours: ['edges', 'regionals'] })
  origin.answers.set('/1', page)
  t.equal(wayOf(await get('/1', 'nrt')).length, 3, 'nobody holds it')
  const reply = await get('/1')
  t.equal(reply.body, 'hello')
  t.equal(reply.fields.get('cache-status'), 'nearcast-nrt; hit; ttl=60, nearcast-icn; fwd=uri-miss; ttl=60; stored')
  t.equal(origin.asked.length, 1)
  const forged = await connectClient(ADDRESS.nrt, PORT)
  forged.send('GET /2 HTTP/1.1\r\nHost: d1.nearcast.test\r\nX-Nearcast-Held: 1\r\n\r\n')
  t.equal((await forged.reply()).status, 404, 'a viewer that says so is a viewer')
  forged.close()
  t.equal(origin.asked[1]!.headers['x-nearcast-held'], undefined)
  const posting = await connectClient(ADDRESS.icn, PORT)
  posting.send('POST /1 HTTP/1.1\r\nHost: d1.nearcast.test\r\nContent-Length: 1\r\n\r\nx')
  t.same(wayOf(await posting.reply()).length, 3, 'what no cache answers goes past it')
  posting.close()
  await stop('nrt')
  origin.answers.set('/4', page)
  t.equal((await get('/4')).status, 200, 'an equal that is gone is passed by')
})

t.test('what an equal gives has its tags, so that a purge by tag reaches it', async (t) => {
  const { origin, running } = await makeFleet(t, { ...UNHEDGED, neighbours: ['edges'] })
  const tagged = { ...page, fields: [...page.fields, ['Cache-Tag', 'front'], ['ETag', '"1"']] as const }
  const way = async (name: Name): Promise<string> => {
    const { fields } = await get('/1', name)
    t.equal(fields.get('cache-tag'), undefined, 'viewers do not see it')
    return fields.get('cache-status')!
  }
  origin.answers.set('/1', tagged)
  await way('nrt')
  t.match(await way('icn'), /^nearcast-nrt; hit/)
  for (const name of ['tokyo', 'osaka', 'a', 'b', 'c', 'icn', 'nrt'] as const) running.get(name)!.purge({ kind: 'tag', what: 'front', soft: false, number: 1, at: 0 })
  t.match(await way('icn'), /^nearcast-tokyo; fwd=uri-miss/)
  t.match(await way('nrt'), /^nearcast-icn; hit/)
  for (const name of ['tokyo', 'osaka', 'a', 'b', 'c', 'icn'] as const) running.get(name)!.purge({ kind: 'url', what: 'd1 /1', soft: false, number: 2, at: 0 })
  t.match(await way('icn'), /^nearcast-tokyo; fwd=uri-miss/, 'an equal that the purge has not reached yet gives nothing of before')
  const posting = await connectClient(ADDRESS.icn, PORT)
  posting.send('POST /1 HTTP/1.1\r\nHost: d1.nearcast.test\r\nContent-Length: 1\r\n\r\nx')
  const { status, fields } = await posting.reply()
  t.same([status, fields.get('cache-tag')], [200, undefined], 'nor in what passes through')
  posting.close()
})

t.test('where the owner takes longer than it mostly did, the next regional is asked as well', async (t) => {
  const { origin, running } = await makeFleet(t, { 'hedge-share': 0.1 })
  const ring = makeRing(['a', 'b', 'c'])
  const own = (count: number, name: string, prefix: string): string[] => KEYS.map((_, at) => `${prefix}${at}`).filter((target) => ['a', 'b', 'c'][ring.order(`d1 d1.nearcast.test ${target}`)[0]!] === name).slice(0, count)
  for (const target of own(25, 'a', '/warm')) {
    origin.answers.set(target, page)
    await get(target)
  }
  running.get('a')!.inject({ kind: 'delay', ms: 60_000 })
  const [target] = own(1, 'a', '/cold')
  origin.answers.set(target!, page)
  const way = wayOf(await get(target!))
  t.equal(way.length, 3)
  t.not(way[1], 'a')
  t.equal(origin.asked.filter(({ url }) => url === target).length, 1)
})

t.test('what cannot be is refused where it stands', (t) => {
  const text = `edges:
  icn: { address: 127.0.0.2, city: Seoul, at: [37, 126], parent: [a, tokyo, a, bb] }
regionals: { a: { address: 127.0.0.3 }, b: { address: 127.0.0.4 } }
shields: { tokyo: { address: 127.0.0.5 } }
origins: { main: { url: "http://127.0.0.1:8000" } }
distributions:
  d1: { shield: tokio, behaviours: [{ path: "/*", origin: main }] }
  d2: { shield: tokyo, fallback-shield: tokyo, behaviours: [{ path: "/*", origin: main }] }
tiers: { load-bound: 1 }
`
  t.same(
    parseConfig('nearcast.yaml', text).faults.map(({ line, column, reason, hint }) => `${line}:${column} ${reason}${hint === undefined ? '' : ` (${hint})`}`),
    [
      '2:70 edges.icn.parent.1: tokyo is a shield: only regionals share keys (the shield is named by the regionals, or by the distribution)',
      '2:77 edges.icn.parent.2: a stands here twice',
      '2:80 edges.icn.parent.3: there is no regional bb (did you mean b?)',
      '7:17 distributions.d1.shield: there is no shield tokio (did you mean tokyo?)',
      '8:41 distributions.d2.fallback-shield: it is the shield itself',
      '9:22 tiers.load-bound: must be at least 1.05, found 1'
    ]
  )
  t.end()
})
