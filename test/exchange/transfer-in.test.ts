import t from 'tap'
import { beginTransferIn, type Transferred, type TransferFault, type TransferIn } from '../../daemon/exchange/transfer-in.ts'
import { findTsig, parseKeys, TYPE, type Tsig } from '../../daemon/wire/index.ts'
import { rdataToText, recordTypeToText, unpackRecords, type PlainRecord } from '../../daemon/zone/index.ts'
import { records, reply, signAll, soa, transferOf, wire } from './replies.ts'

const ORIGIN = 'example.org.'
const NOW = 1_790_000_000
const zone = (...lines: readonly string[]): PlainRecord[] => records(ORIGIN, ...lines)
const AXFR = { origin: ORIGIN, type: 'AXFR' } as const
const IXFR = { origin: ORIGIN, type: 'IXFR' } as const

function begin(more: Partial<Parameters<typeof beginTransferIn>[0]> & { held?: number } = {}): TransferIn {
  const { held, ...options } = more
  const own = held === undefined ? {} : { soa: zone(soa(held))[0]!.rdata }
  return beginTransferIn({ origin: wire(ORIGIN), id: 7, mostOctets: 1 << 20, ...own, ...options }, NOW)
}

/** Feeds messages until they come to something; undefined when they do not. */
function feed(transfer: TransferIn, messages: readonly Uint8Array[]): Transferred | TransferFault | undefined {
  for (const message of messages) {
    const result = transfer.take(message, NOW)
    if (result !== undefined) return result
  }
  return undefined
}

const text = ({ owner, type, ttl, rdata }: PlainRecord): string => `${[...owner].map((octet) => (octet < 32 ? '.' : String.fromCharCode(octet))).join('').slice(1, -1)} ${ttl} ${recordTypeToText(type)} ${rdataToText(type, rdata)}`
const reason = (result: Transferred | TransferFault | undefined): string => (result?.kind === 'fault' ? result.reason : `no fault: ${result?.kind}`)

t.test('a whole zone, in messages of any size', async (t) => {
  const all = zone(soa(5), '@ NS ns1', 'ns1 A 192.0.2.1', 'WWW TYPE65280 \\# 3 0A0B0C', 'a.b TXT "x"')
  for (const each of [1, 2, 3, 100]) {
    const result = feed(begin(), transferOf([...all, all[0]!], { ...AXFR, each }))
    if (result?.kind !== 'whole') throw new Error(reason(result))
    t.equal(result.serial, 5)
    t.same([...unpackRecords(result.records)].map(text), all.map(text), `${each} records to a message`)
  }
  const alone = zone(soa(5))
  t.match(feed(begin(), transferOf([alone[0]!, alone[0]!], AXFR)), { kind: 'whole', records: { length: 1 } }, 'nothing but a SOA')
  t.equal(feed(begin(), transferOf(all, AXFR)), undefined, 'without its end there is nothing')
})

t.test('what changed since: steps that come to one change', async (t) => {
  const steps = zone(
    soa(9),
    soa(5), 'www A 192.0.2.1', 'old TXT "x"', soa(7), 'www A 192.0.2.2', 'new TXT "y"',
    soa(7), 'new TXT "y"', 'www A 192.0.2.2', soa(9), 'old TXT "x"', 'www 90 A 192.0.2.2',
    soa(9)
  )
  for (const each of [1, 3, 100]) {
    const result = feed(begin({ held: 5 }), transferOf(steps, { ...IXFR, each }))
    if (result?.kind !== 'change') throw new Error(reason(result))
    const { change, steps: count } = result
    t.equal(count, 2)
    t.match(change, { from: 5, to: 9 })
    t.same(change.deleted.map(text).map((line) => line.replace(/ns1.*/, 'soa')), ['example.org 60 SOA soa', 'www.example.org 60 A 192.0.2.1'])
    t.same(change.added.map(text).map((line) => line.replace(/ns1.*/, 'soa')), ['example.org 60 SOA soa', 'www.example.org 90 A 192.0.2.2'], 'what came and went leaves no trace')
  }
  t.match(feed(begin({ held: 5 }), transferOf(zone(soa(5)), IXFR)), { kind: 'same' })
  t.match(feed(begin({ held: 5 }), transferOf(zone(soa(6), '@ NS ns1', soa(6)), IXFR)), { kind: 'whole', serial: 6 }, 'the whole zone in its place')
  t.match(reason(feed(begin({ held: 5 }), transferOf(zone(soa(4)), IXFR))), 'serial 4 comes before 5, which is held')
  t.match(feed(begin({ held: 0xffff_fffe }), transferOf(zone(soa(2), soa(0xffff_fffe), soa(2), 'a TXT "x"', soa(2)), IXFR)), { kind: 'change' }, 'over the end of the circle of serials')
  const refusal = reply({ answers: [], flags: 0x8404, question: { name: wire(ORIGIN), type: TYPE.IXFR } })
  t.match(feed(begin({ held: 5 }), [refusal]), { kind: 'fault', reason: 'refused with NOTIMP', isAboutIncremental: true })
  t.match(feed(begin(), [reply({ answers: [], flags: 0x8405, question: { name: wire(ORIGIN), type: TYPE.AXFR } })]), { reason: 'refused with REFUSED', isAboutIncremental: false })
})

