import fc from 'fast-check'
import t from 'tap'
import { formatAddress, maskBytes, parsePrefix, type Address } from '../../core/address.ts'
import { makeAnswerer, type Answerer } from '../../daemon/answer.ts'
import { COUNT } from '../../daemon/answer/index.ts'
import { openRouting, type Target } from '../../daemon/routing/index.ts'
import type { World } from '../../daemon/world.ts'
import { buildZoneImage, openZoneImage, readZone } from '../../daemon/zone/index.ts'
import { buildNetworks, openNetworks, type Places } from '../../geodb/index.ts'
import { healthWord, limitWord, setHealth } from '../../healthchecks/index.ts'
import { replyLines, writeQuery } from '../answer/packets.ts'
import { edges, healthOf, imageOf, places } from './fleet.ts'

// What the verbs come to in one another, with everything that may stand beside them: sticky choices by name in views, what all
// being down leads to, edges that shed, names that policies lead to and that are steered themselves. Asked as resolvers ask, of an
// answerer that has answered many others before, beside one that has answered nobody.

const SEED = 20261121
const NETWORKS = { wide: ['20.0.0.0/8', '2001:db8::/32'], half: ['20.0.0.0/9', '2001:db8:1::/48'], spots: ['20.1.2.0/25', '20.16.0.0/13', '30.0.0.0/11', '2001:db8:1:80::/57'] }
const fleet: readonly Target[] = edges.map((edge, number) => (number % 2 === 0 ? { ...edge, capacity: 100 * (number + 1), ipv6: [Uint8Array.of(0x20, 1, 0xd, 0xb8, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, number)] } : edge))

const by = fc.constantFrom('client', 'name')
const onAllDown = fc.option(fc.constantFrom('all', 'last-good', 'empty', 'other', 'others'), { nil: undefined, freq: 2 })

interface Made {
  readonly node: fc.Arbitrary<object>
}

/** Random trees. @param isFixed without what chance decides @param leadsOn some leaves are names */
function treesOf({ isFixed, leadsOn }: { readonly isFixed: boolean; readonly leadsOn: boolean }): Made {
  const plain = fc.constantFrom<string | object>('icn', 'nrt', 'fra', 'iad', 'gru', 'syd', '192.0.2.1', '2001:db8::1', 'other', { address: '192.0.2.9', check: 'web' })
  const leaf = leadsOn ? fc.oneof({ weight: 2, arbitrary: plain }, { weight: 1, arbitrary: fc.constantFrom<object>({ cname: 'behind.t.test.' }, { cname: 'x.w.t.test.' }, { cname: 'away.example.' }, { cname: 'behind.t.test.', check: 'web' }) }) : plain
  return fc.letrec<{ node: object; branch: string | object }>((tie) => {
    const branch = tie('branch')
    const arms = fc.uniqueArray(branch, { minLength: 1, maxLength: 3, selector: (item) => JSON.stringify(item) })
    const withElse = (verb: fc.Arbitrary<object>): fc.Arbitrary<object> => fc.tuple(verb, onAllDown).map(([value, name]) => (name === undefined ? value : { ...value, 'on-all-down': name }))
    const keyed = (keys: readonly string[], ...others: readonly fc.Arbitrary<string | object>[]): fc.Arbitrary<object> =>
      fc.tuple(fc.dictionary(fc.constantFrom(...keys), fc.oneof(branch, ...others), { maxKeys: 3 }), branch).map(([map, byDefault]) => ({ ...map, default: byDefault }))
    const weights = arms.chain((list) => fc.tuple(...list.map((to) => fc.integer({ min: 0, max: 9 }).map((weight) => ({ weight, to })))))
    const biased = arms.chain((list) => fc.tuple(...list.map((to) => fc.integer({ min: -99, max: 99 }).map((bias) => ({ bias, to })))))
    const together = [
      arms.map((multivalue) => ({ multivalue })),
      fc.tuple(arms, fc.integer({ min: 1, max: 2 }), fc.option(fc.constantFrom(1, 2, 9), { nil: undefined })).map(([closest, count, within]) => ({ closest, count, ...(within !== undefined && { within }) })),
      fc.tuple(fc.uniqueArray(fc.constantFrom('icn', 'nrt', 'fra', '192.0.2.1'), { minLength: 1, maxLength: 3 }), fc.constantFrom(1, 2)).map(([simple, count]) => (count > simple.length ? { simple } : { simple, count }))
    ]
    const byPlace = ['KR', 'US', 'EU', 'US-IL', 'US/Chicago', 'continent-AS', '20.1.2.64/26', '20.1.0.0/16']
    const byNetwork = [...Object.keys(NETWORKS), '20.1.2.64/26', '2001:db8:0:8000::/49']
    const verbs = [
      arms.map((failover) => ({ failover })), arms.map((latency) => ({ latency })), biased.map((geoproximity) => ({ geoproximity })),
      fc.tuple(arms, fc.record({ path: fc.nat(3), latency: fc.nat(3), capacity: fc.nat(3), health: fc.integer({ min: 1, max: 3 }) })).map(([score, weighing]) => ({ score, weights: weighing })),
      fc.tuple(weights, by).map(([weighted, sticky]) => ({ weighted, sticky })), fc.tuple(arms, by).map(([hash, on]) => ({ hash, on })),
      keyed(byPlace).map((geolocation) => ({ geolocation })), keyed(byNetwork).map((network) => ({ network })), keyed(byNetwork, fc.constant('empty')).map((view) => ({ view })),
      ...(isFixed ? [] : [weights.map((weighted) => ({ weighted }))]), ...(isFixed || leadsOn ? [] : together)
    ]
    return { branch: fc.oneof({ depthSize: 'small', withCrossShrink: true }, leaf, tie('node')), node: fc.oneof(...verbs.map(withElse)) }
  }) as unknown as Made
}

