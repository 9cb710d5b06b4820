import t from 'tap'
import { makeBench, SOA } from './bench.ts'
import type { Sent } from './messages.ts'

const add = (name: string, type: string, data: string, ttl = 60): Sent => ({ name: `${name}.example.test.`, type, ttl, data })
const drop = (name: string, type = 'ANY'): Sent => ({ name: `${name}.example.test.`, type, class: 'ANY' })
const FILE = 'example.test.zone'
const BASE = ['example.test. 300 NS ns1.example.test.', 'ns1.example.test. 300 A 127.0.0.1']
const withSerial = (serial: number): string => SOA.replace(' 7 ', ` ${serial} `)

t.test('an edited file is served with the updates over it', async (t) => {
  const bench = makeBench(t)
  bench.write(FILE, `${SOA}www 300 A 192.0.2.1\nold 300 A 192.0.2.5\n`)
  const running = bench.start()
  running.send([add('_acme-challenge', 'TXT', '"token"'), drop('old')])
  bench.write(FILE, `${withSerial(20)}www 300 A 192.0.2.2\nold 300 A 192.0.2.5\nnew 300 A 192.0.2.3\n`)
  running.load()
  const expected = ['21', '_acme-challenge.example.test. 60 TXT "token"', ...BASE.slice(0, 1), 'new.example.test. 300 A 192.0.2.3', ...BASE.slice(1), 'www.example.test. 300 A 192.0.2.2']
  t.same(running.served(), expected, 'the larger serial plus one')
  t.same(running.faults(), [])
  t.same(bench.start().served(), expected, 'and so it is after a restart')
  bench.write(FILE, `${withSerial(20)}www 300 A 192.0.2.4\nold 300 A 192.0.2.5\n`)
  t.equal(bench.start().served()[0], '22', 'edited while nothing ran')
})

t.test('what the file has come to say needs no journal', async (t) => {
  const bench = makeBench(t)
  bench.write(FILE, `${SOA}www 300 A 192.0.2.1\n`)
  const running = bench.start()
  running.send([add('a', 'A', '192.0.2.9')])
  bench.write(FILE, `${withSerial(8)}www 300 A 192.0.2.1\na 60 A 192.0.2.9\n`)
  running.load()
  t.same([running.served()[0], running.journals.laidOver('example.test.')?.layer.sets.size], ['8', 0])
  bench.write(FILE, `${withSerial(8)}www 300 A 192.0.2.1\n`)
  running.load()
  t.same(running.served(), ['8', ...BASE, 'www.example.test. 300 A 192.0.2.1'], 'the file alone has its say again')
  t.match(running.faults(), [/:1:7: warning: the contents changed under the serial 8, which was served already: secondaries will not notice \(raise it, or .*serial: auto\)/])

  running.send([add('a', 'A', '192.0.2.9')])
  bench.write(FILE, `${SOA}www 300 A 192.0.2.1\na 60 A 192.0.2.9\n`)
  running.load()
  t.equal(running.served()[0], '9', 'a serial that updates raised never goes back')
  t.equal(bench.start().served()[0], '9')
})

t.test('what file and updates both changed is told, with what was done', async (t) => {
  const bench = makeBench(t)
  bench.write(FILE, `${SOA}pool 300 A 192.0.2.1\npool 300 A 192.0.2.2\nc 300 CNAME pool\nx 300 TXT "x"\n`)
  const running = bench.start()
  running.send([{ ...add('pool', 'A', '192.0.2.1'), class: 'NONE', ttl: 0 }, add('pool', 'A', '192.0.2.3', 300), add('c', 'CNAME', 'x.example.test.'), add('y', 'A', '192.0.2.8'), add('z', 'A', '192.0.2.8'), add('z', 'TXT', '"z"')])
  bench.write(FILE, `${SOA}pool 300 A 192.0.2.1\npool 300 A 192.0.2.2\npool 300 A 192.0.2.4\nc 300 CNAME ns1\nx 300 TXT "x"\ny 300 CNAME pool\nz 20 ALIAS pool\n`)
  running.load()
  t.same(running.served(), [
    '9', 'c.example.test. 300 CNAME ns1.example.test.', ...BASE, 'pool.example.test. 300 A 192.0.2.2', 'pool.example.test. 300 A 192.0.2.3', 'pool.example.test. 300 A 192.0.2.4',
    'x.example.test. 300 TXT "x"', 'y.example.test. 300 CNAME pool.example.test.', 'z.example.test. 20 ALIAS pool.example.test.', 'z.example.test. 60 TXT "z"'
  ])
  t.same(running.faults().filter((line) => line.includes('update')), [
    'zones/example.test.zone:4:10: warning: pool.example.test. A was edited here and changed by an update: both are served',
    'zones/example.test.zone:7:7: warning: c.example.test. CNAME was edited here and changed by an update: what the file says is served',
    'zones/example.test.zone:9:7: warning: y.example.test. A of an update is left out, as the file has it now: A beside CNAME: a name with a CNAME has no other data (RFC 1034 §3.6.2)',
    'zones/example.test.zone:10:6: warning: z.example.test. A of an update is left out, as the file has it now: A beside ALIAS: ALIAS answers A and AAAA itself'
  ])
  t.same(bench.start().served(), running.served())
})

t.test('a file that cannot be taken changes nothing, and its updates go on', async (t) => {
  const bench = makeBench(t)
  bench.write(FILE, `${SOA}www 300 A 192.0.2.1\n`)
  const running = bench.start()
  running.send([add('a', 'A', '192.0.2.9')])
  bench.write(FILE, `${SOA}www 300 A 192.0.2\n`)
  running.load()
  t.match(running.faults(), [/www|A:/])
  t.same(running.send([add('b', 'A', '192.0.2.9')]), ['NOERROR'])
  const now = running.served()
  t.same(now, ['9', 'a.example.test. 60 A 192.0.2.9', 'b.example.test. 60 A 192.0.2.9', ...BASE, 'www.example.test. 300 A 192.0.2.1'])
  t.same(bench.start().served(), now)
})

t.test('serials rise by themselves where the operator says so', async (t) => {
  const bench = makeBench(t)
  bench.write(FILE, `${SOA}www 300 A 192.0.2.1\n`)
  const auto = ['example.test']
  const running = bench.start(auto)
  t.equal(running.served()[0], '7')
  bench.write(FILE, `; a comment\n${SOA}www 300 A 192.0.2.1\n`)
  running.load()
  t.equal(running.served()[0], '7', 'nothing that is served has changed')
  bench.write(FILE, `${SOA}www 300 A 192.0.2.2\n`)
  running.load()
  t.equal(running.served()[0], '8')
  t.same(running.faults(), [])
  t.equal(bench.start(auto).served()[0], '8', 'kept over a restart')
  bench.write(FILE, `${SOA}www 300 A 192.0.2.3\n`)
  t.equal(bench.start(auto).served()[0], '9', 'and risen for an edit while nothing ran')
  bench.write(FILE, `${withSerial(100)}www 300 A 192.0.2.3\n`)
  t.equal(bench.start(auto).served()[0], '100', 'a serial of the operator that is higher is taken')
  bench.write(FILE, `${withSerial(100)}www 300 A 192.0.2.4\n`)
  const later = bench.start(auto)
  t.equal(later.served()[0], '101')
  t.same(later.send([add('a', 'A', '192.0.2.9')]), ['NOERROR'])
  t.equal(later.served()[0], '102')
  t.equal(bench.start(auto).served()[0], '102')
})
