import t from 'tap'
import { parsePrefix } from '../../core/address.ts'
import { makeBuckets, makeRateLimiter, VERDICT, type Limited, type RateLimits } from '../../daemon/limits/index.ts'
import { makeAnswerer } from '../../daemon/answer.ts'
import { writeQuery } from '../answer/packets.ts'
import { worldOf } from '../answer/stage.ts'

// The limiter over real answers of a zone, its time turned by hand.

const ZONE = `$TTL 300
@ SOA ns1 hostmaster 1 3600 600 604800 60
@ NS ns1
ns1 A 192.0.2.53
www A 192.0.2.1
web A 192.0.2.2
*.wild A 192.0.2.3
sub NS ns.sub
ns.sub A 192.0.2.4
big TXT ${Array.from({ length: 10 }, (_, index) => `"${String(index).repeat(110)}"`).join(' ')}
`

const LIMITS: RateLimits = {
  logOnly: false, responses: 10, nodata: 10, nxdomain: 10, referrals: 10, errors: 10, any: 10, large: 5, largeTotal: 20, largeSize: 1024, all: 0,
  windowMs: 2000, slip: 2, ipv4Prefix: 24, ipv6Prefix: 56, exempt: []
}

function stage(change: Partial<RateLimits> = {}, key: [number, number] = [1, 2]) {
  const answerer = makeAnswerer({ world: worldOf({ zones: [{ name: 'shop.test', text: ZONE }], policies: '', edges: [], places: [] }) })
  const told: Limited[] = []
  const buckets = makeBuckets(1 << 16, key)
  const limiter = makeRateLimiter({ ...LIMITS, ...change }, buckets, 7, (limited) => told.push(limited))
  let time = 1_800_000_000_000
  limiter.tick(time)
  const out = new Uint8Array(1232)
  /** What becomes of the answer to a query: pass, slip, drop or noted. */
  const ask = (...words: string[]): string => {
    const { bytes, source } = writeQuery(words)
    const size = answerer.answer(bytes, 0, bytes.length, source, 'udp', out, 0, out.length)
    const verdict = limiter.judge(source, answerer.last.query, answerer.last.finding.shared, out, 0, size)
    return (Object.keys(VERDICT) as (keyof typeof VERDICT)[]).find((name) => VERDICT[name] === verdict)!.toLowerCase()
  }
  return {
    ask, told, buckets,
    /** How many of so many queries pass. */
    passing: (count: number, words: (index: number) => string[]): number => Array.from({ length: count }, (_, index) => ask(...words(index))).filter((verdict) => verdict === 'pass').length,
    wait: (milliseconds: number) => limiter.tick((time += milliseconds))
  }
}

t.test('a second of answers passes at once, then nothing until as much time has gone by as was asked for too much', async (t) => {
  const { passing, wait, ask, told } = stage()
  const www = (): string[] => ['A', 'www.shop.test', 'from=192.0.2.7']
  t.equal(passing(30, www), 10)
  wait(1000)
  t.equal(passing(1, www), 0, '20 too many, at 10 a second')
  wait(1200)
  t.equal(ask(...www()), 'pass')
  t.equal(told.length, 1, 'told when it began, not for each')
  t.match(told[0], { prefix: '192.0.2.0/24', what: 'answers' })
  t.equal(passing(10_000, www), 0)
  wait(2100)
  t.ok(passing(3, www) > 0, 'a flood is held against it for the window alone')
})

t.test('buckets are of a network, of a class, and of what the answer is about', async (t) => {
  const { passing } = stage()
  const of = (count: number, words: (index: number) => string[]): number => passing(count, words)
  t.equal(of(30, (index) => ['A', 'www.shop.test', `from=192.0.2.${index}`]), 10, 'one /24')
  t.equal(of(10, () => ['A', 'www.shop.test', 'from=192.0.3.1']), 10, 'its neighbour is another')
  t.equal(of(10, () => ['A', 'web.shop.test', 'from=192.0.2.1']), 10, 'another name')
  t.equal(of(30, (index) => ['A', 'WWW.shop.test', `from=2001:db8:0:${index.toString(16)}::1`]), 10, 'one /56')
  t.equal(of(10, () => ['A', 'www.shop.test', 'from=2001:db8:0:100::1']), 10, 'the next /56')
  t.equal(of(30, (index) => ['A', `${index}.shop.test`, 'from=192.0.2.1']), 10, 'NXDOMAIN in one zone, whatever the name')
  t.equal(of(30, (index) => ['A', `${index}.wild.shop.test`, 'from=192.0.2.1']), 10, 'a wildcard, whatever the name')
  t.equal(of(30, (index) => ['A', `${index}.sub.shop.test`, 'from=192.0.2.1']), 10, 'a delegation, whatever the name')
  t.equal(of(30, (index) => ['A', `${index}.other.test`, 'from=192.0.2.1']), 10, 'errors')
  t.equal(of(30, (index) => [`TYPE${1000 + index}`, 'www.shop.test', 'from=192.0.2.1']), 10, 'no data at one name, whatever the type')
  t.equal(of(30, (index) => ['ANY', index % 2 === 0 ? 'www.shop.test' : 'web.shop.test', 'from=192.0.2.1']), 10, 'ANY, whatever the name')
})

