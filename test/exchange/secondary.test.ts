import t from 'tap'
import { expiryOf, heldOf, nextTick, startSecondary, stepSecondary, type Held, type SecondaryEvent, type SecondaryState } from '../../daemon/exchange/secondary.ts'
import { records, soa } from './replies.ts'

const FACTS = { primaries: 2, random: () => 1 }
const held = (serial: number): Held => ({ serial, refresh: 100, retry: 10, expire: 1000 })

/** A zone with its clock: what each event leads to, in words. */
function zone(state: SecondaryState, facts = FACTS): { now: number; state: SecondaryState; on(event: SecondaryEvent): string[]; pass(ms: number): string[] } {
  const run = {
    now: 0,
    state,
    on: (event: SecondaryEvent): string[] => {
      const { state, actions } = stepSecondary(run.state, event, run.now, facts)
      run.state = state
      return actions.map((action) => ('primary' in action ? `${action.kind}${'isWhole' in action && action.isWhole ? ' whole' : ''} ${action.primary}` : action.kind))
    },
    pass: (ms: number): string[] => {
      run.now += ms
      return run.on({ kind: 'tick' })
    }
  }
  return run
}

t.test('a zone that is new here', async (t) => {
  const run = zone(startSecondary(0))
  t.equal(nextTick(run.state), 0, 'is asked for at once')
  t.same(run.pass(0), ['transfer whole 0'])
  t.same(run.on({ kind: 'failed', reason: 'x' }), ['trouble 0', 'transfer whole 1'], 'the next primary, without a wait')
  t.same(run.on({ kind: 'failed', reason: 'x' }), ['trouble 1'])
  t.equal(nextTick(run.state), 2000, 'then waits, each time twice as long')
  const waits = [4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 512_000, 600_000, 600_000]
  for (const wait of waits) {
    run.pass(nextTick(run.state) - run.now)
    run.on({ kind: 'failed', reason: 'x' })
    run.on({ kind: 'failed', reason: 'x' })
    t.equal(nextTick(run.state) - run.now, wait)
  }
  run.pass(600_000)
  t.same(run.on({ kind: 'taken', soa: held(5) }), [])
  t.equal(nextTick(run.state) - run.now, 100_000, 'and is asked after as its SOA says')
})

t.test('refresh, retry, expire', async (t) => {
  const run = zone(startSecondary(0, held(5), 0))
  t.same(run.pass(0), ['ask 0'], 'what was stored is compared at once')
  t.same(run.on({ kind: 'told', soa: held(5) }), [])
  t.equal(nextTick(run.state), 100_000)
  t.same(run.pass(100_000), ['ask 0'])
  t.same(run.on({ kind: 'told', soa: held(6) }), ['transfer 0'])
  t.same(run.on({ kind: 'taken', soa: held(6) }), [])
  t.equal(run.state.held?.serial, 6)
  t.equal(expiryOf(run.state), 1_100_000)

  run.pass(100_000)
  run.on({ kind: 'failed', reason: 'x' })
  t.same(run.on({ kind: 'failed', reason: 'x' }), ['trouble 1'])
  t.equal(nextTick(run.state) - run.now, 10_000, 'retry')
  t.same(run.pass(10_000), ['ask 0'])
  run.now = 1_099_999
  t.same(run.on({ kind: 'failed', reason: 'x' }), ['trouble 0', 'ask 1'])
  t.equal(nextTick(run.state), 1_100_000, 'expiry comes while a primary is being asked')
  t.same(run.pass(1), ['expire'])
  t.same(run.pass(1), [], 'once')
  t.equal(run.state.isExpired, true)
  t.same(run.on({ kind: 'told', soa: held(6) }), ['transfer whole 1'], 'what has expired comes back by a transfer only, even unchanged')
  run.on({ kind: 'taken', soa: held(6) })
  t.equal(run.state.isExpired, false)

  const late = zone(startSecondary(5_000_000, held(5), 1_000_000))
  late.now = 5_000_000
  t.same(late.pass(0), ['expire', 'ask 0'], 'its age counts over a restart')
  const future = startSecondary(1000, held(5), 9_000_000)
  t.equal(expiryOf(future), 1_001_000, 'a time to come is not believed')
})

t.test('serials that do not rise', async (t) => {
  const run = zone(startSecondary(0, held(5), 0))
  run.pass(0)
  t.same(run.on({ kind: 'told', soa: held(4) }), ['trouble 0', 'ask 1'], 'backwards')
  t.same(run.on({ kind: 'told', soa: held((5 + 0x8000_0000) >>> 0) }), ['trouble 1'], 'half the circle away is neither')
  t.equal(run.state.refreshedAt, 0, 'and is no refresh')
  run.pass(10_000)
  t.same(run.on({ kind: 'told', soa: held((5 + 0x7fff_ffff) >>> 0) }), ['transfer 0'])
  run.on({ kind: 'same' })
  t.equal(run.state.refreshedAt, 10_000)
  t.same(run.on({ kind: 'wanted', isWhole: true }), ['transfer whole 0'], 'the operator may want it whole')
  t.same(run.on({ kind: 'taken', soa: held(2) }), [])
  t.equal(run.state.held?.serial, 2, 'whatever its serial')
  run.pass(100_000)
  t.same(run.on({ kind: 'told', soa: held(2) }), [], 'and then it is as before')
})

t.test('notifications', async (t) => {
  const run = zone(startSecondary(0, held(5), 0))
  run.pass(0)
  run.on({ kind: 'told', soa: held(5) })
  run.now = 20_000
  t.same(run.on({ kind: 'notified', primary: 1, serial: 5 }), [], 'of what is held: nothing')
  t.same(run.on({ kind: 'notified', primary: 1, serial: 6 }), ['ask 1'], 'who notifies is asked')
  t.same(run.on({ kind: 'notified', primary: 0, serial: 7 }), [], 'while it is asked, another waits')
  run.on({ kind: 'told', soa: held(6) })
  run.on({ kind: 'taken', soa: held(6) })
  t.equal(nextTick(run.state), 20_250, 'and comes a moment later')
  t.same(run.pass(250), ['ask 0'])
  t.same(run.on({ kind: 'notified', primary: 0, serial: 7 }), [])
  run.on({ kind: 'told', soa: held(7) })
  run.on({ kind: 'taken', soa: held(7) })
  t.ok(nextTick(run.state) > 100_000, 'what the transfer brought already is no news')
  t.same(run.on({ kind: 'notified', primary: 0 }), [], 'right behind a round: a little later')
  t.equal(nextTick(run.state) - run.now, 250)
  const flood = zone(startSecondary(0, held(5), 0))
  let asked = 0
  for (flood.now = 0; flood.now < 10_000; flood.now++) {
    const due = flood.now >= nextTick(flood.state) ? flood.on({ kind: 'tick' }) : []
    const actions = [...due, ...flood.on({ kind: 'notified', primary: 0, serial: 6 })]
    asked += actions.length
    if (actions.length > 0) flood.on({ kind: 'told', soa: held(5) })
  }
  t.ok(asked <= 41, `a flood of notifications asks a primary ${asked} times in 10 s`)
})

t.test('what a SOA asks for is bounded', async (t) => {
  const [absurd] = records('example.org.', soa(7, 0, 0, 0))
  t.same(heldOf(absurd!.rdata), { serial: 7, refresh: 2, retry: 1, expire: 3 })
  const [vast] = records('example.org.', soa(0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff))
  t.same(heldOf(vast!.rdata), { serial: 0xffff_ffff, refresh: 2_419_200, retry: 1_209_600, expire: 31_622_400 })
})
