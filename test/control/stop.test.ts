import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { makeStops, type Stops } from '../../daemon/control/admin-stop.ts'
import type { MemberStatus } from '../../daemon/control/api.ts'
import { daemonStatus, makeSetup, makeToyFleet, silent, type ToyFleet } from './fleet.ts'

interface Stage {
  readonly fleet: ToyFleet
  readonly stops: Stops
  member(name: string): MemberStatus
}

async function makeStage(setup = makeSetup(), time?: ToyFleet['time']): Promise<Stage> {
  const fleet = makeToyFleet(setup, time)
  const { clock, after } = fleet.time
  const stops = makeStops({ health: fleet.health, fleet: fleet.requests, clock, after, log: silent, routedTtl: () => daemonStatus.routedTtl })
  await fleet.time.turn(50)
  const member = (name: string): MemberStatus => fleet.health.members().find((each) => each.name === name)!
  return { fleet, stops, member }
}

t.test('a stop leaves the answers at once, serves on until the last TTL has run out, then ends', async (t) => {
  const { fleet, stops, member } = await makeStage()
  t.match(member('icn'), { health: 'UP', answerable: true, process: 'running' })
  const generation = fleet.health.table.generation[0]!
  const stopping = stops.stop(member('icn'), { now: false })
  t.equal(member('icn').answerable, false, 'before anything else')
  t.ok(fleet.health.table.generation[0]! > generation, 'what was prepared is dropped')
  t.equal(await stopping, 22_000)
  t.match(member('icn'), { forced: { state: 'down', why: 'stopped by operator' }, exitsAt: fleet.time.clock.now() + 22_000, process: 'running' })
  await fleet.time.turn(21_900)
  t.equal(fleet.state('icn'), 'running')
  await fleet.time.turn(200)
  t.equal(fleet.state('icn'), 'stopped')
  t.same(fleet.asked, ['stop icn'])
  t.match(member('icn'), { health: 'DOWN', why: 'its process was stopped: by operator', answerable: false, exitsAt: undefined })
})

t.test('now means now, and again brings it forward but never puts it off', async (t) => {
  const { fleet, stops, member } = await makeStage()
  t.equal(await stops.stop(member('icn'), { now: true }), 0)
  t.equal(fleet.state('icn'), 'stopped')
  t.equal(await stops.stop(member('icn'), { now: false }), 0, 'it is stopped already')
  t.same(fleet.asked, ['stop icn'])
  await stops.stop(member('fra'), { now: false })
  await fleet.time.turn(10_000)
  t.equal(await stops.stop(member('fra'), { now: false }), 12_000)
  t.equal(await stops.stop(member('fra'), { now: true }), 0)
  t.equal(fleet.state('fra'), 'stopped')
  await fleet.time.turn(60_000)
  t.same(fleet.asked, ['stop icn', 'stop fra'])
})

t.test('start cancels a pending stop', async (t) => {
  const { fleet, stops, member } = await makeStage()
  await stops.stop(member('icn'), { now: false })
  await fleet.time.turn(5000)
  t.equal(await stops.start(member('icn')), undefined)
  t.match(member('icn'), { answerable: true, forced: undefined, exitsAt: undefined })
  await fleet.time.turn(60_000)
  t.same(fleet.asked, [], 'it never ended, so nobody had to start it')
})

t.test('start after a stop brings it back once its checks pass, within 5 s', async (t) => {
  const { fleet, stops, member } = await makeStage()
  await stops.stop(member('icn'), { now: true })
  await fleet.time.turn(45_000)
  await stops.start(member('icn'))
  t.equal(member('icn').answerable, false, 'started is not yet sound')
  const took = await fleet.time.turnUntil(() => member('icn').answerable === true, 10_000)
  t.ok(took !== undefined && took <= 5000, `back after ${took} ms`)
  t.same(fleet.asked, ['stop icn', 'start icn'])
})

t.test('a stop for a while is undone by itself', async (t) => {
  const { fleet, stops, member } = await makeStage()
  await stops.stop(member('icn'), { now: false, forMs: 60_000 })
  await fleet.time.turn(59_000)
  t.equal(fleet.state('icn'), 'stopped')
  await fleet.time.turn(6000)
  t.same(fleet.asked, ['stop icn', 'start icn'])
  t.match(member('icn'), { forced: undefined, answerable: true })
})