const ZONE = ['@ 60 SOA ns h 1 2 3 4 5', '@ 60 NS ns', 'ns 60 A 192.0.2.53', 'p 20 ROUTE p', '*.w 20 ROUTE p', 'steered 30 ROUTE other', 'behind 25 ROUTE others', 'alias 40 CNAME p', 'deep 40 CNAME x.w', ''].join('\n')
const OTHERS = { other: { geolocation: { KR: 'syd', default: 'gru' } }, others: { network: { half: { weighted: { icn: 3, fra: 1 }, sticky: 'client' }, default: { hash: ['nrt', 'iad', 'syd'], on: 'name' } } } }

/** Places by the first twelve bits in 20.0.0.0/8 and by the first eight elsewhere; of IPv6 by the first forty. */
const table: Places = {
  ...places,
  find4: (address) => (address >>> 24 === 20 ? (((address >>> 20) & 15) % places.size << 8) | 12 : ((address >>> 24 === 30 ? 1 : 0) << 8) | 8),
  find6: (bytes, at) => (bytes[at + 4]! % places.size << 8) | 40
}
const PATHS = ['20.16.0.0/14', '20.1.2.0/24', '2001:db8:1::/49']

function worldOf(tree: object, down: Readonly<Record<string, string>>, limits: Readonly<Record<string, readonly [number, number]>> = {}): World {
  const text = JSON.stringify({ networks: NETWORKS, policies: { ...OTHERS, p: tree } })
  const read = imageOf({ text, targets: fleet, isRandom: true, checks: ['web'] })
  const networks = openNetworks(buildNetworks({ named: read.networks.named, paths: PATHS.map((prefix, number) => ({ prefix: parsePrefix(prefix)!, lengths: { icn: 4 - number, fra: 1 + number, syd: 2 } })) })!)
  const { targets } = read.image
  const health = healthOf(targets, Object.fromEntries(Object.entries(down).filter(([name]) => targets.some((target) => target.name === name))))
  for (const [name, [share, ramp]] of Object.entries(limits)) health.limits[targets.findIndex((each) => each.name === name)] = limitWord(share, ramp)
  const { zone, faults } = readZone({ file: 't.test.zone', origin: 't.test.', read: () => ZONE, policies: read.names })
  if (zone === undefined) throw new Error(faults.map(({ reason }) => reason).join())
  return { generation: 1, zones: openZoneImage(buildZoneImage([zone])), places: table, networks, routing: openRouting(read.image, table, networks), targets, health, suspectTtl: 5 }
}

