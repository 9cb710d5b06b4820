import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { decide, hold, needed, seesNothing, type Decision, type Point, type Rules } from '../../daemon/pops/decide.ts'
import type { Sight } from '../../daemon/pops/sight.ts'
import type { Verdict } from '../../healthchecks/index.ts'

const rules: Rules = { total: 4, quorum: 'half', healthyAbove: 0.18 }
const sight = (verdict: Verdict, more: Partial<Sight> = {}): Sight => ({ name: 'x', verdict, isSuspect: false, isRunner: false, isGone: false, since: 0, why: '', ...more })
/** A vantage point by a word per target: `a:up b:down c:gone`, `gone` where it runs it. */
const point = (pop: string, ...words: string[]): Point => ({
  pop,
  sights: new Map(words.map((word) => {
    const [key, state] = word.split(':') as [string, string]
    if (state === 'gone') return [key, sight('DOWN', { isRunner: true, isGone: true })]
    if (state.startsWith('own-')) return [key, sight(state.slice(4).toUpperCase() as Verdict, { isRunner: true })]
    return [key, state === 'suspect' ? sight('UP', { isSuspect: true }) : sight(state.toUpperCase() as Verdict)]
  }))
})
const decided = (points: readonly Point[], last?: Verdict, with_: Partial<Rules> = {}, key = 'a'): string => {
  const all = { ...rules, ...with_ }
  const { verdict, isSuspect, basis, up, of } = decide(key, hold(points[0]!, points.slice(1), all), last, all)
  return `${verdict}${isSuspect ? '?' : ''} ${basis} ${up}/${of}`
}
const fine = 'z:up'

t.test('up is what more than 18 per cent of the vantage points see up', async (t) => {
  t.equal(decided([point('1', 'a:down', fine), point('2', 'a:up'), point('3', 'a:up'), point('4', 'a:up')]), 'UP? votes 3/4')
  t.equal(decided([point('1', 'a:up'), point('2', 'a:up'), point('3', 'a:up'), point('4', 'a:up')]), 'UP votes 4/4')
  t.equal(decided([point('1', 'a:down', fine), point('2', 'a:down', fine), point('3', 'a:down', fine), point('4', 'a:up')]), 'UP? votes 1/4')
  t.equal(decided([point('1', 'a:down', fine), point('2', 'a:down', fine), point('3', 'a:down', fine), point('4', 'a:down', fine)]), 'DOWN votes 0/4')
  const six = (ups: number): Point[] => Array.from({ length: 6 }, (_, index) => point(String(index), index < ups ? 'a:up' : 'a:down', fine))
  t.equal(decided(six(1), undefined, { total: 6 }), 'DOWN votes 1/6', 'one of six is 17 per cent')
  t.equal(decided(six(2), undefined, { total: 6 }), 'UP? votes 2/6')
  t.equal(decided(six(3), undefined, { total: 6, healthyAbove: 0.5 }), 'DOWN votes 3/6', 'not more than a half')
  t.equal(decided([point('1', 'a:up'), point('2', 'a:suspect')]), 'UP? votes 2/2')
  t.equal(decided([point('1', 'a:unknown', fine), point('2', 'a:down', fine)], 'UP'), 'DOWN votes 0/1', 'who has no verdict has no voice')
})

t.test('a vantage point that sees everything down is not believed, this one neither', async (t) => {
  t.equal(decided([point('1', 'a:down', 'z:down'), point('2', 'a:up', fine), point('3', 'a:up', fine)]), 'UP votes 2/2')
  t.equal(decided([point('1', 'a:down', fine), point('2', 'a:down', fine), point('3', 'a:down', 'z:down')]), 'DOWN votes 0/2')
  t.equal(decided([point('1', 'a:down', 'z:down'), point('2', 'a:down', 'z:down')], 'UP'), 'UP held 0/0', 'nobody is left to believe')
  t.equal(decided([point('1', 'a:down', 'z:down')], undefined, { quorum: 1, total: 2 }), 'UNKNOWN held 0/0')
  t.notOk(seesNothing(point('1', 'a:down')), 'one target tells of itself')
  t.notOk(seesNothing(point('1', 'a:unknown', 'b:unknown')))
  t.ok(seesNothing(point('1', 'a:down', 'b:down', 'c:unknown')))
})

