import fc from 'fast-check'
import t from 'tap'
import { formatAddress, maskBytes, parseAddress, parsePrefix, type Address } from '../../core/address.ts'
import { makeAnswerer } from '../../daemon/answer.ts'
import { openRouting } from '../../daemon/routing/index.ts'
import type { World } from '../../daemon/world.ts'
import { buildZoneImage, openZoneImage } from '../../daemon/zone/index.ts'
import { buildNetworks, NO_NETWORK, openNetworks, type Places } from '../../geodb/index.ts'
import { isAnswerable } from '../../healthchecks/index.ts'
import { replyLines, writeQuery } from '../answer/packets.ts'
import { zoneOf } from '../answer/stage.ts'
import { edges, healthOf, imageOf, places } from './fleet.ts'

// Random trees of every verb, asked as resolvers ask: what is answered for a scope is the answer of every address in it.

const SEED = 20261121
const ASKED = 8
const fleet = edges.map((edge, number) => (edge.name === 'fra' || edge.name === 'nrt' ? { ...edge, ipv6: [Uint8Array.of(0x20, 1, 0xd, 0xb8, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, number)] } : edge))
const NETWORKS = { wide: ['20.0.0.0/8', '2001:db8::/32'], half: ['20.0.0.0/9', '2001:db8:1::/48'], spots: ['20.1.2.0/25', '20.16.0.0/13', '30.0.0.0/11', '2001:db8:1:80::/57'] }
const NETWORK_KEYS = [...Object.keys(NETWORKS), '20.1.2.64/26', '20.1.0.0/16', '2001:db8:0:8000::/49']

const leaf = fc.constantFrom('icn', 'nrt', 'fra', 'iad', 'gru', 'syd', '192.0.2.1', '2001:db8::1')
const by = fc.constantFrom('client', 'name')
const { node } = fc.letrec<{ node: object; branch: string | object }>((tie) => {
  const branch = tie('branch')
  const arms = fc.uniqueArray(branch, { minLength: 1, maxLength: 3, selector: (item) => JSON.stringify(item) })
  const keyed = (keys: readonly string[], ...others: readonly fc.Arbitrary<string | object>[]): fc.Arbitrary<object> =>
    fc.tuple(fc.dictionary(fc.constantFrom(...keys), fc.oneof(branch, ...others), { maxKeys: 3 }), branch).map(([map, byDefault]) => ({ ...map, default: byDefault }))
  const weights = arms.chain((list) => fc.tuple(...list.map((to) => fc.integer({ min: 0, max: 9 }).map((weight) => ({ weight, to })))))
  return {
    branch: fc.oneof({ depthSize: 'small', withCrossShrink: true }, leaf, tie('node')),
    node: fc.oneof(
      arms.map((failover) => ({ failover })),
      arms.map((latency) => ({ latency })),
      arms.map((score) => ({ score })),
      arms.map((multivalue) => ({ multivalue })),
      fc.tuple(arms, fc.integer({ min: 1, max: 2 })).map(([closest, count]) => ({ closest, count })),
      fc.uniqueArray(leaf, { minLength: 1, maxLength: 3 }).map((simple) => ({ simple })),
      fc.uniqueArray(leaf, { minLength: 1, maxLength: 3 }).map((list) => ({ geoproximity: Object.fromEntries(list.map((name) => [name, 10])) })),
      weights.map((weighted) => ({ weighted })),
      fc.tuple(weights, by).map(([weighted, sticky]) => ({ weighted, sticky })),
      fc.tuple(arms, by).map(([hash, on]) => ({ hash, on })),
      keyed(['KR', 'US', 'EU', 'US-IL', 'US/Chicago', 'continent-AS', ...NETWORK_KEYS.slice(3)]).map((geolocation) => ({ geolocation })),
      keyed(NETWORK_KEYS).map((network) => ({ network })),
      keyed(NETWORK_KEYS, fc.constant('empty')).map((view) => ({ view }))
    )
  }
})

