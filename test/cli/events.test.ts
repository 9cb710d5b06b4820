import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { main } from '../../cli/main.ts'
import { openEvents } from '../../daemon/control/events.ts'
import { healthWord, makeHealthTable, type CheckTarget, type Forced, type Verdict } from '../../healthchecks/index.ts'
import { makeManualClock } from '../helpers/manual-clock.ts'
import { silent } from '../control/fleet.ts'

const folder = mkdtempSync(join(tmpdir(), 'nearcast-events-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const plan: CheckTarget['plan'] = { check: 'default', inverted: false, disabled: false, what: { of: [], atLeast: 0 } }

async function run(...argv: string[]): Promise<{ status: number; out: string; err: string }> {
  const said = { out: '', err: '' }
  const io = { out: (text: string) => void (said.out += text), err: (text: string) => void (said.err += text), columns: 100, colour: false, readable: false, cwd: folder }
  return { status: await main(['events', ...argv, '--state', folder], io), ...said }
}

t.test('without a journal', async (t) => {
  const { status, err } = await run()
  t.equal(status, 1)
  t.match(err, /there is no journal in the state folder/)
})

t.test('what changed is told with cause and consequence', async (t) => {
  const time = makeManualClock(Date.now() - 60_000)
  const events = openEvents({ stateFolder: folder, clock: time.clock, log: silent, affects: (target) => (target === 'icn' ? { names: 5, first: ['a.test.', 'b.test.', 'c.test.'], share: 0.4312 } : { names: 1, first: ['a.test.'] }) })
  const table = makeHealthTable(2)
  const [icn, nrt] = ['icn', 'nrt'].map((name, index) => events.watched({ name, plan, table, index }))
  const tell = (target: CheckTarget, verdict: Verdict, forced: Forced, why: string): void => target.wrote!(healthWord(verdict, forced, false), why)
  tell(icn!, 'UP', 'none', 'passed its first check')
  tell(icn!, 'UP', 'none', 'told again')
  tell(icn!, 'DOWN', 'none', 'its process has ended')
  events.forced('nrt', 'a new disk')
  tell(nrt!, 'UNKNOWN', 'drain', 'not checked yet')
  events.gone(['nrt'])
  await events.close()
  const lines = (await run()).out.trim().split('\n').map((line) => line.replace(/^\S+ \S+Z {2}/, ''))
  t.same(lines, [
    'the daemon began',
    'icn UNKNOWN: not checked yet',
    'nrt UNKNOWN: not checked yet',
    'icn UP: passed its first check; behind 5 names (a.test., b.test., c.test., …), 43.1 % of the requests',
    'icn DOWN: its process has ended; behind 5 names (a.test., b.test., c.test., …), 43.1 % of the requests',
    'nrt UNKNOWN, drained: a new disk; behind 1 name (a.test.)',
    'nrt is checked no more',
    'the daemon ended'
  ])
  t.equal((await run('icn')).out.trim().split('\n').length, 3, 'one target alone')
  t.match((await run('--since', '1ms')).out, /nothing has changed in 1 ms/)
  const json = (await run('icn', '--json')).out.trim().split('\n').map((line) => JSON.parse(line) as object)
  t.match(json.at(-1), { event: 'health', target: 'icn', verdict: 'DOWN', affects: { names: 5, share: 0.4312 } })
})
