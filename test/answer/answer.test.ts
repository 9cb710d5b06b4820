import fc from 'fast-check'
import packet from 'dns-packet'
import t from 'tap'
import { readCounters } from '../../daemon/answer/index.ts'
import { makeAnswerer, type Answerer } from '../../daemon/answer.ts'
import type { World } from '../../daemon/world.ts'
import { replyLines, writeQuery, type Asked } from './packets.ts'
import { change, worldOf } from './stage.ts'

const SOA = '@ 3600 SOA ns1 hostmaster 1 3600 600 604800 60\n@ 3600 NS ns1\nns1 3600 A 192.0.2.53\n'
const EDGES = [['icn', '192.0.2.1', '2001:db8::1', '37.46', '126.44'], ['fra', '192.0.2.4', '50.03', '8.56'], ['gru', '192.0.2.5', '-23.43', '-46.47']]
const PLACES = [['168.126.0.0/16', 'KR', 'AS', '37.5', '127.0'], ['193.0.0.0/20', 'NL', 'EU', '52.4', '4.9'], ['2001:db8:aaaa::/48', 'KR', 'AS', '37.5', '127.0']]

function worldWith(zone: string, policies = '', edges = EDGES): World {
  return worldOf({ zones: [{ name: 'example.test', text: SOA + zone }], policies: policies === '' ? '' : `policies:\n${policies}`, edges, places: PLACES })
}

const noTrouble = (error: unknown): never => {
  throw error
}
const out = new Uint8Array(65535)

function ask(answerer: Answerer, asked: Asked): Uint8Array {
  const length = answerer.answer(asked.bytes, 0, asked.bytes.length, asked.source, asked.transport, out, 0, out.length)
  return out.slice(0, length)
}

const words = (text: string): Asked => writeQuery(text.split(' '))
const answersOf = (answerer: Answerer, text: string): string[] => replyLines(ask(answerer, words(text))).filter((line) => line.startsWith('answer ')).map((line) => line.split(' ').at(-1)!)

t.test('weighted answers are shared out by weight, also past an edge that is down', async (t) => {
  const world = worldWith('w 20 ROUTE canary\n', '  canary: { weighted: { icn: 70, fra: 25, gru: 5 } }\n')
  const answerer = makeAnswerer({ world, onError: noTrouble, seed: 7 })
  const share = (times: number): Record<string, number> => {
    const seen: Record<string, number> = {}
    for (let time = 0; time < times; time++) for (const address of answersOf(answerer, 'A w.example.test')) seen[address] = (seen[address] ?? 0) + 1 / times
    return seen
  }
  const before = share(4000)
  t.match(before, { '192.0.2.1': Number, '192.0.2.4': Number, '192.0.2.5': Number })
  t.ok(Math.abs(before['192.0.2.1']! - 0.7) < 0.04 && Math.abs(before['192.0.2.5']! - 0.05) < 0.02, JSON.stringify(before))
  change(world, { kind: 'health', edge: 'icn', state: 'down' })
  const after = share(4000)
  t.equal(after['192.0.2.1'], undefined)
  t.ok(Math.abs(after['192.0.2.4']! - 25 / 30) < 0.04, JSON.stringify(after))
})

t.test('what a CNAME of a policy leads to is shared out by its own weights', async (t) => {
  const world = worldWith('w 20 ROUTE front\nnext 20 ROUTE behind\n', '  front: { weighted: [{ weight: 1, to: icn }, { weight: 1, to: { cname: next.example.test. } }] }\n  behind: { weighted: { fra: 1, gru: 1 } }\n')
  const answerer = makeAnswerer({ world, onError: noTrouble, seed: 7 })
  const seen: Record<string, number> = {}
  const times = 4000
  for (let time = 0; time < times; time++) {
    const last = answersOf(answerer, 'A w.example.test').at(-1)!
    seen[last] = (seen[last] ?? 0) + 1 / times
  }
  for (const [address, share] of [['192.0.2.1', 0.5], ['192.0.2.4', 0.25], ['192.0.2.5', 0.25]] as const) t.ok(Math.abs((seen[address] ?? 0) - share) < 0.04, `${address}: ${seen[address]}`)
})

t.test('addresses that are answered together are rotated', async (t) => {
  const answerer = makeAnswerer({ world: worldWith('r 20 ROUTE both\n', '  both: { simple: [icn, fra, gru] }\n'), onError: noTrouble })
  const first = new Set<string>()
  for (let time = 0; time < 100; time++) {
    const answers = answersOf(answerer, 'A r.example.test')
    if (answers.toSorted().join(' ') !== '192.0.2.1 192.0.2.4 192.0.2.5') t.fail(answers.join(' '))
    first.add(answers[0]!)
  }
  t.equal(first.size, 3)
})

