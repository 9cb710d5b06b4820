import t, { type Test } from 'tap'
import { assumeHealth, compare, judgeDrain, makeAffected, movesBetween, spread, survey, weighViewers, type PolicyChange, type Viewers } from '../../daemon/traffic/index.ts'
import { openRouting, readPolicies } from '../../daemon/routing/index.ts'
import { buildZoneImage, readZone } from '../../daemon/zone/index.ts'
import { buildNetworks, mergeOverrides, noPlaces, openNetworks, openPlaces, readOverrides } from '../../geodb/index.ts'
import { COUNTRY_LIST, edges, healthOf, placeOf, routingOf } from '../routing/fleet.ts'

const up = healthOf(edges, {})
/** Each country alike, but for the United States, which have one place more. */
const viewers: Viewers = { leftOut: 0, cells: [...COUNTRY_LIST.map((country) => ({ place: placeOf(country), country, network: '', networks: [], weight: 100 })), { place: placeOf('Chicago'), country: 'US', network: '', networks: [], weight: 300 }] }
const numberOf = (name: string): number => edges.findIndex((edge) => edge.name === name)
const near = (t: Test, found: number | undefined, wanted: number, what: string): void => void t.ok(Math.abs((found ?? NaN) - wanted) < 1e-9, `${what}: ${found}`)

t.test('a survey says where each country goes: places by their addresses, answers of several addresses to each alike', (t) => {
  const routing = routingOf(`policies:
  geo: { geolocation: { KR: icn, US/Chicago: iad, default: { weighted: { fra: 3, gru: 1 } } } }
  pair: { simple: [icn, nrt] }
`)
  const countries = survey(routing, routing.find('geo')!, viewers, up)
  t.same([...countries.get('KR')!.shares], [[numberOf('icn'), 1]])
  near(t, countries.get('US')!.shares.get(numberOf('iad')), 0.75, 'Chicago')
  near(t, countries.get('US')!.shares.get(numberOf('fra')), 0.25 * 0.75, 'the rest of it, by weight')
  t.equal(countries.get('US')!.addresses, 400)
  t.same([...survey(routing, routing.find('pair')!, viewers, up).get('NL')!.shares.values()], [0.5, 0.5])
  const down = healthOf(edges, { icn: 'down', nrt: 'down' })
  t.equal(survey(routing, routing.find('pair')!, viewers, down).get('NL')!.failOpen, 1)
  t.end()
})

t.test('who moves: what one loses goes to those that gain, and countries count by their queries', (t) => {
  t.same(movesBetween(new Map([['a', 1]]), new Map([['a', 1]])), [])
  const [first, second] = movesBetween(new Map([['a', 0.8], ['b', 0.2]]), new Map([['b', 0.4], ['c', 0.6]]))
  t.match([first, second], [{ from: 'a', to: 'b' }, { from: 'a', to: 'c' }])
  near(t, first!.share, 0.2, 'in proportion')
  near(t, second!.share, 0.6, 'in proportion')
  const old = routingOf('policies: { geo: { geolocation: { KR: icn, default: fra } } }')
  const next = routingOf('policies: { geo: { geolocation: { KR: nrt, BR: gru, default: fra } } }')
  const counted = compare({ routing: old, health: up }, { routing: next, health: up }, 'geo', viewers, new Map([['KR', 10], ['BR', 30], ['NL', 60], ['', 100]]))
  t.same(counted.moves.map(({ country, from, to }) => [country, from, to]), [['BR', 'fra', 'gru'], ['KR', 'icn', 'nrt']])
  near(t, counted.moved, 0.4, 'queries of unknown countries are spread as the others')
  t.equal(counted.queries, 200)
  const alike = compare({ routing: old, health: up }, { routing: next, health: up }, 'geo', viewers, undefined)
  near(t, alike.moved, 200 / 1200, 'without queries, by addresses')
  near(t, spread(survey(old, 0, viewers, up), new Map([['KR', 0]])).get('KR'), 100 / 1200, 'a count of nothing is none')
  const dead = healthOf(edges, { icn: 'down', nrt: 'down', gru: 'down', fra: 'down' })
  t.same(compare({ routing: old, health: up }, { routing: old, health: dead }, 'geo', viewers, undefined).failOpen, [0, 1])
  t.end()
})

