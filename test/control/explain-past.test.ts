import { createHash, randomBytes } from 'node:crypto'
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { momentText, parseMoment } from '../../core/moment.ts'
import { parseAddress } from '../../core/address.ts'
import { makeAnswerer } from '../../daemon/answer.ts'
import { openEvents, type Events, type PastHealth } from '../../daemon/control/events.ts'
import type { PastPolicies } from '../../daemon/control/past-policies.ts'
import { BOUNDS, openPolicyHistory, type FoundPolicies, type HistoryBounds, type PolicyHistory, type PolicySource } from '../../daemon/control/policy-history.ts'
import { explainName, type Ask, type Explanation } from '../../daemon/control/index.ts'
import { openRouting, readPolicies, type Target } from '../../daemon/routing/index.ts'
import type { World } from '../../daemon/world.ts'
import { buildZoneImage, openZoneImage, readZone } from '../../daemon/zone/index.ts'
import { mergeOverrides, noPlaces, openPlaces, readOverrides } from '../../geodb/index.ts'
import { healthWord, makeHealthTable, setHealth, type CheckTarget, type Forced, type Verdict } from '../../healthchecks/index.ts'
import { makeManualClock } from '../helpers/manual-clock.ts'
import { makeSetup, makeToyFleet, silent } from './fleet.ts'

const MINUTE = 60_000
const START = Date.parse('2026-11-21T15:00:00Z')
const plan: CheckTarget['plan'] = { check: 'default', inverted: false, disabled: false, what: { of: [], atLeast: 0 } }