t.test('shuffled addresses come first equally often, and what follows one differs', async (t) => {
  const answerer = makeAnswerer({ world: worldWith('m 20 ROUTE many\n', '  many: { multivalue: [icn, fra, gru, 192.0.2.11, 192.0.2.12, 192.0.2.13, 192.0.2.14, 192.0.2.15] }\n'), onError: noTrouble })
  const seconds = new Map<string, Set<string>>()
  const firsts = new Map<string, number>()
  for (let time = 0; time < 4000; time++) {
    const answers = answersOf(answerer, 'A m.example.test')
    if (new Set(answers).size !== 8) t.fail(answers.join(' '))
    firsts.set(answers[0]!, (firsts.get(answers[0]!) ?? 0) + 1)
    seconds.set(answers[0]!, (seconds.get(answers[0]!) ?? new Set()).add(answers[1]!))
  }
  t.equal(firsts.size, 8)
  for (const [address, count] of firsts) t.ok(Math.abs(count - 500) < 150, `${address} was first ${count} times`)
  t.ok([...seconds.values()].every(({ size }) => size === 2), 'two come second behind each')
})

t.test('trouble of our own is answered SERVFAIL, counted and told, and is over with the query', async (t) => {
  const world = worldWith('d1 20 ROUTE video\n', '  video: { failover: [icn] }\n')
  const told: string[] = []
  const choose = (): never => {
    throw new Error('broken')
  }
  const answerer = makeAnswerer({ world: { ...world, routing: { ...world.routing, choose } }, onError: (error, question) => told.push(`${question} ${String(error)}`) })
  t.same(replyLines(ask(answerer, words('A d1.example.test edns'))), ['SERVFAIL', 'edns udp 1232'])
  t.same(told, ['d1.example.test. Error: broken'])
  t.match(readCounters(answerer.counters), { errors: 1, servfail: 1 })
  t.same(answersOf(answerer, 'A ns1.example.test'), ['192.0.2.53'])
})

t.test('another world is answered from with the next query', async (t) => {
  const answerer = makeAnswerer({ world: worldWith('www 300 A 192.0.2.80\n'), onError: noTrouble })
  for (let time = 0; time < 3; time++) t.same(answersOf(answerer, 'A www.example.test'), ['192.0.2.80'])
  answerer.use(worldWith('www 300 A 192.0.2.81\n'))
  t.same(answersOf(answerer, 'A www.example.test'), ['192.0.2.81'])
})

t.test('what is kept ready stays within its bound and never mixes up', async (t) => {
  const names = Array.from({ length: 3000 }, (_, index) => `h${index} 300 A 10.0.${index >> 8}.${index & 255}\n`)
  const answerer = makeAnswerer({ world: worldWith(names.join('')), onError: noTrouble, preparedSize: 1 << 16 })
  for (let time = 0; time < 3; time++) {
    for (let index = 0; index < names.length; index++) {
      const answers = answersOf(answerer, `A h${index}.example.test`)
      if (answers[0] !== `10.0.${index >> 8}.${index & 255}`) t.fail(`h${index}: ${answers}`)
    }
  }
  t.equal(readCounters(answerer.counters)['outcome found'], 9000)
})

t.test('every place class gets its own answer, however many classes there are', async (t) => {
  const world = worldWith('d1 20 ROUTE video\nd2 20 ROUTE video\n*.w 20 ROUTE video\n', '  video: { latency: [icn, fra, gru] }\n')
  const many: World = {
    ...world,
    places: { ...world.places, find4: (address) => ((address & 0xfff) << 8) | 32 },
    // Class 7 of ten has no target, class 8 shares its answers out between two.
    routing: {
      ...world.routing, classOf: (_, place) => place,
      choose: (_, placeClass) => ({
        alternatives: placeClass % 10 === 7 ? [] : placeClass % 10 === 8 ? [{ weight: 0.5, targets: [0] }, { weight: 0.5, targets: [1] }] : [{ weight: 1, targets: [placeClass % 3] }],
        rotate: false, shuffle: false, failOpen: false, unsettled: false
      })
    }
  }
  const expected = (placeClass: number): string[] =>
    placeClass % 10 === 7 ? [''] : placeClass % 10 === 8 ? ['192.0.2.1', '192.0.2.4'] : [['192.0.2.1', '192.0.2.4', '192.0.2.5'][placeClass % 3]!]
  for (const preparedSize of [1 << 16, 1 << 20, 16 << 20]) {
    const answerer = makeAnswerer({ world: many, onError: noTrouble, preparedSize })
    fc.assert(
      fc.property(fc.nat(0xfff), fc.constantFrom('d1', 'd2', 'a.w', 'longer.w', '*.w'), (placeClass, name) => {
        const [answer = ''] = answersOf(answerer, `A ${name}.example.test from=10.0.${placeClass >> 8}.${placeClass & 255}`)
        if (!expected(placeClass).includes(answer)) throw new Error(`class ${placeClass}: ${answer}`)
      }),
      { numRuns: 3000 }
    )
  }
  t.pass()
})