t.test('draining: what has no other, what would be too much, and what is not known', (t) => {
  const change = (moves: PolicyChange['moves'], failOpen: readonly [number, number] = [0, 0]): PolicyChange => ({ policy: 'geo', moved: 0, moves, failOpen })
  const moves = [{ from: 'icn', to: 'nrt', country: 'KR', share: 0.3 }, { from: 'icn', to: 'syd', country: 'ID', share: 0.1 }]
  const loads = [{ name: 'icn', now: 400, capacity: 1000 }, { name: 'nrt', now: 800, capacity: 1000 }, { name: 'syd', now: 0, capacity: 1000 }]
  const full = judgeDrain(['icn'], [{ change: change(moves), names: ['a.'], weight: 1 }], loads)
  t.match(full, { safe: false, reasons: ['nrt would have 1100 requests a second and can take 1000 (it has 800 now)'], to: [{ name: 'nrt', countries: ['KR'] }, { name: 'syd' }] })
  near(t, full.share, 0.4, 'part of all viewers')
  t.match(judgeDrain(['icn'], [{ change: change(moves), names: ['a.'], weight: 1 }], [{ ...loads[0]!, now: 200 }, ...loads.slice(1)]), { safe: true, loads: [{ name: 'nrt', later: 950 }, { name: 'syd', later: 50 }] })
  t.match(judgeDrain(['icn'], [{ change: change(moves), names: ['a.'], weight: 1 }], [{ name: 'icn', capacity: 1000 }]), { safe: true, notes: ['how many requests icn has is not known: taken as none'] })
  t.match(judgeDrain(['icn'], [{ change: change([], [0, 0.25]), names: ['a.', 'b.', 'c.'], weight: 1 }], loads), { safe: false, reasons: ['25 % of the viewers of geo (a., b. and 1 more) would have nothing that is up'] })
  t.match(judgeDrain(['icn'], [{ change: change([{ from: 'icn', to: '', country: 'KR', share: 1 }]), names: ['a.'], weight: 1 }], loads), { safe: false })
  t.end()
})

t.test('viewers are weighed by addresses, the heaviest places first when there are too many, without special-use networks', (t) => {
  const { overrides } = readOverrides('o', 'networks: { 10.0.0.0/8: KR, 20.0.0.0/9: { country: KR, city: Busan }, 30.0.0.0/8: BR }')
  const image = mergeOverrides(noPlaces(), overrides!)
  const all = weighViewers(image)
  t.same(all.cells.map(({ country, weight }) => [country, weight]).toSorted(), [['BR', 2 ** 24], ['KR', 2 ** 24], ['KR', 2 ** 23]].toSorted())
  t.equal(all.leftOut, 0)
  const most = weighViewers(image, [], 2)
  t.same(most.cells.map(({ country, weight }) => [country, weight]).toSorted(), [['BR', 2 ** 24], ['KR', 2 ** 24]].toSorted())
  near(t, most.leftOut, 0.2, 'and what that leaves out is said')
  t.end()
})

t.test('viewers in networks that a policy goes by are told apart, also where only one of two policies does', (t) => {
  const { overrides } = readOverrides('o', 'networks: { 20.0.0.0/8: KR, 30.0.0.0/8: NL }')
  const image = mergeOverrides(noPlaces(), overrides!)
  const sides = ['{ KR: icn, default: fra }', '{ 20.64.0.0/10: nrt, KR: icn, default: fra }'].map((text) => {
    const read = readPolicies({ file: 'p', text: `policies: { geo: { geolocation: ${text} } }`, targets: edges })
    const networks = buildNetworks({ named: read.networks.named })
    return { networks, routing: openRouting(read.image!, openPlaces(image), networks && openNetworks(networks)) }
  })
  const [old, next] = sides as [(typeof sides)[0], (typeof sides)[0]]
  const found = compare({ routing: old.routing, health: up }, { routing: next.routing, health: up, side: 1 }, 'geo', weighViewers(image, sides.map(({ networks }) => networks)), undefined)
  t.match(found.moves, [{ country: 'KR', network: '20.64.0.0/10', from: 'icn', to: 'nrt' }])
  near(t, found.moved, 0.125, 'a quarter of half')
  t.end()
})

t.test('assumed health leaves the live table as it is', (t) => {
  const assumed = assumeHealth(up, edges, 'icn=down')
  t.ok(typeof assumed === 'object' && assumed.health.words[numberOf('icn')] !== up.words[numberOf('icn')])
  t.end()
})

t.test('which names stand behind a target, also one that is no edge', (t) => {
  const read = readPolicies({ file: 'policies.yaml', text: 'policies:\n  a: { failover: [{ address: 192.0.2.7, check: web }, { cname: cdn.example.net., check: web }, icn] }\n  b: icn\n', targets: edges, checks: ['web'] })
  const { zone } = readZone({ file: 'shop.test.zone', read: () => '$ORIGIN shop.test.\n$TTL 60\n@ SOA ns1 h 1 1 1 1 1\n@ NS ns1\nns1 A 127.0.0.1\none ROUTE a\ntwo ROUTE b\n', policies: read.names })
  const affected = makeAffected(() => ({ generation: 1, zones: buildZoneImage([zone!]), routing: read.image! }))
  t.same(affected('web@192.0.2.7'), { names: 1, first: ['one.shop.test.'] })
  t.same(affected('web@cdn.example.net'), { names: 1, first: ['one.shop.test.'] })
  t.same(affected('icn'), { names: 2, first: ['one.shop.test.', 'two.shop.test.'] })
  t.same(affected('nrt'), { names: 0, first: [] })
  t.end()
})
