import t from 'tap'
import { pino } from 'pino'
import { Checker, isAnswerable, isSuspect, makeHealthTable, verdictOf, type Plan, type ProbeResult, type SavedTarget } from '../../healthchecks/index.ts'
import { makeManualClock } from '../helpers/manual-clock.ts'

const ROUND_MS = 30_000
const passes: Answer = { passed: true, why: 'status 200', takes: 5 }
const refuses: Answer = { passed: false, refused: true, why: 'connection refused', takes: 1 }
const blackHole: Answer = { passed: false, why: 'no complete answer within 2000 ms', takes: 2000 }
const errors: Answer = { passed: false, why: 'status 500', takes: 5 }

interface Answer extends Omit<ProbeResult, 'ms'> {
  readonly takes: number
}

/** A fleet of six whose first member answers its probes as `answer` says at that time; the rounds go by the manual clock too. */
function makeFleet(answer: (elapsed: number, asked: number, kind: string) => Answer, known?: readonly SavedTarget[], rise = 2) {
  const { clock, after, turn, turnUntil } = makeManualClock()
  const table = makeHealthTable(6)
  const asked: { at: number; kind: string }[] = []
  let underWay = 0
  let mostUnderWay = 0
  const rounds = (_: string, begin: (lengthMs: number, first: boolean) => void): (() => void) => {
    const next = (first: boolean): void => {
      begin(ROUND_MS, first)
      after(ROUND_MS, () => next(false))
    }
    next(true)
    return () => undefined
  }
  const planOf = (name: string): Plan => ({ check: 'default', inverted: false, disabled: false, what: { probe: { spec: { kind: 'http', addresses: [name], port: 1, path: '/' }, every: '', timeoutMs: 2000, connectMs: 2000, fall: 3, rise } } })
  const checker = new Checker({
    holdDownMs: 10_000,
    clock,
    after,
    log: pino({ level: 'silent' }),
    rounds,
    ...(known === undefined ? {} : { known }),
    probe: async (spec, { kind, signal }) => {
      if (spec.addresses[0] !== 'icn') return { ...passes, ms: passes.takes }
      asked.push({ at: clock.elapsed(), kind })
      mostUnderWay = Math.max(mostUnderWay, ++underWay)
      const { takes, ...result } = answer(clock.elapsed(), asked.length, kind)
      await new Promise<void>((resolve) => {
        after(takes, resolve)
        signal.addEventListener('abort', () => resolve())
      })
      underWay--
      return { ...result, ms: takes }
    }
  })
  checker.add(['icn', 'nrt', 'fra', 'iad', 'gru', 'syd'].map((name, index) => ({ name, plan: planOf(name), table, index })))
  const verdict = (): string => verdictOf(table.words[0]!)
  return { checker, table, clock, turn, turnUntil, asked, verdict, mostUnderWay: () => mostUnderWay }
}

t.test('the first round asks everybody at once, and one pass is enough to be up', async (t) => {
  const fleet = makeFleet(() => passes)
  t.equal(fleet.verdict(), 'UNKNOWN')
  t.ok(isAnswerable(fleet.table.words[0]!), 'what is not known is answered')
  await fleet.turn(10)
  await fleet.checker.settled()
  t.same([...fleet.table.words].map(verdictOf), Array(6).fill('UP'))
})

t.test('a sound target is asked twice in each round, in full and lightly, half a round apart', async (t) => {
  const fleet = makeFleet(() => passes)
  await fleet.turn(ROUND_MS * 3 - 1)
  const later = fleet.asked.filter(({ at }) => at >= ROUND_MS)
  t.same(later.map(({ kind }) => kind), ['full', 'light', 'full', 'light'])
  t.same(later.map(({ at }) => at % ROUND_MS), [0, 15_000, 0, 15_000])
})

t.test('an unannounced death at any moment of a round is out in under 30 s, whatever shape it has', async (t) => {
  for (const death of [refuses, blackHole, errors]) {
    for (let moment = 100; moment < ROUND_MS; moment += 4900) {
      const diesAt = 2 * ROUND_MS + moment
      const fleet = makeFleet((elapsed) => (elapsed >= diesAt ? death : passes))
      await fleet.turn(diesAt)
      t.equal(fleet.verdict(), 'UP')
      const took = await fleet.turnUntil(() => fleet.verdict() === 'DOWN', ROUND_MS)
      t.ok(took !== undefined && took < ROUND_MS, `${death.why} at ${moment} ms: out after ${took} ms`)
    }
  }
})

