import fc from 'fast-check'
import t from 'tap'
import { formatFault } from '../../core/trouble.ts'
import { nameFromText, nameToText } from '../../daemon/wire/index.ts'
import { buildContents, ownersAfter, rdataKey, readZone, recordTypeToText, rereadZone, sourceOfZone, withOtherSoa, zoneRecords, type Contents, type PlainRecord, type Zone, type ZoneReading } from '../../daemon/zone/index.ts'
import { differencesOf } from '../../daemon/zone/text-difference.ts'

// What is read of a changed text alone comes to the same as all of it.

const ORIGIN = nameFromText('z.test.') as Uint8Array
const POLICIES = new Set(['p', 'q'])
const KEEPS = { least: 0, stride: 48 }
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')
const readWhole = (text: string): ZoneReading => readZone({ file: 'zones/z.test.zone', read: () => latin1(text), policies: POLICIES, keeps: KEEPS })

const shown = ({ owner, type, ttl, rdata }: PlainRecord): string => `${nameToText(owner).toLowerCase()} ${ttl} ${recordTypeToText(type)} ${Buffer.from(rdataKey(type, rdata), 'latin1').toString('hex')}`
const all = (records: Iterable<PlainRecord>): string[] => [...records].map(shown).sort()
const notables = ({ notable }: Zone): string[] => notable!.map((record) => `${shown(record)} ${record.at.line}:${record.at.column}`).sort()
/** Their names: of several places of a policy any may be told. */
const crowds = ({ crowded }: Zone): string[] => [...(crowded ?? [])].map(([policy]) => policy).sort()

const HEAD = '$TTL 300\n@ SOA ns1 hostmaster 100 3600 600 604800 60\n  NS ns1\nns1 A 192.0.2.1\n'
const LINES: readonly ((n: number, m: number) => string)[] = [
  (n) => `h${n} A 192.0.2.${n}`,
  (n, m) => `h${n} A 192.0.${m}.${n}`,
  (n) => `H${n} AAAA 2001:db8::${n}`,
  (n) => `  TXT "t${n}"`,
  (n, m) => `h${n} ${m + 60} TXT "u${m}"`,
  (n) => `h${n} ( TXT "one" ; note\n  "two${n}" )`,
  (n, m) => `c${n} CNAME h${m}`,
  (n, m) => `h${n} MX 10 h${m}`,
  (n, m) => `d${n} NS ns1.d${m}`,
  (n) => `ns1.d${n} A 192.0.2.9`,
  (n) => `d${n} NS ns1`,
  (n, m) => `h${n}.d${m} TXT "beneath"`,
  (n) => `*.w${n} A 192.0.2.8`,
  (n, m) => `_s._tcp.h${n} SRV 1 1 53 x.w${m}`,
  (n) => `h${n}.w1 A 192.0.2.3`,
  (n) => `$ORIGIN o${n}.z.test.`,
  () => '$ORIGIN z.test.',
  (n) => `$TTL ${300 + n}`,
  () => '$TTL 300',
  (n, m) => `$GENERATE 1-${n + 1} g${m}-$ A 192.0.2.$`,
  (n) => `; a note ${n}`,
  () => '',
  (n) => `e${n} DNAME h${n}`,
  (n, m) => `r${n} ROUTE ${m === 3 ? 'no' : 'p'}`,
  (n, m) => `l${n} ALIAS h${m}`,
  () => 'h1 A 192.0.2.1 extra',
  (n) => `h${n}.z.test A 192.0.2.5`,
  () => '$INCLUDE other.inc',
  (n) => `h${n} RRSIG A 8 3 300 20300101000000 20200101000000 ${n} z.test. AAAA`,
  () => '@ NS h1',
  (n) => `out${n}.test. A 192.0.2.6`,
  () => '\ufffd',
  () => 'm\u00fcnchen A 192.0.2.1',
  (n) => `h${n} IN 300 A 192.0.2.77`
]
const line = fc.tuple(fc.nat(LINES.length - 1), fc.nat(7), fc.nat(4)).map(([kind, n, m]) => LINES[kind]!(n, m))
const plainLine = fc.tuple(fc.nat(24), fc.nat(200), fc.nat(7)).map(([kind, n, m]) => LINES[kind]!(n, m))

/** A text without faults: lines with faults are taken away until none is left. */
function mended(lines: readonly string[]): string | undefined {
  let text = HEAD + lines.map((each) => `${each}\n`).join('')
  for (let round = 0; round < 30; round++) {
    const { faults } = readWhole(text)
    if (faults.length === 0) return text
    const wrong = new Set(faults.map((fault) => fault.line))
    text = text.split('\n').filter((_, index) => index < 4 || !wrong.has(index + 1)).join('\n')
    if (!text.endsWith('\n')) text += '\n'
  }
  return undefined
}

