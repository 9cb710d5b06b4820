import t from 'tap'
import { soak } from './soak.ts'

// The soak, shortened: what an hour shows of memory, half a minute cannot; but every answer is counted and checked.

t.setTimeout(400_000)

t.test('half a minute of all at once', async (t) => {
  const { faults, tally, editions } = await soak({ minutes: 0.4, rate: 200, folder: t.testdir(), port: 13960, seed: 1, say: (line) => t.comment(line) })
  t.same(faults, [])
  t.ok(tally.asked > 1000 && tally.tcpAsked > 200, `${tally.asked} and ${tally.tcpAsked} queries in earnest`)
  t.ok(tally.hostile > 1000 && tally.connections > 50, `${tally.hostile} hostile packets, ${tally.connections} connections`)
  t.ok(tally.hostileAnswered < tally.hostile * 0.9, `of which ${tally.hostileAnswered} were answered`)
  t.ok(editions > 4 && tally.transfers > 1, `${editions} editions, ${tally.transfers} transfers`)
})
