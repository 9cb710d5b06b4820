import t from 'tap'
import { parseAddress } from '../../core/address.ts'
import { makeAnswerer } from '../../daemon/answer.ts'
import { explainName, type Ask, type Explanation } from '../../daemon/control/index.ts'
import { openRouting, readPolicies, type Target } from '../../daemon/routing/index.ts'
import type { World } from '../../daemon/world.ts'
import { buildZoneImage, openZoneImage, readZone } from '../../daemon/zone/index.ts'
import { type Place, type Places } from '../../geodb/index.ts'
import { healthWord, makeHealthTable, setHealth } from '../../healthchecks/index.ts'

const ZONE = `$ORIGIN nearcast.test.
$TTL 300
@              SOA   ns1 hostmaster 2026112101 3600 600 604800 60
               NS    ns1
ns1            A     127.0.0.1
@        20    ALIAS d111111abcdef8
d111111abcdef8 20 ROUTE video
www            CNAME d111111abcdef8
away           CNAME elsewhere.example.
*.wild   20    ROUTE nearest
fixed    20    ROUTE fixed
loyal    20    ROUTE loyal
*.each   20    ROUTE spread
half     20    ROUTE half
mail           MX    10 mx.example.
below.empty    TXT   "a \\"quoted\\" text" "and more"
child          NS    ns.child
ns.child       A     192.0.2.1
old            DNAME nearcast.test.
`
const POLICIES = `policies:
  nearest: { latency: [icn, fra] }
  video: { geolocation: { KR: { failover: [icn, fra] }, default: nearest } }
  fixed: { simple: [icn, fra] }
  loyal: { weighted: { icn: 70, fra: 30 }, sticky: client }
  spread: { hash: [icn, fra], on: name }
  half: { weighted: [{ weight: 1, to: loyal }, { weight: 3, to: fra }] }
`
const PLACES: readonly Place[] = [
  { source: 'no database' },
  { country: 'KR', continent: 'AS', latitude: 36.5, longitude: 127.9, source: 'test database 2026-01-01' },
  { country: 'DE', continent: 'EU', latitude: 51.5, longitude: 10.5, source: 'test database 2026-01-01' }
]

/** 168/8 and 2001:db8::/32 are Korea, everything else is Germany. */
const places: Places = {
  size: PLACES.length,
  place: (number) => PLACES[number]!,
  find4: (address) => (address >>> 24 === 168 ? (1 << 8) | 8 : (2 << 8) | 1),
  find6: (bytes, at) => (bytes[at] === 0x20 ? (1 << 8) | 32 : (2 << 8) | 1)
}

function makeWorld(): World {
  const target = (name: string, last: number, at: [number, number]): Target => ({ name, checked: true, ipv4: [Uint8Array.of(127, 0, 10, last)], ipv6: [], at })
  const targets = [target('icn', 1, [37.46, 126.44]), target('fra', 3, [50.03, 8.56])]
  const policies = readPolicies({ file: 'policies.yaml', text: POLICIES, targets })
  const { zone, faults } = readZone({ file: 'nearcast.test.zone', read: () => ZONE, policies: policies.names })
  if (zone === undefined || policies.image === undefined) throw new Error(JSON.stringify([faults, policies.faults]))
  const health = makeHealthTable(2)
  for (const index of [0, 1]) setHealth(health, index, healthWord('UP', 'none', false))
  return { generation: 1, zones: openZoneImage(buildZoneImage([zone])), places, routing: openRouting(policies.image, places), targets, health, suspectTtl: 5 }
}

const world = makeWorld()
const answerer = makeAnswerer({ world })
const ask: Ask = (query, { family, bytes }, asked) => {
  const out = new Uint8Array(1232)
  const own = asked === world ? answerer : makeAnswerer({ world: asked })
  const length = own.answer(query, 0, query.length, { family, bytes, at: 0 }, 'udp', out, 0, out.length)
  return length === 0 ? undefined : out.slice(0, length)
}