type Edit = { readonly kind: number; readonly at: number; readonly line: string; readonly size: number }
const edit: fc.Arbitrary<Edit> = fc.record({ kind: fc.nat(9), at: fc.nat(10_000), line: fc.oneof({ weight: 3, arbitrary: plainLine }, { weight: 1, arbitrary: line }), size: fc.nat(3) })

function apply(text: string, { kind, at, line: fresh, size }: Edit): string {
  const lines = text.split('\n')
  const place = at % lines.length
  switch (kind) {
    case 0: return lines.toSpliced(place, 0, fresh).join('\n')
    case 1: return lines.toSpliced(place, 1, fresh).join('\n')
    case 2: return lines.toSpliced(place, size).join('\n')
    case 3: return lines.toSpliced(place, 0, lines[(at * 7) % lines.length]!).join('\n')
    case 4: return text.slice(0, at % text.length) + 'x;(") \n'[at % 7]! + text.slice((at % text.length) + (size % 2))
    case 5: return `${text}${fresh}${size === 0 ? '' : '\n'}`
    case 6: return text.replace(/(hostmaster) (\d+)/, (_, name, serial) => `${name} ${Number(serial) + size}`)
    case 7: return text.replace('$TTL 300', `$TTL ${300 + size}`)
    case 8: return lines.toSpliced(place, 1, lines[place]!.toUpperCase()).join('\n')
    default: return text.slice(0, text.length - size)
  }
}

interface Tally {
  short: number
  whole: number
}

/** Reads the texts one after the other, each from the one before where that can be; returns what comes out otherwise than by a whole reading. */
function compare(texts: readonly string[], tally: Tally): string | undefined {
  const first = readWhole(texts[0]!)
  if (first.zone === undefined || first.kept === undefined) return undefined
  let [zone, kept] = [first.zone, first.kept]
  let contents: Contents = buildContents([sourceOfZone(zone)])
  for (const text of texts.slice(1)) {
    const full = readWhole(text)
    const reread: ReturnType<typeof rereadZone> = rereadZone({ kept, text: latin1(text), image: contents.image, origin: ORIGIN, records: zone.records.length, policies: POLICIES, whole: () => full.zone! })
    if (reread === undefined) {
      tally.whole++
      if (full.zone === undefined || full.kept === undefined) return undefined
      if (nameToText(full.zone.origin).toLowerCase() !== 'z.test.') return undefined
      ;[zone, kept] = [full.zone, full.kept]
      contents = buildContents([sourceOfZone(zone)])
      continue
    }
    tally.short++
    if (full.zone === undefined || full.faults.length > 0) return `not told: ${full.faults.map(formatFault).join('; ')}`
    const { difference } = reread.zone
    const owners = ownersAfter(contents.image, { origin: ORIGIN, ...difference! })
    if (!(owners instanceof Map)) return 'the difference does not fit what is served'
    if (!contents.edit([{ kind: 'owners', origin: ORIGIN, owners }])) contents = buildContents([sourceOfZone(full.zone)])
    const [found, wanted] = [all(zoneRecords(contents.image, ORIGIN)!), all(full.zone.records)]
    const [more, less] = [found.filter((each) => !wanted.includes(each)), wanted.filter((each) => !found.includes(each))]
    if (more.length + less.length > 0 || found.length !== wanted.length) return `too much: ${more.join(', ')}; missing: ${less.join(', ')}`
    if (reread.zone.records.length !== full.zone.records.length) return `${reread.zone.records.length} records, not ${full.zone.records.length}`
    if (String(notables(reread.zone)) !== String(notables(full.zone))) return `${notables(reread.zone).join(', ')}, not ${notables(full.zone).join(', ')}`
    if (String(crowds(reread.zone)) !== String(crowds(full.zone))) return `beside other data: ${crowds(reread.zone).join(', ')}, not ${crowds(full.zone).join(', ')}`
    ;[zone, kept] = [reread.zone, reread.kept]
  }
  return undefined
}

t.test('whatever is edited, reading what has changed gives what reading all of it gives', async (t) => {
  const tally = { short: 0, whole: 0 }
  fc.assert(
    fc.property(fc.array(plainLine, { minLength: 20, maxLength: 120 }), fc.array(fc.array(edit, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 5 }), (lines, rounds) => {
      let text = mended(lines)
      if (text === undefined) return
      const texts = [text]
      for (const edits of rounds) texts.push((text = edits.reduce(apply, text)))
      const wrong = compare(texts, tally)
      if (wrong !== undefined) throw new Error(wrong)
    }),
    { numRuns: 120 }
  )
  t.ok(tally.short > 40 && tally.whole > 40, `${tally.short} read in part, ${tally.whole} as a whole`)
})