// Of every kind of answer one, under names short enough to be met by chance.
const ZONE = [
  'a 300 A 192.0.2.7', 'a 300 TXT "a"', 'a 300 HTTPS 0 d1', 'd1 300 HTTPS 1 . alpn=h2 ipv4hint=auto ipv6hint=auto', '*.x 300 HTTPS 2 d1.example.test. ipv4hint=auto', 'e 300 MX 10 d1', 'e 300 MX 10 d2', 'b 300 CNAME a', 'c 300 CNAME d1', 'd1 20 ROUTE nearest', 'd2 20 ROUTE both', 'e.e 300 A 192.0.2.8', '@ 15 ALIAS d1',
  '*.w 300 TXT "wild"', '*.x 20 ROUTE nearest', '*.y 300 CNAME x.w', 'n 300 DNAME w', 'm 300 DNAME n', 's 300 NS ns.s', 's 300 NS ns1', 'ns.s 300 AAAA 2001:db8::9',
  'o 300 MX 10 a', 'o 300 MX 20 mail.elsewhere.', 'r 300 CNAME r2', 'r2 300 CNAME r', 'k.w 300 CNAME z', 'q 300 CNAME x.n', ...Array.from({ length: 40 }, (_, index) => `t 300 TXT "${index} ${'x'.repeat(60)}"`)
].join('\n')
const POLICIES = '  nearest: { latency: [icn, fra, gru] }\n  both: { weighted: { icn: 1, fra: 2 } }\n'

const label = fc.constantFrom('a', 'b', 'c', 'd1', 'd2', 'e', 'w', 'x', 'y', 'n', 'm', 's', 'o', 'r', 'k', 'q', 't', '*', 'ns', 'A', 'long-label-of-some-length')
const question = fc.record({
  labels: fc.array(label, { maxLength: 4 }),
  type: fc.constantFrom('A', 'AAAA', 'TXT', 'MX', 'HTTPS', 'CNAME', 'DNAME', 'NS', 'SOA', 'DS', 'ANY', 'TYPE999', 'TYPE240', 'TYPE241'),
  modifiers: fc.subarray(['rd', 'do', 'edns', 'size=700', 'nsid', 'tcp', 'subnet=168.126.63.0/24', 'option=10:0011223344556677'])
}).map(({ labels, type, modifiers }) => `${type} ${[...labels, 'example', 'test'].join('.')}${modifiers.map((each) => ` ${each}`).join('')}`)

/** The size that a reply to this query may have. */
function limitOf(text: string): number {
  if (text.includes(' tcp')) return 65535
  if (text.includes('size=700')) return 700
  return / (do|edns|nsid|subnet|option|size)/.test(text) ? 1232 : 512
}

t.test('an answer kept ready is the answer put together, whatever was asked before', async (t) => {
  const world = worldWith(`${ZONE}\n`, POLICIES)
  let practised = makeAnswerer({ world, onError: noTrouble })
  let asked = 0
  fc.assert(
    fc.property(question, (text) => {
      // What is asked first decides in what form an answer is kept.
      if (asked++ % 50 === 0) practised = makeAnswerer({ world, onError: noTrouble, preparedSize: 1 << 18 })
      const query = words(text)
      // A random choice is the same from the same start only: such answers are compared as what they may be.
      const random = text.includes('d2.') || text.startsWith('MX e.')
      const fresh = ask(makeAnswerer({ world, onError: noTrouble, preparedSize: 1 << 16 }), query)
      for (let time = 0; time < 3; time++) {
        const reply = ask(practised, query)
        if (random ? reply.length !== fresh.length : Buffer.compare(reply, fresh) !== 0) throw new Error(`${replyLines(reply).join('\n')}\n\nagainst\n\n${replyLines(fresh).join('\n')}`)
      }
      if (fresh.length > limitOf(text)) throw new Error(`${fresh.length} octets`)
      const decoded = packet.decode(Buffer.from(fresh))
      const echoed = Buffer.from(query.bytes).subarray(12, query.bytes.indexOf(0, 12) + 5)
      if (decoded.type !== 'response' || decoded.id !== 0x1234 || Buffer.compare(Buffer.from(fresh).subarray(12, 12 + echoed.length), echoed) !== 0) throw new Error('another question')
    }),
    { numRuns: 3000 }
  )
  t.pass()
})

