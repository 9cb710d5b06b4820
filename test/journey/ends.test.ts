import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { isAlive, makeJourney, root, run, signal, SLACK, until, type Journey, type Running } from './fleet.ts'

// How a fleet ends, whoever ends it, and what the next one starts with.

const SECOND = 1000
const ICN = '127.0.10.1'
t.jobs = 1
// Most of it is waiting for others: half a minute on an idle machine.
t.setTimeout(480_000)

async function startUp(journey: Journey): Promise<Running> {
  const fleet = await journey.start()
  await until('DNS answers', 10 * SECOND * SLACK, async () => (await journey.dig('d111111abcdef8.nearcast.test')).addresses[0] === ICN)
  await until('the fleet file', 10 * SECOND * SLACK, () => readable(join(journey.state, 'fleet.json')))
  return fleet
}

function readable(file: string): boolean {
  try {
    return readFileSync(file).length > 0
  } catch {
    return false
  }
}

async function allGone(t: Test, pids: readonly number[], what: string): Promise<void> {
  t.ok(pids.length >= 11, `${pids.length} processes ran`)
  const took = await until(`every process ends after ${what}`, 2 * SECOND * SLACK, () => !pids.some(isAlive)).catch((error: Error) => {
    t.fail(`${error.message}; left: ${pids.filter(isAlive).join(', ')}`)
    return 0
  })
  t.comment(`${what}: every process had ended after ${took} ms`)
}

t.test('a fleet ends whole, and starts again with what was last good', async (t) => {
  const journey = await makeJourney(t)
  const first = await startUp(journey)

  const second = await run('npm', ['start', '--', ...journey.options])
  t.equal(second.status, 1)
  t.match(second.err, /runs|running/i, 'a second one says so')
  const own = second.err.split('\n').filter((line) => line.startsWith('nearcast:'))
  t.equal(own.length, 1, second.err)

  const zone = join(journey.zones, 'nearcast.test.zone')
  appendFileSync(zone, 'kept TXT "from the last good text"\n')
  await until('the edit', SECOND * SLACK, async () => (await journey.dig('kept.nearcast.test', 'TXT')).answers.length === 1)
  writeFileSync(zone, `${readFileSync(zone, 'utf8')}broken A nowhere\n`)
  await until('the fault is logged', SECOND * SLACK, () => /nearcast\.test\.zone:\d+:\d+:/.test(first.text()))

  const pids = first.pids()
  signal(first.npm.pid!, 'SIGTERM')
  await allGone(t, pids, 'TERM to npm')

  const again = await startUp(journey)
  t.match((await journey.dig('kept.nearcast.test', 'TXT')).answers, [/last good text/], 'the last good text serves')
  t.equal((await journey.status()).zones[0]?.state, 'last-good')
  t.match(again.text(), /nearcast\.test\.zone:\d+:\d+:/, 'and the fault is told again')

  const left = again.pids()
  signal(again.supervisor(), 'SIGKILL')
  await allGone(t, left, 'kill -9 of the supervisor')

  const third = await startUp(journey)
  t.pass('the lock of a dead one does not block a start')
  const last = third.pids()
  signal(third.supervisor(), 'SIGINT')
  await allGone(t, last, 'INT to the supervisor')
})

t.test('a port that is taken is told in one line', async (t) => {
  const journey = await makeJourney(t)
  const { createSocket } = await import('node:dgram')
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(journey.ports.dns, '127.0.0.1', resolve))
  t.teardown(() => socket.close())
  const outcome = await run(process.execPath, [join(root, 'bin/nearcast.js'), 'up', ...journey.options])
  t.equal(outcome.status, 1)
  t.match(outcome.err, new RegExp(String(journey.ports.dns)))
  t.equal(outcome.err.trim().split('\n').length, 1, outcome.err)
})
