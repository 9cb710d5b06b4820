import { createHmac } from 'node:crypto'
import { createSocket } from 'node:dgram'
import fc from 'fast-check'
import { pino } from 'pino'
import t from 'tap'
import { systemAfter, systemClock } from '../../core/clock.ts'
import { openChannel, type Channel } from '../../daemon/pops/index.ts'
import { LARGEST, peek, readMessage, writeMessage, type Message } from '../../daemon/pops/message.ts'
import { PopSocket } from '../../daemon/pops/socket.ts'
import { keyOfTarget, readSight, writeSight } from '../../daemon/pops/sight.ts'
import type { Plan } from '../../healthchecks/index.ts'
import { keysFor } from '../../daemon/pops/keys.ts'
import { deliver, heardBy, keyOf, makeEnd, meet, value } from './network.ts'

const SECRET = Buffer.from('a7'.repeat(31) + '01', 'hex')
const hex = (octets: number): fc.Arbitrary<string> => fc.uint8Array({ minLength: octets, maxLength: octets }).map((bytes) => Buffer.from(bytes).toString('hex'))
const u32 = fc.nat(0xffffffff)
const number = fc.double({ min: 0, max: 1e15, noNaN: true, noDefaultInfinity: true })
const anyMessage: fc.Arbitrary<Message> = fc.record({
  from: fc.stringMatching(/^[a-z0-9-]{1,20}$/), to: fc.stringMatching(/^[a-z0-9-]{1,20}$/), toSession: hex(8), fromSession: hex(8), sequence: fc.maxSafeNat(), time: number, stamp: number,
  kinds: fc.array(fc.record({ kind: fc.integer({ min: 1, max: 255 }), version: u32, leaseMs: u32, have: u32 }), { maxLength: 4 })
}).chain((head) => fc.record({ part: fc.option(fc.record({ kind: fc.integer({ min: 1, max: 255 }), from: fc.nat(1000), to: fc.integer({ min: 1001, max: 2000 }), entries: fc.array(fc.record({ key: hex(16), value: fc.uint8Array({ maxLength: 60 }) }), { maxLength: 8 }) }), { nil: undefined }), echo: fc.option(fc.record({ stamp: fc.double({ min: 1, max: 1e12, noNaN: true }), time: number, heldMs: number }), { nil: undefined }) })
  .map(({ part, echo }) => ({ ...head, ...(part !== undefined && { part }), ...(echo !== undefined && { echo }) })))

/** Octets with a right signature over whatever they hold. */
const signed = (octets: Uint8Array): Uint8Array => {
  const body = octets.subarray(0, -32)
  return Buffer.concat([body, createHmac('sha256', SECRET).update(body).digest()])
}

t.test('a message is read as it was written', async (t) => {
  fc.assert(fc.property(anyMessage, (message) => {
    const octets = writeMessage(message, keyOf('a7')[0]!)
    if (octets.length > LARGEST || !same(readMessage(octets), message)) throw new Error('it differs')
  }))
  t.pass()
})

function same(one: unknown, other: unknown): boolean {
  if (one instanceof Uint8Array && other instanceof Uint8Array) return Buffer.compare(one, other) === 0
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return Object.is(one, other)
  const keys = Object.keys(one)
  return keys.length === Object.keys(other).length && keys.every((key) => same((one as Record<string, unknown>)[key], (other as Record<string, unknown>)[key]))
}

t.test('whatever comes in is taken or refused, changes nothing unless it is signed, and never throws', async (t) => {
  const { a, b } = await meet()
  a.state.put('01', value('up'))
  a.link.tick()
  const [sound] = a.sent.map(({ octets }) => octets)
  deliver(a, b)
  const change = fc.record({ at: fc.nat(LARGEST), to: fc.nat(255) })
  fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: LARGEST + 100 }), fc.tuple(fc.array(change, { minLength: 1, maxLength: 6 }), fc.nat(40)).map(([changes, cut]) => {
    const octets = Uint8Array.from(sound!.subarray(0, sound!.length - cut))
    for (const { at, to } of changes) octets[at % octets.length] = to
    return octets
  })), (octets) => {
    b.link.receive(octets)
    peek(octets)
  }), { numRuns: 3000 })
  t.same(heardBy(b), { '01': 'up' })
  t.equal(b.sent.length, 0, 'and nothing of it is answered')
})