t.test('usual edits are read in part', async (t) => {
  const hosts = Array.from({ length: 400 }, (_, index) => `h${index} A 192.0.2.${index % 250}\n`).join('')
  const text = `${HEAD}${hosts}d1 NS ns1.d1\nns1.d1 A 192.0.2.7\nm MX 10 h3\n*.w A 192.0.2.8\n`
  const serial = (now: string): string => now.replace('hostmaster 100', 'hostmaster 1001')
  const edits: readonly (readonly [string, string])[] = [
    ['another address', serial(text.replace('h200 A 192.0.2.200', 'h200 A 198.51.100.7'))],
    ['at the end', `${serial(text)}more A 192.0.2.1\n`],
    ['at the end, whose line is not ended', `${serial(text)}more A 192.0.2.1`],
    ['a record less', serial(text.replace(/h300 .*\n/, ''))],
    ['without a serial', text.replace('h20 A 192.0.2.20', 'h20 A 198.51.100.7')],
    ['several', serial(text.replace('h20 A 192.0.2.20', 'h20 A 198.51.100.7').replace(/h150 .*\n/, '').replace('h390 ', 'renamed '))],
    ['a delegation', `${serial(text)}d2 NS ns1.d2\n   NS ns1.d1\nns1.d2 AAAA 2001:db8::1\n`],
    ['a TTL', serial(text.replace('h200 A', 'h200 60 A'))],
    ['only the serial', serial(text)]
  ]
  for (const [what, now] of edits) {
    const tally = { short: 0, whole: 0 }
    t.same([compare([text, now, text], tally), tally], [undefined, { short: 2, whole: 0 }], what)
  }
  for (const [what, now] of [
    ['what a record points at', text.replace(/h3 A .*\n/, '')], ['what others stand beneath', `${text}h3 NS ns1\n`], ['a second TTL', `${text}h7 60 A 192.0.2.77\n`],
    ['a record that is there', `${text}h7 A 192.0.2.7\n`], ['the name servers', text.replace('  NS ns1\n', '')]
  ] as const) {
    const tally = { short: 0, whole: 0 }
    t.same([compare([text, now], tally), tally.short], [undefined, 0], what)
  }
})

t.test('policies beside other data are known, whatever of them was read', async (t) => {
  const hosts = Array.from({ length: 400 }, (_, index) => `h${index} A 192.0.2.${index % 250}\n`).join('')
  const text = `${HEAD}${hosts}x ROUTE p\n  TXT "beside"\ny ROUTE q\n`
  const first = readWhole(text)
  const crowdedAfter = (now: string): readonly unknown[] => {
    const { image } = buildContents([sourceOfZone(first.zone!)])
    const reread = rereadZone({ kept: first.kept!, text: latin1(now), image, origin: ORIGIN, records: first.zone!.records.length, policies: POLICIES, whole: () => readWhole(now).zone! })
    const soa = reread!.zone.notable!.find(({ type }) => type === 6)!
    t.same(withOtherSoa(reread!.zone, image, soa).crowded, reread!.zone.crowded, 'with another serial')
    t.same(reread!.zone.crowded ?? new Map(), readWhole(now).zone!.crowded ?? new Map(), 'as a whole reading has them')
    return [...(reread!.zone.crowded ?? [])].map(([policy, { line, column }]) => `${policy} ${line}:${column}`)
  }
  t.same(crowdedAfter(text.replace('h9 A 192.0.2.9', 'h9 A 198.51.100.7')), ['p 405:9'], 'an address elsewhere')
  t.same(crowdedAfter(text.replace('h9 A 192.0.2.9\n', '')), ['p 404:9'], 'a line less before it')
  t.same(crowdedAfter(`${text}y TXT "new"\n`), ['p 405:9', 'q 407:9'], 'data beside another')
  t.same(crowdedAfter(text.replace('  TXT "beside"\n', '')), [], 'no data beside it any more')
  t.same(crowdedAfter(`${text}z ROUTE q\n  MX 10 h1\n`), ['p 405:9', 'q 408:9'], 'a second name of a policy, with data')
})

t.test('differences of texts', async () => {
  fc.assert(
    fc.property(fc.array(fc.nat(40), { maxLength: 80 }), fc.array(fc.tuple(fc.nat(80), fc.nat(3), fc.array(fc.nat(40), { maxLength: 3 })), { maxLength: 4 }), fc.constantFrom(0, 8, 4096), (numbers, edits, near) => {
      const textOf = (list: readonly number[]): Buffer => Buffer.from(list.map((number) => `line ${number}\n`).join(''))
      const now = edits.reduce<number[]>((list, [at, gone, come]) => list.toSpliced(at, gone, ...come), numbers)
      const [a, b] = [textOf(numbers), textOf(now)]
      const hunks = differencesOf(a, b, near)
      if (hunks === undefined) return
      let [at, newAt] = [0, 0]
      for (const { from, to, newFrom, newTo } of [...hunks, { from: a.length, to: a.length, newFrom: b.length, newTo: b.length }]) {
        if (from < at || newFrom < newAt || to < from || newTo < newFrom || !a.subarray(at, from).equals(b.subarray(newAt, newFrom))) throw new Error(JSON.stringify(hunks))
        ;[at, newAt] = [to, newTo]
      }
    })
  )
})