function explain(name: string, options: { from?: string; type?: string } = {}): Explanation {
  const explanation = explainName(world, ask, { name, type: options.type ?? 'A', from: parseAddress(options.from ?? '168.126.63.1')! })
  if (typeof explanation === 'string') throw new Error(explanation)
  return explanation
}

const texts = ({ steps }: Explanation): string => steps.map(({ depth, text }) => `${'  '.repeat(depth)}${text}`).join('\n')

t.test('a name of no zone: the zone that was probably meant', async (t) => {
  t.equal(texts(explain('www.nearcst.test')), 'no zone of ours holds www.nearcst.test. (did you mean www.nearcast.test.?)')
  t.equal(texts(explain('www.Nearcats.test')), 'no zone of ours holds www.Nearcats.test. (did you mean www.nearcast.test.?)')
  t.equal(texts(explain('www.example.com')), 'no zone of ours holds www.example.com.')
})

t.test('a routed name: zone, record, place, policy, candidates, TTL and scope', async (t) => {
  const explanation = explain('d111111abcdef8.nearcast.test')
  t.match(explanation, {
    question: { name: 'd111111abcdef8.nearcast.test.', type: 'A', from: '168.126.63.1' },
    outcome: 'routed',
    zone: { origin: 'nearcast.test.', serial: 2026112101 },
    records: ['d111111abcdef8.nearcast.test. 20 ROUTE video'],
    place: { text: 'South Korea (KR)', prefix: '168.0.0.0/8', source: 'test database 2026-01-01' },
    policy: 'video',
    failOpen: false,
    unsettled: false,
    answer: { rcode: 'NOERROR', authoritative: true, answers: ['d111111abcdef8.nearcast.test. 20 A 127.0.10.1'], authorities: [], ttl: 20, scope: '168.0.0.0/8' }
  })
  t.same(explanation.candidates.map(({ target, chosen }) => [target, chosen]), [['icn', true], ['fra', false]])
  t.match(texts(explanation), /is in zone nearcast\.test\., serial 2026112101\n.*ROUTE video\n.*168\.126\.63\.1 is in 168\.0\.0\.0\/8: South Korea \(KR\), says test database 2026-01-01\npolicy video decides\n/)
  t.match(explain('d111111abcdef8.nearcast.test', { from: '193.0.6.1' }).answer, { answers: [/127\.0\.10\.3$/], scope: '128.0.0.0/1' })
  t.match(explain('d111111abcdef8.nearcast.test', { from: '2001:db8::7' }), { place: { prefix: '2001:db8::/32' }, answer: { answers: [/127\.0\.10\.1$/], scope: '2001:db8::/32' } })
})

t.test('what is down or forced out is skipped, with the reason, and cuts the TTL', async (t) => {
  setHealth(world.health, 0, healthWord('UP', 'down', false))
  const explanation = explain('d111111abcdef8.nearcast.test')
  t.match(explanation, { unsettled: true, failOpen: false, answer: { answers: [/ 5 A 127\.0\.10\.3$/], ttl: 5 } })
  t.match(explanation.candidates, [{ target: 'icn', state: /UP.*forced down/, chosen: false }, { target: 'fra', chosen: true }])
  t.match(texts(explanation), /TTL 5, cut from 20/)
  setHealth(world.health, 1, healthWord('DOWN', 'none', false))
  setHealth(world.health, 0, healthWord('DOWN', 'none', false))
  t.match(explain('d111111abcdef8.nearcast.test'), { failOpen: true, answer: { answers: [/ A /], extendedError: /down/ } })
  for (const index of [0, 1]) setHealth(world.health, index, healthWord('UP', 'none', false))
})

