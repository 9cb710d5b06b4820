import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { makeAnswerer, type Answerer } from '../../daemon/answer.ts'
import { makeTally, TALLY } from '../../daemon/answer/index.ts'
import { writeQuery } from '../../daemon/control/explain-answer.ts'
import { openRouting, readPolicies } from '../../daemon/routing/index.ts'
import { makeHarvester, type Counts } from '../../daemon/traffic/harvest.ts'
import { lineOf, openCountStore } from '../../daemon/traffic/store.ts'
import { nameFromText, TYPE } from '../../daemon/wire/index.ts'
import type { World } from '../../daemon/world.ts'
import { buildZoneImage, openZoneImage, readZone } from '../../daemon/zone/index.ts'
import { mergeOverrides, noPlaces, openPlaces, readOverrides } from '../../geodb/index.ts'
import { parseAddress } from '../../core/address.ts'
import { edges, healthOf } from '../routing/fleet.ts'

const ZONE = `$ORIGIN a.test.
$TTL 60
@    SOA ns h 1 60 60 60 60
     NS  ns
ns   A   192.0.2.1
geo  ROUTE geo
any  ROUTE any
*.w  ROUTE geo
www  CNAME geo
`
const places = openPlaces(mergeOverrides(noPlaces(), readOverrides('o', 'networks: { 10.0.0.0/8: KR, 20.0.0.0/8: BR }').overrides!))

function makeWorld(): World {
  const { image, names } = readPolicies({ file: 'p', text: 'policies: { geo: { geolocation: { KR: icn, default: fra } }, any: { simple: [icn] } }', targets: edges })
  const { zone } = readZone({ file: 'a.test.zone', read: () => ZONE, policies: names })
  const shared = buildZoneImage([zone!])
  return { generation: 1, zones: openZoneImage(shared), places, routing: openRouting(image!, places), targets: edges, health: healthOf(edges, {}), suspectTtl: 5, kept: { zones: shared.build, policies: 1 } }
}

const out = new Uint8Array(1232)
function ask(answerer: Answerer, name: string, from: string, times = 1, type: number = TYPE.A): void {
  const source = parseAddress(from)!
  const query = writeQuery(nameFromText(name) as Uint8Array, type, source)
  for (let time = 0; time < times; time++) answerer.answer(query, 0, query.length, { ...source, at: 0 }, 'udp', out, 0, out.length)
}

const plain = (counts: Counts): Record<string, Record<string, number>> => Object.fromEntries([...counts].map(([name, countries]) => [name, Object.fromEntries(countries)]))

t.test('every query for a steered name counts once, for its name and country, from the first on', (t) => {
  const world = makeWorld()
  const tally = makeTally()
  const answerer = makeAnswerer({ world, tally })
  const harvester = makeHarvester([tally])
  const built = [{ build: world.kept!.zones, image: world.zones }]
  const take = (): Record<string, Record<string, number>> => {
    const counts: Counts = new Map()
    harvester.take(built, counts)
    return plain(counts)
  }
  ask(answerer, 'geo.a.test', '10.0.0.1', 5)
  ask(answerer, 'GEO.a.test', '20.0.0.1', 2)
  ask(answerer, 'geo.a.test', '192.0.2.1')
  ask(answerer, 'www.a.test', '10.0.0.1', 3)
  ask(answerer, 'geo.a.test', '10.0.0.1', 1, TYPE.AAAA)
  for (let number = 0; number < 500; number++) ask(answerer, `x${number}.w.a.test`, '20.0.0.1')
  ask(answerer, 'ns.a.test', '10.0.0.1', 9)
  ask(answerer, 'nowhere.a.test', '10.0.0.1', 9)
  ask(answerer, 'geo.b.test', '10.0.0.1', 9)
  t.same(take(), { 'geo.a.test.': { KR: 6, BR: 2, '': 1 }, 'www.a.test.': { KR: 3 }, '*.w.a.test.': { BR: 500 } })
  t.same(take(), {}, 'what was taken is not taken again')
  ask(answerer, 'any.a.test', '10.0.0.1', 80)
  const any = take()['any.a.test.']!
  t.equal(any['']! + any['KR']!, 80, 'where the place has no say all are counted')
  t.ok(any['KR']! >= 9 && any['KR']! <= 11, `and every eighth is looked up (${any['KR']})`)
  ask(answerer, 'geo.a.test', '10.0.0.1', 4)
  const next = makeWorld()
  const counts: Counts = new Map()
  harvester.take(built, counts)
  answerer.use(next)
  ask(answerer, 'geo.a.test', '20.0.0.1', 7)
  harvester.take([{ build: next.kept!.zones, image: next.zones }, ...built], counts)
  t.same(plain(counts), { 'geo.a.test.': { KR: 4, BR: 7 } }, 'over a change of the zones')
  t.end()
})

