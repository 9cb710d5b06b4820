import t from 'tap'
import { PassingMap, PassingSet } from '../../core/passing.ts'
import { makeRandom } from '../helpers/random.ts'

t.test('what comes and goes is there as in a Map and a Set', (t) => {
  const random = makeRandom(1)
  const [map, set] = [new PassingMap<number, number>(), new PassingSet<number>()]
  const [expected, members] = [new Map<number, number>(), new Set<number>()]
  for (let step = 0; step < 20_000; step++) {
    // Few at times, many at others.
    const key = random.below(step % 4000 < 2000 ? 10 : 300)
    if (random.percent(55)) {
      map.set(key, step)
      expected.set(key, step)
      set.add(key)
      members.add(key)
    } else {
      if (map.delete(key) !== expected.delete(key) || set.delete(key) !== members.delete(key)) t.fail('it was taken out once')
    }
    const other = random.below(300)
    if (map.size !== expected.size || map.get(other) !== expected.get(other) || map.has(other) !== expected.has(other)) t.fail(`another at step ${step}`)
    if (set.size !== members.size || set.has(other) !== members.has(other)) t.fail(`another member at step ${step}`)
  }
  t.same([...map], [...expected])
  t.same([...map.values()], [...expected.values()])
  t.same([...set], [...members])
  t.end()
})