t.test('aliases are followed to their end', async (t) => {
  const www = explain('www.nearcast.test')
  t.match(www, { outcome: 'routed', policy: 'video', records: ['www.nearcast.test. 300 CNAME d111111abcdef8.nearcast.test.', /ROUTE video$/] })
  t.same(www.answer.answers, ['www.nearcast.test. 300 CNAME d111111abcdef8.nearcast.test.', 'd111111abcdef8.nearcast.test. 20 A 127.0.10.1'])
  t.match(explain('nearcast.test'), { outcome: 'routed', records: [/ALIAS d111111abcdef8\.nearcast\.test\.$/, /ROUTE video$/], answer: { answers: ['nearcast.test. 20 A 127.0.10.1'] } })
  const away = explain('away.nearcast.test')
  t.match(away, { outcome: 'alias', answer: { answers: ['away.nearcast.test. 300 CNAME elsewhere.example.'] } })
  t.match(texts(away), /elsewhere\.example\. is in no zone of ours/)
  const old = explain('www.old.nearcast.test')
  t.equal(old.outcome, 'routed')
  t.match(texts(old), /which makes it www\.nearcast\.test\./)
})

t.test('a wildcard, and a policy in which the place has no say', async (t) => {
  const wild = explain('any.wild.nearcast.test')
  t.match(wild, { outcome: 'routed', policy: 'nearest' })
  t.match(texts(wild), /the wildcard \*\.wild\.nearcast\.test\. stands for it/)
  const fixed = explain('fixed.nearcast.test')
  t.match(fixed, { place: undefined, answer: { scope: '0.0.0.0/0' } })
  t.match(texts(fixed), /has no say/)
})

t.test('names without a policy say why they are answered so', async (t) => {
  t.match(explain('mail.nearcast.test', { type: 'mx' }), { question: { type: 'MX' }, outcome: 'found', candidates: [], answer: { answers: ['mail.nearcast.test. 300 MX 10 mx.example.'] } })
  t.match(explain('below.empty.nearcast.test', { type: 'TXT' }).answer.answers, ['below.empty.nearcast.test. 300 TXT "a \\"quoted\\" text" "and more"'])
  const nodata = explain('mail.nearcast.test')
  t.match(nodata, { outcome: 'nodata', answer: { rcode: 'NOERROR', answers: [], authorities: ['nearcast.test. 60 SOA ns1.nearcast.test. hostmaster.nearcast.test. 2026112101 3600 600 604800 60'] } })
  t.match(texts(nodata), /has no A: MX/)
  t.match(texts(explain('empty.nearcast.test')), /only because of names below it/)
  const missing = explain('x.y.mail.nearcast.test')
  t.match(missing, { outcome: 'nxdomain', answer: { rcode: 'NXDOMAIN' } })
  t.match(texts(missing), /no wildcard at mail\.nearcast\.test\., the nearest name above it/)
  const child = explain('www.child.nearcast.test')
  t.match(child, { outcome: 'delegation', answer: { authoritative: false, authorities: ['child.nearcast.test. 300 NS ns.child.nearcast.test.'] } })
  t.match(texts(child), /child\.nearcast\.test\. is delegated/)
  t.match(explain('www.example.com'), { outcome: 'notours', zone: undefined, answer: { rcode: 'REFUSED' } })
})

t.test('a question that is none gets one line', async (t) => {
  const from = parseAddress('192.0.2.1')!
  t.equal(explainName(world, ask, { name: 'a..b', type: 'A', from }), 'name: a..b is not a name: empty label: two dots in a row, or a dot at the start')
  t.equal(explainName(world, ask, { name: 'a.test', type: 'AAA', from }), 'type: there is no type AAA (did you mean AAAA?)')
  t.match(explain('a.nearcast.test', { type: 'TYPE65400' }), { question: { type: 'TYPE65400' }, outcome: 'nxdomain' })
  t.match(explainName(world, () => undefined, { name: 'nearcast.test', type: 'A', from }), { answer: { rcode: 'silence' } })
})

