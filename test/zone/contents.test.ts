import fc from 'fast-check'
import t from 'tap'
import { makeScannedName, nameFromText, nameToText, scanName, TYPE } from '../../daemon/wire/index.ts'
import {
  buildContents, findRrset, lookup, makeFinding, NODE, nodeWord, ownersAfter, recordTypeToText, RRSET, rrsetWord, sourceOfImage, sourceOfRecords, findZone, zoneRecords,
  type Contents, type PlainRecord, type ZoneEdit, type ZoneImage
} from '../../daemon/zone/index.ts'

const wire = (name: string): Uint8Array => nameFromText(name) as Uint8Array

/** Zones as they ought to be: by origin, records as `owner TYPE data`. */
type Model = Map<string, Set<string>>

const ORIGINS = ['zone.test.', 'other.test.', 'c.b.zone.test.', 'b.zone.test.', 'test.', 'x.']
const OWNERS = ['', 'a.', 'b.', 'a.b.', 'c.b.', 'd.c.b.', '*.', '*.b.', 'a.*.b.', '*.c.b.', 'A.a.', 'e.d.c.b.', '*.*.']
const TYPES = ['A', 'A', 'AAAA', 'NS', 'NS', 'DNAME', 'CNAME', 'DS', 'ROUTE'] as const
const NUMBERS: Readonly<Record<string, number>> = { ...TYPE, ROUTE: 240 }

/** Any octets will do for data here, but for SOA, whose serial tells one version from another. */
function record(text: string): PlainRecord {
  const [owner, type, data] = text.split(' ') as [string, string, string]
  return { owner: wire(owner), type: NUMBERS[type]!, ttl: 60, rdata: Buffer.from(data) }
}

const shown = ({ owner, type, ttl, rdata }: PlainRecord): string => `${nameToText(owner)} ${ttl} ${recordTypeToText(type)} ${Buffer.from(rdata).toString('latin1')}`

type Step =
  | { readonly kind: 'change'; readonly zone: number; readonly add: readonly (readonly [number, number, number])[]; readonly drop: readonly number[] }
  | { readonly kind: 'zone'; readonly zone: number; readonly add: readonly (readonly [number, number, number])[] }
  | { readonly kind: 'gone'; readonly zone: number }

const written = fc.array(fc.tuple(fc.nat(OWNERS.length - 1), fc.nat(TYPES.length - 1), fc.nat(2)), { maxLength: 6 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('change' as const), zone: fc.nat(ORIGINS.length - 1), add: written, drop: fc.array(fc.nat(30), { maxLength: 6 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('zone' as const), zone: fc.nat(ORIGINS.length - 1), add: written }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('gone' as const), zone: fc.nat(ORIGINS.length - 1) }) }
)

const lines = (origin: string, add: readonly (readonly [number, number, number])[]): string[] => add.map(([owner, type, data]) => `${OWNERS[owner]}${origin} ${TYPES[type]} ${data}`)

const build = (model: Model): Contents => buildContents([...model].map(([origin, records]) => sourceOfRecords(wire(origin), [...records].map(record))))

let serial = 0
const soa = (origin: string): string => `${origin} SOA ${String(++serial).padStart(30, '0')}`

/** Takes the step in the model, and tells it as edits, where it can be told so. */
function take(model: Model, image: ZoneImage, each: Step): ZoneEdit[] | 'anew' {
  const origin = ORIGINS[each.zone]!
  const before = model.get(origin)
  if (each.kind === 'gone') return model.delete(origin) ? [{ kind: 'gone', origin: wire(origin) }] : []
  if (each.kind === 'zone' && before === undefined) {
    const records = new Set([soa(origin), ...lines(origin, each.add)])
    model.set(origin, records)
    return [{ kind: 'new', source: sourceOfRecords(wire(origin), [...records].map(record)) }]
  }
  if (before === undefined) return []
  const held = [...before]
  const dropped = new Set([held.find((text) => text.includes(' SOA '))!, ...each.kind === 'change' ? each.drop.map((at) => held[at % held.length]!) : []])
  const added = [soa(origin), ...lines(origin, each.add)].filter((text) => !before.has(text) || dropped.has(text))
  model.set(origin, new Set([...held.filter((text) => !dropped.has(text)), ...added]))
  const owners = ownersAfter(image, { origin: wire(origin), deleted: [...dropped].map(record), added: added.map(record) })
  if ('hidden' in owners) return 'anew'
  if ('missing' in owners) throw new Error(`${shown(owners.missing)} is missing`)
  return [{ kind: 'owners', origin: wire(origin), owners }]
}

const ASKED = ['A', 'NS', 'DS', 'SOA', 'TXT'].map((type) => NUMBERS[type]!)
const NAMES = [...new Set(['.', 'y.x.', ...ORIGINS.flatMap((origin) => ['', 'q.', 'q.q.', 'q.b.', 'q.a.b.', 'q.c.b.', 'q.d.c.b.', 'q.*.', 'q.*.b.', 'q.e.d.c.b.', ...OWNERS].map((owner) => owner + origin))])]