t.test('where the client of a query will be looked for is looked at ahead', async (t) => {
  const world = worldWith('d1 20 ROUTE nearest\n')
  const touched: number[] = []
  const answerer = makeAnswerer({ world: { ...world, places: { ...world.places, touch4: (top) => touched.push(top) } }, onError: noTrouble })
  const expect = (text: string, cut = 0): readonly number[] => {
    const { bytes, source } = words(text)
    touched.length = 0
    answerer.expect(bytes, 0, bytes.length - cut, source)
    return [...touched]
  }
  t.same(expect('A d1.example.test subnet=168.126.63.0/24'), [0xa87e])
  t.same(expect('A d1.example.test subnet=168.126.63.7/32'), [0xa87e])
  t.same(expect('A d1.example.test from=192.0.2.1'), [0xc000], 'of a query without a subnet it is its sender')
  t.same(expect('A d1.example.test from=2001:db8::1'), [])
  t.ok(Array.from({ length: 17 }, (_, cut) => expect('A . from=192.0.2.1', cut)).every(({ length }) => length === 1), 'however short it is')
})

t.test('a reply is whole, or cut at the size that was offered', async (t) => {
  const counts = Array.from({ length: 61 }, (_, more) => more + 20)
  const zone = counts.flatMap((count) => Array.from({ length: count }, (_, index) => `g${count} 300 A 10.0.1.${index}\n`)).join('')
  const answerer = makeAnswerer({ world: worldWith(zone), onError: noTrouble })
  for (const modifiers of ['', ' edns', ' size=700', ' size=700 subnet=168.126.63.0/24', ' size=4096', ' tcp']) {
    for (const count of counts) {
      const text = `A g${count}.example.test${modifiers}`
      // Header, question, a record of 16 octets for each address, OPT, client subnet.
      const whole = 12 + 22 + count * 16 + (modifiers === '' || modifiers === ' tcp' ? 0 : 11) + (modifiers.includes('subnet') ? 11 : 0)
      for (let time = 0; time < 3; time++) {
        const reply = ask(answerer, words(text))
        const isCut = replyLines(reply)[0] === 'NOERROR aa tc'
        if (isCut !== whole > limitOf(text) || (!isCut && reply.length !== whole)) t.fail(`${text}: ${reply.length} octets of ${whole}`)
      }
    }
  }
  t.pass()
})

t.test('no packet whatever makes it throw, answer a response, or write past its bounds', async (t) => {
  const answerer = makeAnswerer({ world: worldWith(`${ZONE}\n`, POLICIES), onError: noTrouble, preparedSize: 1 << 18, serverId: 'x'.repeat(300) })
  const mutated = fc
    .tuple(question, fc.array(fc.tuple(fc.nat(200), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }), fc.nat(60), fc.nat(3))
    .map(([text, changes, cut, way]) => {
      const { bytes } = words(text)
      for (const [at, octet] of changes) if (at < bytes.length) bytes[at] = octet
      return way === 0 ? bytes.subarray(0, Math.max(0, bytes.length - cut)) : way === 1 ? Buffer.concat([bytes, bytes.subarray(0, cut)]) : bytes
    })
  const arena = new Uint8Array(70000)
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 300 })), fc.constantFrom('udp', 'tcp'), fc.constantFrom(512, 1232, 65535), (bytes, transport, room) => {
      arena.fill(0xee)
      const { source } = words('A a.example.test')
      const length = answerer.answer(bytes, 0, bytes.length, source, transport as 'udp' | 'tcp', arena, 100, room)
      if (length !== 0 && (bytes.length < 12 || bytes[2]! >= 0x80)) throw new Error('answered noise')
      if (length > room || (length > 0 && length < 12)) throw new Error(`${length} octets`)
      if (arena[99] !== 0xee || arena[100 + length] !== 0xee) throw new Error('wrote where it may not')
      if (length === 0) return
      if (arena[100] !== bytes[0] || arena[101] !== bytes[1] || arena[102]! < 0x80) throw new Error('no response to this query')
      packet.decode(Buffer.from(arena.subarray(100, 100 + length)))
    }),
    { numRuns: 10000 }
  )
  t.equal(readCounters(answerer.counters).errors, 0)
})