const address4 = fc.tuple(fc.constantFrom(20, 20, 20, 30, 40), fc.constantFrom(0, 1, 16, 17, 200), fc.constantFrom(0, 2, 3), fc.nat(255)).map((octets) => Uint8Array.from(octets))
const address6 = fc.tuple(fc.constantFrom(0, 1), fc.constantFrom(0, 1), fc.constantFrom(0, 0x80, 0xff), fc.constantFrom(0, 0x80, 0xff), fc.nat(255)).map(([a, b, c, d, e]) => Uint8Array.of(0x20, 1, 0xd, 0xb8, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, e))
const anyAddress = fc.oneof({ weight: 3, arbitrary: address4 }, { weight: 1, arbitrary: address6 }).map((bytes): Address => ({ family: bytes.length === 4 ? 4 : 6, bytes }))
const NAMES = [...edges.map(({ name }) => name), '192.0.2.9', 'behind.t.test.']
const STATES = ['down', 'down', 'suspect', 'drain', 'forced-down', 'unknown'] as const
const states = fc.dictionary(fc.constantFrom(...NAMES), fc.constantFrom(...STATES))
const limits = fc.oneof(fc.constant({}), fc.dictionary(fc.constantFrom(...edges.map(({ name }) => name)), fc.tuple(fc.constantFrom(1 / 16, 0.3, 0.6, 0.99, 1.5), fc.constantFrom(0.125, 0.5, 1))))
const question = fc.record({ name: fc.constantFrom('p.t.test.', 'p.t.test.', 'a.w.t.test.', 'b.w.t.test.', 'alias.t.test.', 'deep.t.test.', 'steered.t.test.'), type: fc.constantFrom('A', 'A', 'AAAA', 'TXT', 'CNAME') })
type Question = typeof question extends fc.Arbitrary<infer Value> ? Value : never

const out = new Uint8Array(4096)
const makeFresh = (world: World): Answerer => makeAnswerer({ world, serverId: 'pop', version: 'x', seed: 7, preparedSize: 1 << 15, onError: (error) => { throw error as Error } })

/** The replies that one is given one after the other, and their longest scope, for a name that only some of them lead to has one of its own; -1 without a client subnet. */
function ask(answerer: Answerer, { name, type }: Question, from: Address, subnet: string | undefined, times: number): { readonly replies: string; readonly scope: number } {
  const asked = writeQuery([type, name, `from=${formatAddress(from.bytes)}`, ...(subnet === undefined ? [] : [`subnet=${subnet}`])])
  const replies = Array.from({ length: times }, () => replyLines(out.subarray(0, answerer.answer(asked.bytes, 0, asked.bytes.length, asked.source, 'udp', out, 0, out.length))))
  const scopes = new Set(replies.map((lines) => / scope (\d+)/.exec(lines.at(-1)!)?.[1] ?? '-1'))
  if (scopes.has('-1') && (scopes.size > 1 || subnet !== undefined)) throw new Error(`scopes ${[...scopes].join()}`)
  return { replies: replies.map((lines) => lines.filter((line) => !line.startsWith('edns')).join()).join(' | '), scope: Math.max(...[...scopes].map(Number)) }
}

/** An address within a prefix of another: the bits behind it come from a third. */
function within({ family, bytes }: Address, length: number, other: Uint8Array): Address {
  const rest = maskBytes(other, length)
  return { family, bytes: maskBytes(bytes, length).map((octet, at) => octet | (other[at]! ^ rest[at]!)) }
}
const subnetOf = ({ bytes }: Address, length = bytes.length * 8): string => `${formatAddress(maskBytes(bytes, length))}/${length}`