t.test('a probe that fails now and then flips nothing, but makes the target suspect until one has passed', async (t) => {
  const flaky = makeFleet((_, asked) => (asked % 3 === 0 || asked % 3 === 1 ? errors : passes))
  let suspected = false
  for (let second = 0; second < 600; second++) {
    await flaky.turn(1000)
    if (flaky.verdict() === 'DOWN') break
    suspected ||= isSuspect(flaky.table.words[0]!)
  }
  t.equal(flaky.verdict(), 'UP')
  t.ok(suspected)
})

t.test('a late answer is confirmed before it has failed, and an old failure proves nothing after a newer pass', async (t) => {
  const fleet = makeFleet((elapsed) => (elapsed === ROUND_MS ? { ...blackHole, takes: 5000 } : passes))
  await fleet.turn(ROUND_MS + 1990)
  const before = fleet.asked.length
  t.notOk(isSuspect(fleet.table.words[0]!))
  await fleet.turn(12)
  t.equal(fleet.asked.length, before + 1, 'two seconds without an answer start the next probe')
  t.ok(isSuspect(fleet.table.words[0]!))
  await fleet.turn(2999)
  t.notOk(isSuspect(fleet.table.words[0]!), 'the late answer has come to nothing meanwhile')
  t.equal(fleet.asked.length, before + 1)
  t.equal(fleet.verdict(), 'UP')
})

t.test('probes that were all let go at one moment count as one pass', async (t) => {
  const wakes = 60_900
  const fleet = makeFleet((elapsed) => (elapsed < 40_000 ? passes : elapsed < wakes - 3500 ? blackHole : elapsed < wakes ? { ...passes, takes: wakes - elapsed } : elapsed < wakes + 500 ? passes : blackHole))
  await fleet.turn(wakes - 1)
  t.equal(fleet.verdict(), 'DOWN')
  t.ok(fleet.asked.filter(({ at, kind }) => at >= wakes - 3500 && at < wakes && kind !== 'light').length > 1, 'several wait for their answers')
  await fleet.turn(10_000)
  t.equal(fleet.verdict(), 'DOWN', 'half a second awake brings nobody back')
})

t.test('the head of an answer alone brings nobody back', async (t) => {
  const fleet = makeFleet((elapsed, _, kind) => (elapsed < 40_000 || kind === 'light' ? passes : blackHole), undefined, 1)
  await fleet.turn(70_000)
  t.equal(fleet.verdict(), 'DOWN')
  const back = await fleet.turnUntil(() => fleet.verdict() === 'UP', 5 * ROUND_MS)
  t.equal(back, undefined)
})

t.test('a target that comes back unannounced is back within 5 s', async (t) => {
  for (const backAt of [70_000, 70_700, 71_900, 73_100]) {
    const fleet = makeFleet((elapsed) => (elapsed >= 40_000 && elapsed < backAt ? blackHole : passes))
    await fleet.turn(backAt)
    t.equal(fleet.verdict(), 'DOWN')
    const took = await fleet.turnUntil(() => fleet.verdict() === 'UP', 10_000)
    t.ok(took !== undefined && took <= 5000, `back after ${took} ms`)
  }
})

t.test('what the supervisor tells takes effect at once, and a probe does not contradict it', async (t) => {
  const fleet = makeFleet(() => passes)
  await fleet.turn(100)
  fleet.checker.evidence('icn', 'gone', 'its process has ended: killed by SIGKILL')
  t.equal(fleet.verdict(), 'DOWN')
  await fleet.turn(2 * ROUND_MS)
  t.equal(fleet.verdict(), 'DOWN', 'probes that pass are not believed before it is back')
  t.match(fleet.checker.report('icn'), { why: 'its process has ended: killed by SIGKILL' })
  fleet.checker.evidence('icn', 'back', 'ready')
  t.equal(fleet.verdict(), 'DOWN', 'its word alone does not bring it back')
  const took = await fleet.turnUntil(() => fleet.verdict() === 'UP', 10_000)
  t.ok(took !== undefined && took <= 2000, `two passes a second apart do: ${took} ms`)
})