t.test('a daemon that starts in the middle of a stop takes it up, and one that starts after its end undoes it', async (t) => {
  const setup = makeSetup()
  const first = await makeStage(setup)
  await first.stops.stop(first.member('icn'), { now: false, forMs: 40_000 })
  await first.fleet.time.turn(10_000)
  first.stops.close()
  const second = await makeStage(setup, first.fleet.time)
  t.match(second.member('icn'), { answerable: false, forced: { why: 'stopped by operator' } })
  await second.fleet.time.turn(12_100)
  t.same(second.fleet.asked, ['stop icn'])
  await first.fleet.time.turn(20_000)
  t.same(second.fleet.asked, ['stop icn', 'start icn'])

  const other = makeSetup()
  const stopped = [{ name: 'icn', state: 'down', why: 'stopped by operator', since: 0, until: 1, stop: { exitsAt: 1, asked: true } }, { name: 'gone', state: 'down', why: 'x', since: 0 }]
  writeFileSync(join(other.stateFolder, 'forces.json'), JSON.stringify(stopped))
  const late = makeToyFleet(other)
  late.set('icn', 'stopped')
  await late.time.turn(1000)
  t.match(late.health.members()[0], { name: 'icn', forced: undefined, answerable: false })
  const { clock, after } = late.time
  makeStops({ health: late.health, fleet: late.requests, clock, after, log: silent, routedTtl: () => 20 })
  t.same(late.asked, ['start icn'], 'even when it ended before anybody could start it again')
})

t.test('a supervisor that refuses is reported, and the member stays out until it is started', async (t) => {
  const { fleet, stops, member } = await makeStage()
  fleet.refuseWith('no such process')
  t.equal(await stops.stop(member('icn'), { now: true }), 'no such process')
  t.equal(member('icn').answerable, false)
  fleet.refuseWith(undefined)
  t.equal(await stops.start(member('icn')), undefined)
  t.equal(member('icn').answerable, true)
})

t.test('rehearsed deaths are not held against a member, real ones are', async (t) => {
  const { fleet, member } = await makeStage()
  const deaths = async (rehearsed: boolean): Promise<number[]> => {
    const took: number[] = []
    for (let death = 0; death < 4; death++) {
      if (rehearsed) fleet.health.rehearse('icn')
      await fleet.requests.ask('kill', 'icn')
      await fleet.time.turn(500)
      await fleet.requests.ask('start', 'icn')
      took.push((await fleet.time.turnUntil(() => member('icn').answerable === true, 60_000)) ?? Number.NaN)
      await fleet.time.turn(1000)
    }
    return took
  }
  t.ok((await deaths(true)).every((took) => took <= 5000))
  const real = await deaths(false)
  t.ok(real.slice(0, 2).every((took) => took <= 5000), 'two in a short time are no flap')
  t.ok(real.slice(2).every((took) => took > 9000), `${real}`)
})

t.test('forced states are kept in a file that is always whole, a damaged one counts as none', async (t) => {
  const setup = makeSetup()
  const { fleet } = await makeStage(setup)
  await fleet.health.forces.set({ name: 'fra', state: 'drain', why: 'maintenance', since: 1 })
  await fleet.health.forces.set({ name: 'icn', state: 'up', why: 'pinned', since: 2 })
  const file = join(setup.stateFolder, 'forces.json')
  t.match(JSON.parse(readFileSync(file, 'utf8')), [{ name: 'fra', state: 'drain' }, { name: 'icn', state: 'up' }])
  t.notOk(existsSync(`${file}.new`))
  const again = await makeStage(setup)
  t.match(again.member('fra'), { answerable: false, forced: { state: 'drain', why: 'maintenance', since: 1 } })
  again.fleet.set('icn', 'failed', 'killed by SIGKILL')
  t.match(again.member('icn'), { health: 'DOWN', answerable: true }, 'a pin wins over the checks')
  writeFileSync(file, '[{"name":')
  const third = await makeStage(setup)
  t.match(third.member('fra'), { answerable: true, forced: undefined })
})

t.test('health is kept over a restart', async (t) => {
  const setup = makeSetup()
  const first = await makeStage(setup)
  first.fleet.set('icn', 'failed', 'exited with 1')
  await first.fleet.time.turn(100)
  await first.fleet.health.close()
  const second = makeToyFleet(setup, first.fleet.time)
  t.match(second.health.members()[1], { name: 'fra', health: 'UP', since: first.member('fra').since })
})

t.test('why a target is not simply up', async (t) => {
  const { fleet } = await makeStage(makeSetup())
  t.equal(fleet.health.reason('icn'), undefined)
  fleet.set('icn', 'failed', 'exited with 1')
  await fleet.time.turn(3000)
  t.equal(fleet.health.reason('icn'), 'down for 3 s: its process has ended: exited with 1')
  await fleet.health.forces.set({ name: 'icn', state: 'drain', why: 'new disks', since: fleet.time.clock.now() - 60_000 })
  t.equal(fleet.health.reason('icn'), 'forced drain for 60 s: new disks')
  t.equal(fleet.health.reason('192.0.2.1'), undefined)
})
