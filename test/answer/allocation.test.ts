import { constants, PerformanceObserver, type NodeGCPerformanceDetail } from 'node:perf_hooks'
import t from 'tap'
import { makeAnswerer } from '../../daemon/answer.ts'
import { writeQuery } from './packets.ts'
import { worldOf } from './stage.ts'

const QUERIES = 1_000_000

const raise = (error: unknown): never => {
  throw error
}

t.test('an answer kept ready costs no memory: the collector has nothing to do', async (t) => {
  const zone = '@ 3600 SOA ns1 hostmaster 1 3600 600 604800 60\n@ 3600 NS ns1\nns1 3600 A 192.0.2.53\nd1 20 ROUTE nearest\nd2 20 ROUTE both\n*.w 300 A 192.0.2.7\n'
  const world = {
    ...worldOf({
      zones: [{ name: 'example.test', text: zone }],
      policies: 'policies:\n  nearest: { latency: [icn, fra] }\n  both: { weighted: { icn: 1, fra: 2 } }\n',
      edges: [['icn', '192.0.2.1', '37.46', '126.44'], ['fra', '192.0.2.4', '50.03', '8.56']], places: [['168.126.0.0/16', 'KR', 'AS', '37.5', '127.0']]
    }),
    cookies: [new Uint8Array(16)]
  }
  // The look-up of the stage allocates; the tables of geodb are tested for themselves.
  const places = { ...world.places, find4: () => (1 << 8) | 24 }
  const answerer = makeAnswerer({ world: { ...world, places }, cookies: { isEnforced: false, clock: { now: () => 1_559_731_985_000 } }, onError: raise })
  const asked = ['A ns1.example.test', 'A d1.example.test subnet=168.126.63.0/24', 'A d2.example.test edns', 'A nobody.example.test', 'MX ns1.example.test', 'A some.w.example.test', 'A ns1.example.test cookie=2464c4abcf10c957'].map((text) => writeQuery(text.split(' ')))
  // One behind the other, as a thread receives them.
  const packets = new Uint8Array(asked.length * 256)
  for (const [index, { bytes }] of asked.entries()) packets.set(bytes, index * 256)
  const out = new Uint8Array(4096)
  const run = (times: number): void => {
    for (let time = 0; time < times; time++) {
      const { bytes, source } = asked[time % asked.length]!
      answerer.answer(packets, (time % asked.length) * 256, bytes.length, source, 'udp', out, 0, 1232)
    }
  }
  let collected = 0
  const observer = new PerformanceObserver((list) => {
    collected += list.getEntries().filter((entry) => (entry as { detail?: NodeGCPerformanceDetail }).detail?.kind === constants.NODE_PERFORMANCE_GC_MINOR).length
  })
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50))
  observer.observe({ entryTypes: ['gc'] })
  // Compilers need memory while they still learn: of some rounds one must do without.
  const rounds: number[] = []
  for (let round = 0; round < 6 && !rounds.includes(0); round++) {
    collected = 0
    run(QUERIES)
    await settle()
    rounds.push(collected)
  }
  observer.disconnect()
  t.ok(rounds.includes(0), `collections in rounds of ${QUERIES} answers: ${rounds.join(', ')}`)
})