function makeJournal(t: { teardown(end: () => void): void }, most?: number): { folder: string; time: ReturnType<typeof makeManualClock>; open(): { events: Events; tell(name: string, verdict: Verdict, forced?: Forced, why?: string): void } } {
  const folder = mkdtempSync(join(tmpdir(), 'nearcast-events-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const time = makeManualClock(START)
  const open: ReturnType<typeof makeJournal>['open'] = () => {
    const events = openEvents({ stateFolder: folder, clock: time.clock, log: silent, ...(most !== undefined && { most }) })
    const table = makeHealthTable(4)
    const targets = new Map<string, CheckTarget>()
    const tell = (name: string, verdict: Verdict, forced: Forced = 'none', why = 'told'): void => {
      const target = targets.get(name) ?? events.watched({ name, plan, table, index: targets.size })
      targets.set(name, target)
      target.wrote!(healthWord(verdict, forced, false), why)
    }
    return { events, tell }
  }
  return { folder, time, open }
}

const states = (past: PastHealth | string): unknown => (typeof past === 'string' ? past : Object.fromEntries([...past.targets].map(([name, { verdict, forced, why }]) => [name, `${verdict} ${forced} ${why}`])))

t.test('times that are past, and those that are mistyped', async (t) => {
  const now = START + 30 * MINUTE
  for (const [text, wanted] of [['10m', '15:20:00'], ['-10m', '15:20:00'], ['2026-11-21T15:04Z', '15:04:00'], ['2026-11-21 15:04:05', '15:04:05'], ['2026-11-21T16:04+01:00', '15:04:00']] as const) {
    t.equal(momentText(parseMoment(text, now) as number), `2026-11-21T${wanted}Z`, text)
  }
  for (const [text, wrong] of [['yesterday', /expected a time such as/], ['2026-02-30T10:00Z', /no such time/], ['2026-11-21T25:00Z', /no such time/], ['2026-11-21T15:31Z', /has not come yet/], ['', /expected/]] as const) {
    t.match(parseMoment(text, now), wrong, text)
  }
})

t.test('the journal tells how every target stood, over restarts and ends without a word', async (t) => {
  const { folder, time, open } = makeJournal(t)
  const first = open()
  first.tell('icn', 'UP')
  first.tell('fra', 'UP')
  await time.turn(MINUTE)
  first.tell('icn', 'DOWN', 'none', 'status 503')
  first.tell('icn', 'DOWN', 'none', 'status 503 again')
  await time.turn(MINUTE)
  first.events.forced('fra', 'a new disk')
  first.tell('fra', 'UP', 'drain')
  await time.turn(MINUTE)
  first.tell('late', 'UP')
  first.events.gone(['icn'])
  await first.events.close()
  const at = (minutes: number): Promise<PastHealth | string> => first.events.past(START + minutes * MINUTE)
  t.same(states(await at(0.5)), { icn: 'UP none told', fra: 'UP none told' })
  t.same(states(await at(1.5)), { icn: 'DOWN none status 503', fra: 'UP none told' }, 'what stays is not written again')
  t.same(states(await at(2.5)), { icn: 'DOWN none status 503', fra: 'UP drain a new disk' })
  t.match(await at(2.5), { later: new Map([['late', START + 3 * MINUTE]]) })
  t.match(states(await at(-1)), 'not known before 2026-11-21T15:00:00Z, when the journal of health begins')
  t.match(states(await at(4)), /^nothing was answered at .*: the daemon was stopped at 2026-11-21T15:03:00Z$/)
  appendFileSync(join(folder, 'events.jsonl'), '{"at":"2026-11-21T15:0')
  await time.turn(2 * MINUTE)
  const again = open()
  again.tell('fra', 'UP')
  t.same(states(await again.events.past(time.clock.now())), { fra: 'UP none told' }, 'a line cut short costs no other')
  t.match(states(await again.events.past(START + 4 * MINUTE)), /began again at 2026-11-21T15:05:00Z$/)
  t.equal(statSync(join(folder, 'events.jsonl')).mode & 0o777, 0o600)
})

t.test('the journal is bounded, and begins with how everything stood', async (t) => {
  const { folder, time, open } = makeJournal(t, 4000)
  const { events, tell } = open()
  tell('quiet', 'DOWN')
  for (let turn = 0; turn < 200; turn++) {
    await time.turn(1000)
    tell('icn', turn % 2 === 0 ? 'UP' : 'DOWN')
    await events.past(START)
  }
  for (const file of ['events.jsonl', 'events.old.jsonl']) t.ok(statSync(join(folder, file)).size < 5000, `${file} is ${statSync(join(folder, file)).size} octets`)
  t.same(states(await events.past(time.clock.now())), { quiet: 'DOWN none told', icn: 'DOWN none told' })
  t.same(states(await events.past(time.clock.now() - 5000)), { quiet: 'DOWN none told', icn: 'UP none told' })
  t.match(states(await events.past(START + 1000)), /^not known before /)
  const past = await events.past(time.clock.now())
  t.equal(typeof past === 'string' ? 0 : past.targets.get('quiet')!.since, START, 'since when is kept')
  await events.close()
})

function makeWorld(): World {
  const target = (name: string, last: number): Target => ({ name, checked: true, ipv4: [Uint8Array.of(127, 0, 10, last)], ipv6: [], at: [0, 0] })
  const targets = [target('icn', 1), target('fra', 3)]
  const policies = readPolicies({ file: 'p', text: 'policies: { f: { failover: [icn, fra] }, w: { failover: [{ address: 192.0.2.7, check: web }, fra] } }', targets, checks: ['web'] })
  const { zone } = readZone({ file: 'a.test.zone', read: () => '$ORIGIN a.test.\n$TTL 60\n@ SOA ns h 7 60 60 60 60\n  NS ns\nns A 192.0.2.1\nf 20 ROUTE f\nw 20 ROUTE w\n', policies: policies.names })
  const places = openPlaces(mergeOverrides(noPlaces(), readOverrides('o', 'networks: { 10.0.0.0/8: KR }').overrides!))
  const image = { ...policies.image!, targets: policies.image!.targets.map((each) => (each.check === undefined ? each : { ...each, word: 3 })) }
  const health = makeHealthTable(4)
  for (const word of [0, 1, 3]) setHealth(health, word, healthWord('UP', 'none', false))
  return { generation: 1, zones: openZoneImage(buildZoneImage([zone!])), places, routing: openRouting(image, places), targets: image.targets, health, suspectTtl: 5 }
}

t.test('what was answered then, and what of it is as of now', async (t) => {
  const { time, open } = makeJournal(t)
  const { events, tell } = open()
  tell('icn', 'UP')
  tell('fra', 'UP')
  await time.turn(MINUTE)
  tell('icn', 'DOWN', 'none', 'status 503')
  await time.turn(MINUTE)
  tell('icn', 'UP')
  tell('web@192.0.2.7', 'DOWN', 'none', 'connect timed out')
  await time.turn(MINUTE)
  const world = makeWorld()
  const ask: Ask = (query, { family, bytes }, asked) => {
    const out = new Uint8Array(1232)
    return out.slice(0, makeAnswerer({ world: asked }).answer(query, 0, query.length, { family, bytes, at: 0 }, 'udp', out, 0, out.length))
  }
  const explain = async (name: string, minutes: number, assume?: string): Promise<Explanation | string> => {
    const past = (await events.past(START + minutes * MINUTE)) as PastHealth
    const since = { policies: START, zones: { '': START, 'a.test.': START + 2 * MINUTE } }
    return explainName(world, ask, { name, type: 'A', from: parseAddress('192.0.2.1')!, past: { ...past, since, policies: { kind: 'same', since: START } }, ...(assume !== undefined && { assume }) })
  }
  const before = world.health.words.slice()
  const down = await explain('f.a.test', 1.5)
  t.match(down, { question: { at: '2026-11-21T15:01:30Z' }, unsettled: true, answer: { ttl: 5, answers: [/127\.0\.10\.3$/] } })
  t.match((down as Explanation).steps[0]!.text, 'health and forced states as of 2026-11-21T15:01:30Z, from the journal: icn DOWN since 2026-11-21T15:01:00Z (status 503); all others UP')
  t.same((down as Explanation).asOfNow, [
    { text: 'zone a.test.: as of now, in service only since 2026-11-21T15:02:00Z: what was before it is not kept', since: START + 2 * MINUTE, isSame: false },
    { text: 'policies: as of now, the same since 2026-11-21T15:00:00Z', since: START, isSame: true }
  ])
  t.match(await explain('f.a.test', 2.5), { unsettled: false, answer: { ttl: 20, answers: [/127\.0\.10\.1$/] }, asOfNow: [{ isSame: true }, { isSame: true }] })
  t.match(await explain('f.a.test', 2.5, 'icn=down'), { answer: { answers: [/127\.0\.10\.3$/] } }, 'with something supposed beside')
  t.match(await explain('w.a.test', 2.5), { answer: { answers: [/127\.0\.10\.3$/] } }, 'a target that is no edge')
  t.equal(await explain('w.a.test', 1.5), 'not known before 2026-11-21T15:02:00Z, when web@192.0.2.7 was checked first')
  t.match(await explain('w.a.test', 2.5, '192.0.2.7=up'), { answer: { answers: [/192\.0\.2\.7$/] } })
  t.same(world.health.words, before, 'the live table is only read')
  await events.close()
})

t.test('policies of then', async (t) => {
  const { time, open } = makeJournal(t)
  const { events, tell } = open()
  for (const name of ['icn', 'fra', 'old']) tell(name, 'UP')
  await time.turn(MINUTE)
  tell('old', 'DOWN', 'none', 'worn out')
  await time.turn(MINUTE)
  const world = makeWorld()
  const ask: Ask = (query, { family, bytes }, asked) => {
    const out = new Uint8Array(1232)
    return out.slice(0, makeAnswerer({ world: asked }).answer(query, 0, query.length, { family, bytes, at: 0 }, 'udp', out, 0, out.length))
  }
  // An edge that is no more, in a place of its own among those of then.
  const targets = ['fra', 'old', 'icn'].map((name, number): Target => ({ name, checked: true, ipv4: [Uint8Array.of(127, 0, 10, 50 + number)], ipv6: [], at: [0, 0] }))
  const read = readPolicies({ file: 'p', text: 'policies: { f: { failover: [old, icn] } }', targets })
  const policies: PastPolicies = { kind: 'other', since: START, until: START + 2 * MINUTE, routing: read.image!, networks: undefined }
  const explain = async (name: string, minutes: number, assume?: string): Promise<Explanation | string> => {
    const past = (await events.past(START + minutes * MINUTE)) as PastHealth
    return explainName(world, ask, { name, type: 'A', from: parseAddress('192.0.2.1')!, past: { ...past, since: { zones: { '': START } }, policies }, ...(assume !== undefined && { assume }) })
  }
  const first = await explain('f.a.test', 0.5)
  t.match(first, { policiesOfThen: { since: START, until: START + 2 * MINUTE }, answer: { ttl: 20, answers: [/127\.0\.10\.51$/] }, candidates: [{ target: 'old', chosen: true }, { target: 'icn' }] })
  t.match((first as Explanation).steps[1], { text: 'policies as of then, in service from 2026-11-21T15:00:00Z to 2026-11-21T15:02:00Z' })
  t.same((first as Explanation).asOfNow?.map(({ text }) => text), ['zone a.test.: as of now, the same since 2026-11-21T15:00:00Z'])
  t.match(await explain('f.a.test', 1.5), { unsettled: true, answer: { ttl: 5, answers: [/127\.0\.10\.52$/] } }, 'health of then at the places of then')
  t.match(await explain('f.a.test', 1.5, 'icn=down'), { failOpen: true, answer: { answers: [/127\.0\.10\.51$/] } })
  t.equal(await explain('w.a.test', 1.5), 'not known: w.a.test. 20 ROUTE w stands in its zone now, and there was no policy w then')
  t.match(explainName(world, ask, { name: 'f.a.test', type: 'A', from: parseAddress('192.0.2.1')! }), { answer: { answers: [/127\.0\.10\.1$/] } }, 'the live world is only read')
  await events.close()
})

t.test('policies are kept for a day, within bounds, and what is damaged is not taken', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'nearcast-policies-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const time = makeManualClock(START)
  const fleet = Buffer.from('fleet')
  const source = (text: string, list?: Buffer): PolicySource => ({ fleet, texts: new Map([['policies.yaml', Buffer.from(text)], ...(list === undefined ? [] : [['list.txt', list] as const])]) })
  const files = (): string[] => readdirSync(join(folder, 'policies')).filter((name) => name.endsWith('.gz'))
  const textOf = (found: FoundPolicies): string => (found.kind === 'other' ? found.texts.get('policies.yaml')!.toString() : found.kind)
  const open = (bounds?: Partial<HistoryBounds>): PolicyHistory => openPolicyHistory(folder, time.clock, { ...BOUNDS, ...bounds })
  const history = open()
  const list = randomBytes(5000)
  for (let hour = 0; hour < 40; hour++) {
    t.equal(history.note(source(`hour ${hour}`, list)), undefined)
    t.equal(history.note(source(`hour ${hour}`, list)), undefined, 'the same again is no other')
    await time.turn(60 * MINUTE)
  }
  const now = time.clock.now()
  t.equal(files().length, 28, 'one each of 26 texts, the list and the fleet: what was in force a day ago is there')
  for (const again of [history, open()]) {
    t.equal(textOf(again.find(now)), 'same')
    t.equal(textOf(again.find(START + 38.5 * 60 * MINUTE)), 'hour 38')
    t.equal(textOf(again.find(START + 15.5 * 60 * MINUTE)), 'hour 15')
    t.equal(textOf(again.find(START + 13.5 * 60 * MINUTE)), 'unknown')
  }
  t.same(open().find(START + 20 * 60 * MINUTE), { kind: 'other', since: START + 20 * 60 * MINUTE, until: START + 21 * 60 * MINUTE, fleet, texts: source('hour 20', list).texts })
  const path = join(folder, 'policies', `${createHash('sha256').update('hour 20').digest('hex')}.gz`)
  writeFileSync(path, gzipSync('hour 99'))
  t.match(open().find(START + 20.5 * 60 * MINUTE), { kind: 'unknown', reason: /the copy is damaged/ })
  rmSync(path)
  t.match(open().find(START + 20.5 * 60 * MINUTE), { kind: 'unknown', reason: /cannot be read/ })
  appendFileSync(join(folder, 'policies/versions.jsonl'), '{"at":"2026-11-2')
  t.equal(textOf(open().find(now)), 'same', 'a line cut short costs no other')

  await time.turn(MINUTE)
  t.equal(open({ versions: 3 }).note(source('one more', list)), undefined)
  t.equal(textOf(open().find(now)), 'hour 39')
  t.equal(files().length, 5, 'three texts, the list and the fleet')
  const size = (): number => files().reduce((sum, name) => sum + statSync(join(folder, 'policies', name)).size, 0)
  await time.turn(MINUTE)
  t.equal(open({ octets: 9000 }).note(source('another list', randomBytes(5000))), undefined)
  t.ok(size() < 9000, `${size()} octets`)
  await time.turn(MINUTE)
  t.equal(open({ octets: 3000 }).note(source('a list too large', randomBytes(5000))), undefined)
  t.ok(size() < 3000, `${size()} octets`)
  await time.turn(MINUTE)
  const last = open()
  last.note(source('small'))
  t.match(last.find(time.clock.now() - 1), { kind: 'unknown', reason: /too large/ })
  rmSync(join(folder, 'policies'), { recursive: true })
  writeFileSync(join(folder, 'policies'), 'in the way')
  t.match(last.note(source('nowhere to be kept')), /EEXIST|ENOTDIR/)
})

t.test('checks and forces of a fleet come into the journal', async (t) => {
  const setup = makeSetup()
  t.teardown(() => rmSync(setup.stateFolder, { recursive: true, force: true }))
  const { time, health, set } = makeToyFleet(setup)
  for (const name of ['icn', 'fra', 'apac', 'tokyo']) set(name, 'running')
  await time.turn(5000)
  const up = time.clock.now()
  await time.turn(1000)
  await health.forces.set({ name: 'fra', state: 'drain', why: 'a new disk', since: time.clock.now() })
  set('icn', 'failed', 'killed by SIGKILL')
  await time.turn(1000)
  const [before, after] = [await health.past(up), await health.past(time.clock.now())]
  t.match(states(before), { icn: /^UP none/, fra: /^UP none/ })
  t.match(states(after), { icn: /^DOWN none its process has ended: killed by SIGKILL/, fra: 'UP drain a new disk' })
  await health.close()
  t.match(readFileSync(join(setup.stateFolder, 'events.jsonl'), 'utf8').trimEnd().split('\n').at(-1), /"event":"stop"/)
})
