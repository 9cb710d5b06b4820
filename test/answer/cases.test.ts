import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { readCounters } from '../../daemon/answer/index.ts'
import { makeAnswerer } from '../../daemon/answer.ts'
import { readCase } from './case.ts'
import { replyLines, writeQuery, type Asked } from './packets.ts'
import { change, worldOf } from './stage.ts'

const folder = fileURLToPath(new URL('../../../test/cases/dns/', import.meta.url))
/** The first is put together from the zones, the second is kept ready, the third comes from what was kept. */
const TIMES = 3

for (const file of readdirSync(folder).filter((name) => name.endsWith('.case'))) {
  const found = readCase(file, readFileSync(folder + file, 'utf8'))
  t.test(`${file}: ${found.about}`, async (t) => {
    const world = { ...worldOf(found), cookies: found.cookies?.secrets ?? [] }
    const cookies = found.cookies === undefined ? {} : { cookies: { isEnforced: found.cookies.isEnforced, clock: { now: () => found.cookies!.seconds * 1000 } } }
    const answerer = makeAnswerer({ world, serverId: 'pop1', version: 'nearcast', ...cookies, onError: (error) => t.error(error) })
    const out = new Uint8Array(65535)
    for (const step of found.steps) {
      if (step.kind === 'health') {
        change(world, step)
        continue
      }
      const asked = step.kind === 'query' ? writeQuery(step.words) : packetOf(step.words)
      for (let time = 0; time < TIMES; time++) {
        const before = readCounters(answerer.counters)
        const length = answerer.answer(asked.bytes, 0, asked.bytes.length, asked.source, asked.transport, out, 0, out.length)
        const after = readCounters(answerer.counters)
        t.same(replyLines(out.subarray(0, length)), step.expected, `${file}:${step.line}: ${step.words.join(' ')}`)
        for (const [name, moved] of step.counters) t.equal(after[name as keyof typeof after] - before[name as keyof typeof before], moved, `${file}:${step.line}: counter ${name}`)
      }
    }
  })
}

function packetOf(words: readonly string[]): Asked {
  const isTcp = words.at(-1) === 'tcp'
  return {
    bytes: Buffer.from(words.filter((word) => word !== 'tcp').join(''), 'hex'),
    source: { family: 4, bytes: Uint8Array.of(127, 0, 0, 1), at: 0 },
    transport: isTcp ? 'tcp' : 'udp'
  }
}
