import { createSecretKey } from 'node:crypto'
import t from 'tap'
import { makeLogger } from '../../core/log.ts'
import { parseConfig } from '../../core/config-file.ts'
import { parseAddress } from '../../core/address.ts'
import { HAND_OVER } from '../../daemon/answer/index.ts'
import { Exchange } from '../../daemon/exchange/exchange.ts'
import { makeGate } from '../../daemon/exchange/gate.ts'
import { makeHistory, octetsOf } from '../../daemon/exchange/history.ts'
import { makeRules, mayTransfer, peerOf, withKeys, type Rules } from '../../daemon/exchange/rules.ts'
import { makeSlots } from '../../daemon/exchange/slots.ts'
import { ALGORITHMS } from '../../daemon/wire/tsig-record.ts'
import { makeQuery, OPCODE, parseOther, parseQuery, RCODE, signRequest, TYPE, type TsigKey } from '../../daemon/wire/index.ts'
import type { ZoneChange } from '../../daemon/zone/index.ts'
import { wire } from './replies.ts'

const key = (name: string): [string, TsigKey] => [`${name}.`, { name: wire(`${name}.`), algorithm: ALGORITHMS.get('hmac-sha256')!, secret: createSecretKey(Buffer.alloc(32, 1)) }]
const at = (text: string) => parseAddress(text)!

function rulesOf(text: string, { isLab = false, transferKeys = [] }: { isLab?: boolean; transferKeys?: string[] } = {}): Rules {
  const { config, faults } = parseConfig('test.yaml', text)
  t.same(faults, [])
  return withKeys(makeRules({ config: config!, isLab }), { number: 0, keys: new Map([key('one'), key('two')]), everyZone: transferKeys })
}

const CONFIG = `peers:
  plain: { address: 192.0.2.1 }
  keyed: { address: 192.0.2.2, key: one, place: US }
zones:
  a.test: { allow-transfer: [plain, keyed, 198.51.100.0/24, "2001:db8::/32", "key:Two."] }
  b.test: { primaries: [plain] }
  c.test: { allow-update: [{ key: one }] }
`

t.test('who may have a zone', async (t) => {
  const rules = rulesOf(CONFIG)
  const may = (address: string, key?: string, zone = 'a.test.'): boolean => mayTransfer(rules, zone, at(address), key)
  t.ok(may('192.0.2.1'), 'a peer by its address')
  t.ok(may('192.0.2.1', 'one.'), 'signed or not')
  t.notOk(may('192.0.2.2'), 'a peer with a key not without it')
  t.notOk(may('192.0.2.2', 'other.'))
  t.ok(may('192.0.2.2', 'one.'))
  t.notOk(may('192.0.2.3', 'one.'), 'nor with it from elsewhere')
  t.ok(may('198.51.100.77') && may('2001:db8:1::1'), 'a prefix')
  t.notOk(may('198.51.101.1') || may('2001:db9::1'))
  t.ok(may('203.0.113.9', 'two.'), 'a key from anywhere')
  t.notOk(may('192.0.2.1', undefined, 'c.test.') || may('127.0.0.1'), 'nobody else, and nobody where nobody is named')
  t.ok(mayTransfer(rulesOf('', { isLab: true }), 'any.test.', at('127.0.0.9'), undefined) && mayTransfer(rulesOf('', { isLab: true }), 'any.test.', at('::1'), undefined), 'loopback in a lab')
  t.notOk(mayTransfer(rulesOf('', { isLab: true }), 'any.test.', at('192.0.2.1'), undefined))
  t.ok(mayTransfer(rulesOf('', { transferKeys: ['one.'] }), 'any.test.', at('203.0.113.9'), 'one.'))
  t.notOk(mayTransfer(rulesOf('', { transferKeys: ['one.'] }), 'any.test.', at('203.0.113.9'), 'two.'))
  t.equal(peerOf(rules, at('203.0.113.9'), 'one.')?.name, 'keyed', 'a peer is known by its key')
  t.equal(peerOf(rules, at('192.0.2.1'), undefined)?.name, 'plain', 'or by its address')
  t.equal(peerOf(rules, at('203.0.113.9'), undefined), undefined)
})

