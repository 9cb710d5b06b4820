import fc from 'fast-check'
import t from 'tap'
import { makeScannedName, nameFromText, nameToText, scanName, TYPE } from '../../daemon/wire/index.ts'
import { buildZoneImage, locate, lookup, makeFinding, NODE, nodeWord, openZoneImage, type Standing, type Zone, type ZoneImage } from '../../daemon/zone/index.ts'

/** Owner, as labels from the left below the test's root of names, and type. */
type Entry = readonly [owner: readonly string[], type: 'A' | 'NS' | 'DNAME' | 'DS']

const wire = (labels: readonly string[]): Uint8Array => nameFromText(`${labels.join('.')}.`) as Uint8Array

function zoneOf(origin: readonly string[], entries: readonly Entry[]): Zone {
  const records = [[[], 'SOA'] as const, ...entries].map(([owner, type]) => ({ owner: wire([...owner, ...origin]), type: TYPE[type], ttl: 60, rdata: Uint8Array.of(0), at: { file: '', line: 1, column: 1 } }))
  return { origin: wire(origin), records }
}

/** Where a name stands, straight from RFC 1034 §4.3.2, 4592 §3.3 and 6672 §2.2, by looking at every owner of the zone each time. */
function oracle(zones: readonly { origin: readonly string[]; entries: readonly Entry[] }[], name: readonly string[], isDs: boolean): [Standing, string] {
  const ends = (whole: readonly string[], end: readonly string[]): boolean => whole.length >= end.length && end.every((each, index) => each === whole[whole.length - end.length + index])
  const holding = zones.filter(({ origin }) => ends(name, origin)).toSorted((a, b) => b.origin.length - a.origin.length)
  if (holding.length === 0) return ['not ours', '']
  const { origin, entries } = holding[0]!
  const owners = entries.map(([owner, type]) => ({ owner: [...owner, ...origin], type }))
  const has = (labels: readonly string[], type: string): boolean => owners.some((each) => each.type === type && each.owner.join('.') === labels.join('.'))
  const exists = (labels: readonly string[]): boolean => labels.length === origin.length || owners.some(({ owner }) => ends(owner, labels))
  for (let depth = origin.length; depth < name.length; depth++) {
    const above = name.slice(name.length - depth)
    if (depth > origin.length && has(above, 'NS')) return ['delegation', above.join('.')]
    if (has(above, 'DNAME')) return ['dname', above.join('.')]
  }
  if (name.length > origin.length && has(name, 'NS') && !isDs) return ['delegation', name.join('.')]
  if (exists(name)) return ['exact', name.join('.')]
  let encloser = name.slice(1)
  while (!exists(encloser)) encloser = encloser.slice(1)
  return exists(['*', ...encloser]) ? ['wildcard', ['*', ...encloser].join('.')] : ['nxdomain', origin.join('.')]
}

function located(image: ZoneImage, name: readonly string[], isDs: boolean): [Standing, string] {
  const scanned = makeScannedName()
  const finding = makeFinding()
  const bytes = wire(name)
  scanName(bytes, 0, bytes.length, scanned)
  locate(image, scanned, isDs ? TYPE.DS : TYPE.A, finding)
  return [finding.standing, finding.node === 0 ? '' : nameToText(image.bytes, nodeWord(image, finding.node, NODE.NAME)).slice(0, -1)]
}

const label = fc.constantFrom('a', 'b', 'c', '*', 'd')
const owner = fc.array(label, { minLength: 1, maxLength: 4 })
const entry = fc.tuple(owner, fc.constantFrom('A', 'A', 'A', 'NS', 'DNAME')) as fc.Arbitrary<Entry>

t.test('every name stands where the definition says', async (t) => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 12 }), fc.array(fc.tuple(fc.array(label, { maxLength: 5 }), fc.boolean()), { minLength: 20, maxLength: 20 }), (written, names) => {
      // A name that owns both an NS and a DNAME is refused when the zone is read.
      const entries = written.filter(([cut, type]) => type !== 'DNAME' || !written.some(([other, otherType]) => otherType === 'NS' && other.join('.') === cut.join('.')))
      const zones = [{ origin: ['zone', 'test'], entries }, { origin: ['other'], entries: [] }]
      const image = openZoneImage(buildZoneImage(zones.map(({ origin, entries: of }) => zoneOf(origin, of))))
      for (const [below, isDs] of names) {
        const name = [...below, 'zone', 'test']
        const [expected, found] = [oracle(zones, name, isDs), located(image, name, isDs)]
        if (expected.join() !== found.join()) throw new Error(`${name.join('.')}${isDs ? ' DS' : ''}: ${found.join(' ')}, not ${expected.join(' ')}`)
      }
      for (const name of [['test'], ['x', 'test'], ['zonE', 'tesu'], []]) if (located(image, name, false)[0] !== 'not ours') throw new Error(`${name.join('.')} is ours`)
    }),
    { numRuns: 2000 }
  )
  t.pass()
})

t.test('a zone below another hides what the upper one holds there, but for the DS at the cut', async (t) => {
  const upper = zoneOf(['test'], [[['a', 'low'], 'A'], [['low'], 'NS'], [['low'], 'DS'], [['b'], 'A'], [['x', 'deep', 'c'], 'A']])
  const lower = zoneOf(['low', 'test'], [[['b'], 'A']])
  const deep = zoneOf(['deep', 'c', 'test'], [])
  for (const zones of [[upper, lower, deep], [deep, lower, upper]]) {
    const image = openZoneImage(buildZoneImage(zones))
    t.same(located(image, ['a', 'low', 'test'], false), ['nxdomain', 'low.test'])
    t.same(located(image, ['b', 'low', 'test'], false), ['exact', 'b.low.test'])
    t.same(located(image, ['low', 'test'], false), ['exact', 'low.test'])
    t.same(located(image, ['b', 'test'], false), ['exact', 'b.test'])
    t.same(located(image, ['c', 'test'], false), ['exact', 'c.test'], 'a zone stands below it')
    t.same(located(image, ['x', 'deep', 'c', 'test'], false), ['nxdomain', 'deep.c.test'])
    const scanned = makeScannedName()
    const finding = makeFinding()
    const name = wire(['low', 'test'])
    scanName(name, 0, name.length, scanned)
    lookup(image, scanned, TYPE.DS, finding)
    t.equal(finding.outcome, 'found', 'the DS is the upper zone’s')
    lookup(image, scanned, TYPE.SOA, finding)
    t.equal(finding.outcome, 'found', 'the SOA is the lower zone’s')
    t.not(finding.node, 0)
  }
})

t.test('no zone, and the root as a zone', async (t) => {
  t.same(located(openZoneImage(buildZoneImage([])), ['a'], false), ['not ours', ''])
  const root = openZoneImage(buildZoneImage([zoneOf([''].slice(1), [[['a', 'b'], 'A']])]))
  t.same(located(root, ['x', 'b'], false)[0], 'nxdomain')
  t.same(located(root, ['a', 'b'], false), ['exact', 'a.b'])
  t.same(located(root, ['b'], false)[0], 'exact')
})