t.test('without a quorum what was decided last holds, and own checks tell of what runs here', async (t) => {
  t.equal(decided([point('1', 'a:down', fine)], 'UP'), 'UP held 0/1')
  t.equal(decided([point('1', 'a:up')], 'DOWN'), 'DOWN held 1/1')
  t.equal(decided([point('1', 'a:down', fine)]), 'DOWN own 0/1', 'nothing was decided yet')
  t.equal(decided([point('1', 'a:own-down', fine)], 'UP'), 'DOWN own 0/1')
  t.equal(decided([point('1', 'a:own-up')], 'DOWN'), 'UP own 1/1')
  t.equal(decided([point('1', 'a:own-down', 'z:down')], 'UP'), 'UP held 0/0', 'unless all it sees is down')
  t.equal(decided([point('1', 'a:down', fine), point('2', 'a:down', fine)], 'UP', { quorum: 'majority' }), 'UP held 0/2')
  t.same([1, 2, 3, 4, 5].map((total) => needed(total, 'half')), [1, 1, 2, 2, 3])
  t.same([1, 2, 3, 4, 5].map((total) => needed(total, 'majority')), [1, 2, 2, 3, 3])
  t.equal(needed(5, 4), 4)
})

t.test('that a process is gone counts at once, whoever else sees it up, and with no quorum', async (t) => {
  t.equal(decided([point('1', 'a:gone', fine), point('2', 'a:up'), point('3', 'a:up'), point('4', 'a:up')], 'UP'), 'DOWN gone 3/4')
  t.equal(decided([point('1', 'a:gone', fine)], 'UP'), 'DOWN gone 0/1')
  t.equal(decided([point('1', 'a:up'), point('2', 'a:gone', fine)], 'UP'), 'DOWN gone 1/2', 'elsewhere, while that is heard')
  t.equal(decided([point('1', 'a:gone', 'z:gone')], 'UP'), 'DOWN gone 0/0', 'all that runs here is gone: known, not seen')
})

// From here on worlds at random: what each vantage point sees of four targets.
const verdict = fc.constantFrom<Verdict>('UP', 'DOWN', 'UNKNOWN')
const anyPoint = fc.array(fc.record({ verdict, isSuspect: fc.boolean(), isRunner: fc.boolean(), isGone: fc.boolean() }), { minLength: 4, maxLength: 4 })
const anyWorld = fc.record({ points: fc.array(anyPoint, { minLength: 1, maxLength: 7 }), silent: fc.nat(3), quorum: fc.constantFrom('half' as const, 'majority' as const, 2), last: fc.option(fc.constantFrom<Verdict>('UP', 'DOWN'), { nil: undefined }), healthyAbove: fc.constantFrom(0, 0.18, 0.5) })
type World = typeof anyWorld extends fc.Arbitrary<infer Value> ? Value : never

const pointsOf = (world: World): Point[] => world.points.map((seen, index) => ({ pop: `p${index}`, sights: new Map(seen.map((each, at) => [`t${at}`, { ...sight(each.verdict), ...each, isGone: each.isGone && each.isRunner }])) }))
const rulesOf = (world: World): Rules => ({ total: world.points.length + world.silent, quorum: world.quorum, healthyAbove: world.healthyAbove })
const run = (world: World, points = pointsOf(world)): Decision[] => ['t0', 't1', 't2', 't3'].map((key) => decide(key, hold(points[0]!, points.slice(1), rulesOf(world)), world.last, rulesOf(world)))

