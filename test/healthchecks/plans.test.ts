import t from 'tap'
import { pino } from 'pino'
import { Checker, isAnswerable, makeHealthTable, planCheck, verdictOf, type CheckTarget, type HealthTable } from '../../healthchecks/index.ts'
import { configSchema } from '../../core/config.ts'
import { makeManualClock } from '../helpers/manual-clock.ts'

// Checks as they are written in nearcast.yaml, over probes that pass unless their path is among those that fail.

interface Stage {
  readonly checker: Checker
  readonly table: HealthTable
  /** From now on these paths fail; probes get time to notice. */
  fail(...paths: string[]): Promise<void>
  turn(milliseconds: number): Promise<void>
  /** How often each path was asked. */
  readonly asked: ReadonlyMap<string, number>
  verdict(index: number): string
}

function makeStage(checks: object, targets: readonly { readonly name: string; readonly check: string }[]): Stage {
  const { config } = { config: configSchema.parse({ checks, edges: { icn: { address: '127.0.10.1', city: 'Seoul', at: [37.46, 126.44] } } }) }
  const { clock, after, turn } = makeManualClock()
  const table = makeHealthTable(targets.length)
  const failing = new Set<string>()
  const asked = new Map<string, number>()
  const checker = new Checker({
    holdDownMs: 1000, clock, after, log: pino({ level: 'silent' }),
    rounds: (_, begin) => {
      begin(10_000, true)
      const again = (): void => {
        begin(10_000, false)
        after(10_000, again)
      }
      after(10_000, again)
      return () => undefined
    },
    probe: async (spec) => {
      const { path } = spec as { readonly path: string }
      asked.set(path, (asked.get(path) ?? 0) + 1)
      return failing.has(path) ? { passed: false, why: `status 500 of ${path}`, ms: 1 } : { passed: true, why: 'status 200', ms: 1 }
    }
  })
  checker.add(targets.map(({ name, check }, index): CheckTarget => ({ name, plan: planCheck(check, config.checks.named, { name, addresses: ['127.0.10.1'], port: 80 }), table, index })))
  return {
    checker, table, turn, asked,
    fail: async (...paths) => {
      failing.clear()
      for (const path of paths) failing.add(path)
      await turn(25_000)
    },
    verdict: (index) => verdictOf(table.words[index]!)
  }
}

const PARTS = { a: { http: '/a' }, b: { http: '/b' }, c: { http: '/c' } }

t.test('at least 2 of: up while two pass, suspect when one more failure would take it down', async (t) => {
  const { checker, fail, verdict } = makeStage({ ...PARTS, two: { of: ['a', 'b', 'c'], 'at-least': 2 } }, [{ name: 'x', check: 'two' }])
  await fail()
  t.equal(verdict(0), 'UP')
  await fail('/a')
  t.equal(verdict(0), 'UP')
  t.equal(checker.report('x')!.why, '2 of 3 pass, 2 needed; a: status 500 of /a')
  await fail('/a', '/c')
  t.equal(verdict(0), 'DOWN')
  t.match(checker.report('x')!.why, /^1 of 3 pass, 2 needed; a: .*; c: /)
  await fail('/c')
  t.equal(verdict(0), 'UP')
})

t.test('all of, and calculated checks within each other', async (t) => {
  const { fail, verdict } = makeStage({ ...PARTS, all: { of: ['a', 'b'] }, any: { of: ['all', 'c'], 'at-least': 1 } }, [{ name: 'x', check: 'all' }, { name: 'y', check: 'any' }])
  await fail('/b')
  t.same([verdict(0), verdict(1)], ['DOWN', 'UP'])
  await fail('/b', '/c')
  t.same([verdict(0), verdict(1)], ['DOWN', 'DOWN'])
  await fail('/c')
  t.same([verdict(0), verdict(1)], ['UP', 'UP'])
})

t.test('inverted turns the verdict round, also within a calculated one', async (t) => {
  const { checker, fail, verdict } = makeStage({ ...PARTS, not: { http: '/a', inverted: true }, mixed: { of: ['not', 'b'] } }, [{ name: 'x', check: 'not' }, { name: 'y', check: 'mixed' }])
  t.equal(verdict(0), 'UNKNOWN', 'what is not known is not turned round')
  await fail()
  t.same([verdict(0), verdict(1)], ['DOWN', 'DOWN'])
  t.match(checker.report('x')!.why, /^inverted: /)
  await fail('/a')
  t.same([verdict(0), verdict(1)], ['UP', 'UP'])
})

t.test('a disabled check asks nothing and is up; inverted too it is down', async (t) => {
  const { checker, fail, verdict, asked } = makeStage({ ...PARTS, off: { http: '/off', disabled: true }, never: { http: '/off', disabled: true, inverted: true }, half: { of: ['a', 'off'] } }, [{ name: 'x', check: 'off' }, { name: 'y', check: 'never' }, { name: 'z', check: 'half' }])
  t.same([verdict(0), verdict(1)], ['UP', 'DOWN'], 'at once')
  await checker.settled()
  await fail('/off')
  t.same([verdict(0), verdict(1), verdict(2)], ['UP', 'DOWN', 'UP'])
  t.equal(asked.get('/off'), undefined)
  t.equal(checker.report('x')!.why, 'check off is disabled')
  await fail('/a')
  t.equal(verdict(2), 'DOWN')
})

t.test('the same probe wanted by many targets runs once, and goes on until the last of them is gone', async (t) => {
  const names = ['u', 'v', 'w']
  const shared = makeStage({ ...PARTS, both: { of: ['a', 'b'] } }, [{ name: 'u', check: 'a' }, { name: 'v', check: 'both' }, { name: 'w', check: 'a' }])
  const alone = makeStage(PARTS, [{ name: 'u', check: 'a' }])
  await Promise.all([shared.turn(60_000), alone.turn(60_000)])
  t.equal(shared.asked.get('/a'), alone.asked.get('/a'), `${shared.asked.get('/a')} times for three as for one`)
  await shared.fail('/a')
  t.same(names.map((_, index) => isAnswerable(shared.table.words[index]!)), [false, false, false])
  shared.checker.remove(['u', 'v'])
  await shared.fail()
  t.equal(shared.verdict(2), 'UP', 'w still has it')
  shared.checker.remove(['w'])
  const asked = shared.asked.get('/a')
  await shared.turn(60_000)
  t.equal(shared.asked.get('/a'), asked, 'nobody wants it any more')
})