function message(opcode: number, name: string, type: number, signedWith?: TsigKey): Buffer {
  const question = Buffer.concat([Buffer.from([0, 7, opcode << 3, 0, 0, 1, 0, 0, 0, 0, 0, 0]), wire(name), Buffer.from([type >>> 8, type & 255, 0, 1])])
  return Buffer.from(signedWith === undefined ? question : signRequest(question, signedWith, 0).message)
}

t.test('what a serving thread hands over, and what it refuses by itself', async (t) => {
  const gate = makeGate(rulesOf(CONFIG))
  const judge = (bytes: Buffer, address: string, transport: 'udp' | 'tcp' = 'tcp', isZone = true): number => {
    const query = makeQuery()
    if (parseQuery(bytes, 0, bytes.length, query) === RCODE.NOTIMP) t.equal(parseOther(bytes, query), RCODE.NOERROR)
    return gate(query, bytes, { ...at(address), at: 0 }, transport, isZone)
  }
  const axfr = message(OPCODE.QUERY, 'a.test.', TYPE.AXFR)
  t.equal(judge(axfr, '192.0.2.1'), HAND_OVER)
  t.equal(judge(axfr, '192.0.2.1', 'udp'), RCODE.NOTIMP, 'no AXFR over UDP')
  t.equal(judge(axfr, '192.0.2.9'), RCODE.REFUSED, 'an address that no list allows')
  t.equal(judge(axfr, '192.0.2.2'), RCODE.REFUSED, 'or that needs a key')
  t.equal(judge(axfr, '192.0.2.1', 'tcp', false), RCODE.NOTAUTH, 'what is no zone')
  t.equal(judge(message(OPCODE.QUERY, 'www.a.test.', TYPE.A, key('one')[1]), '192.0.2.9', 'udp', false), HAND_OVER, 'whatever is signed with a key that is known')
  t.equal(judge(message(OPCODE.QUERY, 'www.a.test.', TYPE.A, key('three')[1]), '192.0.2.9', 'udp', false), RCODE.BADKEY, 'or not')
  t.equal(judge(message(OPCODE.UPDATE, 'c.test.', TYPE.SOA, key('One')[1]), '192.0.2.9'), HAND_OVER, 'in any case of its letters')
  t.equal(judge(message(OPCODE.NOTIFY, 'b.test.', TYPE.SOA), '192.0.2.1', 'udp', false), HAND_OVER, 'a primary says that its zone has changed, which we may not have yet')
  t.equal(judge(message(OPCODE.NOTIFY, 'b.test.', TYPE.SOA), '192.0.2.9', 'udp'), RCODE.NOTAUTH, 'another')
  t.equal(judge(message(OPCODE.NOTIFY, 'a.test.', TYPE.SOA), '192.0.2.1', 'udp'), RCODE.NOTAUTH, 'of a zone that has no primary')
  t.equal(judge(message(OPCODE.UPDATE, 'c.test.', TYPE.SOA), '192.0.2.9'), RCODE.REFUSED, 'an update that is not signed')
  t.equal(judge(message(OPCODE.UPDATE, 'c.test.', TYPE.SOA), '192.0.2.9', 'tcp', false), RCODE.NOTAUTH)
  t.equal(judge(message(OPCODE.UPDATE, 'c.test.', TYPE.A), '192.0.2.9'), RCODE.FORMERR)
  const nobody = makeGate(rulesOf(''))
  const query = makeQuery()
  const update = message(OPCODE.UPDATE, 'c.test.', TYPE.SOA)
  parseQuery(update, 0, update.length, query)
  parseOther(update, query)
  t.equal(nobody(query, update, { ...at('192.0.2.1'), at: 0 }, 'udp', true), RCODE.NOTIMP, 'where nobody may update anything there are no updates')
})

const step = (zone: string, from: number, size = 10): ZoneChange => ({ origin: wire(zone), from, to: from + 1, deleted: [], added: [{ owner: wire(zone), type: TYPE.TXT, ttl: 1, rdata: new Uint8Array(size) }] })