/** Places by the first twelve bits in 20.0.0.0/8 and by the first eight elsewhere; of IPv6 by the first forty. */
const table: Places = {
  ...places,
  find4: (address) => (address >>> 24 === 20 ? (((address >>> 20) & 15) % places.size << 8) | 12 : ((address >>> 24 === 30 ? 1 : 0) << 8) | 8),
  find6: (bytes, at) => (bytes[at + 4]! % places.size << 8) | 40
}
const address4 = fc.tuple(fc.constantFrom(20, 20, 20, 30, 40), fc.constantFrom(0, 1, 16, 17, 200), fc.constantFrom(0, 2, 3), fc.nat(255)).map((octets) => Uint8Array.from(octets))
const address6 = fc.tuple(fc.constantFrom(0, 1), fc.constantFrom(0, 1), fc.constantFrom(0, 0x80, 0xff), fc.constantFrom(0, 0x80, 0xff), fc.nat(255)).map(([a, b, c, d, e]) => Uint8Array.of(0x20, 1, 0xd, 0xb8, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, e))
const anyAddress = fc.oneof({ weight: 3, arbitrary: address4 }, { weight: 1, arbitrary: address6 }).map((bytes): Address => ({ family: bytes.length === 4 ? 4 : 6, bytes }))
const states = fc.dictionary(fc.constantFrom(...edges.map(({ name }) => name)), fc.constantFrom('down', 'down', 'suspect', 'drain', 'forced-down'))

function worldOf(tree: object, down: Readonly<Record<string, string>>): World {
  const read = imageOf({ text: JSON.stringify({ networks: NETWORKS, policies: { p: tree } }), targets: fleet, isRandom: true })
  const networks = openNetworks(buildNetworks({ named: read.networks.named, paths: [{ prefix: parsePrefix('20.1.0.0/17')!, lengths: { icn: 4, fra: 1 } }] })!)
  const { targets } = read.image
  return { generation: 1, zones, places: table, networks, routing: openRouting(read.image, table, networks), targets, health: healthOf(targets, down), suspectTtl: 5 }
}
const zones = openZoneImage(buildZoneImage([zoneOf('t.test', '@ 60 SOA ns h 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.53\np 20 ROUTE p\n')]))

/** What somebody is answered one time after the other, chance being the same for all who ask. */
function ask(world: World, type: string, from: Address, subnet?: string): { readonly answers: readonly string[]; readonly scope: number } {
  const answerer = makeAnswerer({ world, serverId: 'pop', version: 'x', seed: 7, preparedSize: 1 << 16, onError: (error) => { throw error as Error } })
  const out = new Uint8Array(4096)
  const asked = writeQuery([type, 'p.t.test.', `from=${formatAddress(from.bytes)}`, ...(subnet === undefined ? [] : [`subnet=${subnet}`])])
  const replies = Array.from({ length: ASKED }, () => replyLines(out.subarray(0, answerer.answer(asked.bytes, 0, asked.bytes.length, asked.source, 'udp', out, 0, out.length))))
  const scopes = new Set(replies.flatMap((lines) => / scope (\d+)/.exec(lines.at(-1)!)?.[1] ?? []))
  if (scopes.size !== (subnet === undefined ? 0 : 1)) throw new Error(`scopes ${[...scopes].join()}`)
  return { answers: replies.map((lines) => lines.filter((line) => line.startsWith('answer')).join()), scope: Number([...scopes][0] ?? 0) }
}

/** An address within a prefix of another: the bits behind it come from a third. */
function within({ family, bytes }: Address, length: number, other: Uint8Array): Address {
  const kept = maskBytes(bytes, length)
  const rest = maskBytes(other, length)
  return { family, bytes: kept.map((octet, at) => octet | (other[at]! ^ rest[at]!)) }
}