t.test('a hostile primary, or a broken one', async (t) => {
  const good = zone(soa(5), '@ NS ns1', 'ns1 A 192.0.2.1', soa(5))
  const outside = records('example.net.', 'www A 192.0.2.1')
  const question = { name: wire(ORIGIN), type: TYPE.AXFR }
  const cases: readonly (readonly [what: string, messages: readonly Uint8Array[], reason: RegExp])[] = [
    ['another id', transferOf(good, { ...AXFR, id: 8 }), /no reply to what was asked/],
    ['a query', [reply({ answers: good, flags: 0, question })], /no reply to what was asked/],
    ['another opcode', [reply({ answers: good, flags: 0xa000, question })], /no reply to what was asked/],
    ['another zone', [reply({ answers: good, question: { name: wire('example.net.'), type: TYPE.AXFR } })], /answers another question/],
    ['another type', [reply({ answers: good, question: { name: wire(ORIGIN), type: TYPE.A } })], /answers another question/],
    ['no question', [reply({ answers: good })], /answers another question/],
    ['truncated', [reply({ answers: good, question, flags: 0x8600 })], /is truncated/],
    ['nothing at all', [reply({ answers: [], question })], /without records/],
    ['no SOA first', transferOf(good.slice(1), AXFR), /begins with NS/],
    ['a record outside the zone', transferOf([good[0]!, ...outside, good[3]!], AXFR), /www\.example\.net\. A lies outside the zone example\.org\./],
    ['the SOA of another name', transferOf([good[0]!, ...records(ORIGIN, soa(5).replace('@', 'sub')), good[3]!], AXFR), /a SOA of sub\.example\.org\./],
    ['another serial at the end', transferOf([...good.slice(0, 3), ...zone(soa(6))], AXFR), /begins with serial 5 and has a SOA with serial 6/],
    ['a record behind the end', transferOf([...good, good[1]!], { ...AXFR, each: 9 }), /a record follows the end/],
    ['a type that is ours alone', transferOf([good[0]!, { ...good[1]!, type: 240 }, good[3]!], AXFR), /type TYPE240, which has no place/],
    ['a meta type', transferOf([good[0]!, { ...good[1]!, type: TYPE.OPT }, good[3]!], AXFR), /type OPT, which has no place/],
    ['another class', [reply({ answers: good, question, class: 3 })], /a record of class 3/],
    ['half a message', [transferOf(good, AXFR)[0]!.slice(0, 40)], /cannot be read/],
    ['octets behind a message', [Buffer.concat([transferOf(good, AXFR)[0]!, Buffer.of(0)])], /cannot be read/],
    ['a SOA that is none', transferOf([{ ...good[0]!, rdata: Uint8Array.of(0, 0) }], AXFR), /cannot be read|a SOA that is none/],
    ['an empty message in the middle', [transferOf(good, AXFR)[0]!, reply({ answers: [] }), ...transferOf(good, AXFR).slice(1)], /^no fault: whole/]
  ]
  for (const [what, messages, expected] of cases) t.match(reason(feed(begin(), messages)), expected, what)

  const steps = (...lines: readonly string[]): string => reason(feed(begin({ held: 5 }), transferOf(zone(...lines), { ...IXFR, each: 50 })))
  t.match(steps(soa(9), soa(5), soa(7), soa(8), soa(9), soa(9)), /a step from serial 8 follows one to 7/)
  t.match(steps(soa(9), soa(4), soa(9), soa(9)), /begins with serial 9 and has a SOA with serial 4/, 'a step from a serial that is not held')

  const endless = begin({ mostOctets: 100_000 })
  const [first] = transferOf(good.slice(0, 2), AXFR)
  t.equal(endless.take(first!, NOW), undefined)
  let taken = 0
  let last: Transferred | TransferFault | undefined
  while (last === undefined && taken < 10_000) {
    taken++
    last = endless.take(reply({ answers: zone(`x${taken} TXT "${'y'.repeat(200)}"`) }), NOW)
  }
  t.match(reason(last), /it has over 100000 octets/)
  t.ok(taken < 500, 'an endless transfer ends at its bound')
})

t.test('signed transfers', async (t) => {
  const { keys } = parseKeys('k', 'key one { algorithm hmac-sha256; secret "c2VjcmV0IG51bWJlciBvbmU="; }; key two { algorithm hmac-sha256; secret "c2VjcmV0IG51bWJlciB0d28="; };')
  const one = keys.get('one.')!
  const all = zone(soa(5), '@ NS ns1', 'ns1 A 192.0.2.1', 'a TXT "x"', 'b TXT "x"', soa(5))
  const plain = transferOf(all, AXFR)
  const signed = (transfer: TransferIn, messages = plain, key = one): Uint8Array[] => signAll(messages, key, (findTsig(transfer.query) as Tsig).mac, NOW)
  const good = begin({ key: one })
  t.match(feed(good, signed(good)), { kind: 'whole', records: { length: 5 } })

  const unsignedLast = begin({ key: one })
  const [first, second] = signed(unsignedLast)
  t.match(reason(feed(unsignedLast, [first!, second!, plain[2]!])), 'the last message is not signed')
  const changed = begin({ key: one })
  const broken = signed(changed)
  broken[1]![30]! ^= 1
  t.match(reason(feed(changed, broken)), /signature of the reply is wrong|cannot be read/, 'an octet changed in the middle')
  const foreign = begin({ key: one })
  t.match(reason(feed(foreign, signed(foreign, plain, keys.get('two.')))), 'another key, two.')
  t.match(reason(feed(begin({ key: one }), plain)), 'the reply is not signed')
  const dropped = begin({ key: one })
  const [a, , c] = signed(dropped)
  t.match(reason(feed(dropped, [a!, c!])), 'the signature of the reply is wrong', 'a message left out')
})
