import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { makeBench, SOA, type Running } from './bench.ts'
import type { Sent } from './messages.ts'

const add = (name: string, type: string, data: string, ttl = 300): Sent => ({ name: `${name}.example.test.`, type, ttl, data })
const drop = (name: string, type = 'ANY'): Sent => ({ name: `${name}.example.test.`, type, class: 'ANY' })
const take = (name: string, type: string, data: string): Sent => ({ name: `${name}.example.test.`, type, class: 'NONE', data })
const FILE = 'example.test.zone'

function flush({ catalogue }: Running, isDry = false): { lines: readonly string[]; faults: readonly string[] } {
  const { reply } = catalogue.writeBack('example.test.', isDry)
  return reply.zones[0]!
}

t.test('only the lines of what changed are touched', async (t) => {
  const bench = makeBench(t)
  bench.write('more.inc', '; more\r\nextra A 192.0.2.50\r\n')
  bench.write(
    FILE,
    `; Ask the web people before touching www.
$TTL 300
@       SOA   ns1 hostmaster ( 7     ; serial: raise me
              3600 600 604800 60 )
        NS    ns1
ns1     A     192.0.2.1
; the web
www     A     192.0.2.10 ; the old one
        A     192.0.2.11 ; its twin

        TXT   "v=1"
gone    A     192.0.2.20
        TXT   "stays"
mail 60 IN MX 10 www
long    TXT   ( "one"  ; first
                "two" ) ; second
$ORIGIN sub
h       A     192.0.2.30
$INCLUDE more.inc example.test.`.replace('$ORIGIN sub\n', '$ORIGIN sub.example.test.\n')
  )
  const running = bench.start()
  running.send([
    take('www', 'A', '192.0.2.10'), add('www', 'A', '192.0.2.12'), add('www', 'A', '192.0.2.13'), drop('gone', 'A'), drop('extra', 'A'), add('extra', 'AAAA', '2001:db8::1', 60),
    drop('mail'), add('mail', 'MX', '20 www.example.test.', 60), drop('long'), add('long', 'TXT', '"three"'), add('_acme-challenge', 'TXT', '"token"', 60), add('h2.sub', 'A', '192.0.2.31')
  ])
  const before = bench.text(FILE)
  const dry = flush(running, true)
  t.match(dry.lines, ['- example.test. 300 SOA ns1.example.test. hostmaster.example.test. 7 3600 600 604800 60'])
  t.equal(bench.text(FILE), before, 'a dry run writes nothing')
  const served = running.served()
  t.same(flush(running), { ...dry, files: [{ file: 'zones/more.inc', backup: 'zones/more.inc.7.bak' }, { file: 'zones/example.test.zone', backup: 'zones/example.test.zone.7.bak' }] })
  t.equal(
    bench.text(FILE),
    `; Ask the web people before touching www.
$TTL 300
@       SOA   ns1 hostmaster ( 8     ; serial: raise me
              3600 600 604800 60 )
        NS    ns1
ns1     A     192.0.2.1
; the web
www     A     192.0.2.12 ; the old one
        A     192.0.2.11 ; its twin
        A     192.0.2.13

        TXT   "v=1"
gone    TXT   "stays"
mail 60 IN MX 20 www.example.test.
long    TXT   "three" ; second
$ORIGIN sub.example.test.
h       A     192.0.2.30
$INCLUDE more.inc example.test.
_acme-challenge.example.test.\t60\tTXT\t"token"
h2\tA\t192.0.2.31
`
  )
  t.equal(bench.text('more.inc'), '; more\r\nextra\t60\tAAAA\t2001:db8::1\r\n')
  t.equal(readFileSync(join(bench.zones, `${FILE}.7.bak`), 'utf8'), before)
  t.same([running.served(), running.faults()], [served, []])
  t.same(readdirSync(join(bench.root, 'state', 'journal')), ['.lock'], 'the journal is gone')
  t.same(bench.start().served(), served)
  t.same(flush(running).lines, [], 'nothing is left to write')
})

t.test('what cannot be written back is said, and the file is left alone', async (t) => {
  const bench = makeBench(t)
  const text = `${SOA}$GENERATE 1-3 host-$ 300 A 192.0.2.$\nwww 300 A 192.0.2.9\n`
  bench.write(FILE, text)
  const running = bench.start()
  running.send([drop('host-2'), add('www', 'A', '192.0.2.8')])
  t.same(flush(running).faults, ['zones/example.test.zone:4:1: host-2.example.test. A comes of this $GENERATE, and an update changed it: a line of it alone cannot be changed (write the records out in place of the directive)'])
  t.equal(bench.text(FILE), text)
  bench.write(FILE, `${text}; edited\n`)
  t.match(flush(running).faults, [/was changed and has not been taken since: nothing is written over it/])
  running.load()
  running.send([add('host-2', 'A', '192.0.2.2')])
  t.same(flush(running).faults, [])
  t.match(bench.text(FILE), /; edited/)

  bench.write('twice.inc', 'x 300 A 192.0.2.1\n')
  bench.write(FILE, `${SOA}$INCLUDE twice.inc one.example.test.\n$INCLUDE twice.inc two.example.test.\n`)
  running.load()
  running.send([drop('x.one')])
  t.match(flush(running).faults, [/twice\.inc:1:1: is included more than once/])
})