const namesOf = (value: unknown): Set<string> => new Set(typeof value === 'string' ? [value] : typeof value === 'object' && value !== null ? Object.entries(value).flatMap(([key, inner]) => [...(key in NETWORKS ? [] : [key]), ...namesOf(inner)]) : [])

/** What somebody who is there may not be answered. */
function wrongIn(world: World, type: 'A' | 'AAAA', { answers }: { readonly answers: readonly string[] }, from: Address, client: Address, named: ReadonlySet<string>): string | undefined {
  const { routing, health, networks } = world
  const family = type === 'A' ? 4 : 6
  const find = (tables: Pick<Places, 'find4' | 'find6'>, { family: of, bytes }: Address): number => (of === 4 ? tables.find4(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)) : tables.find6(bytes, 0)) >>> 8
  const source = routing.usesSource(0) ? find(networks!, from) : NO_NETWORK
  const { candidates } = routing.explain(0, find(table, client), health, family, routing.usesNetwork(0) ? find(networks!, client) : NO_NETWORK, source)
  const numberOf = (name: string): number => world.targets.findIndex((target) => target.name === name)
  const addressesOf = (number: number): string[] => (family === 4 ? world.targets[number]!.ipv4 : world.targets[number]!.ipv6).map(formatAddress)
  const isUp = (number: number): boolean => !world.targets[number]!.checked || isAnswerable(health.words[number]!)
  const allowed = candidates.map(({ target }) => numberOf(target)).filter((number) => addressesOf(number).length > 0)
  const someUp = allowed.some(isUp)
  for (const address of answers.flatMap((answer) => [...answer.matchAll(/AA?A?A? (\S+?)(?=,|$)/g)].map(([, text]) => text!))) {
    const number = allowed.find((each) => addressesOf(each).some((text) => text === formatAddress(parseAddress(address)!.bytes)))
    if (number === undefined) return `${address} is no candidate`
    if (!named.has(world.targets[number]!.name)) return `${address} is not in the policy`
    if (someUp && !isUp(number)) return `${address} is down, and another is not`
  }
  return undefined
}

t.test('what is answered for a scope is the answer of all who are in it', async (t) => {
  let told = 0
  let narrow = 0
  let empty = 0
  const property = fc.property(node, states, fc.constantFrom('A', 'A', 'AAAA'), anyAddress, anyAddress, fc.constantFrom(0, 8, 16, 0), fc.array(fc.tuple(address4, address6), { minLength: 3, maxLength: 3 }), (tree, down, type, from, client, less, others) => {
    const world = worldOf(tree, down)
    const named = namesOf(tree)
    const bits = client.bytes.length * 8
    const length = bits - less
    const base: Address = { ...client, bytes: maskBytes(client.bytes, length) }
    const first = ask(world, type, from, `${formatAddress(base.bytes)}/${length}`)
    told++
    if (first.scope > 0) narrow++
    if (first.answers.every((answer) => answer === '')) empty++
    const said = wrongIn(world, type as 'A', first, from, base, named) ?? wrongIn(world, type as 'A', ask(world, type, from), from, from, named)
    if (said !== undefined) throw new Error(said)
    for (const [v4, v6] of others) {
      const other = within(base, first.scope, base.family === 4 ? v4 : v6)
      const second = ask(world, type, from, `${formatAddress(other.bytes)}/${bits}`)
      if (second.answers.join(' | ') !== first.answers.join(' | ')) throw new Error(`${formatAddress(base.bytes)}/${length} has scope ${first.scope}: ${first.answers.join(' | ')}; ${formatAddress(other.bytes)} within it: ${second.answers.join(' | ')}`)
    }
  })
  t.doesNotThrow(() => fc.assert(property, { numRuns: 120, seed: SEED }))
  t.ok(narrow > told / 5 && narrow < told && empty < told / 2, `${told} asked, ${narrow} with a scope, ${empty} without an address`)
})