t.test('a history holds what leads from one version to another, and no more octets than it may', async (t) => {
  const history = makeHistory(1e6)
  for (let serial = 1; serial < 5; serial++) history.note(step('a.', serial))
  const told = (from: number, to = 5) => history.between('a.', from, to)?.map((change) => change.from)
  t.same(told(2), [2, 3, 4])
  t.equal(told(0), undefined, 'what is too old')
  t.equal(told(2, 4), undefined, 'what does not lead to what is served')
  history.note(step('a.', 7))
  t.equal(told(2, 8), undefined, 'there is a gap')
  t.same(told(7, 8), [7])
  history.note({ origin: wire('a.'), reset: true, serial: 9 })
  t.equal(told(7, 8), undefined, 'it begins anew')
  history.note(step('a.', 9))
  history.note(step('b.', 9))
  history.doubt((zone) => zone === 'a.')
  t.same([told(9, 10), history.between('b.', 9, 10)?.length], [undefined, 1], 'what has changed without a step has no history')
  for (const serial of [10, 11]) for (const zone of ['a.', 'b.']) history.note(step(zone, serial))
  t.same([told(10, 12), told(11, 12), history.between('b.', 9, 12)?.length], [undefined, [11], 3], 'nor leads the next step anywhere from what was before')
  const octets = octetsOf(step('a.', 1, 1000))
  const small = makeHistory(octets * 10)
  for (let serial = 1; serial <= 3000; serial++) small.note(step(serial % 2 === 0 ? 'a.' : 'b.', serial >>> 1, 1000))
  t.same([small.between('a.', 1496, 1501)?.length, small.between('b.', 1495, 1500)?.length], [5, 5], 'the newest of all zones stay')
  t.same([small.between('a.', 1495, 1501), small.between('b.', 1494, 1500)], [undefined, undefined], 'the oldest go')
  small.note(step('c.', 1, octets * 20))
  t.equal(small.between('a.', 1500, 1501), undefined, 'what is larger than all leaves nothing')
  small.note(step('a.', 1501, 1000))
  t.same(small.between('a.', 1501, 1502)?.length, 1, 'and the next is kept again')
})

t.test('so many transfers at once', async (t) => {
  const slots = makeSlots({ atOnce: 3, atOnceOfClient: 2, waiting: 2, waitingOfClient: 1 })
  const [one, two] = [await slots.take('a'), await slots.take('a')]
  let third: (() => void) | undefined
  const waits = slots.take('a').then((release) => (third = release))
  t.equal(await slots.take('a'), undefined, 'a client has its share, of those who wait too')
  const other = await slots.take('b')
  t.type(other, 'function', 'which is another\'s no hindrance')
  t.equal(third, undefined)
  other!()
  other!()
  one!()
  await waits
  t.type(third, 'function', 'whoever waits goes on when one is done')
  two!()
  third!()
  for (const client of ['c', 'd', 'e']) t.type(await slots.take(client), 'function', 'and none is lost or won on the way')
})

t.test('an exchange thread that dies is started again, and holds nobody up', async (t) => {
  const seen = { restarts: 0 }
  const lines: string[] = []
  const log = { ...makeLogger('test', { readable: false, level: 'fatal' }), error: () => undefined, warn: (line: string) => lines.push(line) }
  const world = { routing: {} } as never
  const never = () => Promise.reject(new Error('nothing is asked here'))
  const exchange = new Exchange({
    rules: rulesOf(''), world, steps: [], loader: { change: never, replace: never, expire: never }, hello: {}, log,
    module: new URL('./dying-thread.js', import.meta.url), calmMs: 1, onRestart: () => seen.restarts++
  } as never)
  t.teardown(() => exchange.close())
  await exchange.use(world, [])
  t.pass('it takes a world')
  exchange.openLane()
  await exchange.use(world, [])
  t.pass('whoever waits while it dies does not wait for ever')
  for (let tries = 0; seen.restarts === 0 && tries < 1500; tries++) await new Promise((resolve) => setTimeout(resolve, 20))
  t.equal(seen.restarts, 1, 'it is there again')
  await exchange.use(world, [])
  t.pass('and takes the next world')
  exchange.openLane()
  for (let tries = 0; seen.restarts === 1 && tries < 1500; tries++) await new Promise((resolve) => setTimeout(resolve, 20))
  t.same(lines, Array.from({ length: 2 }, () => 'dns exchange ended; it is started again in 100 ms'), 'one that has lived for long does not wait longer for it')
})