/** All that an image says to all the questions. */
function everything(image: ZoneImage): string[] {
  const scanned = makeScannedName()
  const finding = makeFinding()
  const rrsetText = (node: number, rrset: number): string => {
    const at = rrsetWord(image, rrset, RRSET.DATA)
    return `${nameToText(image.bytes, nodeWord(image, node, NODE.SHOWN))} ${rrsetWord(image, rrset, RRSET.TYPE)} ${[...Buffer.from(image.bytes.slice(at, at + rrsetWord(image, rrset, RRSET.LENGTH))).toString('latin1')].sort().join('')}`
  }
  return NAMES.flatMap((name) =>
    ASKED.map((type) => {
      const bytes = wire(name)
      scanName(bytes, 0, bytes.length, scanned)
      lookup(image, scanned, type, finding)
      const { standing, outcome, node, rrset, shared } = finding
      const apex = node === 0 ? 0 : nodeWord(image, node, NODE.APEX)
      const soaOf = apex === 0 ? '' : rrsetText(apex, findRrset(image, apex, TYPE.SOA))
      return `${name} ${type}: ${standing} ${outcome} ${shared} ${node === 0 ? '' : nameToText(image.bytes, nodeWord(image, node, NODE.NAME))} ${rrset < 0 ? '' : rrsetText(node, rrset)} (${soaOf})`
    })
  )
}

function difference(image: ZoneImage, model: Model): string | undefined {
  const fresh = build(model).image
  const [found, expected] = [everything(image), everything(fresh)]
  const at = found.findIndex((line, index) => line !== expected[index])
  if (at >= 0) return `${found[at]}, not ${expected[at]}`
  for (const origin of ORIGINS) {
    const records = zoneRecords(image, wire(origin))
    const told = records === undefined ? [] : [...records].map(shown)
    const wanted = [...(model.get(origin) ?? [])].map((text) => shown(record(text)))
    if (told.toSorted().join('\n') !== wanted.toSorted().join('\n')) return `${origin} has ${told.join(', ')}, not ${wanted.join(', ')}`
    if (told.length > 0 && !told[0]!.includes(' SOA ')) return `${origin} begins with ${told[0]}`
  }
  return image.records === fresh.records ? undefined : `${image.records} records, not ${fresh.records}`
}

t.test('after any changes, zones answer as if they had been built so', async (t) => {
  let edited = 0
  let rebuilt = 0
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
      const model: Model = new Map([['zone.test.', new Set([soa('zone.test.')])], ['other.test.', new Set([soa('other.test.'), 'a.other.test. A 1'])]])
      let contents = build(model)
      const seen: { image: ZoneImage; said: string }[] = []
      for (const each of steps) {
        const edits = take(model, contents.image, each)
        if (edits.length === 0) continue
        if (edits !== 'anew' && contents.edit(edits)) edited++
        else {
          contents = build(model)
          rebuilt++
        }
        const wrong = difference(contents.image, model)
        if (wrong !== undefined) throw new Error(wrong)
        seen.push({ image: contents.image, said: everything(contents.image).join('\n') })
      }
      // What was put in service before still says what it said then.
      for (const { image, said } of seen) if (everything(image).join('\n') !== said) throw new Error('a version that was in service has changed')
    }),
    { numRuns: 120 }
  )
  t.ok(edited > rebuilt, `${edited} edits in place, ${rebuilt} anew`)
})

t.test('an image is built anew from another, changes and all', async (t) => {
  const model: Model = new Map(ORIGINS.slice(0, 2).map((origin) => [origin, new Set([soa(origin), ...lines(origin, OWNERS.map((_, owner) => [owner, owner % 3, 1] as const))])]))
  const contents = build(model)
  const edits = take(model, contents.image, { kind: 'change', zone: 0, add: [[5, 3, 1], [6, 0, 2]], drop: [1, 4] })
  t.ok(edits !== 'anew' && contents.edit(edits))
  const again = buildContents([...model.keys()].map((origin) => sourceOfImage(contents.image, findZone(contents.image, wire(origin)))))
  t.equal(difference(again.image, model), undefined)
})

t.test('room for changes runs out without harm', async (t) => {
  const model: Model = new Map([['zone.test.', new Set([soa('zone.test.')])]])
  let contents = build(model)
  let builds = 0
  for (let round = 0; round < 4000; round++) {
    const edits = take(model, contents.image, { kind: 'change', zone: 0, add: [[1 + (round % 7), 0, round % 3]], drop: [round] })
    if (edits !== 'anew' && contents.edit(edits)) continue
    contents = build(model)
    builds++
  }
  t.ok(builds >= 1 && builds < 10, `${builds} times anew`)
  t.equal(difference(contents.image, model), undefined)
})

t.test('a large zone answers as a small one does', async () => {
  const many = Array.from({ length: 20_000 }, (_, number) => record(`${number % 3 === 0 ? 'A.' : ''}p${number}.zz.zone.test. A 1`))
  fc.assert(
    fc.property(fc.array(fc.record({ zone: fc.nat(ORIGINS.length - 1), add: written }), { minLength: 2, maxLength: 5 }), (steps) => {
      const model: Model = new Map([['zone.test.', new Set([soa('zone.test.'), ...lines('zone.test.', [[1, 0, 1], [10, 0, 1], [12, 1, 1]])])]])
      for (const { zone, add } of steps) {
        const origin = ORIGINS[zone]!
        model.set(origin, new Set([...(model.get(origin) ?? [soa(origin)]), ...lines(origin, add)]))
      }
      const padded = [...model].map(([origin, records]) => sourceOfRecords(wire(origin), [...[...records].map(record), ...(origin === 'zone.test.' ? many : [])]))
      const large = buildContents(padded)
      const [found, expected] = [everything(large.image), everything(build(model).image)]
      const at = found.findIndex((line, index) => line !== expected[index])
      if (at >= 0) throw new Error(`${found[at]}, not ${expected[at]}`)
      if ([...zoneRecords(large.image, wire('zone.test.'))!].length !== model.get('zone.test.')!.size + many.length) throw new Error('records are missing')
    }),
    { numRuns: 15 }
  )
})
