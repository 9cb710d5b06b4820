import t from 'tap'
import type { LatencyReport, LatencyRow } from '../../core/latency-report.ts'
import { makeLatencyTable, type TableOptions, type Where, type WhereOf } from '../../daemon/latency/index.ts'
import { measurementOf, type LatencyImage } from '../../geodb/index.ts'

const EDGES = ['icn', 'nrt', 'fra']
const [ICN, NRT, FRA] = [0, 1, 2]
const HOUR = 3_600_000
const options = (more: Partial<TableOptions> = {}): TableOptions => ({ edges: EDGES, networks: 100, forgetMs: 24 * HOUR, leastAddresses: 5, leastSamples: 20, local: false, ...more })
const row = (network: string, edge: string, ms: number, more: Partial<LatencyRow> = {}): LatencyRow => ({ network, edge, ms, samples: 50, addresses: 9, ...more })
const report = (edge: string, ...rows: LatencyRow[]): LatencyReport => ({ edge, boot: 'a', at: 1, rows })
const NOWHERE: Where = { leastMs: () => 0 }
const nowhere: WhereOf = () => NOWHERE
/** 1.x is in Korea and AS4766, 2.x in Japan; light needs 40 ms to Frankfurt from either. */
const somewhere: WhereOf = ([first]) => ({ country: first === 1 ? 'KR' : 'JP', ...(first === 1 && { system: 4766 }), leastMs: (edge) => (edge === FRA ? 40 : 0) })
const at = (image: LatencyImage, network: number, target: number): number | undefined => measurementOf(image, { network, system: -1, country: -1 }, target)?.ms

t.test('what edges tell becomes rows of networks', async (t) => {
  const table = makeLatencyTable(options())
  table.take(report('icn', row('1.2.3.0/24', 'icn', 12), row('1.2.3.0/24', 'fra', 240), row('2a02:1:2::/48', 'icn', 30)), 'icn', 0)
  const image = table.told(nowhere, 0)!
  t.equal(image.prefixes.length, 36)
  t.same([...image.prefixes.subarray(0, 6)], [4, 24, 1, 2, 3, 0])
  t.same([...image.prefixes.subarray(18, 26)], [6, 48, 0x2a, 2, 0, 1, 0, 2])
  t.same([at(image, 0, ICN), at(image, 0, NRT), at(image, 0, FRA), at(image, 1, ICN)], [12, undefined, 240, 30])
  t.equal(table.told(nowhere, 1), undefined, 'nothing has changed')
})

t.test('liars are not heard', async (t) => {
  const wrong: readonly (readonly [string, LatencyReport, string])[] = [
    ['another edge than the one asked', report('fra', row('1.2.3.0/24', 'fra', 1)), 'icn'],
    ['too few addresses', report('icn', row('1.2.3.0/24', 'icn', 1, { addresses: 4 })), 'icn'],
    ['too few samples', report('icn', row('1.2.3.0/24', 'icn', 1, { samples: 19 })), 'icn'],
    ['a private network', report('icn', row('10.0.0.0/24', 'icn', 1)), 'icn'],
    ['loopback', report('icn', row('127.0.0.0/24', 'icn', 1), row('0:0:0::/48', 'icn', 1)), 'icn'],
    ['no network of viewers', report('icn', row('1.0.0.0/8', 'icn', 1), row('1.2.3.4/32', 'icn', 1), row('1.2.3.4/24', 'icn', 1), row('x', 'icn', 1), row('1.2.3.0/48', 'icn', 1)), 'icn'],
    ['no edge of ours', report('icn', row('1.2.3.0/24', 'gru', 1)), 'icn'],
    ['no round trip', report('icn', row('1.2.3.0/24', 'icn', 0), row('1.2.3.0/24', 'icn', -1), row('1.2.3.0/24', 'icn', Number.NaN), row('1.2.3.0/24', 'icn', 1e9), row('1.2.3.0/24', 'icn', 5, { samples: 1e300 })), 'icn']
  ]
  for (const [what, lie, asked] of wrong) {
    const table = makeLatencyTable(options())
    table.take(lie, asked, 0)
    t.equal(table.told(nowhere, 0), undefined, what)
    t.equal(table.size, 0, what)
  }
  const table = makeLatencyTable(options({ local: true }))
  table.take(report('icn', row('127.0.0.0/24', 'icn', 0.1)), 'icn', 0)
  t.equal(table.size, 1, 'loopback counts where the operator says so')
})

t.test('nothing is quicker than light', async (t) => {
  const table = makeLatencyTable(options())
  table.take(report('icn', row('1.2.3.0/24', 'fra', 1), row('1.2.3.0/24', 'icn', 3)), 'icn', 0)
  const image = table.told(somewhere, 0)!
  t.same([at(image, 0, FRA), at(image, 0, ICN)], [40, 3])
})

