import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { formatFault } from '../../core/trouble.ts'
import { openJournals } from '../../daemon/control/journals.ts'
import type { ZoneOver } from '../../daemon/control/loader-over.ts'
import type { Catalogue } from '../../daemon/control/loader-catalogue.ts'
import { openWhole } from './catalogue.ts'
import type { LoadResult } from '../../daemon/control/loader-state.ts'
import { preread, type Preread } from '../../daemon/control/preread.ts'
import { makeManualClock } from '../helpers/manual-clock.ts'
import { FileWatcher } from '../../daemon/control/watch.ts'
import { nameFromText, nameToText, TYPE } from '../../daemon/wire/index.ts'
import { openZoneImage, zoneRecords, type SharedZones } from '../../daemon/zone/index.ts'

const SOA = '@ 300 SOA ns1 hostmaster 7 3600 600 604800 60\n@ 300 NS ns1\nns1 300 A 127.0.0.1\n'
const edge = (name: string) => ({ name, checked: true, ipv4: [Uint8Array.of(127, 0, 0, 1)], ipv6: [], at: [0, 0] as const })

interface Bench {
  readonly zones: string
  write(name: string, text: string): string
  /** A catalogue as after a start of the daemon. */
  open(over?: ZoneOver, preread?: Preread): Catalogue
}

