import fc from 'fast-check'
import t from 'tap'
import { makeImage } from '../../daemon/latency/image.ts'
import { estimateMs, greatCircle } from '../../daemon/routing/distance.ts'
import { makeRoundTrips } from '../../daemon/routing/round-trips.ts'
import { openRouting, readPolicies, type Target } from '../../daemon/routing/index.ts'
import { buildNetworks, openNetworks, type LatencyImage, type Network, type Place, type Places } from '../../geodb/index.ts'
import { ipv4Number, parseAddress } from '../../core/address.ts'
import { healthOf } from '../routing/fleet.ts'

const target = (name: string, octet: number, at?: [number, number]): Target => ({ name, checked: at !== undefined, ipv4: [Uint8Array.of(127, 0, 10, octet)], ipv6: [], ...(at !== undefined && { at }) })
const SEOUL: [number, number] = [37.5, 127]
const TARGETS = [target('icn', 1, [37.46, 126.44]), target('nrt', 2, [35.76, 140.39]), target('fra', 3, [50.03, 8.56]), target('192.0.2.1', 9)]
const [ICN, NRT, FRA, PLAIN] = [0, 1, 2, 3]
const EDGES = 3
const korea: Place = { country: 'KR', latitude: SEOUL[0], longitude: SEOUL[1], source: 'test' }

/** Rows of one network (row 0) and of a country, with what was measured to some edges. */
function imageOf(rows: Readonly<Record<string, Readonly<Record<number, number>>>>): LatencyImage {
  return makeImage(new Map(Object.entries(rows).map(([row, known]) => [row, Array.from({ length: EDGES }, (_, edge) => (known[edge] === undefined ? undefined : { ms: known[edge], samples: 30 }))])), EDGES)
}

function tripsFrom(place: Place, network: Network, latencies?: LatencyImage) {
  const kilometres = (number: number): number | undefined => {
    const { at } = TARGETS[number]!
    return at === undefined || place.latitude === undefined ? undefined : greatCircle([place.latitude, place.longitude!], at)
  }
  const { milliseconds } = makeRoundTrips({ place, network, targets: TARGETS, kilometres, latencies })
  return (number: number) => milliseconds(number)
}
const between = (one: number, other: number): number => estimateMs(greatCircle(TARGETS[one]!.at!, TARGETS[other]!.at!))
const NEAR = 0.07
const row0: Network = { in: [], row: 0 }

t.test('where nothing was measured the distance decides', async (t) => {
  for (const trip of [tripsFrom(korea, { in: [] }), tripsFrom(korea, { in: [] }, imageOf({ '1.2.3.0/24': { [FRA]: 3 } }))]) {
    t.same(trip(NRT), { ms: estimateMs(greatCircle(SEOUL, TARGETS[NRT]!.at!)) })
    t.equal(trip(PLAIN), undefined)
  }
})

t.test('the network\'s figure goes before its country\'s, edge by edge', async (t) => {
  const trip = tripsFrom(korea, row0, imageOf({ '1.2.3.0/24': { [ICN]: 12 }, KR: { [ICN]: 30, [NRT]: 40 } }))
  t.same([trip(ICN), trip(NRT)], [{ ms: 12, measured: { samples: 30, of: 'network' } }, { ms: 40, measured: { samples: 30, of: 'country' } }])
  const other = tripsFrom(korea, { in: [] }, imageOf({ '1.2.3.0/24': { [ICN]: 12 }, KR: { [ICN]: 30 } }))
  t.equal(other(ICN)!.ms, 30)
  const abroad = tripsFrom({ ...korea, country: 'JP' }, { in: [] }, imageOf({ '1.2.3.0/24': { [ICN]: 12 }, KR: { [ICN]: 30 } }))
  t.equal(abroad(ICN)!.measured, undefined)
})

t.test('a guess has the last mile of what was measured', async (t) => {
  const trip = tripsFrom(korea, row0, imageOf({ '1.2.3.0/24': { [ICN]: 12 } }))
  const mile = 12 - estimateMs(greatCircle(SEOUL, TARGETS[ICN]!.at!))
  const guessed = estimateMs(greatCircle(SEOUL, TARGETS[NRT]!.at!)) + mile
  t.ok(Math.abs(trip(NRT)!.ms - guessed) < NEAR, `${trip(NRT)!.ms} ms`)
  t.notOk(trip(NRT)!.measured)
})

t.test('a viewer near a measured edge is far from what is far from that', async (t) => {
  const trip = tripsFrom(korea, row0, imageOf({ '1.2.3.0/24': { [FRA]: 3 } }))
  t.ok(trip(ICN)!.ms >= between(FRA, ICN) - 3 - NEAR, `not ${estimateMs(greatCircle(SEOUL, TARGETS[ICN]!.at!))} but ${trip(ICN)!.ms} ms`)
  const lost = tripsFrom({ source: 'test' }, row0, imageOf({ '1.2.3.0/24': { [ICN]: 10 } }))
  t.ok(Math.abs(lost(NRT)!.ms - between(ICN, NRT) - 10) < NEAR, 'a place without coordinates is guessed by way of the measured edge')
})

t.test('whatever was measured, guesses are numbers, and what was measured stands', async () => {
  const known = fc.dictionary(fc.constantFrom('0', '1', '2'), fc.integer({ min: 1, max: 4000 }))
  const place = fc.oneof(fc.constant<Place>({ source: 'test' }), fc.record({ latitude: fc.integer({ min: -90, max: 90 }), longitude: fc.integer({ min: -180, max: 180 }), source: fc.constant('test') }))
  fc.assert(
    fc.property(known, place, (rows, where) => {
      const trip = tripsFrom(where, row0, imageOf({ '1.2.3.0/24': rows }))
      return [ICN, NRT, FRA].every((edge) => {
        const found = trip(edge)
        if (rows[edge] !== undefined) return found!.ms === rows[edge]
        return found === undefined ? where.latitude === undefined && Object.keys(rows).length === 0 : Number.isFinite(found.ms) && found.ms >= 0 && found.measured === undefined
      })
    })
  )
})

t.test('policies order by it, and the answer holds for no more than what decided', async (t) => {
  const { image } = readPolicies({ file: 'p', text: 'policies: { quickest: { latency: [icn, nrt, fra] }, first: { failover: [icn, fra] } }', targets: TARGETS.slice(0, EDGES) })
  const places: Places = { find4: () => 1 << 8, find6: () => 1 << 8, size: 2, place: (number) => (number === 1 ? korea : { source: 'test' }) }
  const networks = openNetworks(buildNetworks({ named: [], measured: imageOf({ '1.2.3.0/24': { [ICN]: 50, [FRA]: 20 } }) })!)
  const routing = openRouting(image!, places, networks)
  const policy = routing.find('quickest')!
  t.ok(routing.usesNetwork(policy))
  t.notOk(routing.usesNetwork(routing.find('first')!), 'what goes by no round trips pays nothing')
  t.notOk(openRouting(image!, places).usesNetwork(policy), 'nor what does while nothing is measured')
  const health = healthOf(TARGETS, {})
  const chosen = (address: string): string => {
    const found = networks.find4(ipv4Number(parseAddress(address)!.bytes))
    const { alternatives } = routing.choose(policy, routing.classOf(policy, 1, found >>> 8), health, 4)
    return `${TARGETS[alternatives[0]!.targets[0]!]!.name}/${found & 0xff}`
  }
  t.equal(chosen('1.2.3.77'), 'fra/24')
  t.equal(chosen('1.2.2.1'), 'icn/24', 'the neighbour is another prefix')
  t.match(chosen('9.9.9.9'), /^icn\/[1-9]$/)
})
