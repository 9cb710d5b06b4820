import { assert, constantFrom, property, string, tuple } from 'fast-check'
import t from 'tap'
import { formatFault } from '../../core/trouble.ts'
import { nameToText } from '../../daemon/wire/name.ts'
import { rdataToText, readZone, recordTypeToText, type ZoneReading } from '../../daemon/zone/index.ts'

const HEAD = '$ORIGIN example.com.\n$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 604800 60\n NS ns1\nns1 A 192.0.2.1\n'

function readText(body: string | Uint8Array, files: Record<string, string> = {}, origin?: string): ZoneReading {
  const read = (path: string): string | Uint8Array => {
    if (path === 'zones/test.zone') return body
    const text = files[path]
    if (text === undefined) throw new Error('no such file')
    return text
  }
  return readZone(origin === undefined ? { file: 'zones/test.zone', read } : { file: 'zones/test.zone', read, origin })
}

/** The records of a text behind HEAD, each as `owner ttl TYPE data`, without those of HEAD. */
function records(body: string, files?: Record<string, string>): string[] {
  const { zone, faults } = readText(HEAD + body, files)
  if (zone === undefined) throw new Error(faults.map(formatFault).join('\n'))
  return [...zone.records].slice(3).map(({ owner, ttl, type, rdata }) => `${nameToText(owner)} ${ttl} ${recordTypeToText(type)} ${rdataToText(type, rdata)}`)
}

function complaints(reading: ZoneReading): string[] {
  return reading.faults.map(formatFault)
}

t.test('TTL and class stand in either order, or not at all', async (t) => {
  t.same(records('a 60 IN A 192.0.2.2\nb IN 1h30m A 192.0.2.2\nc in a 192.0.2.2\nd 1w2d3h4m5s A 192.0.2.2\ne CLASS1 A 192.0.2.2\n'), [
    'a.example.com. 60 A 192.0.2.2',
    'b.example.com. 5400 A 192.0.2.2',
    'c.example.com. 300 A 192.0.2.2',
    'd.example.com. 788645 A 192.0.2.2',
    'e.example.com. 300 A 192.0.2.2'
  ])
  t.same(records('in A 192.0.2.2\n60 60 A 192.0.2.2\na A 192.0.2.2\n'), ['in.example.com. 300 A 192.0.2.2', '60.example.com. 60 A 192.0.2.2', 'a.example.com. 300 A 192.0.2.2'], 'what stands at the margin is the owner')
})

t.test('owners, origins and default TTLs carry on', async (t) => {
  const body = 'a A 192.0.2.2\n\n; a comment\n \t; an indented one\n  TXT "b" ; after\n$ORIGIN sub\n@ TXT x\nwww.example.net. 1 TXT y\n'
  t.match(complaints(readText(HEAD + body)), [/:13:20: www.example.net. lies outside/])
  t.same(records('a A 192.0.2.2\n\n; a comment\n \t; one\n  TXT "b" ; after\n$TTL 5\n$ORIGIN sub\n@ TXT x\n$ORIGIN deep\nw TXT y'), [
    'a.example.com. 300 A 192.0.2.2',
    'a.example.com. 300 TXT "b"',
    'sub.example.com. 5 TXT "x"',
    'w.deep.sub.example.com. 5 TXT "y"'
  ])
})

t.test('parentheses, quotes and escapes', async (t) => {
  t.same(records('a TXT ( "one"\ntwo ; comment )\n "three;(" )\nb TXT a\\;b\\"c "d\\"e\\\\" \\065\\255 ""\nc\\.d TXT x\r\n(e\n A\n 192.0.2.2)\n'), [
    'a.example.com. 300 TXT "one" "two" "three;("',
    'b.example.com. 300 TXT "a;b\\"c" "d\\"e\\\\" "A\\255" ""',
    'c\\.d.example.com. 300 TXT "x"',
    'e.example.com. 300 A 192.0.2.2'
  ])
  t.same(records('a TXT "ü€😀"\n'), ['a.example.com. 300 TXT "\\195\\188\\226\\130\\172\\240\\159\\152\\128"'], 'text is UTF-8')
})

t.test('columns count characters, and tokens are pointed at with their quotation mark', async (t) => {
  t.match(complaints(readText(`${HEAD}a TXT "ü😀" "${'x'.repeat(256)}"\n`)), [/:6:13: TXT/])
  t.match(complaints(readText(`${HEAD}a (\n  MX\n  ns1 10 )\n`)), [/:8:3: MX: expected preference/])
  const { zone } = readText(`${HEAD}a TXT "ü"\n  A 192.0.2.2\n`)
  t.same([...zone!.records].map(({ at }) => `${at.file}:${at.line}:${at.column}`).slice(3), ['zones/test.zone:7:3', 'zones/test.zone:6:3'], 'records know where their type stands')
})