t.test('the edge itself is believed before browsers by way of others', async (t) => {
  const table = makeLatencyTable(options())
  const now = (time: number): number | undefined => {
    table.told(nowhere, time)
    return table.cells().find(({ edge }) => edge === 'fra')?.ms
  }
  table.take(report('icn', row('1.2.3.0/24', 'fra', 100)), 'icn', 0)
  t.equal(now(0), 100)
  table.take(report('fra', row('1.2.3.0/24', 'fra', 200)), 'fra', 1)
  t.equal(now(1), 200)
  table.take(report('icn', row('1.2.3.0/24', 'fra', 100)), 'icn', 2)
  t.equal(now(2), 200, 'its own word holds')
  table.take(report('icn', row('1.2.3.0/24', 'fra', 100)), 'icn', 2 * HOUR)
  t.equal(now(2 * HOUR), 100, 'for an hour')
})

t.test('countries and autonomous systems are medians over three networks at least', async (t) => {
  const table = makeLatencyTable(options())
  const image = (...rows: LatencyRow[]): LatencyImage => {
    table.take(report('icn', ...rows), 'icn', 0)
    return table.told(somewhere, 0)!
  }
  const first = image(row('1.0.0.0/24', 'icn', 10), row('1.0.1.0/24', 'icn', 20), row('2.0.0.0/24', 'icn', 50))
  t.equal(first.countries.size + first.systems.size, 0, 'two are not enough')
  const second = image(row('1.0.2.0/24', 'icn', 300), row('1.0.2.0/24', 'nrt', 30))
  t.same([...second.countries.keys(), ...second.systems.keys()], ['KR', 4766])
  const rows = { network: -1, system: -1, country: second.countries.get('KR')! }
  t.same(measurementOf(second, rows, ICN), { ms: 20, samples: 150, of: 'country' })
  t.equal(measurementOf(second, rows, NRT), undefined, 'of Tokyo one network alone knows')
  t.same(measurementOf(second, { network: 3, system: second.systems.get(4766)!, country: rows.country }, ICN), { ms: 300, samples: 50, of: 'network' }, 'the nearest that knows')
  t.same(measurementOf(second, { network: 2, system: second.systems.get(4766)!, country: rows.country }, ICN), { ms: 50, samples: 50, of: 'network' })
  t.equal(measurementOf(second, { network: -1, system: second.systems.get(4766)!, country: rows.country }, ICN)!.of, 'system')
})

t.test('figures move only when they have moved for good', async (t) => {
  const table = makeLatencyTable(options())
  const told = (ms: number, time: number): number | 'as it was' => {
    table.take(report('icn', row('1.2.3.0/24', 'icn', ms)), 'icn', time)
    const image = table.told(nowhere, time)
    return image === undefined ? 'as it was' : at(image, 0, ICN)!
  }
  t.equal(told(50, 0), 50)
  for (const [time, ms] of [54, 46, 55, 45, 51].entries()) t.equal(told(ms, time), 'as it was', `${ms} ms`)
  t.equal(told(56, 10), 56)
  t.equal(told(51, 11), 'as it was', 'and does not go back at once')
  t.equal(told(3, 12), 3)
  t.equal(told(3.9, 13), 'as it was', 'less than a millisecond')
})

t.test('what is old is forgotten, and what is most is bounded', async (t) => {
  const table = makeLatencyTable(options({ networks: 10 }))
  table.take(report('icn', row('1.2.3.0/24', 'icn', 10)), 'icn', 0)
  t.ok(table.told(nowhere, 0))
  t.equal(table.told(nowhere, 24 * HOUR), undefined)
  t.equal(table.told(nowhere, 24 * HOUR + 1)?.prefixes.length, 0, 'after a day without news')
  for (let network = 0; network < 100; network++) table.take(report('icn', row(`1.2.${network}.0/24`, 'icn', 10)), 'icn', network)
  t.equal(table.size, 10)
  t.same(table.cells().map(({ network }) => network), Array.from({ length: 10 }, (_, index) => `1.2.${90 + index}.0/24`), 'those not heard of for longest have gone')
})

t.test('a restart knows what was known, as old as it is', async (t) => {
  const table = makeLatencyTable(options())
  table.take(report('icn', row('1.2.3.0/24', 'icn', 10), row('1.2.4.0/24', 'icn', 20)), 'icn', HOUR)
  const again = makeLatencyTable(options())
  again.restore([...table.cells(), { ...row('1.2.5.0/24', 'icn', 5), at: 100 * HOUR, own: true }, { ...row('10.0.0.0/24', 'icn', 5), at: HOUR, own: true }], 2 * HOUR)
  t.same(again.cells(), table.cells(), 'what is of the future, or no viewer\'s, is left out')
  const late = makeLatencyTable(options())
  late.restore(table.cells(), 26 * HOUR)
  t.equal(late.size, 0)
})