t.test('health that is supposed: answered so, and nothing of it stays', async (t) => {
  const assume = (text: string): Explanation | string => explainName(world, ask, { name: 'd111111abcdef8.nearcast.test', type: 'A', from: parseAddress('168.126.63.1')!, assume: text })
  const before = [...world.health.words]
  const down = assume('icn=down')
  t.match(down, { question: { assume: 'icn=down' }, unsettled: true, answer: { answers: [/ 5 A 127\.0\.10\.3$/] } })
  t.match(typeof down === 'string' ? '' : down.candidates.map(({ state }) => state), ['DOWN (assumed)', 'UP'])
  t.match(assume('i*=drain'), { candidates: [{ state: 'UP, drained (assumed)', chosen: false }, { chosen: true }] })
  t.match(assume('*=down'), { failOpen: true, answer: { answers: [/ A 127\.0\.10\.1$/] } }, 'all down: as if all were up')
  t.match(assume('*=drain, icn=up'), { failOpen: false, answer: { answers: [/ A 127\.0\.10\.1$/] } }, 'the last that means a target holds')
  t.equal(assume('inc=down'), 'assume: there is no edge inc (did you mean icn?)')
  t.equal(assume('x*=down'), 'assume: no edge is called x*')
  t.equal(assume('icn=dwon'), 'assume: dwon is no state to assume (did you mean down?)')
  t.equal(assume('icn'), 'assume: icn: expected EDGE=down, EDGE=drain or EDGE=up, several of them with commas')
  t.same([...world.health.words], before)
  t.match(explain('d111111abcdef8.nearcast.test'), { unsettled: false, answer: { answers: [/ 20 A 127\.0\.10\.1$/] } })
})

t.test('a name that does not exist: the one that was probably meant', async (t) => {
  t.match(texts(explain('d11111abcdef8.nearcast.test')), /did you mean d111111abcdef8\.nearcast\.test\.\?/)
  t.notMatch(texts(explain('x.y.mail.nearcast.test')), /did you mean/)
})

t.test('what goes by who asks: the key, whom it drew, and between whom', async (t) => {
  const answers = new Set<string>()
  for (let third = 0; third < 40; third++) {
    const told = explain('loyal.nearcast.test', { from: `168.126.${third}.7` })
    const [, drawn] = new RegExp(`^  the client's network 168\\.126\\.${third}\\.0/24 draws (icn|fra) at policy loyal: rendezvous hashing by weight between icn 70 %, fra 30 %$`, 'm').exec(texts(told)) ?? []
    t.match(told.answer.answers, [`loyal.nearcast.test. 20 A 127.0.10.${drawn === 'icn' ? 1 : 3}`])
    t.same(told.candidates.filter(({ chosen }) => chosen).map(({ target }) => target), [drawn])
    t.equal(told.answer.scope, `168.126.${third}.0/24`)
    answers.add(drawn!)
  }
  t.equal(answers.size, 2)
  const one = explain('loyal.nearcast.test', { from: '2001:db8:0:1234::9' })
  t.match(texts(one), /^where the client is has no say in this policy; its network 2001:db8:0:1200::\/56 has: by that it draws$/m)
  t.match(one.candidates.map(({ target, why }) => `${target}: ${why}`).sort(), [/^fra: drawn(; | by others: )30 % of the answers$/, /^icn: drawn(; | by others: )70 % of the answers$/])
})

t.test('a name draws for everybody, and chance is told as such', async (t) => {
  for (const name of ['a', 'b', 'c', 'd']) {
    const told = explain(`${name}.each.nearcast.test`)
    const [, drawn] = new RegExp(`the name ${name}\\.each\\.nearcast\\.test\\. draws (icn|fra) at policy spread: consistent hashing between icn [\\d.]+ %, fra [\\d.]+ % \\(none over 1\\.25 times its share\\)`).exec(texts(told)) ?? []
    t.match(told.answer.answers[0], `A 127.0.10.${drawn === 'icn' ? 1 : 3}`)
    t.match(texts(told), /^where the client is has no say in this policy$/m)
    t.equal(told.answer.scope, '0.0.0.0/0')
  }
  const half = explain('half.nearcast.test')
  t.match(texts(half), /^ {2}drawn at random: .*fra 75 %/m)
  t.match(texts(half), /^ {4}the client's network .* draws (icn|fra) at policy loyal: /m)
  t.match(half.candidates.filter(({ chosen }) => chosen).length, 2)
})
