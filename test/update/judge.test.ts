import t, { type Test } from 'tap'
import { nameToText, RCODE, TYPE } from '../../daemon/wire/index.ts'
import { rdataToText, recordTypeToText } from '../../daemon/zone/index.ts'
import { compileRules, judgeUpdate, makeDraft, parseUpdate, type Judgement, type RRset, type RuleText } from '../../daemon/update/index.ts'
import { updateMessage, viewOf, wire, zoneFrom, type Sent } from './messages.ts'

const ZONE = `$TTL 300
@ SOA ns1 hostmaster 10 3600 600 604800 60
@ NS ns1
@ NS ns2
ns1 A 192.0.2.1
ns2 A 192.0.2.2
www A 192.0.2.10
www A 192.0.2.11
www TXT "one"
alias CNAME www
sub NS ns.sub
ns.sub A 192.0.2.3
old DNAME example.net.
steered ROUTE nearest
steered TXT "beside"
flat ALIAS www
`
const view = viewOf(zoneFrom(ZONE))
const ANYTHING: readonly RuleText[] = [{ key: 'all', types: [TYPE.ANY] }]

function judge(updates: readonly Sent[], prerequisites: readonly Sent[] = [], rules = ANYTHING, key = 'all'): Judgement {
  const message = parseUpdate(updateMessage('example.test.', prerequisites, updates))
  if ('rcode' in message) return { ...message, touched: [] }
  return judgeUpdate(view, compileRules(view.origin, rules), key, message)
}

const name = (rcode: number): string => Object.entries(RCODE).find(([, number]) => number === rcode)![0]
const shown = (set: RRset | undefined): string => (set === undefined ? '-' : `${set.ttl} ${set.data.map((data) => rdataToText(set.type, data)).join(' | ')}`)
/** Every RRset that changed but the SOA, as `name type: before > after`, then the serial. */
function outcome({ rcode, reason, touched }: Judgement): string[] {
  if (rcode !== RCODE.NOERROR) return [`${name(rcode)} ${reason}`]
  return touched.map(({ owner, type, was, now }) => (type === 6 ? `serial ${rdataToText(6, now!.data[0]!).split(' ')[2]}` : `${nameToText(owner)} ${recordTypeToText(type)}: ${shown(was)} > ${shown(now)}`))
}

