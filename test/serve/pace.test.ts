import t from 'tap'
import { gather, makePace, notePace, type Pace } from '../../daemon/serve/pace.ts'
import type { System } from '../../daemon/serve/system.ts'

/** A system that only counts naps. */
function makeSystem(): { system: System; naps: () => number; nap: Uint8Array } {
  const bytes = new Uint8Array(16)
  let count = 0
  const system = { alloc: () => ({ address: 4096, bytes }), nanosleep: (at: number) => (count += Number(at === 4096)) } as unknown as System
  return { system, naps: () => count, nap: bytes }
}

/** So many milliseconds in which so many receives bring so many queries each; the naps in the last of them. */
function run(pace: Pace, system: System, naps: () => number, from: number, milliseconds: number, receives: number, each: number): number {
  let before = 0
  for (let now = from; now < from + milliseconds; now++) {
    before = naps()
    for (let count = 0; count < receives; count++) {
      gather(pace, system)
      notePace(pace, each, now)
    }
  }
  return naps() - before
}

t.test('a thread naps while many queries come few at a time, and only then', async (t) => {
  const { system, naps, nap } = makeSystem()
  const pace = makePace(system, true)
  t.equal(run(pace, system, naps, 1000, 20, 10, 2), 0, '20,000 a second are taken as they come')
  t.equal(run(pace, system, naps, 1020, 20, 50, 2), 50, '100,000 a second are gathered')
  const nanoseconds = (): bigint => new DataView(nap.buffer).getBigInt64(8, true)
  t.ok(nanoseconds() > 0n && nanoseconds() < 30_000n, 'in short naps')
  run(pace, system, naps, 1040, 20, 20, 2)
  t.ok(nanoseconds() === 30_000n && new DataView(nap.buffer).getBigInt64(0, true) === 0n, '40,000 in the longest, of a tenth of a millisecond at most')
  t.equal(run(pace, system, naps, 1060, 20, 2, 64), 0, 'what comes in large batches gathers by itself')
  t.ok(run(pace, system, naps, 1080, 20, 50, 2) > 0)
  t.equal(run(pace, system, naps, 1100, 20, 1, 1), 0, 'the load is over')
  run(pace, system, naps, 1120, 20, 50, 2)
  const before = naps()
  gather(pace, system)
  notePace(pace, 1, 2000)
  gather(pace, system)
  t.equal(naps() - before, 1, 'once the load is over one nap at most is left')
  t.equal(run(pace, system, naps, 500, 20, 50, 2), 50, 'a clock that was set back changes nothing')
  t.equal(run(makePace(system, false), system, naps, 1000, 20, 50, 2), 0, 'where it may not, it never does')
})