function makeBench(t: Test): Bench {
  const root = mkdtempSync(join(tmpdir(), 'nearcast-loader-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  const zones = join(root, 'zones')
  mkdirSync(zones)
  return {
    zones,
    write: (name, text) => {
      writeFileSync(join(zones, name), text)
      return join(zones, name)
    },
    open: (over, early) => openWhole({ ...(over !== undefined && { over }), ...(early !== undefined && { preread: early }), folder: { path: zones, label: 'zones' }, targets: [edge('a'), edge('b')], mostTargets: 100, stateFolder: join(root, 'state') })
  }
}

/** The records of the large zone, its SOA apart. */
function recordsOf(image: SharedZones): string {
  const records = [...zoneRecords(openZoneImage(image), nameFromText('large.test.') as Uint8Array)!].filter(({ type }) => type !== TYPE.SOA)
  return records.map(({ owner, type, ttl, rdata }) => `${nameToText(owner)} ${ttl} ${type} ${Buffer.from(rdata).toString('hex')}`).sort().join('\n')
}

const lines = ({ report }: LoadResult): string[] => report.faults.map(formatFault)
const states = ({ report }: LoadResult): string[] => report.zones.map(({ origin, records, state }) => `${origin} ${records} ${state}`)

t.test('zones are read, and a broken one changes nothing for itself or for others', async (t) => {
  const { write, open } = makeBench(t)
  const one = write('one.test.zone', `${SOA}www 300 A 192.0.2.1\n`)
  const two = write('two.test.zone', SOA)
  const catalogue = open()
  const first = catalogue.load({})
  t.same(states(first), ['one.test. 4 current', 'two.test. 3 current'])
  t.ok(first.zoneImage !== undefined && first.routing !== undefined)

  write('one.test.zone', `${SOA}www 300 A 192.0.2\n`)
  write('two.test.zone', `${SOA}www 300 A 192.0.2.2\n`)
  const both = catalogue.load({ changed: new Set([one, two]) })
  t.same(states(both), ['one.test. 4 old', 'two.test. 4 current'])
  t.match(lines(both), [/^zones\/one\.test\.zone:4:11: A: .*\(.*\)$/])
  t.ok(both.zoneImage)

  const again = catalogue.load({ changed: new Set([one]) })
  t.notOk(again.zoneImage, 'nothing to be put in service')
  write('one.test.zone', `${SOA}www 300 A 192.0.2.1\n`)
  const mended = catalogue.load({ changed: new Set([one]) })
  t.same(states(mended), ['one.test. 4 current', 'two.test. 4 current'])
  t.same(lines(mended), [])
  t.notOk(mended.zoneImage, 'it says what is served already')

  write('three.test.zone', SOA)
  t.same(states(catalogue.load({ changed: new Set(), moving: new Set([join(one, '../three.test.zone')]) })).length, 2, 'a new file that is being written waits')
  t.same(states(catalogue.load({})).length, 3)
  write('copy.zone', `$ORIGIN three.test.\n${SOA}`)
  t.match(lines(catalogue.load({})), [/zones\/copy\.zone:1:1: three\.test\. is the zone of zones\/three\.test\.zone already/])
})

for (const auto of [false, true]) {
  t.test(`a large file comes to what it says, whatever of it changes${auto ? ', and its serial rises' : ''}`, async (t) => {
    const { zones, write, open } = makeBench(t)
    const hosts = Array.from({ length: 5000 }, (_, index) => `host-${index} 300 TXT "${'t'.repeat(200)}"\nhost-${index} 300 A 10.0.${index >> 8}.${index & 255}\n`).join('')
    const text = `${SOA}${hosts}r 300 ROUTE p\n`
    write('policies.yaml', 'policies:\n  p: { simple: [a] }\n')
    const file = write('large.test.zone', text)
    const over = openJournals({ auto: new Set(auto ? ['large.test'] : []) })
    const catalogue = open(over)
    let image = catalogue.load({}).zoneImage!
    const serial = (of: string, number: number): string => of.replace('hostmaster 7', `hostmaster ${number}`)
    const one = text.replace('host-2000 300 A 10.0.7.208', 'host-2000 300 A 192.0.2.1')
    const edits: readonly (readonly [what: string, text: string, serial: number])[] = [
      ['a record and the serial', serial(one, 8), 8], ['a record alone', serial(text, 8), auto ? 9 : 8], ['the serial alone', serial(text, 12), 12], ['a fault', serial(one, 13).replace('host-3000 300', 'host-3000 thirty'), 12],
      ['mended', serial(one, 13), 13], ['a line above', `; note\n${serial(one, 13)}`, 13], ['a policy that is not there', serial(one, 14).replace('ROUTE p', 'ROUTE q'), 13], ['many records', serial(one.replaceAll('10.0.7', '10.0.8'), 15), 15]
    ]
    for (const [what, now, served] of edits) {
      write('large.test.zone', now)
      const result = catalogue.load({ changed: new Set([file]) })
      image = result.zoneImage ?? image
      rmSync(join(zones, '../state'), { recursive: true, force: true })
      const fresh = open().load({})
      const isFaulty = fresh.report.faults.some(({ severity }) => severity === 'error')
      t.same(isFaulty ? lines(result) : states(result), isFaulty ? lines(fresh) : states(fresh), what)
      t.ok(isFaulty || recordsOf(image) === recordsOf(fresh.zoneImage!), `${what}: the same records`)
      t.equal(lines(result).some((line) => line.includes('served already')), !auto && what === 'a record alone', `${what}: of the serial`)
      t.equal(result.report.zones[0]?.serial, served, `${what}: the serial`)
    }
  })
}

t.test('what looks like an accident waits for force', async (t) => {
  const { zones, write, open } = makeBench(t)
  const many = `${SOA}${Array.from({ length: 7 }, (_, index) => `w${index} 300 A 192.0.2.1\n`).join('')}`
  const file = write('one.test.zone', many)
  const catalogue = open()
  catalogue.load({})
  const changed = new Set([file])
  for (const [text, reason] of [['', /is empty/], [`${SOA}w 300 A 192.0.2.1\n`, /lost over half its records: 4 of 10/]] as const) {
    write('one.test.zone', text)
    const kept = catalogue.load({ changed })
    t.same(states(kept), ['one.test. 10 old'])
    t.match(lines(kept), [reason])
    t.match(lines(kept), [/reload --force/])
  }
  t.same(states(catalogue.load({ force: true })), ['one.test. 4 current'])
  write('one.test.zone', many.split('\n').slice(0, 5).join('\n') + '\n')
  t.same(states(catalogue.load({ changed })), ['one.test. 5 current'], 'half and more is an edit')
  rmSync(file)
  t.match(lines(catalogue.load({ changed })), [/is gone/])
  t.same(states(catalogue.load({ changed })), ['one.test. 5 old'])
  const gone = catalogue.load({ force: true })
  t.same([states(gone), lines(gone)], [[], []])
  t.ok(gone.zoneImage)
  t.same(readdirSync(zones), [])
  rmSync(zones, { recursive: true })
  t.match(lines(catalogue.load({})), [/^zones:1:1: cannot be read: no such file or directory$/])
})

t.test('files are read octet by octet, and only those that have an end', async (t) => {
  const { zones, write, open } = makeBench(t)
  write('one.test.zone', SOA)
  const catalogue = open()
  catalogue.load({})
  writeFileSync(join(zones, 'one.test.zone'), Buffer.from(`${SOA}t 300 TXT "caf\xe9"\n`, 'latin1'))
  const { zoneImage, ...loaded } = catalogue.load({})
  t.same([lines(loaded), Buffer.from(zoneImage!.base).includes('\x04caf\xe9', 'latin1')], [[], true])
  write('one.test.zone', `${SOA}$INCLUDE /dev/zero\n`)
  t.same(lines(catalogue.load({})), ['zones/one.test.zone:4:10: /dev/zero cannot be read: it is no regular file'])
  t.same(states(catalogue.load({})), ['one.test. 4 old'])
})

t.test('policies and zones depend on each other', async (t) => {
  const { write, open } = makeBench(t)
  const policies = write('policies.yaml', 'policies:\n  near: { failover: [a, b] }\n')
  const zone = write('one.test.zone', `${SOA}www 20 ROUTE near\n`)
  const catalogue = open()
  const first = catalogue.load({})
  t.same(lines(first), [])
  t.match(first.report, { names: ['www.one.test.'], routedTtl: 20 })

  write('policies.yaml', 'policies:\n  far: { failover: [b, a] }\n')
  const removed = catalogue.load({ changed: new Set([policies]) })
  t.match(lines(removed), [/^zones\/policies\.yaml:1:1: policy near is missing, and zones\/one\.test\.zone:4:\d+ refers to it/])
  t.notOk(removed.routing)
  write('one.test.zone', `${SOA}www 20 ROUTE far\n`)
  const moved = catalogue.load({ changed: new Set([zone]) })
  t.same(lines(moved), [], 'once no zone needs it, the policies are taken with the zone')
  t.ok(moved.routing !== undefined && moved.zoneImage !== undefined)

  write('one.test.zone', `${SOA}www 20 ROUTE later\n`)
  t.match(lines(catalogue.load({ changed: new Set([zone]) })), [/zones\/one\.test\.zone:4:\d+: .*later/])
  write('policies.yaml', 'policies:\n  far: { failover: [b, a] }\n  later: { failover: [a] }\n')
  t.same(lines(catalogue.load({ changed: new Set([policies]) })), [], 'a zone that waited for a policy is read again')
  write('policies.yaml', 'policies:\n  later: { failover: [nowhere] }\n')
  const broken = catalogue.load({ changed: new Set([policies]) })
  t.match(lines(broken), [/^zones\/policies\.yaml:2:\d+: /])
  t.notOk(broken.routing)
  rmSync(policies)
  t.match(lines(catalogue.load({ changed: new Set([policies]) })), [/policies\.yaml:1:1: is gone/])
})

t.test('after a restart the last good text serves, its includes with it', async (t) => {
  const { zones, write, open } = makeBench(t)
  mkdirSync(join(zones, 'parts'))
  write('parts/hosts', 'www 300 A 192.0.2.1\n')
  write('policies.yaml', 'policies:\n  near: { failover: [a, b] }\n')
  write('one.test.zone', `${SOA}$INCLUDE parts/hosts\nr 20 ROUTE near\n`)
  const before = open()
  t.same(states(before.load({})), ['one.test. 5 current'])
  t.ok(before.follows().has(join(zones, 'parts/hosts')), 'what is included is watched')

  write('parts/hosts', 'www 300 A nonsense\n')
  write('policies.yaml', 'policies: [')
  const broken = open().load({})
  t.same(states(broken), ['one.test. 5 last-good'])
  t.match(lines(broken), [/^zones\/policies\.yaml:/, /^zones\/parts\/hosts:1:11: /])
  t.ok(broken.zoneImage !== undefined && broken.routing !== undefined)

  rmSync(join(zones, 'one.test.zone'))
  t.same(states(open().load({})), ['one.test. 5 last-good'])
  write('policies.yaml', 'policies:\n  near: { failover: [a, b] }\n')
  write('parts/hosts', 'www 300 A 192.0.2.1\n')
  write('one.test.zone', `${SOA}$INCLUDE parts/hosts\nr 20 ROUTE near\n`)
  t.same(states(open().load({})), ['one.test. 5 current'])
  // A copy that was damaged counts for nothing, nor one of another folder.
  const kept = join(zones, '../state/last-good')
  const [name] = readdirSync(kept)
  const whole = readFileSync(join(kept, name!))
  const text = whole.lastIndexOf('192.0.2.1')
  writeFileSync(join(kept, name!), Buffer.concat([whole.subarray(0, text), Buffer.from('192.0.2.7'), whole.subarray(text + 9)]))
  rmSync(join(zones, 'one.test.zone'))
  t.same(states(open().load({})), [])
})

t.test('a file is told of once it is still, however it was written', { timeout: 500_000 }, async (t) => {
  const { zones, write } = makeBench(t)
  mkdirSync(join(zones, 'parts'))
  write('parts/hosts', 'x')
  write('a.zone', 'x')
  const told: string[][] = []
  const time = makeManualClock()
  const watcher = new FileWatcher({
    folder: zones,
    wants: (name) => name.endsWith('.zone'),
    changed: (files) => told.push([...files].map((file) => file.slice(zones.length + 1)).sort()),
    clock: time.clock,
    after: time.after
  })
  t.teardown(() => watcher.close())
  watcher.follow([join(zones, 'parts/hosts')])
  /** A little later, by the clock of the watcher, which also hears of changes in its own time. */
  const later = async (milliseconds: number): Promise<void> => {
    await sleep(5)
    await time.turn(milliseconds)
  }
  const next = async (count: number, meanwhile = (): void => undefined): Promise<void> => {
    for (let tries = 0; told.length < count && tries < 2500; tries++) {
      meanwhile()
      await later(20)
    }
  }
  for (let part = 0; part < 8; part++) {
    write('a.zone', 'y'.repeat(part + 2))
    await later(40)
  }
  t.same(told, [], 'not while it is written')
  await next(1)
  write('.a.zone.swp', 'editor')
  write('b.zone.tmp', 'z')
  renameSync(join(zones, 'b.zone.tmp'), join(zones, 'b.zone'))
  await next(2)
  write('parts/hosts', 'y')
  await next(3)
  rmSync(join(zones, 'a.zone'))
  await next(4)
  t.same(told, [['a.zone'], ['b.zone'], ['parts/hosts'], ['a.zone']])
  // One that is never still does not hold up another.
  write('b.zone', 'zz')
  await next(5, () => write('c.zone', String(Math.random())))
  t.same(told[4], ['b.zone'])
  await next(6)
  t.same(told[5], ['c.zone'])
})

t.test('a link that leads nowhere is told, once, and no more when it leads somewhere', async (t) => {
  const { write, open, zones } = makeBench(t)
  write('one.test.zone', SOA)
  symlinkSync(join(zones, 'later'), join(zones, 'two.test.zone'))
  const catalogue = open()
  const first = catalogue.load({})
  t.same(states(first), ['one.test. 3 current'])
  t.same(lines(first), [`zones/two.test.zone:1:1: is a link to ${join(zones, 'later')}, where there is nothing`])
  write('later', SOA)
  const second = catalogue.load({ changed: new Set([join(zones, 'two.test.zone')]) })
  t.same(states(second), ['one.test. 3 current', 'two.test. 3 current'])
  t.same(lines(second), [])
})

t.test('a large file that was read ahead is taken as it was, where it is so still', (t) => {
  const { zones, write, open } = makeBench(t)
  const folder = { path: zones, label: 'zones' }
  const large = (last: string): string => `${SOA}${Array.from({ length: 30_000 }, (_, index) => `host-number-${index} 300 A 10.0.${index >> 8}.${index & 255}\n`).join('')}${last}`
  const shown = 'zones/large.test.zone'
  write('small.test.zone', SOA)
  t.equal(preread(folder), undefined, 'nothing takes long to read')

  for (const last of ['$INCLUDE small.test.zone\n', 'www 300 A 192.0.2\n', 'www 300 ROUTE video\n']) {
    write('large.test.zone', large(last))
    t.equal(preread(folder)!.take(shown, Buffer.from(large(last))), undefined, `it does not stand for itself: ${last}`)
  }
  const text = large('www 300 A 192.0.2.1\n')
  write('large.test.zone', text)
  const ahead = preread(folder)!
  t.equal(ahead.take('zones/small.test.zone', Buffer.from(SOA)), undefined, 'another file')
  t.equal(ahead.take(shown, Buffer.from(text))?.zone?.records.length, 30_004)
  t.equal(ahead.take(shown, Buffer.from(text)), undefined, 'once')

  const load = (early: Preread | undefined): LoadResult => open(undefined, early).load({})
  const without = recordsOf(load(undefined).zoneImage!)
  t.equal(recordsOf(load(preread(folder)).zoneImage!), without)
  const old = preread(folder)
  write('large.test.zone', large('www 300 A 192.0.2.2\n'))
  t.match(recordsOf(load(old).zoneImage!), /www.*c0000202/, 'it was edited meanwhile')
  write('policies.yaml', 'policies:\n  video: { simple: [a] }\n')
  t.equal(preread(folder), undefined, 'policies have a say')
  t.equal(preread({ path: join(zones, 'nowhere'), label: 'nowhere' }), undefined)
  t.end()
})