const cases: readonly [what: string, updates: readonly Sent[], expected: readonly string[] | RegExp][] = [
  ['a record of a new name', [{ name: 'new.example.test.', type: 'A', ttl: 60, data: '192.0.2.9' }], ['new.example.test. A: - > 60 192.0.2.9', 'serial 11']],
  ['a record beside others: the RRset takes its TTL', [{ name: 'WWW.example.test.', type: 'A', ttl: 60, data: '192.0.2.12' }], ['www.example.test. A: 300 192.0.2.10 | 192.0.2.11 > 60 192.0.2.10 | 192.0.2.11 | 192.0.2.12', 'serial 11']],
  ['a record that is there already', [{ name: 'www.example.test.', type: 'A', ttl: 300, data: '192.0.2.10' }], []],
  ['a record that is there with another TTL', [{ name: 'www.example.test.', type: 'TXT', ttl: 5, data: '"one"' }], ['www.example.test. TXT: 300 "one" > 5 "one"', 'serial 11']],
  ['a TTL above the longest', [{ name: 'new.example.test.', type: 'A', ttl: 0x80000001, data: '192.0.2.9' }], ['new.example.test. A: - > 0 192.0.2.9', 'serial 11']],
  ['added and deleted again', [{ name: 'new.example.test.', type: 'A', data: '192.0.2.9' }, { name: 'new.example.test.', type: 'ANY', class: 'ANY' }], []],
  ['one record deleted', [{ name: 'www.example.test.', type: 'A', class: 'NONE', data: '192.0.2.10' }], ['www.example.test. A: 300 192.0.2.10 | 192.0.2.11 > 300 192.0.2.11', 'serial 11']],
  ['an RRset deleted', [{ name: 'www.example.test.', type: 'A', class: 'ANY' }], ['www.example.test. A: 300 192.0.2.10 | 192.0.2.11 > -', 'serial 11']],
  ['a name deleted', [{ name: 'www.example.test.', type: 'ANY', class: 'ANY' }], ['www.example.test. A: 300 192.0.2.10 | 192.0.2.11 > -', 'www.example.test. TXT: 300 "one" > -', 'serial 11']],
  ['all of the apex deleted', [{ name: 'example.test.', type: 'ANY', class: 'ANY' }], []],
  ['the name servers of the apex deleted', [{ name: 'example.test.', type: 'NS', class: 'ANY' }], []],
  ['the last name server stays', [{ name: 'example.test.', type: 'NS', class: 'NONE', data: 'NS1.example.test.' }, { name: 'example.test.', type: 'NS', class: 'NONE', data: 'ns2.example.test.' }], ['example.test. NS: 300 ns1.example.test. | ns2.example.test. > 300 ns2.example.test.', 'serial 11']],
  ['the SOA deleted', [{ name: 'example.test.', type: 'SOA', class: 'ANY' }, { name: 'example.test.', type: 'SOA', class: 'NONE', data: 'ns1.example.test. hostmaster.example.test. 10 3600 600 604800 60' }], []],
  ['a SOA of a higher serial', [{ name: 'example.test.', type: 'SOA', ttl: 300, data: 'ns1.example.test. hostmaster.example.test. 2000 3600 600 604800 60' }, { name: 'n.example.test.', type: 'A', data: '192.0.2.9' }], ['serial 2000', 'n.example.test. A: - > 0 192.0.2.9']],
  ['a SOA of a lower serial', [{ name: 'example.test.', type: 'SOA', ttl: 300, data: 'ns1.example.test. hostmaster.example.test. 9 3600 600 604800 60' }], []],
  ['a SOA elsewhere', [{ name: 'www.example.test.', type: 'SOA', ttl: 300, data: '. . 2000 3600 600 604800 60' }], []],
  ['a CNAME beside data', [{ name: 'www.example.test.', type: 'CNAME', data: 'ns1.example.test.' }], []],
  ['data beside a CNAME', [{ name: 'alias.example.test.', type: 'A', data: '192.0.2.9' }], []],
  ['a CNAME in place of another', [{ name: 'alias.example.test.', type: 'CNAME', ttl: 300, data: 'ns1.example.test.' }], ['alias.example.test. CNAME: 300 www.example.test. > 300 ns1.example.test.', 'serial 11']],
  ['a DNAME in place of another', [{ name: 'old.example.test.', type: 'DNAME', ttl: 300, data: 'example.com.' }], ['old.example.test. DNAME: 300 example.net. > 300 example.com.', 'serial 11']],
  ['an address beside ROUTE', [{ name: 'steered.example.test.', type: 'A', data: '192.0.2.9' }], /^REFUSED steered\.example\.test\.: A beside ROUTE: ROUTE answers A and AAAA itself$/],
  ['an address beside ALIAS, and what would have been right', [{ name: 'n.example.test.', type: 'A', data: '192.0.2.9' }, { name: 'flat.example.test.', type: 'AAAA', data: '2001:db8::1' }], /^REFUSED flat\.example\.test\.: AAAA beside ALIAS/],
  ['text beside ROUTE', [{ name: 'steered.example.test.', type: 'TXT', class: 'ANY' }], ['steered.example.test. TXT: 300 "beside" > -', 'serial 11']],
  ['all of a steered name', [{ name: 'steered.example.test.', type: 'ANY', class: 'ANY' }], /^REFUSED steered\.example\.test\. has ROUTE, which the zone file alone changes/],
  ['a signature', [{ name: 'www.example.test.', type: 'NSEC', data: 'x.example.test. A' }], /^REFUSED .* signer/],
  ['another zone', [{ name: 'www.example.net.', type: 'A', data: '192.0.2.9' }], /^NOTZONE/],
  ['a name that only ends alike', [{ name: 'badexample.test.', type: 'A', data: '192.0.2.9' }], /^NOTZONE/],
  ['another class', [{ name: 'www.example.test.', type: 'A', class: 'CH', data: '192.0.2.9' }], /^FORMERR/],
  ['an added ANY', [{ name: 'www.example.test.', type: 'ANY' }], /^FORMERR/],
  ['a ROUTE, whose number no data has', [{ name: 'x.example.test.', type: 'TYPE240', data: '\\# 1 61' }], /^FORMERR/],
  ['a deletion with a TTL', [{ name: 'www.example.test.', type: 'A', class: 'ANY', ttl: 1 }], /^FORMERR/],
  ['a deleted RRset with data', [{ name: 'www.example.test.', type: 'A', class: 'ANY', data: '192.0.2.10' }], /^FORMERR/],
  ['a deleted record of type ANY', [{ name: 'www.example.test.', type: 'ANY', class: 'NONE' }], /^FORMERR/],
  ['no address in an A', [{ name: 'www.example.test.', type: 'A' }], /^FORMERR .*no A/],
  ['the first update is not done when the second is malformed', [{ name: 'n.example.test.', type: 'A', data: '192.0.2.9' }, { name: 'n.example.test.', type: 'AXFR', class: 'ANY' }], /^FORMERR/]
]

