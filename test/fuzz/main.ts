import { makeRandom } from '../helpers/random.ts'
import { readToolOptions } from '../helpers/tool.ts'
import { makeSubjects } from './subjects.ts'

// The input of each second has a seed of its own, so that what is found comes back with `--seed`.

const all = makeSubjects()
const values = readToolOptions('fuzz', 'feeds every part that reads what others send with changed packets, zone files, keys and answers of origins', {
  minutes: { value: 'N', about: 'for so long (1)' },
  seed: { value: 'N', about: 'the seed of the first second' },
  only: { value: 'NAME', about: `one of: ${all.map(({ name }) => name).join(', ')}` }
})
const minutes = Number(values.minutes ?? 1)
const first = Number(values.seed ?? Math.floor(performance.timeOrigin) % 2 ** 31)
const TURN_MS = 1000

const subjects = all.filter(({ name }) => values.only === undefined || name === values.only)
if (subjects.length === 0) {
  process.stderr.write(`fuzz: there is no ${values.only}; there are ${all.map(({ name }) => name).join(', ')}\n`)
  process.exit(2)
}
const fed = new Map(subjects.map(({ name }) => [name, { inputs: 0, ms: 0 }]))
const end = performance.now() + minutes * 60_000
let seed = first
let found = 0

process.stdout.write(`fuzz: ${subjects.map(({ name }) => name).join(', ')}; from seed ${first} for ${minutes} min\n`)
for (; performance.now() < end && found < 10; seed++) {
  for (const { name, feed } of subjects) {
    const random = makeRandom(seed)
    const begun = performance.now()
    const tally = fed.get(name)!
    try {
      while (performance.now() - begun < TURN_MS / subjects.length) {
        await feed(random)
        tally.inputs++
      }
    } catch (error) {
      found++
      process.stdout.write(`fuzz: seed ${seed}, ${name}: ${(error as Error).message}\n`)
    }
    tally.ms += performance.now() - begun
  }
}
for (const [name, { inputs, ms }] of fed) process.stdout.write(`  ${name.padEnd(12)} ${inputs} inputs, ${Math.round((inputs / ms) * 1000)} a second\n`)
process.stdout.write(`fuzz: seeds ${first} to ${seed - 1}, ${found} found\n`)
for (const { close } of all) await close?.()
process.exitCode = found === 0 ? 0 : 1