t.test('records come by owner, then by type; RRsets have one TTL and no record twice', async (t) => {
  t.same(records('b TXT x\na 60 A 192.0.2.2\nB 30 A 192.0.2.3\na 300 A 192.0.2.3\nb TXT y\na TXT z\na A 192.0.2.2\n'), [
    'b.example.com. 30 A 192.0.2.3',
    'b.example.com. 300 TXT "x"',
    'b.example.com. 300 TXT "y"',
    'a.example.com. 60 A 192.0.2.2',
    'a.example.com. 60 A 192.0.2.3',
    'a.example.com. 300 TXT "z"'
  ])
  const many = Array.from({ length: 40 }, (_, at) => `a A 192.0.2.${at % 20}\n`).join('')
  t.equal(records(many).length, 20, 'in large RRsets too')
  t.same(records('a MX 65 ns1\na MX 97 ns1\na MX 65 NS1\n').length, 2, 'numbers that look like letters are not folded')
})

t.test('$INCLUDE reads relative to the including file, and leaves nothing behind', async (t) => {
  const files = { 'zones/sub/one.inc': 'x A 192.0.2.2\n$TTL 7\n$ORIGIN other\n$INCLUDE ../two.inc', 'zones/two.inc': '  TXT here\ny TXT z\n' }
  t.same(records('$INCLUDE sub/one.inc deep\n  TXT back\nz A 192.0.2.2\n', files), [
    'ns1.example.com. 300 TXT "back"',
    'x.deep.example.com. 300 A 192.0.2.2',
    'x.deep.example.com. 7 TXT "here"',
    'y.other.deep.example.com. 7 TXT "z"',
    'z.example.com. 300 A 192.0.2.2'
  ])
  t.same(records('$INCLUDE ../two.inc a\n$INCLUDE ../two.inc b\n', { 'two.inc': 'x TXT z\n' }), ['x.a.example.com. 300 TXT "z"', 'x.b.example.com. 300 TXT "z"'], 'once more is no loop')
  const reading = readText(`${HEAD}$INCLUDE sub/one.inc\n$INCLUDE gone.inc\n`, files)
  t.same(reading.files, ['zones/test.zone', 'zones/sub/one.inc', 'zones/two.inc', 'zones/gone.inc'], 'what to watch, also what is not there')
  t.match(complaints(reading), [/test.zone:7:10: gone.inc cannot be read: no such file/])
  const fan = Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`zones/${at}`, `$INCLUDE ${at + 1}\n`.repeat(9)]))
  t.ok(readText(`${HEAD}$INCLUDE 0\n`, fan).files.length <= 1001, 'files that include each other many times come to an end')
})

t.test('$GENERATE makes a record for each number of its range, as named-checkzone does', async (t) => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['1-2 h$ A 192.0.2.$', ['h1 300 A 192.0.2.1', 'h2 300 A 192.0.2.2']],
    ['0-4/2 p-${1,3,d} PTR h$', ['p-001 300 PTR h0', 'p-003 300 PTR h2', 'p-005 300 PTR h4']],
    ['3-3 srv$ 20 IN SRV "0 0 80 h$"', ['srv3 20 SRV 0 0 80 h3']],
    ['9-9 t$ TXT "\\"a b\\" $ \\$ $$ \\"x;y\\""', ['t9 300 TXT "a b" "9" "$" "$" "x;y"']],
    ['14-14 o${0,4,o} AAAA 2001:db8::${0,4,x}', ['o0016 300 AAAA 2001:db8::e']],
    ['4095-4096 N${0,0,N} PTR X${-4090,8,X}', ['NF.F.F 300 PTR X00000005', 'N0.0.0.1 300 PTR X00000006']],
    ['1-1 ${0,3,n} PTR h', ['1.0 300 PTR h']],
    ['0-0 neg${-5,4,d} A 192.0.2.1', ['neg-005 300 A 192.0.2.1']],
    ['1-1 e\\$$ TYPE65534 "\\# 2 00${0,2,x}"', ['e\\$1 300 TYPE65534 \\# 2 0001']]
  ]
  const whole = (line: string): string => line.replace(/^(\S+)/, '$1.example.com.').replace(/((?:PTR|80) \S+)$/, '$1.example.com.')
  for (const [directive, made] of cases) t.same(records(`$GENERATE ${directive}\n`), made.map(whole), directive)
  t.same(records('a 60 A 192.0.2.2\n$GENERATE 1-1 b$ A 192.0.2.2\n  TXT "of a"\n'), ['a.example.com. 60 A 192.0.2.2', 'a.example.com. 300 TXT "of a"', 'b1.example.com. 300 A 192.0.2.2'], 'the owner before it carries on')
  t.match(complaints(readText(`${HEAD}$GENERATE 0-65535 \${0,255,d} A 192.0.2.1\n`)), [/:6:1: this comes to more than 16 MiB of records/])
})