t.test('a change of health costs what policies decided, and that once for all names of a policy', async (t) => {
  const world = worldWith(`${ZONE}\nd3 20 ROUTE nearest\nd4 20 ROUTE nearest\n`, POLICIES)
  const answerer = makeAnswerer({ world, onError: noTrouble })
  const asked = ['A a.example.test', 'MX a.example.test', 'NS example.test', 'A nobody.example.test']
  const routed = ['A d1.example.test', 'A d3.example.test', 'A d4.example.test']
  const replies = (texts: readonly string[]): string[][] => texts.map((text) => replyLines(ask(answerer, words(text))))
  const before = [1, 2, 3].map(() => replies([...asked, ...routed])).at(-1)
  // Without RRsets nothing can be put together from the zones: what is answered has been kept.
  const { rrsets } = world.zones
  const readable = (isReadable: boolean): void => void Object.assign(world.zones, { rrsets: isReadable ? rrsets : 1 << 28 })
  readable(false)
  t.same(replies([...asked, ...routed]), before)
  change(world, { kind: 'health', edge: 'icn', state: 'down' })
  t.same(replies(asked), before!.slice(0, asked.length))
  readable(true)
  const [first] = replies(['A d1.example.test'])
  t.match(first, ['NOERROR aa', /192\.0\.2\.[45]$/])
  readable(false)
  t.same(replies(routed), routed.map((text) => [first![0], first![1]!.replace('d1.', `${text.slice(2, 4)}.`)]))
})

t.test('worlds whose zones changed in part keep what stands at names that did not', async (t) => {
  const kept = { zones: 1, policies: 1 }
  const world = { ...worldWith('www 300 A 192.0.2.80\nmail 300 MX 10 www\nd1 20 ROUTE nearest\n', POLICIES), kept }
  const answerer = makeAnswerer({ world, onError: noTrouble })
  const texts = ['A www.example.test', 'MX mail.example.test', 'A d1.example.test', 'A nobody.example.test']
  for (let time = 0; time < 3; time++) for (const text of texts) ask(answerer, words(text))
  const unread = { ...world, zones: { ...world.zones, rrsets: 1 << 28 } }
  answerer.use(unread)
  t.same(answersOf(answerer, 'A www.example.test'), ['192.0.2.80'])
  answerer.use({ ...world, zones: worldWith('www 300 A 192.0.2.81\nmail 300 MX 10 www\nd1 20 ROUTE nearest\n', POLICIES).zones, kept: { zones: 2, policies: 1 } })
  t.same(answersOf(answerer, 'A www.example.test'), ['192.0.2.81'])
  const other = worldWith('www 300 A 192.0.2.81\nmail 300 MX 10 www\nd1 20 ROUTE nearest\n', '  both: { weighted: { fra: 2 } }\n  nearest: { simple: [gru] }\n')
  answerer.use({ ...other, kept: { zones: 2, policies: 2 } })
  for (let time = 0; time < 2; time++) t.same(answersOf(answerer, 'A d1.example.test'), ['192.0.2.5'])
})

t.test('what does not fit is cut from what is kept as it is when it is put together', async (t) => {
  const long = Array.from({ length: 90 }, (_, index) => `l 300 A 10.0.2.${index}\n`).join('')
  const world = worldWith(`${long}${'s 300 A 10.0.3.1\ns 300 A 10.0.3.2\n'}`)
  const answerer = makeAnswerer({ world, onError: noTrouble })
  for (const text of ['A l.example.test edns', 'A l.example.test', 'A l.example.test size=700 subnet=168.126.63.0/24', 'A L.example.test tcp', 'A l.example.test edns']) {
    const fresh = ask(makeAnswerer({ world, onError: noTrouble }), words(text))
    for (let time = 0; time < 3; time++) t.same(ask(answerer, words(text)), fresh, text)
  }
  t.ok(readCounters(answerer.counters).prepared > 5)
})

t.test('ANY is told all over TCP, unless it is to be told as little as over UDP', async (t) => {
  const world = worldWith('www 300 A 192.0.2.1\nwww 300 TXT "x"\n')
  const answers = (hasMinimalAny: boolean, transport: string): number => answersOf(makeAnswerer({ world, hasMinimalAny, onError: noTrouble }), `ANY www.example.test ${transport}`).length
  t.equal(answers(false, 'tcp'), 2)
  t.equal(answers(true, 'tcp'), 1)
  t.equal(answers(false, 'udp'), 1)
})
