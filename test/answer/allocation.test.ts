import { getHeapSpaceStatistics } from 'node:v8'
import t from 'tap'
import { makeAnswerer } from '../../daemon/answer.ts'
import { writeQuery } from './packets.ts'
import { worldOf } from './stage.ts'

const QUERIES = 200_000
/** Compilers need memory while they still learn: of so many rounds one must do without. */
const ROUNDS = 8
/** The smallest thing that can be allocated has 12 octets. What the measuring itself allocates is divided by QUERIES. */
const NOTHING = 0.5

const raise = (error: unknown): never => {
  throw error
}

/** Octets of the youngest generation, where everything begins. */
const used = (): number => getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')!.space_used_size

/** Octets that one call allocates; the least of some rounds. */
function octetsOf(call: () => void): number {
  let least = Infinity
  for (let round = 0; round < ROUNDS && least > NOTHING; round++) {
    const before = used()
    for (let time = 0; time < QUERIES; time++) call()
    const octets = (used() - before) / QUERIES
    // Less than before: it has been collected meanwhile.
    if (octets >= 0) least = Math.min(least, octets)
  }
  return least
}

t.test('an answer kept ready costs no memory', async (t) => {
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
  const places = { ...world.places, find4: () => (1 << 8) | 24, touch4: (top: number) => top }
  const answerer = makeAnswerer({ world: { ...world, places }, cookies: { isEnforced: false, clock: { now: () => 1_559_731_985_000 } }, onError: raise })
  const out = new Uint8Array(4096)
  const asked = [
    'A ns1.example.test', 'A NS1.example.test edns', 'A d1.example.test subnet=168.126.63.0/24', 'A d2.example.test edns', 'A nobody.example.test', 'MX ns1.example.test', 'A some.w.example.test',
    'A ns1.example.test cookie=2464c4abcf10c957', 'A elsewhere.test edns'
  ].map((text) => ({ text, ...writeQuery(text.split(' ')) }))
  // One behind the other, as a thread receives them.
  const packets = new Uint8Array(asked.length * 256)
  for (const [index, { bytes }] of asked.entries()) packets.set(bytes, index * 256)
  const ask = (index: number): number => {
    const { bytes, source } = asked[index]!
    answerer.expect(packets, index * 256, bytes.length, source)
    return answerer.answer(packets, index * 256, bytes.length, source, 'udp', out, 0, 1232)
  }
  for (let time = 0; time < QUERIES; time++) ask(time % asked.length)
  for (const [index, { text }] of asked.entries()) {
    const octets = octetsOf(() => ask(index))
    t.ok(octets <= NOTHING, `${text}: ${octets} octets`)
  }
  // That it would be seen: one small thing for each answer.
  const kept: { length?: number } = {}
  const boxes = [kept]
  const octets = octetsOf(() => (boxes[0] = { length: ask(0) }))
  t.ok(octets >= 12, `an object for each answer: ${octets} octets`)
})