t.test('a flush that was cut off anywhere loses nothing', async (t) => {
  const bench = makeBench(t)
  bench.write('more.inc', 'extra 300 A 192.0.2.50\n')
  bench.write(FILE, `${SOA}www 300 A 192.0.2.1\n$INCLUDE more.inc\n`)
  const running = bench.start()
  running.send([add('www', 'A', '192.0.2.2'), drop('extra'), add('extra', 'A', '192.0.2.51')])
  const served = running.served()
  const before = { zone: bench.text(FILE), more: bench.text('more.inc') }
  const journal = readFileSync(join(bench.root, 'state', 'journal', 'example.test'))
  flush(running)
  const after = { zone: bench.text(FILE), more: bench.text('more.inc') }
  for (const [zone, more] of [[before.zone, after.more], [after.zone, before.more], [after.zone, after.more]] as const) {
    // As the disk is when the process dies between its writes: the journal is emptied last.
    bench.write(FILE, zone)
    bench.write('more.inc', more)
    writeFileSync(join(bench.root, 'state', 'journal', 'example.test'), journal)
    const again = bench.start()
    t.same(again.served().slice(1), served.slice(1))
    t.same(again.faults(), [])
  }
  t.notOk(existsSync(join(bench.zones, `.${FILE}.new`)))
})

const label = fc.constantFrom('a', 'b', 'c.d', '*', 'A')
const update: fc.Arbitrary<Sent> = fc.oneof(
  fc.tuple(label, fc.constantFrom('"one"', '"two; x"', '"a" "b"'), fc.constantFrom(60, 300)).map(([name, data, ttl]) => add(name, 'TXT', data, ttl)),
  fc.tuple(label, fc.integer({ min: 1, max: 4 }), fc.constantFrom(60, 300)).map(([name, host, ttl]) => add(name, 'A', `192.0.2.${host}`, ttl)),
  fc.tuple(label, label).map(([name, target]) => add(name, 'CNAME', `${target}.example.test.`)),
  fc.tuple(label, fc.constantFrom('ANY', 'TXT', 'A', 'CNAME')).map(([name, type]) => drop(name, type)),
  fc.tuple(label, fc.integer({ min: 1, max: 4 })).map(([name, host]) => take(name, 'A', `192.0.2.${host}`))
)
/** Lines of a zone file in many manners; owners repeat, TTLs are stated or not. */
const line = fc.oneof(
  fc.tuple(label, fc.integer({ min: 1, max: 4 })).map(([name, host]) => `${name} A 192.0.2.${host}`),
  fc.integer({ min: 1, max: 9 }).map((host) => `   A 192.0.2.${host} ; again`),
  fc.tuple(label, fc.constantFrom('60', '5m', '1h')).map(([name, ttl]) => `${name}\t${ttl} IN TXT ( "one"\n ; in between\n "x" )`),
  fc.constantFrom('\tIN 60 TXT "two"', '  TXT "three"', '', '; a comment', '$ORIGIN example.test.', '$TTL 120', '$INCLUDE more.inc', '$GENERATE 7-8 g$ A 192.0.2.$')
)
const zone = fc.tuple(fc.boolean(), fc.array(line, { maxLength: 14 })).map(([hasTtl, lines]) => `${hasTtl ? '$TTL 300\n' : ''}@ 300 SOA ns1 hostmaster 7 3600 600 604800 60\n@ NS ns1\nns1 A 127.0.0.1\n${lines.join('\n')}`)

t.test('a record whose TTL ruled its set goes, and the TTL stays', async (t) => {
  const bench = makeBench(t)
  bench.write(FILE, '@ 300 SOA ns1 hostmaster 7 3600 600 604800 60\n@ NS ns1\nns1 A 127.0.0.1\na 5m A 192.0.2.2\na 60 A 192.0.2.1\n')
  const running = bench.start()
  running.send([{ name: 'a.example.test.', type: 'A', class: 'NONE', data: '192.0.2.1' }])
  t.same(flush(running).faults, [])
  t.same(bench.start().served(), running.served())
})

t.test('after a flush the files say what is served, whatever was updated', async (t) => {
  let [written, refused] = [0, 0]
  fc.assert(
    fc.property(zone, fc.array(update, { minLength: 1, maxLength: 6 }), (text, updates) => {
      const bench = makeBench(t)
      bench.write('more.inc', 'inc A 192.0.2.77\n  TXT "inc"\nb A 192.0.2.2\n')
      bench.write(FILE, text)
      const running = bench.start()
      if (running.served().length === 1) return
      running.send(updates)
      const served = running.served()
      const { faults } = flush(running)
      if (faults.length > 0) {
        if (!faults.every((fault) => /included more than once/.test(fault))) throw new Error(faults.join('\n'))
        refused++
        return
      }
      written++
      const read = bench.start()
      if (read.served().join('\n') !== served.join('\n')) throw new Error(`${text}\n--\n${bench.text(FILE)}\n--\n${served.join('\n')}\n--\n${read.served().join('\n')}`)
      if (read.journals.laidOver('example.test.')!.layer.sets.size > 0) throw new Error('something still lies over the file')
    }),
    { numRuns: 80 }
  )
  t.ok(written > refused, `${written} flushed, ${refused} refused`)
})