t.test('under load one of sixteen counts for all of them', (t) => {
  const world = makeWorld()
  const tally = makeTally()
  const answerer = makeAnswerer({ world, tally })
  tally[TALLY.EVERY] = 16
  for (let turn = 0; turn < 10_000; turn++) {
    ask(answerer, 'geo.a.test', '10.0.0.1', 3)
    ask(answerer, 'any.a.test', '20.0.0.1')
  }
  const counts: Counts = new Map()
  makeHarvester([tally]).take([{ build: world.kept!.zones, image: world.zones }], counts)
  const found = plain(counts)
  t.ok(Math.abs(found['geo.a.test.']!['KR']! - 30_000) < 3000, `${found['geo.a.test.']!['KR']} for 30000`)
  t.ok(Math.abs(found['any.a.test.']!['BR']! - 10_000) < 2000, `${found['any.a.test.']!['BR']} for 10000`)
  t.end()
})

t.test('a table that is full counts by country', (t) => {
  const world = makeWorld()
  const tally = makeTally(4)
  const answerer = makeAnswerer({ world, tally })
  for (const from of ['10.0.0.1', '20.0.0.1']) for (const name of ['geo', 'www', 'x.w']) ask(answerer, `${name}.a.test`, from)
  const counts: Counts = new Map()
  makeHarvester([tally]).take([{ build: world.kept!.zones, image: world.zones }], counts)
  const all = [...counts.values()].flatMap((countries) => [...countries.values()]).reduce((sum, count) => sum + count, 0)
  t.equal(all, 6, 'none is lost')
  t.ok(counts.has(''))
  t.end()
})

t.test('a day on disk: bounded, whole again after a start, and what is old is gone', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'nearcast-counts-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const now = { at: Date.parse('2026-11-21T12:00:30Z') }
  const clock = { now: () => now.at, elapsed: () => now.at }
  const warned: string[] = []
  const nothing = { total: 0, counts: new Map<string, Map<string, number>>(), since: now.at }
  const store = openCountStore(join(folder, 'queries'), clock, (line) => warned.push(line))
  const hour = 3_600_000
  await store.keep(now.at - 25 * hour, 1, new Map([['old.', new Map([['KR', 1]])]]))
  await store.keep(now.at - hour, 10, new Map([['a.', new Map([['KR', 4]])]]))
  await store.keep(now.at, 5, new Map([['a.', new Map([['KR', 1], ['', 2]])], ['', new Map([['BR', 1]])]]))
  const path = join(folder, 'queries', '2026-11-21T12.jsonl')
  writeFileSync(path, `${readFileSync(path, 'utf8')}{"at": 17`)
  const again = openCountStore(join(folder, 'queries'), clock, () => undefined)
  const read = await again.read(now.at - 24 * hour, { ...nothing, total: 2, counts: new Map([['a.', new Map([['KR', 1]])]]) })
  t.same([read.total, plain(read.names as Counts)], [17, { 'a.': { KR: 6, '': 2 }, '': { BR: 1 } }], 'with what is not kept yet, without a line cut short')
  t.equal(read.since, now.at - hour)
  t.same((await again.read(now.at - 60_000, nothing)).total, 5)
  t.same(readdirSync(join(folder, 'queries')), ['2026-11-21T11.jsonl', '2026-11-21T12.jsonl'])
  t.equal(statSync(path).mode & 0o777, 0o600)
  const many = new Map(Array.from({ length: 30_000 }, (_, name) => [`${'n'.repeat(30)}${name}.example.org.`, new Map([['KR', name + 1], ['BR', 1]])]))
  const line = lineOf(now.at, 1, many)
  t.ok(line.length <= 42_000, `a line is never longer (${line.length})`)
  const { names } = JSON.parse(line) as { names: Record<string, Record<string, number>> }
  t.equal(names[`${'n'.repeat(30)}29999.example.org.`]!['KR'], 30_000, 'what is asked most has its row')
  const sum = Object.values(names).flatMap((countries) => Object.values(countries)).reduce((all, count) => all + count, 0)
  t.equal(sum, (30_000 * 30_001) / 2 + 30_000, 'and nothing is lost')
  const broken = openCountStore(join(path, 'queries'), clock, (text) => warned.push(text))
  await broken.keep(now.at, 1, new Map())
  await broken.keep(now.at, 1, new Map())
  t.equal(warned.length, 1, 'a disk that takes nothing is told once')
  t.equal((await broken.read(0, nothing)).total, 0)
})