t.test('in any world: the rules as they are written', async () => {
  fc.assert(fc.property(anyWorld, (world) => {
    const points = pointsOf(world)
    const believed = points.filter((point) => !seesNothing(point))
    for (const [at, { verdict, basis, up, of, by }] of run(world).entries()) {
      const seen = believed.map(({ sights }) => sights.get(`t${at}`)!.verdict).filter((each) => each !== 'UNKNOWN')
      assert.equal(up, seen.filter((each) => each === 'UP').length)
      assert.equal(of, seen.length)
      const gone = points.some(({ sights }) => sights.get(`t${at}`)!.isGone && sights.get(`t${at}`)!.verdict === 'DOWN')
      assert.equal(basis === 'gone', gone)
      assert.equal(by !== undefined, gone)
      if (gone) assert.equal(verdict, 'DOWN')
      else if (believed.length < needed(rulesOf(world).total, world.quorum)) assert.ok(basis === 'held' || basis === 'own')
      else if (of > 0) assert.equal(verdict === 'UP', up / of > world.healthyAbove)
      if (basis === 'held') assert.equal(verdict, world.last ?? 'UNKNOWN')
    }
  }))
})

t.test('in any world: who else stands in which order makes no difference, and one more that sees it up takes nothing down', async () => {
  fc.assert(fc.property(anyWorld, fc.nat(), (world, by) => {
    const points = pointsOf(world)
    const rest = points.slice(1)
    const turned = rest.length === 0 ? rest : [...rest.slice(by % rest.length), ...rest.slice(0, by % rest.length)]
    assert.deepEqual(run(world, [points[0]!, ...turned]).map(({ verdict, basis, up, of }) => [verdict, basis, up, of]), run(world).map(({ verdict, basis, up, of }) => [verdict, basis, up, of]))
    const allUp: Point = { pop: 'more', sights: new Map(['t0', 't1', 't2', 't3'].map((key) => [key, sight('UP')])) }
    const before = run(world)
    // It was there already, and was not heard.
    if (world.silent === 0) return
    const after = run({ ...world, points: [...world.points, []], silent: world.silent - 1 }, [...points, allUp])
    for (const [at, one] of after.entries()) if (before[at]!.basis === 'votes' && before[at]!.verdict === 'UP') assert.equal(one.verdict, 'UP')
  }))
})

t.test('partitions of a network of PoPs: whoever is in the smaller part holds what was decided, and all agree once it is whole', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('target' as const), target: fc.nat(3), isUp: fc.boolean() }),
    fc.record({ kind: fc.constant('split' as const), parts: fc.array(fc.nat(1), { minLength: 5, maxLength: 5 }) }),
    fc.record({ kind: fc.constant('heal' as const) })
  )
  fc.assert(fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
    const all: Rules = { total: 5, quorum: 'majority', healthyAbove: 0.18 }
    const targets = [true, true, true, true]
    let parts = [0, 0, 0, 0, 0]
    const last = Array.from({ length: 5 }, () => new Map<string, Verdict>())
    const settle = (): Decision[][] => {
      // Target n is near PoP n: whoever is in another part does not reach it.
      const points = parts.map((part, pop): Point => ({ pop: `p${pop}`, sights: new Map(targets.map((isUp, at) => [`t${at}`, sight(isUp && parts[at] === part ? 'UP' : 'DOWN')])) }))
      return points.map((own, pop) => targets.map((_, at) => {
        const council = hold(own, points.filter((_, other) => other !== pop && parts[other] === parts[pop]), all)
        const decision = decide(`t${at}`, council, last[pop]!.get(`t${at}`), all)
        if (decision.basis === 'votes') last[pop]!.set(`t${at}`, decision.verdict)
        return decision
      }))
    }
    settle()
    for (const one of steps) {
      if (one.kind === 'target') targets[one.target] = one.isUp
      else parts = one.kind === 'split' ? one.parts : [0, 0, 0, 0, 0]
      const before = last.map((map) => new Map(map))
      const decisions = settle()
      for (const [pop, list] of decisions.entries()) {
        const size = parts.filter((part) => part === parts[pop]).length
        for (const [at, decision] of list.entries()) if (size < 3) assert.equal(decision.verdict, before[pop]!.get(`t${at}`) ?? decision.verdict)
      }
    }
    parts = [0, 0, 0, 0, 0]
    const whole = settle()
    if (targets.some((isUp) => isUp)) for (const list of whole) assert.deepEqual(list.map(({ verdict }) => verdict), targets.map((isUp) => (isUp ? 'UP' : 'DOWN')))
  }))
})
