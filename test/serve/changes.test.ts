import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { formatFault } from '../../core/trouble.ts'
import type { Catalogue } from '../../daemon/control/loader-catalogue.ts'
import { openWhole } from './catalogue.ts'
import type { Changed } from '../../daemon/control/loader-changes.ts'
import type { ZoneOver } from '../../daemon/control/loader-over.ts'
import { nameFromText, nameToText, TYPE } from '../../daemon/wire/index.ts'
import { isReset, openZoneImage, rdataFromText, rdataToText, recordTypeToText, serialOf, zoneRecords, type PlainRecord, type ZoneChange, type ZoneStep } from '../../daemon/zone/index.ts'

const soa = (serial: number): string => `@ 300 SOA ns1 hostmaster ${serial} 3600 600 604800 60`
const fileOf = (serial: number, ...more: readonly string[]): string => `${[soa(serial), '@ 300 NS ns1', 'ns1 300 A 127.0.0.1', ...more].join('\n')}\n`

interface Bench {
  write(name: string, text: string): Set<string>
  open(over?: ZoneOver): Catalogue
}

function makeBench(t: Test): Bench {
  const root = mkdtempSync(join(tmpdir(), 'nearcast-changes-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  const zones = join(root, 'zones')
  mkdirSync(zones)
  return {
    write: (name, text) => {
      writeFileSync(join(zones, name), text)
      return new Set([join(zones, name)])
    },
    open: (over) => openWhole({ folder: { path: zones, label: 'zones' }, targets: [], mostTargets: 10, stateFolder: join(root, 'state'), secondaries: ['second.test'], ...(over !== undefined && { over }) })
  }
}

const wire = (name: string): Uint8Array => nameFromText(name) as Uint8Array

/** `www 300 A 192.0.2.1` below an origin. */
function record(origin: string, text: string): PlainRecord {
  const [owner, ttl, mnemonic, ...data] = text.split(' ')
  const type = TYPE[mnemonic as keyof typeof TYPE]
  const rdata = rdataFromText(type, data.join(' '), wire(origin))
  if (typeof rdata === 'string') throw new Error(rdata)
  return { owner: owner === '@' ? wire(origin) : wire(`${owner}.${origin}`), type, ttl: Number(ttl), rdata }
}

function change(origin: string, from: number, to: number, deleted: readonly string[], added: readonly string[]): ZoneChange {
  const records = (serial: number, lines: readonly string[]): PlainRecord[] => [soa(serial), ...lines].map((line) => record(origin, line))
  return { origin: wire(origin), from, to, deleted: records(from, deleted), added: records(to, added) }
}

const told = (step: ZoneStep): string =>
  isReset(step)
    ? `${nameToText(step.origin)} anew${step.serial === undefined ? '' : ` ${step.serial}`}`
    : [`${nameToText(step.origin)} ${step.from} ${step.to}`, ...step.deleted.map((each) => `-${line(each)}`), ...step.added.map((each) => `+${line(each)}`)].join(', ')

const line = ({ owner, type, ttl, rdata }: PlainRecord): string => (type === TYPE.SOA ? `SOA ${serialOf(rdata)}` : `${nameToText(owner)} ${ttl} ${recordTypeToText(type)} ${rdataToText(type, rdata)}`)

function held(changed: Changed | ReturnType<Catalogue['load']>, origin: string): string[] {
  const result = 'reply' in changed ? changed.result : changed
  const records = zoneRecords(openZoneImage(result!.zoneImage!), wire(origin))
  return records === undefined ? [] : [...records].map(line)
}

t.test('every load tells what became of each zone', async (t) => {
  const { write, open } = makeBench(t)
  const one = write('one.test.zone', fileOf(7, 'www 300 A 192.0.2.1', 'r 300 A 192.0.2.9'))
  const two = write('two.test.zone', fileOf(1))
  const catalogue = open()
  t.same(catalogue.load({}).zoneChanges.map(told).sort(), ['one.test. anew 7', 'two.test. anew 1'])
  t.same(catalogue.load({}).zoneChanges, [])

  write('one.test.zone', fileOf(8, 'www 300 A 192.0.2.2', 'r 600 A 192.0.2.9'))
  write('two.test.zone', fileOf(1, 'more 300 A 192.0.2.3'))
  const edited = catalogue.load({ changed: new Set([...one, ...two]) }).zoneChanges.map(told)
  t.same(edited, [
    'one.test. 7 8, -SOA 7, -www.one.test. 300 A 192.0.2.1, -r.one.test. 300 A 192.0.2.9, +SOA 8, +www.one.test. 300 A 192.0.2.2, +r.one.test. 600 A 192.0.2.9',
    'two.test. anew 1'
  ])
  write('two.test.zone', '')
  t.same(catalogue.load({ force: true }).zoneChanges.map(told), ['two.test. anew'])
  t.same(open().load({}).zoneChanges.map(told), ['one.test. anew 8'], 'a start begins all histories anew')
})

t.test('an update changes what is served of a file, once it was kept', async (t) => {
  const { write, open } = makeBench(t)
  write('one.test.zone', fileOf(7, 'www 300 A 192.0.2.1', 'c 300 CNAME www'))
  const kept: ZoneChange[] = []
  const catalogue = open({ freshly: () => ({}), taken: () => undefined, keep: (each) => void kept.push(each), drop: () => undefined })
  catalogue.load({})
  const good = change('one.test.', 7, 8, ['www 0 A 192.0.2.1'], ['www 300 A 192.0.2.2', '_acme-challenge 60 TXT "x"'])
  const changed = catalogue.change(good, 'update')
  t.equal(changed.reply.outcome, 'done')
  t.same(held(changed, 'ONE.test.'), ['SOA 8', 'one.test. 300 NS ns1.one.test.', 'ns1.one.test. 300 A 127.0.0.1', 'c.one.test. 300 CNAME www.one.test.', 'www.one.test. 300 A 192.0.2.2', '_acme-challenge.one.test. 60 TXT "x"'])
  t.match(changed.result!.report.zones, [{ serial: 8, records: 6, state: 'current' }])
  t.same(changed.result!.zoneChanges.map((step) => isReset(step)), [false])
  t.equal(kept.length, 1)

  const refuse = (each: ZoneChange, by: 'update' | 'transfer' = 'update'): string => {
    const { reply, result } = catalogue.change(each, by)
    t.notOk(result)
    return reply.outcome === 'refused' ? reply.faults.map(formatFault).join() : reply.outcome === 'stale' ? `stale ${reply.serial}` : 'done'
  }
  t.equal(refuse(good), 'stale 8')
  t.equal(refuse(change('none.test.', 1, 2, [], [])), 'stale undefined')
  t.match(refuse(change('one.test.', 8, 9, [], ['c 300 A 192.0.2.7'])), /^update of one\.test\.:1:1: c\.one\.test\.: A beside CNAME: /)
  t.match(refuse(change('one.test.', 8, 9, ['www 300 A 192.0.2.1'], [])), /a A of www\.one\.test\. that is to be deleted is not there/)
  const outside = change('one.test.', 8, 9, [], [])
  t.match(refuse({ ...outside, added: [...outside.added, record('two.test.', 'x 300 A 192.0.2.7')] }), /x\.two\.test\. lies outside the zone/)
  t.match(refuse({ ...outside, added: [...outside.added, { ...record('one.test.', 'x 300 A 192.0.2.7'), rdata: Uint8Array.of(1) }] }), /1 octets that are no data of this type/)
  t.match(refuse({ ...outside, added: [...outside.added, { ...record('one.test.', 'x 300 A 192.0.2.7'), type: 240 }] }), /no data of a zone/)
  t.match(refuse({ ...outside, added: [] }), /no SOA/)
  t.match(refuse(outside, 'transfer'), /no secondary zone/)
  t.equal(kept.length, 1)
})

t.test('what lies over a file is served with it', async (t) => {
  const { write, open } = makeBench(t)
  const file = write('one.test.zone', fileOf(7, 'www 300 A 192.0.2.1'))
  const seen: unknown[] = []
  const over: ZoneOver = {
    freshly: (zone) => {
      seen.push([zone.name, zone.file, zone.serial, zone.served, zone.differs(), zone.at(wire('WWW.one.test.')).length])
      return { change: { ...change('one.test.', zone.serial, 20, [], ['x 60 TXT "over"']), deleted: [zone.soa] } }
    },
    taken: () => undefined,
    keep: () => undefined,
    drop: (origin) => seen.push(nameToText(origin))
  }
  const catalogue = open(over)
  t.match(held(catalogue.load({}), 'one.test.'), ['SOA 20', /NS/, /ns1/, /www/, 'x.one.test. 60 TXT "over"'])
  write('one.test.zone', fileOf(8, 'www 300 A 192.0.2.2'))
  t.match(held(catalogue.load({ changed: file }), 'one.test.'), ['SOA 20', /NS/, /ns1/, /www.* 192.0.2.2/, 'x.one.test. 60 TXT "over"'])
  write('one.test.zone', '')
  catalogue.load({ force: true })
  t.same(seen, [['one.test.', 'zones/one.test.zone', 7, undefined, true, 1], ['one.test.', 'zones/one.test.zone', 8, 20, true, 1], 'one.test.'])
})

t.test('a secondary zone holds what was transferred, over a restart too', async (t) => {
  const { write, open } = makeBench(t)
  const zone = (serial: number, ...lines: readonly string[]): PlainRecord[] => [soa(serial), '@ 300 NS ns1', 'ns1 300 A 127.0.0.1', ...lines].map((each) => record('second.test.', each))
  const catalogue = open()
  const states = (changed: Changed | ReturnType<Catalogue['load']>): string[] => ('reply' in changed ? changed.result! : changed).report.zones.map(({ origin, serial, records, state }) => `${origin} ${serial} ${records} ${state}`)
  t.same(states(catalogue.load({})), ['second.test. 0 0 awaited'])
  const brought = catalogue.replace(wire('second.test.'), zone(1, 'a 60 A 192.0.2.1'))
  t.same([states(brought), brought.result!.zoneChanges.map(told)], [['second.test. 1 4 transferred'], ['second.test. anew 1']])
  t.equal(catalogue.replace(wire('second.test.'), zone(1, 'a 60 A 192.0.2.1')).result, undefined, 'the same again is no change')
  t.match(catalogue.replace(wire('second.test.'), zone(2).slice(1)).reply, { outcome: 'refused', faults: [{ file: 'transfer of second.test.', reason: /no SOA/ }] })
  t.match(catalogue.replace(wire('other.test.'), zone(2)).reply, { outcome: 'refused' })
  const stepped = catalogue.change(change('second.test.', 1, 2, ['a 60 A 192.0.2.1'], ['b 60 A 192.0.2.2']), 'transfer')
  t.same(stepped.result!.zoneChanges.map(told), ['second.test. 1 2, -SOA 1, -a.second.test. 60 A 192.0.2.1, +SOA 2, +b.second.test. 60 A 192.0.2.2'])

  const again = open()
  t.same(states(again.load({})), ['second.test. 2 4 transferred'])
  const expired = again.expire(wire('second.test.'))
  t.same([states(expired), expired.result!.zoneChanges.map(told), held(expired, 'second.test.')], [['second.test. 2 4 expired'], ['second.test. anew'], []])
  const back = again.replace(wire('second.test.'), zone(2, 'b 60 A 192.0.2.2'))
  t.same([states(back), held(back, 'second.test.').length], [['second.test. 2 4 transferred'], 4])
  write('second.test.zone', fileOf(9))
  t.match(again.load({}).report.faults.map(formatFault), [/second\.test\. is a secondary zone, which has no file/])
})

t.test('glue and what a lower zone hides is told of the upper zone', async (t) => {
  const { write, open } = makeBench(t)
  write('test.zone', fileOf(1, 'low 300 NS ns.low', 'low 300 DS 1 13 2 00', 'ns.low 300 A 192.0.2.5', 'd 300 NS ns.d', 'ns.d 300 A 192.0.2.6').replace('DS 1 13 2 00', 'TXT "x"'))
  write('low.test.zone', fileOf(2, 'ns 300 A 192.0.2.7'))
  const loaded = open().load({})
  t.same(held(loaded, 'test.').sort(), ['SOA 1', 'd.test. 300 NS ns.d.test.', 'low.test. 300 NS ns.low.test.', 'low.test. 300 TXT "x"', 'ns.d.test. 300 A 192.0.2.6', 'ns.low.test. 300 A 192.0.2.5', 'ns1.test. 300 A 127.0.0.1', 'test. 300 NS ns1.test.'])
  t.same(held(loaded, 'low.test.').length, 4)
  t.same(held(loaded, 'none.test.'), [])
})
