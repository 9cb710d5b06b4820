import fc from 'fast-check'
import t from 'tap'
import { formatAddress, maskBytes, parseAddress } from '../../core/address.ts'
import { clientNetwork, isSpecialNetwork, networkOfKey } from '../../core/client-network.ts'
import { makeMedians, type MedianLimits } from '../../edge/viewers/medians.ts'
import { makeTurnstile, readReport } from '../../edge/viewers/reports.ts'
import { makeRandom } from '../helpers/random.ts'

const HALF_LIFE = 1_800_000
const limits = (more: Partial<MedianLimits> = {}): MedianLimits => ({ cells: 64, halfLifeMs: HALF_LIFE, leastAddresses: 5, leastSamples: 20, ...more })

t.test('the network of an address is its /24 or /48', async (t) => {
  const octets = fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.uint8Array({ minLength: 4, maxLength: 4 }).map((tail) => Uint8Array.from([0x20, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...tail])))
  fc.assert(
    fc.property(octets, (bytes) => {
      const mapped = bytes.length === 16 && bytes.subarray(0, 10).every((octet) => octet === 0) && bytes[10] === 0xff
      fc.pre(!mapped)
      const found = clientNetwork(formatAddress(bytes))!
      const length = bytes.length === 4 ? 24 : 48
      const network = networkOfKey(found.key)!
      return network.length === length && network.bytes.join() === maskBytes(bytes, length).join() && found.voter === (bytes.length === 4 ? bytes[3] : bytes[6])
    })
  )
  t.same(clientNetwork('::ffff:192.0.2.7'), { key: '192.0.2.0/24', voter: 7 }, 'IPv4 in IPv6')
  t.same(clientNetwork('fe80::1%eth0'), { key: 'fe80:0:0::/48', voter: 0 }, 'with a zone')
  for (const text of ['', 'x', '1.2.3.x', 'g::1']) t.equal(clientNetwork(text), undefined, text)
})

t.test('networks that no viewer on the Internet has are told apart', async (t) => {
  for (const address of ['127.0.0.1', '10.1.2.3', '192.168.0.1', '100.64.0.1', '169.254.1.1', '192.0.2.1', '224.0.0.1', '::1', 'fd00::1', 'fe80::1', '2001:db8::1', '2002:102:304::1']) t.ok(isSpecialNetwork(clientNetwork(address)!.key), address)
  for (const address of ['8.8.8.8', '168.126.63.1', '100.128.0.1', '2001:4860:4860::8888', '2a02::1']) t.notOk(isSpecialNetwork(clientNetwork(address)!.key), address)
  t.ok(parseAddress('8.8.8.8'))
})

t.test('a figure is the median of what each address had last, the older weighing less', async (t) => {
  const medians = makeMedians(limits({ leastAddresses: 1, leastSamples: 1 }), 0)
  // Places of voters 0 and on, by this seed, are found out here: those that share one are left out.
  for (const [voter, ms] of [[0, 10], [1, 20], [2, 30]] as const) medians.add('n', 0, voter, ms, 0)
  t.equal(medians.rows(0, 0)[0]!.ms, 20)
  for (let again = 0; again < 1000; again++) medians.add('n', 0, 2, 900, 0)
  t.equal(medians.rows(0, 0)[0]!.ms, 20, 'one address has one vote, however often it comes')
  medians.add('n', 0, 2, 900, HALF_LIFE * 2)
  t.equal(medians.rows(0, HALF_LIFE * 2)[0]!.ms, 900, 'what is two half-lives old weighs a quarter: 0.25 + 0.25 against 1')
  t.equal(medians.rows(0, HALF_LIFE * 20).length, 0, 'and nothing after many')
})

t.test('what is told has enough addresses and samples, and has changed', async (t) => {
  const medians = makeMedians(limits(), 7)
  for (let turn = 0; turn < 100; turn++) medians.add('one', 0, 1, 5, turn)
  for (let voter = 0; voter < 12; voter++) medians.add('few', 0, voter, 5, 100)
  t.same(medians.rows(0, 200), [], 'one address with a hundred samples, twelve with one each')
  for (let voter = 0; voter < 12; voter++) medians.add('few', 0, voter, 7, 200)
  const [row] = medians.rows(0, 200)
  t.match(row, { network: 'few', target: 0, ms: 7, samples: 24 })
  t.ok(row!.addresses >= 5 && row!.addresses <= 12, `${row!.addresses} addresses, never more than there are`)
  t.same(medians.rows(201, 300), [], 'nothing since')
  t.ok(medians.isFresh('few', 0, 3, 200))
  t.notOk(medians.isFresh('few', 0, 3, 1200), 'a second later')
})

t.test('memory is bounded, and what is good is kept from those who come in masses', async (t) => {
  const cells = 64
  const medians = makeMedians(limits({ cells }), 3)
  for (let turn = 0; turn < 4; turn++) for (let network = 0; network < 20; network++) for (let voter = 0; voter < 16; voter++) medians.add(`198.51.${network}.0/24`, 0, voter, 10, turn)
  const good = medians.rows(0, 4).map(({ network }) => network)
  t.equal(good.length, 20)
  const random = makeRandom(5)
  for (let turn = 0; turn < 20_000; turn++) medians.add(`203.${random.below(256)}.${random.below(256)}.0/24`, 0, random.below(256), 1, 10 + turn)
  t.ok(medians.size <= cells, `${medians.size} networks`)
  t.same(medians.rows(0, 20_010).map(({ network }) => network), good, 'networks with one sample each have not driven them out')
  for (let voter = 0; voter < 16; voter++) for (let turn = 0; turn < 4; turn++) medians.add('192.0.2.0/24', 0, voter, 10, 20_020)
  t.ok(medians.rows(20_020, 20_020).some(({ network }) => network === '192.0.2.0/24'), 'a new one still finds room')
})

t.test('one IPv6 /32 holds no more than its part', async (t) => {
  const medians = makeMedians(limits({ cells: 80 }), 3)
  for (let site = 0; site < 1000; site++) for (let voter = 0; voter < 30; voter++) medians.add(`2a02:1:${site.toString(16)}::/48`, 0, voter, 1, site)
  t.equal(medians.size, 10, 'an eighth')
  medians.add('2a02:2:0::/48', 0, 1, 1, 2000)
  t.equal(medians.size, 11)
})

t.test('reports are read strictly', async (t) => {
  const isEdge = (name: string): boolean => ['icn', 'fra'].includes(name)
  t.same(readReport('icn=12.3&fra=240', isEdge), new Map([['icn', 12.3], ['fra', 240]]))
  for (const text of ['', 'icn', 'icn=', 'icn=-1', 'icn=1e3', 'icn=99999', 'icn=4001', 'icn=0', 'icn=1&icn=2', 'syd=1', 'icn=1&', 'icn=1 ', 'icn=1\n', '__proto__=1', 'icn=0x10', `${'icn=1&'.repeat(70)}fra=1`]) t.type(readReport(text, isEdge), 'string', JSON.stringify(text))
  fc.assert(fc.property(fc.string(), (text) => typeof readReport(text, isEdge) === 'string' || /^((icn|fra)=[\d.]+&?){1,2}$/.test(text)))
})

t.test('an address passes the turnstile once in a while', async (t) => {
  const mayPass = makeTurnstile(2000, 3)
  t.ok(mayPass('a', 0))
  t.notOk(mayPass('a', 1999))
  t.ok(mayPass('a', 2000))
  for (const other of ['b', 'c', 'd']) t.ok(mayPass(other, 2000))
  t.ok(mayPass('a', 2001), 'past so many, the one of longest ago is forgotten')
})