t.test('of what is withheld about one in two slips, errors never; a slip of 0 and of 1', async (t) => {
  const verdicts = (change: Partial<RateLimits>, name: string): Record<string, number> => {
    const { ask } = stage(change)
    const all: Record<string, number> = { pass: 0, slip: 0, drop: 0, noted: 0 }
    for (let index = 0; index < 1010; index++) all[ask('A', name, 'from=192.0.2.7')]!++
    return all
  }
  const { slip = 0, drop = 0 } = verdicts({}, 'www.shop.test')
  t.ok(slip > 400 && drop > 400, `${slip} and ${drop}`)
  t.equal(slip + drop, 1000)
  t.match(verdicts({ slip: 1 }, 'www.shop.test'), { slip: 1000, drop: 0 })
  t.match(verdicts({ slip: 0 }, 'www.shop.test'), { slip: 0, drop: 1000 })
  t.match(verdicts({ slip: 1 }, 'other.test'), { slip: 0, drop: 1000 })
  t.match(verdicts({ logOnly: true }, 'www.shop.test'), { pass: 10, noted: 1000 })
})

t.test('large answers are truncated past their rate, of one network and of all; small ones go on', async (t) => {
  const { passing, ask } = stage({ responses: 0 })
  t.equal(passing(20, () => ['TXT', 'big.shop.test', 'size=1232', 'from=192.0.2.7']), 5)
  t.equal(ask('TXT', 'big.shop.test', 'size=1232', 'from=192.0.2.7'), 'slip')
  t.equal(ask('A', 'www.shop.test', 'from=192.0.2.7'), 'pass')
  t.equal(passing(40, (index) => ['TXT', 'big.shop.test', 'size=1232', `from=198.51.${index}.1`]), 0, 'what was asked for too much counts against all')
  t.equal(stage({ responses: 0 }).passing(40, (index) => ['TXT', 'big.shop.test', 'size=1232', `from=198.51.${index}.1`]), 20)
})

t.test('exempt prefixes, rates of 0, and all answers of a network together', async (t) => {
  const exempt = ['192.0.2.0/25', '2001:db8::/47', '198.51.100.7'].map((text) => parsePrefix(text)!)
  const count = (change: Partial<RateLimits>, from: string, name = 'www.shop.test'): number => stage({ exempt, ...change }).passing(50, () => ['A', name, `from=${from}`])
  t.equal(count({}, '192.0.2.127'), 50)
  t.equal(count({}, '192.0.2.128'), 10)
  t.equal(count({}, '198.51.100.7'), 50)
  t.equal(count({}, '198.51.100.8'), 10)
  t.equal(count({}, '2001:db8:1::1'), 50)
  t.equal(count({}, '2001:db8:2::1'), 10)
  t.equal(count({ nxdomain: 0 }, '203.0.113.1', 'nothing.shop.test'), 50)
  t.equal(stage({ responses: 0, nxdomain: 0, all: 20 }).passing(50, (index) => ['A', `${index % 2 === 0 ? 'www' : 'nothing'}.shop.test`, 'from=203.0.113.1']), 20)
})

t.test('a flood of forged sources neither grows the table nor lets the one it is after out of it', async (t) => {
  const { passing, ask, buckets } = stage()
  const size = buckets.words.length
  t.equal(passing(50, () => ['A', 'www.shop.test', 'from=192.0.2.7']), 10)
  const others = passing(20_000, (index) => ['A', 'www.shop.test', `from=10.${index >> 8}.${index & 255}.1`])
  t.ok(others > 19_900, `${others} of 20,000 networks with a query each`)
  t.not(ask('A', 'www.shop.test', 'from=192.0.2.7'), 'pass')
  t.equal(buckets.words.length, size)
})

t.test('which networks share a bucket hangs on the key', async (t) => {
  const tags = (key: [number, number]): number[] => {
    const { passing, buckets } = stage({}, key)
    passing(100, (index) => ['A', 'www.shop.test', `from=10.0.${index}.1`])
    return [...buckets.words].filter((_, at) => at % 2 === 0).flatMap((tag, at) => (tag === 0 ? [] : [at >> 3]))
  }
  t.notSame(tags([1, 2]), tags([3, 4]))
  t.equal(tags([1, 2]).length, 100)
})

t.test('a clock that is set back forgives rather than locks out', async (t) => {
  const { passing, wait, ask } = stage()
  passing(1000, () => ['A', 'www.shop.test', 'from=192.0.2.7'])
  wait(-3_600_000)
  t.equal(ask('A', 'www.shop.test', 'from=192.0.2.7'), 'pass')
})