t.test('signed nonsense is refused too, and never throws', async (t) => {
  const { a, b } = await meet()
  a.link.tick()
  const [sound] = a.sent.map(({ octets }) => octets)
  const change = fc.record({ at: fc.integer({ min: 28, max: LARGEST }), to: fc.nat(255) })
  fc.assert(fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), fc.uint8Array({ maxLength: 60 }), fc.nat(40), (changes, more, cut) => {
    const octets = Uint8Array.from([...sound!.subarray(0, sound!.length - cut), ...more, ...new Uint8Array(32)])
    for (const { at, to } of changes) octets[at % octets.length] = to
    b.link.receive(signed(octets))
    readMessage(signed(octets))
  }), { numRuns: 3000 })
  t.pass()
})

t.test('a flood costs no signature past a rate, is not answered, and keeps nobody out who names our session', async (t) => {
  const { time, a, b } = await meet()
  const stranger = writeMessage({ from: 'a', to: 'b', toSession: '00'.repeat(8), fromSession: '11'.repeat(8), sequence: 1, time: time.clock.now(), stamp: 1, kinds: [] }, keyOf('c3')[0]!)
  for (let index = 0; index < 5000; index++) b.link.receive(stranger)
  const { refused } = b.link.view()
  t.ok(refused.rate! > 4900 && refused.key! <= 20, `${refused.key} looked at, ${refused.rate} dropped`)
  t.equal(b.sent.length, 0)
  await time.turn(1000)
  a.state.put('01', value('up'))
  a.link.flush()
  deliver(a, b)
  t.same(heardBy(b), { '01': 'up' })
})

t.test('what a vantage point sees: written and read, and nothing of a stranger\'s on our terminals', async (t) => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (octets) => {
    const sight = readSight(octets)
    if (sight !== undefined && /\p{Cc}/u.test(sight.name + sight.why)) throw new Error('control characters')
  }))
  const sight = { name: 'icn', verdict: 'DOWN' as const, isSuspect: true, isRunner: true, isGone: true, since: 1e12, why: 'status 503' }
  t.same(readSight(writeSight(sight)), sight)
  const long = readSight(writeSight({ ...sight, name: 'é'.repeat(60), why: '한'.repeat(200) }))!
  t.equal(long.name, 'é'.repeat(32))
  t.equal(long.why, '한'.repeat(53))
  t.ok(writeSight({ ...sight, name: 'x'.repeat(200), why: 'y'.repeat(500) }).length <= 400)
  const plan = (spec: object, more: Partial<Plan> = {}): Plan => ({ check: 'web', inverted: false, disabled: false, what: { probe: { spec: spec as never, every: '* * * * * *', timeoutMs: 1, connectMs: 1, fall: 1, rise: 1 } }, ...more })
  const key = keyOfTarget('icn', plan({ kind: 'http', addresses: ['192.0.2.1'], port: 80 }))
  t.equal(keyOfTarget('icn', plan({ port: 80, kind: 'http', addresses: ['192.0.2.1'] }, { check: 'other' })), key, 'the same is asked')
  for (const other of [keyOfTarget('fra', plan({ kind: 'http', addresses: ['192.0.2.1'], port: 80 })), keyOfTarget('icn', plan({ kind: 'http', addresses: ['192.0.2.2'], port: 80 })), keyOfTarget('icn', plan({ kind: 'http', addresses: ['192.0.2.1'], port: 80 }, { inverted: true }))]) t.not(other, key)
})

