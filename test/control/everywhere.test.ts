import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { openEverywhere, type Everywhere } from '../../daemon/control/everywhere.ts'
import { openForces, type Forces } from '../../daemon/control/forces.ts'
import { makeManualClock, type ManualClock } from '../helpers/manual-clock.ts'
import { silent } from './fleet.ts'

const HOUR = 3_600_000

/** PoPs whose channels are one table: each hears what those put that it is not cut off from. */
function makePops(names: readonly string[], time: ManualClock) {
  const said = new Map(names.map((name) => [name, new Map<string, Uint8Array>()]))
  const listeners = new Map<string, () => void>()
  const away = new Set<string>()
  const folder = mkdtempSync(join(tmpdir(), 'nearcast-everywhere-'))
  const tell = (): void => {
    for (let round = 0; round < 3; round++) for (const [name, listener] of listeners) if (!away.has(name)) listener()
  }
  const start = (name: string): { readonly forces: Forces; readonly everywhere: Everywhere; words(): string } => {
    const { clock, after } = time
    const forces = openForces({ file: join(folder, `${name}-forces.json`), clock, after, log: silent, knows: () => true, apply: () => undefined })
    said.get(name)!.clear()
    const everywhere = openEverywhere({
      own: name, forces, knows: (target) => target !== 'stranger', file: join(folder, `${name}.json`), clock, log: silent,
      channel: {
        put: (_, key, value) => void (value.length === 0 ? said.get(name)!.delete(key) : said.get(name)!.set(key, value)),
        heard: (_, pop) => (away.has(pop) || away.has(name) ? undefined : said.get(pop)),
        view: () => names.filter((other) => other !== name).map((other) => ({ name: other, address: '', port: 1, isFresh: !away.has(other), since: 0, refused: {} })),
        whenChanged: (listener) => void listeners.set(name, listener)
      }
    })
    return { forces, everywhere, words: () => forces.list().map((force) => `${force.name} ${force.state} ${force.everywhere ?? 'here'}: ${force.why}`).toSorted().join('; ') }
  }
  return { start, tell, away, said }
}

t.test('what is ordered at one PoP holds at all; who was away learns it from any; the later order counts', async (t) => {
  const time = makeManualClock()
  const { start, tell, away } = makePops(['a', 'b', 'c'], time)
  const [a, b, c] = [start('a'), start('b'), start('c')] as const
  const order = (pop: typeof a, name: string, state: 'down' | 'drain' | 'none', why: string, forMs?: number): Promise<void> =>
    pop.everywhere.order({ name, state, why, since: time.clock.now(), ...(forMs !== undefined && { until: time.clock.now() + forMs }) })
  away.add('c')
  await order(a, 'icn', 'down', 'new disks')
  await order(a, 'fra', 'drain', 'for a while', HOUR)
  tell()
  t.equal(b.words(), 'fra drain a: for a while; icn down a: new disks')
  t.equal(c.words(), '')
  away.delete('c')
  away.add('a')
  tell()
  t.equal(c.words(), b.words(), 'b tells it in the place of a')

  await order(c, 'icn', 'none', '')
  tell()
  t.equal(b.words(), 'fra drain a: for a while')
  away.delete('a')
  tell()
  t.equal(a.words(), 'fra drain a: for a while', 'what a ordered before does not come back')
  t.equal(b.words(), a.words())

  await order(a, 'icn', 'down', 'once more')
  await order(a, 'icn', 'none', '')
  tell()
  t.equal(b.words(), 'fra drain a: for a while', 'two orders in one millisecond stay in their order')

  await time.turn(1000)
  await b.forces.set({ name: 'fra', state: 'down', why: 'here alone', since: time.clock.now() })
  tell()
  t.equal(b.words(), 'fra down here: here alone', 'an order for one PoP that came later goes before there')
  await time.turn(HOUR)
  t.equal(a.words(), '', 'its time is over, at each by itself')
  t.equal(c.words(), '')
  await c.forces.set({ name: 'nrt', state: 'down', why: 'stopped by operator', since: 0, stop: { exitsAt: 0, asked: true } })
  await order(a, 'nrt', 'none', '')
  tell()
  t.equal(c.words(), 'nrt down here: stopped by operator', 'what is stopped there is started there')
  await order(a, 'stranger', 'down', 'unknown elsewhere')
  tell()
  t.equal(b.words(), 'fra down here: here alone', 'what b does not know is not forced there')
})

t.test('orders are kept over a restart, told again, and forgotten long after they ended', async (t) => {
  const time = makeManualClock()
  const pops = makePops(['a', 'b'], time)
  const [a, b] = [pops.start('a'), pops.start('b')]
  await a.everywhere.order({ name: 'icn', state: 'down', why: 'w'.repeat(200), since: time.clock.now() })
  pops.tell()
  pops.away.add('a')
  await b.everywhere.order({ name: 'icn', state: 'none', why: '', since: time.clock.now() })
  await Promise.all([a, b].flatMap(({ forces, everywhere }) => [forces.close(), everywhere.close()]))
  const [a2, b2] = [pops.start('a'), pops.start('b')]
  t.match(a2.words(), /^icn down a: w+$/, 'as it was')
  t.equal(b2.words(), '')
  pops.away.delete('a')
  pops.tell()
  t.equal(a2.words(), '', 'it was undone while a was away')
  t.equal(pops.said.get('a')!.size, 1)
  await time.turn(8 * 24 * HOUR)
  await a2.everywhere.order({ name: 'fra', state: 'none', why: '', since: time.clock.now() })
  t.equal(pops.said.get('a')!.size, 1, 'the order of a week ago is forgotten')
})

t.test('what is no order is not followed', async (t) => {
  const time = makeManualClock()
  const pops = makePops(['a', 'b'], time)
  pops.start('a')
  const b = pops.start('b')
  const good = { name: 'icn', state: 'down', why: 'x', since: 5, by: 'a' }
  const bad = ['', '{', 'null', '[]', '"icn"', ...[{ name: 'i\u0007' }, { name: '' }, { name: 'x'.repeat(65) }, { state: 'off' }, { since: -1 }, { since: 1e300 }, { since: 0.5 }, { until: 'soon' }, { by: '../a' }, { why: 7 }].map((wrong) => JSON.stringify({ ...good, ...wrong }))]
  for (const [index, text] of bad.entries()) pops.said.get('a')!.set(String(index), Buffer.from(text))
  pops.said.get('a')!.set('ff', Buffer.from([0xff, 0xfe, 0]))
  pops.tell()
  t.equal(b.words(), '')
  pops.said.get('a')!.set('good', Buffer.from(JSON.stringify({ ...good, why: '\u001b[2Jx' })))
  pops.tell()
  t.equal(b.words(), 'icn down a:  [2Jx', 'and nothing of it reaches a terminal as it is')
})