t.test('a fleet that is being started is not called down', async (t) => {
  const fleet = makeFleet((elapsed) => (elapsed < 5000 ? refuses : passes))
  fleet.checker.evidence('icn', 'starting', '')
  await fleet.turn(6000)
  t.equal(fleet.verdict(), 'UNKNOWN')
  fleet.checker.evidence('icn', 'back', 'ready')
  await fleet.turn(50)
  t.equal(fleet.verdict(), 'UP')
})

t.test('a fleet that is started again keeps what was known of it until it is up, and nothing has fallen', async (t) => {
  const now = makeManualClock().clock.now()
  const known: SavedTarget = { name: 'icn', verdict: 'UP', why: 'passed', since: now - 100_000, checkedAt: now - 60_000, falls: 2.6 }
  const fleet = makeFleet((elapsed) => (elapsed < 5000 ? refuses : passes), [known])
  fleet.checker.evidence('icn', 'starting', '')
  let isSettled = false
  void fleet.checker.settled().then(() => (isSettled = true))
  await fleet.turn(2000)
  t.notOk(isSettled, 'nothing is answered yet')
  await fleet.turn(3900)
  t.equal(fleet.verdict(), 'UP')
  fleet.checker.evidence('icn', 'back', 'ready')
  await fleet.turn(50)
  t.match(fleet.checker.report('icn'), { verdict: 'UP', why: 'passed its first check' })
  t.ok(fleet.checker.report('icn')!.falls < 2.6, 'no fall was counted')
})

t.test('only flaps are held down: from the third fall in a short time, doubling, forgotten in time', async (t) => {
  let dead = false
  const fleet = makeFleet(() => (dead ? refuses : passes))
  const outage = async (): Promise<number> => {
    dead = true
    fleet.checker.evidence('icn', 'gone', 'ended')
    await fleet.turn(500)
    dead = false
    fleet.checker.evidence('icn', 'back', 'ready')
    const took = await fleet.turnUntil(() => fleet.verdict() === 'UP', 120_000)
    await fleet.turn(1000)
    return Math.round((took ?? Number.NaN) / 1000)
  }
  await fleet.turn(100)
  t.same([await outage(), await outage()], [1, 1], 'the first two come back at the pace of the burst')
  const held = [await outage(), await outage(), await outage()]
  t.same(held.map((seconds) => Math.round((seconds + 0.5) / 10) * 10), [10, 20, 40])
  await fleet.turn(15 * 60_000)
  t.equal(await outage(), 1, 'a quarter of an hour later nothing is held against it')
})

t.test('a planned end is no flap', async (t) => {
  const fleet = makeFleet(() => passes)
  await fleet.turn(100)
  for (let time = 0; time < 6; time++) {
    fleet.checker.evidence('icn', 'gone', 'stopped', true)
    await fleet.turn(500)
    fleet.checker.evidence('icn', 'back', 'ready')
    const took = await fleet.turnUntil(() => fleet.verdict() === 'UP', 60_000)
    t.ok(took !== undefined && took <= 2000)
  }
})

t.test('probes of a target that hangs are bounded, and what is given up is forgotten', async (t) => {
  const fleet = makeFleet(() => ({ ...blackHole, takes: 60_000 }))
  await fleet.turn(5 * ROUND_MS)
  t.equal(fleet.mostUnderWay(), 4)
})

t.test('what is known is kept over a restart while it is young', async (t) => {
  const now = makeManualClock().clock.now()
  const saved = { name: 'icn', verdict: 'DOWN', why: 'status 500', since: now - 100_000, checkedAt: now - 60_000, falls: 1 } as const
  const kept = makeFleet(() => errors, [saved])
  t.equal(kept.verdict(), 'DOWN')
  t.match(kept.checker.report('icn'), { since: saved.since, why: 'status 500' })
  t.equal(makeFleet(() => errors, [{ ...saved, checkedAt: now - 3_600_000 }]).verdict(), 'UNKNOWN', 'an hour old is nothing')
  t.equal(makeFleet(() => errors, [{ ...saved, checkedAt: now + 3_600_000 }]).verdict(), 'UNKNOWN', 'and so is what comes from the future')
  const recovers = makeFleet(() => passes, [saved])
  const took = await recovers.turnUntil(() => recovers.verdict() === 'UP', 10_000)
  t.ok(took !== undefined && took <= 5000)
})