for (const [family, loopback] of [['IPv4', '127.0.0.1'], ['IPv6', '::1']] as const) {
  t.test(`over ${family}: two hear each other, and a stranger's datagrams reach nobody`, async (t) => {
    const ports = await sparePorts(loopback)
    if (ports === undefined) {
      t.pass(`this machine has no ${family}`)
      return
    }
    const open = (name: string, port: number, other: string, otherPort: number): Promise<Channel> => openChannel({
      name, listen: [loopback], port, others: { [other]: { address: loopback, port: otherPort } }, keys: () => keyOf('a7'), leases: { verdicts: 30_000, forces: 30_000, leases: 30_000, paths: 30_000 }, skewMs: 30_000, clock: systemClock, after: systemAfter, log: pino({ level: 'silent' })
    })
    const a = await open('a', ports[0], 'b', ports[1])
    await t.rejects(open('a', ports[0], 'b', ports[1]), new RegExp(`pops.port: UDP port ${ports[0]} of ${loopback} is taken`))
    const b = await open('b', ports[1], 'a', ports[0])
    t.teardown(() => [a, b].forEach((channel) => channel.close()))
    a.put('verdicts', '0a', value('up'))
    const stranger = createSocket(family === 'IPv4' ? 'udp4' : 'udp6')
    for (let wait = 0; wait < 600 && b.heard('verdicts', 'a')?.get('0a') === undefined; wait++) {
      stranger.send(Buffer.from('hello'), ports[1], loopback)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    stranger.close()
    t.same(b.heard('verdicts', 'a')?.get('0a'), Buffer.from('up'))
    t.same(b.view()[0]!.refused, {}, 'the system itself drops what comes from elsewhere')
  })
}

async function sparePorts(address: string): Promise<[number, number] | undefined> {
  const ports: number[] = []
  const sockets = [0, 1].map(() => createSocket(address.includes(':') ? 'udp6' : 'udp4'))
  for (const socket of sockets) {
    const isBound = await new Promise<boolean>((resolve) => {
      socket.once('error', () => resolve(false))
      socket.bind(0, address, () => resolve(true))
    })
    if (!isBound) return undefined
    ports.push(socket.address().port)
  }
  for (const socket of sockets) socket.close()
  return ports as [number, number]
}

t.test('where there is no way to another PoP that is told, and what is sent is dropped', async (t) => {
  const lines: string[] = []
  const [port] = (await sparePorts('127.0.0.1'))!
  // Nothing leads from the loopback to elsewhere.
  const socket = new PopSocket({ own: { address: '127.0.0.1', port }, other: { address: '192.0.2.1', port }, after: systemAfter, trouble: (line) => void lines.push(line) })
  for (let waits = 0; waits < 3000 && lines.length === 0; waits++) await new Promise((resolve) => setTimeout(resolve, 10))
  t.match(lines, [/^there is no way from 127\.0\.0\.1 to 192\.0\.2\.1 port \d+ \(E[A-Z]+\); tried again$/])
  socket.send(Buffer.from('x'))
  socket.close()
})

t.test('what dead-men say to each other is nothing to a daemon, wherever it is sent', async (t) => {
  const { time, a, b } = await meet()
  const keys = keysFor('dead-men', () => keyOf('a7'))()
  t.match(keys, [{ id: /^[0-9a-f]{16}$/ }])
  const deadman = makeEnd('a', 'b', time, { keys })
  a.state.put('01', value('up'))
  // Whoever sits between them turns the dead-man's words to the daemon, and its answers back.
  for (let second = 0; second < 3; second++) {
    await time.turn(1000)
    deadman.link.tick()
    deliver(deadman, b)
    a.link.tick()
    b.link.tick()
    deliver(a, b)
  }
  t.same(heardBy(b), { '01': 'up' }, 'the daemon that b knew is the one that it hears')
  t.match(b.link.view().refused, { key: 3 })
})
