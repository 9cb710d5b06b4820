import t from 'tap'
import { soakEdge } from './edge.ts'

// The soak of the caches, shortened.

t.setTimeout(300_000)

t.test('members are killed, their disks and origins fail, and no wrong octet is served', async (t) => {
  const { faults, tally } = await soakEdge({ minutes: 0.15, clients: 8, folder: t.testdir(), port: 13300, seed: 1, say: (line) => t.comment(line) })
  t.same(faults, [])
  t.ok(tally.right > 0 && tally.kills > 0 && tally.moods > 0, `${tally.right} right, ${tally.kills} killed, ${tally.moods} failing`)
})