t.test('the zone is named by the origin given, else by its SOA; the file is named for the rest', async (t) => {
  const plain = '$TTL 60\n@ SOA ns hm 1 1 1 1 1\n NS ns\nns A 192.0.2.1\n'
  t.equal(nameToText(readText(plain).zone!.origin), 'test.')
  t.equal(nameToText(readText(plain, {}, 'Example.org').zone!.origin), 'Example.org.')
  t.equal(nameToText(readText('$ORIGIN org.\n$TTL 60\nexample SOA ns.example hm 1 1 1 1 1\n NS ns.example\nns.example A 192.0.2.1\n').zone!.origin), 'example.org.')
  t.match(complaints(readText(`$ORIGIN example.net.\n${plain}`, {}, 'example.org')), [/:3:3: a SOA of example.net. in the zone example.org./])
  t.match(complaints(readText(plain, {}, 'a..b')), [/a\.\.b: empty label/])
  t.equal(nameToText(readText('$ORIGIN .\n$TTL 60\n@ SOA ns.x. hm.x. 1 1 1 1 1\n NS ns.x.\nx. NS ns.x.\nns.x. A 192.0.2.1\n').zone!.origin), '.', 'the root is a zone like any other')
})

t.test('without $TTL the last one stated holds, before any the minimum of the SOA', async (t) => {
  const { zone } = readText('@ SOA ns hm 1 1 1 1 77\n NS ns\nns A 192.0.2.1\na 5 A 192.0.2.2\nb A 192.0.2.2\n')
  t.same([...zone!.records].map((record) => record.ttl), [77, 77, 77, 5, 5])
})

t.test('octets are taken as they are, and text that was no UTF-8 is warned of', async (t) => {
  const latin = Buffer.from(`${HEAD}a TXT "\xfc"\n`, 'latin1')
  const { zone } = readText(latin)
  t.same([...zone!.records].at(-1)!.rdata, Uint8Array.of(1, 0xfc))
  t.match(complaints(readText(latin.toString('utf8'))), [/:6:8: warning: U\+FFFD stands here/])
  t.equal(readText(`\ufeff${HEAD}`).zone?.records.length, 3, 'a byte order mark is no data')
})

t.test('a million mistakes cost no more than a hundred', async (t) => {
  const { faults } = readText(HEAD + 'x CNMAE y\n'.repeat(20_000) + 'y 60 CNAME z\n'.repeat(20_000))
  t.equal(faults.length, 202, 'a hundred errors, a hundred warnings, and two lines that count the others')
  t.match(formatFault(faults.at(-2)!), /and 19900 more$/)
})

t.test('no text makes it throw or say a place that is not there', async () => {
  const pieces = constantFrom(
    ...' |\t|\n|\r\n|(|)|"|\\|;|@|*|.|a|www|example.com|192.0.2.1|2001:db8::1|IN|CH|60|1h|A|AAAA|MX|TXT|SOA|NS|CNAME|ROUTE|ALIAS|HTTPS|\\#|4|C0000201|$TTL|$ORIGIN|$INCLUDE|$GENERATE|1-3|h$|${1,2,x}|alpn="h2"|ns1 hostmaster 1 3600 600 604800 60|\\300|LOC 1 N 2 E 3m|NSEC a A TYPE65535|APL 1:0.0.0.0/0'.split('|'),
    HEAD
  )
  const body = tuple(...Array.from({ length: 12 }, () => pieces), string({ unit: 'binary-ascii' }), constantFrom('', 'ü😀', '\ud800'))
  assert(
    property(body, (parts) => {
      const text = parts.join(' ')
      const { zone, faults } = readText(text, { [`zones/${text.trim()}`]: text })
      const lines = text.split('\n')
      return (zone === undefined) === faults.some((fault) => fault.severity === 'error') && faults.every(({ line, column }) => column - 1 <= lines[line - 1]!.length)
    }),
    { numRuns: 600 }
  )
})

t.test('root.zone is the root, without an $ORIGIN', async (t) => {
  const { zone, faults } = readZone({ file: 'zones/root.zone', read: () => '@ 300 SOA a.root-servers.net nstld 1 3600 600 604800 60\n@ 300 NS a.root-servers.net\na.root-servers.net 300 A 192.0.2.1\n' })
  t.same(faults, [])
  t.equal(nameToText(zone!.origin), '.')
  t.same([...zone!.records].map(({ owner }) => nameToText(owner)), ['.', '.', 'a.root-servers.net.'])
})

t.test('a text in which no name can be read is told of', async (t) => {
  // The first without a table of names at all, the others with the one that was left by a zone before.
  for (const text of [';\n', 'a..b A 192.0.2.1\n', '$TTL x\n']) {
    t.match(complaints(readText(text, {}, 'example.com')), [/error|expected|empty label|has no SOA/], JSON.stringify(text))
    readText(HEAD)
  }
})