t.test('updates do what RFC 2136 §3.4 says', async (t) => {
  for (const [what, updates, expected] of cases) {
    const found = outcome(judge(updates))
    if (expected instanceof RegExp) t.match(found[0], expected, what)
    else t.same(found, expected, what)
  }
})

t.test('prerequisites hold or tell why not', async (t) => {
  const holds = (t: Test, expected: string, ...prerequisites: readonly Sent[]): void => {
    const { rcode } = judge([], prerequisites)
    t.equal(name(rcode), expected, JSON.stringify(prerequisites))
  }
  holds(t, 'NOERROR', { name: 'www.example.test.', type: 'ANY', class: 'ANY' }, { name: 'nobody.example.test.', type: 'ANY', class: 'NONE' })
  holds(t, 'NXDOMAIN', { name: 'nobody.example.test.', type: 'ANY', class: 'ANY' })
  holds(t, 'YXDOMAIN', { name: 'www.example.test.', type: 'ANY', class: 'NONE' })
  holds(t, 'NOERROR', { name: 'www.example.test.', type: 'A', class: 'ANY' }, { name: 'www.example.test.', type: 'MX', class: 'NONE' })
  holds(t, 'NXRRSET', { name: 'www.example.test.', type: 'MX', class: 'ANY' })
  holds(t, 'YXRRSET', { name: 'www.example.test.', type: 'A', class: 'NONE' })
  holds(t, 'NOERROR', { name: 'www.example.test.', type: 'A', data: '192.0.2.11' }, { name: 'www.example.test.', type: 'A', data: '192.0.2.10' })
  holds(t, 'NOERROR', { name: 'alias.example.test.', type: 'CNAME', data: 'WWW.example.test.' })
  holds(t, 'NXRRSET', { name: 'www.example.test.', type: 'A', data: '192.0.2.10' })
  holds(t, 'NXRRSET', { name: 'www.example.test.', type: 'A', data: '192.0.2.10' }, { name: 'www.example.test.', type: 'A', data: '192.0.2.11' }, { name: 'www.example.test.', type: 'A', data: '192.0.2.12' })
  holds(t, 'NXRRSET', { name: 'nobody.example.test.', type: 'A', data: '192.0.2.10' })
  holds(t, 'FORMERR', { name: 'www.example.test.', type: 'A', class: 'ANY', ttl: 1 })
  holds(t, 'FORMERR', { name: 'www.example.test.', type: 'A', class: 'NONE', data: '192.0.2.10' })
  holds(t, 'FORMERR', { name: 'www.example.test.', type: 'A', class: 'CH', data: '192.0.2.10' })
  holds(t, 'NOTZONE', { name: 'www.example.net.', type: 'A', class: 'ANY' })
  const { rcode, touched } = judge([{ name: 'n.example.test.', type: 'A', data: '192.0.2.9' }], [{ name: 'www.example.test.', type: 'ANY', class: 'NONE' }])
  t.same([name(rcode), touched], ['YXDOMAIN', []], 'nothing is done when one does not hold')
})