for (const leadsOn of [false, true]) {
  t.test(`of any tree${leadsOn ? ' that leads to names' : ''}, all within a scope are answered alike`, async (t) => {
    const told = { all: 0, narrow: 0, empty: 0 }
    const { node } = treesOf({ isFixed: false, leadsOn })
    t.doesNotThrow(() => fc.assert(fc.property(node, states, limits, question, anyAddress, anyAddress, fc.constantFrom(0, 8, 16), fc.array(fc.tuple(address4, address6), { minLength: 3, maxLength: 3 }), (tree, down, shed, asked, from, client, less, others) => {
      const world = worldOf(tree, down, shed)
      const length = client.bytes.length * 8 - less
      const base: Address = { ...client, bytes: maskBytes(client.bytes, length) }
      const first = ask(makeFresh(world), asked, from, subnetOf(base, length), 6)
      told.all++
      if (first.scope > 0) told.narrow++
      if (!first.replies.includes('answer')) told.empty++
      for (const [v4, v6] of others) {
        const other = within(base, first.scope, base.family === 4 ? v4 : v6)
        const second = ask(makeFresh(world), asked, from, subnetOf(other), 6)
        if (second.replies !== first.replies) throw new Error(`${subnetOf(base, length)} has scope ${first.scope}: ${first.replies}; ${formatAddress(other.bytes)} within it: ${second.replies}`)
      }
    }), { numRuns: 150, seed: SEED }))
    t.ok(told.narrow > told.all / 8 && told.empty < told.all * 0.7, `${told.all} asked, ${told.narrow} with a scope, ${told.empty} without a record`)
  })

  t.test(`of any tree${leadsOn ? ' that leads to names' : ''} without chance, whoever asked before makes no difference, and health counts at once`, async (t) => {
    const { node } = treesOf({ isFixed: true, leadsOn })
    const turn = fc.tuple(question, anyAddress, anyAddress, fc.constantFrom(undefined, 0, 8, 16), fc.option(fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom('up', ...STATES)), { nil: undefined }))
    t.doesNotThrow(() => fc.assert(fc.property(node, states, fc.array(turn, { minLength: 6, maxLength: 14 }), (tree, down, turns) => {
      const world = worldOf(tree, down)
      const practised = makeFresh(world)
      for (const [asked, from, client, less, change] of turns) {
        const number = world.targets.findIndex(({ name }) => name === change?.[0])
        if (number >= 0) setHealth(world.health, number, change![1] === 'up' ? healthWord('UP', 'none', false) : healthWord(change![1] === 'down' ? 'DOWN' : 'UP', change![1] === 'drain' ? 'drain' : change![1] === 'forced-down' ? 'down' : 'none', change![1] === 'suspect'))
        const subnet = less === undefined ? undefined : subnetOf(client, client.bytes.length * 8 - less)
        const [fresh, kept] = [makeFresh(world), practised].map((answerer) => ask(answerer, asked, from, subnet, 2))
        if (kept!.replies !== fresh!.replies || kept!.scope !== fresh!.scope) throw new Error(`${asked.type} ${asked.name} from ${formatAddress(from.bytes)} for ${subnet}: kept ${JSON.stringify(kept)}, fresh ${JSON.stringify(fresh)}`)
      }
    }), { numRuns: 120, seed: SEED }))
  })
}

t.test('what is asked for again is kept ready, however it is drawn', async (t) => {
  const trees = [
    { failover: ['icn', 'fra'] }, { weighted: { icn: 1, fra: 2 } }, { weighted: { icn: 1, fra: 2 }, sticky: 'client' }, { weighted: { icn: 1, fra: 2 }, sticky: 'name' }, { hash: ['icn', 'nrt', 'fra'], on: 'name' }, { hash: ['icn', 'nrt', 'fra'] },
    { weighted: [{ weight: 1, to: 'icn' }, { weight: 1, to: { cname: 'ns.t.test.' } }], sticky: 'client' }, { view: { wide: { hash: ['icn', 'nrt'] }, default: 'empty' } }, { geolocation: { KR: { weighted: { icn: 1, fra: 1 }, sticky: 'name' }, default: 'iad' } }
  ]
  for (const tree of trees) {
    const answerer = makeFresh(worldOf(tree, {}))
    for (const name of ['p.t.test.', 'a.w.t.test.', 'alias.t.test.'] as const) {
      for (const subnet of [undefined, '20.1.2.0/24']) {
        const again = (): number => {
          const before = answerer.counters[COUNT.PREPARED]!
          ask(answerer, { name, type: 'A' }, { family: 4, bytes: Uint8Array.of(20, 1, 2, 3) }, subnet, 10)
          return answerer.counters[COUNT.PREPARED]! - before
        }
        again()
        t.equal(again(), 10, `${JSON.stringify(tree)} ${name} ${subnet}`)
      }
    }
  }
})
