import t from 'tap'
import { makeRandom } from '../helpers/random.ts'
import { makeSubjects } from './subjects.ts'

// A short run with seeds of its own; `npm run fuzz -- --minutes N` runs long and with others.
const INPUTS: Readonly<Record<string, number>> = { answer: 20_000, messages: 20_000, signatures: 4000, 'key files': 2000, updates: 3000, 'zone files': 1500, RDATA: 20_000 }

for (const { name, feed } of makeSubjects()) {
  t.test(name, async (t) => {
    const random = makeRandom(1)
    for (let left = INPUTS[name]!; left > 0; left--) feed(random)
    t.pass(`${INPUTS[name]} inputs`)
  })
}