t.test('a key changes what its rules name, and learns of nothing else', async (t) => {
  const rules: readonly RuleText[] = [
    { key: 'acme', names: ['_acme-challenge', '_acme-challenge.*'], types: [TYPE.TXT] },
    { key: 'host', names: ['www', '*.dyn', 'a.*.z.example.test.'] },
    { key: 'apex', names: ['@'], types: [TYPE.MX] }
  ]
  const may = (key: string, sent: Sent, prerequisites: readonly Sent[] = []): string => name(judge([sent], prerequisites, rules, key).rcode)
  const txt = (owner: string): Sent => ({ name: `${owner}.example.test.`, type: 'TXT', ttl: 60, data: '"x"' })
  const a = (owner: string): Sent => ({ name: `${owner}.example.test.`, type: 'A', ttl: 60, data: '192.0.2.9' })
  for (const owner of ['_acme-challenge', '_ACME-challenge.www', '_acme-challenge.a.b']) t.equal(may('acme', txt(owner)), 'NOERROR', owner)
  for (const owner of ['www', '_acme-challenge2', 'x._acme-challenge', 'x._acme-challenge.www']) t.equal(may('acme', txt(owner)), 'REFUSED', owner)
  t.equal(may('acme', a('_acme-challenge')), 'REFUSED')
  t.equal(may('ACME.', txt('_acme-challenge')), 'NOERROR', 'names of keys are domain names')
  t.equal(may('nobody', txt('_acme-challenge')), 'REFUSED')
  for (const owner of ['www', 'h.dyn', 'a.b.dyn', 'a.x.z', 'a.x.y.z']) t.equal(may('host', a(owner)), 'NOERROR', owner)
  for (const owner of ['dyn', 'h.www', 'a.z', 'b.x.z']) t.equal(may('host', a(owner)), 'REFUSED', owner)
  t.equal(may('host', { name: 'www.example.test.', type: 'NS', data: 'ns1.example.test.' }), 'REFUSED', 'without types there is no delegating')
  t.equal(may('apex', { name: 'example.test.', type: 'MX', data: '10 www.example.test.' }), 'NOERROR')
  t.equal(may('apex', { name: 'example.test.', type: 'ANY', class: 'ANY' }), 'NOERROR', 'what the apex keeps needs no permission')
  t.equal(may('acme', { name: 'www.example.test.', type: 'ANY', class: 'ANY' }), 'REFUSED')
  const judged = judge([{ name: 'www.example.test.', type: 'ANY', class: 'ANY' }], [], [{ key: 'txt', types: [TYPE.TXT] }], 'txt')
  t.match(judged.reason, /has A, which is not for the key txt/, 'all of a name needs permission for each of its types')
  const ask: Sent = { name: 'www.example.test.', type: 'ANY', class: 'NONE' }
  t.equal(may('acme', txt('_acme-challenge'), [ask]), 'REFUSED', 'what a key may not change it cannot ask about')
  t.equal(may('host', a('www'), [ask]), 'YXDOMAIN')
})

t.test('what is no UPDATE message is FORMERR', async (t) => {
  const whole = updateMessage('example.test.', [{ name: 'a.example.test.', type: 'A', class: 'ANY' }], [{ name: 'a.example.test.', type: 'MX', ttl: 5, data: '10 mail.example.test.' }])
  t.notOk('rcode' in parseUpdate(whole))
  for (let length = 0; length < whole.length; length++) t.match(parseUpdate(whole.subarray(0, length)), { rcode: RCODE.FORMERR }, `${length} octets`)
  const compressed = new Uint8Array(Buffer.concat([whole.subarray(0, whole.length - wire('mail.example.test.').length - 4), Uint8Array.of(0, 9, 0, 10, 4, 109, 97, 105, 108, 0xc0, 12)]))
  const message = parseUpdate(compressed)
  t.ok(!('rcode' in message) && Buffer.from(message.updates[0]!.rdata).equals(Buffer.concat([Uint8Array.of(0, 10), wire('mail.example.test.')])), 'names in data may be compressed')
  const zone = whole.subarray(12, 12 + wire('example.test.').length + 4)
  const two = new Uint8Array(Buffer.concat([whole.subarray(0, 12), zone, whole.subarray(12)]))
  two[5] = 2
  t.match(parseUpdate(two), { reason: /2 zones/ })
})

t.test('an RRset grows to what a message can hold', async (t) => {
  const draft = makeDraft(view)
  let reads = 0
  const counting = { origin: view.origin, setsOf: (owner: Uint8Array) => (reads++, draft.setsOf(owner)) }
  const rules = compileRules(view.origin, ANYTHING)
  const send = (net: number, kind: 'IN' | 'NONE' = 'IN'): string[] => {
    const some = Array.from({ length: 1900 }, (_, at): Sent => ({ name: 'big.example.test.', type: 'A', ttl: kind === 'IN' ? 60 : 0, class: kind, data: `10.${net}.${at >> 8}.${at % 256}` }))
    const message = parseUpdate(updateMessage('example.test.', [], some))
    if ('rcode' in message) throw new Error(message.reason)
    reads = 0
    const { rcode, reason, touched } = judgeUpdate(counting, rules, 'all', message)
    t.ok(reads < 10, `what the zone has is read ${reads} times for 1900 records of a name`)
    for (const { owner, type, now } of touched) {
      if (now === undefined) draft.drop(owner, type)
      else draft.put(now)
    }
    return [`${name(rcode)} ${reason ?? touched.find(({ type }) => type === TYPE.A)?.now?.data.length}`]
  }
  t.same([...send(1), ...send(2)], ['NOERROR 1900', 'NOERROR 3800'])
  t.same(send(3), ['REFUSED big.example.test. A would be more than a message can hold'])
  t.same([...send(3, 'NONE'), ...send(1, 'NONE'), ...send(2, 'NONE')], ['NOERROR undefined', 'NOERROR 1900', 'NOERROR undefined'])
})
