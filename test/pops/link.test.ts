import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { KINDS } from '../../daemon/pops/channel.ts'
import { payAttention } from '../../daemon/pops/attention.ts'
import { LARGEST } from '../../daemon/pops/message.ts'
import { deliver, heardBy, keyOf, makeEnd, makeManualClock, meet, value } from './network.ts'

t.test('two PoPs that meet have all of each other at once, and hear of each change', async (t) => {
  const time = makeManualClock()
  const a = makeEnd('a', 'b', time)
  const b = makeEnd('b', 'a', time)
  a.state.put('01', value('icn up'))
  b.state.put('02', value('fra down'))
  await time.turn(10)
  a.link.tick()
  deliver(a, b)
  t.same(heardBy(b), { '01': 'icn up' })
  t.same(heardBy(a), { '02': 'fra down' })
  a.state.put('01', value('icn down'))
  a.state.put('03', value('nrt up'))
  a.link.flush()
  deliver(a, b)
  t.same(heardBy(b), { '01': 'icn down', '03': 'nrt up' })
  a.state.put('03', value(''))
  a.link.flush()
  deliver(a, b)
  t.same(heardBy(b), { '01': 'icn down' }, 'what is gone here is gone there')
  t.ok(a.link.isAbreast(KINDS.verdicts), 'b has acknowledged it, and a has all that b had said by then')
  b.state.put('04', value('sin up'))
  a.state.put('05', value('syd up'))
  t.notOk(a.link.isAbreast(KINDS.verdicts), 'b does not know of syd')
  a.link.flush()
  for (const { octets } of a.sent.splice(0)) b.link.receive(octets)
  const [first, ...rest] = b.sent.splice(0)
  t.notOk(a.link.isAbreast(KINDS.verdicts), 'its acknowledgement is on its way')
  // What it acknowledges with, without what it says of itself.
  const messages = [first!, ...rest].map(({ octets }) => octets)
  for (const octets of messages.reverse()) a.link.receive(octets)
  deliver(a, b)
  t.ok(a.link.isAbreast(KINDS.verdicts))
  t.same(heardBy(a), { '02': 'fra down', '04': 'sin up' })
  t.same([...a.lines, ...b.lines], [])
})

t.test('what was said is believed for its lease, counted from what the other has heard of us', async (t) => {
  const { time, a, b } = await meet()
  t.same(heardBy(b), {}, 'heard, and nothing to say')
  for (let second = 0; second < 20; second++) {
    await time.turn(1000)
    a.link.tick()
    b.link.tick()
    deliver(a, b)
  }
  t.same(heardBy(b), {})
  await time.turn(3900)
  t.same(heardBy(b), {}, 'within the lease')
  await time.turn(1200)
  t.equal(heardBy(b), undefined, 'past it')
  a.link.tick()
  b.link.tick()
  deliver(a, b)
  t.same(heardBy(b), {}, 'heard again')
})

t.test('messages that were held up make no lease longer, and one way alone is none', async (t) => {
  const { time, a, b } = await meet()
  await time.turn(1000)
  a.link.tick()
  const held = a.sent.splice(0)
  await time.turn(4900)
  for (const { octets } of held) b.link.receive(octets)
  await time.turn(200)
  t.equal(heardBy(b), undefined, 'it echoes what b said six seconds ago')
  for (let second = 0; second < 3; second++) {
    await time.turn(1000)
    a.link.tick()
    for (const { octets } of a.sent.splice(0)) b.link.receive(octets)
    b.sent.splice(0)
  }
  t.equal(heardBy(b), undefined, 'a does not hear b')
})

t.test('whatever comes twice, late, out of order or not at all, in the end each has what the other has', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('put' as const), end: fc.nat(1), key: fc.nat(40), value: fc.string({ maxLength: 200 }) }),
    fc.record({ kind: fc.constant('deliver' as const), end: fc.nat(1), at: fc.nat(), twice: fc.boolean() }),
    fc.record({ kind: fc.constant('lose' as const), end: fc.nat(1), at: fc.nat() }),
    fc.record({ kind: fc.constant('tick' as const), end: fc.nat(1), ms: fc.nat(1500) }),
    fc.record({ kind: fc.constant('flush' as const), end: fc.nat(1) }),
    fc.record({ kind: fc.constant('restart' as const), end: fc.nat(1) })
  )
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
    const time = makeManualClock()
    const ends = [makeEnd('a', 'b', time), makeEnd('b', 'a', time)]
    const tables = [new Map<string, string>(), new Map<string, string>()]
    const put = (end: number, key: string, text: string): void => {
      ends[end]!.state.put(key, value(text))
      if (text === '') tables[end]!.delete(key)
      else tables[end]!.set(key, Buffer.from(text, 'latin1').toString('latin1'))
    }
    for (const one of steps) {
      const own = ends[one.end]!
      const other = ends[1 - one.end]!
      if (one.kind === 'put') put(one.end, one.key.toString(16).padStart(2, '0'), one.value)
      else if (one.kind === 'tick') {
        await time.turn(one.ms)
        own.link.tick()
      } else if (one.kind === 'flush') own.link.flush()
      else if (one.kind === 'restart') {
        const names = ['a', 'b'] as const
        ends[one.end] = makeEnd(names[one.end]!, names[1 - one.end]!, time)
        const table = [...tables[one.end]!.keys()]
        tables[one.end]!.clear()
        for (const key of table) put(one.end, key, `anew ${key}`)
      } else if (own.sent.length > 0) {
        const [datagram] = own.sent.splice(one.at % own.sent.length, 1)
        if (one.kind === 'lose') continue
        other.link.receive(datagram!.octets)
        if (one.twice) other.link.receive(datagram!.octets)
      }
    }
    for (let second = 0; second < 4; second++) {
      await time.turn(1000)
      for (const end of ends) end.link.tick()
      deliver(ends[0]!, ends[1]!)
    }
    for (const [index, end] of ends.entries()) {
      assert.deepEqual(heardBy(end), Object.fromEntries(tables[1 - index]!))
    }
  }), { numRuns: 60 })
})

t.test('much state goes in messages of bounded size, and little of it is under way at once', async (t) => {
  const { time, a, b } = await meet()
  for (let index = 0; index < 3000; index++) a.state.put(index.toString(16).padStart(32, '0'), value(`target ${index}: ${'why '.repeat(12)}`))
  a.link.flush()
  t.ok(a.sent.length <= 24, `${a.sent.length} messages at first`)
  let largest = 0
  for (let round = 0; round < 1000 && Object.keys(heardBy(b) ?? {}).length < 3000; round++) {
    for (const { octets } of a.sent) largest = Math.max(largest, octets.length)
    for (const { octets } of a.sent.splice(0)) b.link.receive(octets)
    for (const { octets } of b.sent.splice(0)) a.link.receive(octets)
    await time.turn(1)
  }
  t.equal(Object.keys(heardBy(b)!).length, 3000)
  t.ok(largest <= LARGEST, `${largest} octets at most`)
})

t.test('many entries come and go: what is gone takes no room for long, and who missed it begins anew', async (t) => {
  const { time, a, b } = await meet()
  const key = (index: number): string => index.toString(16).padStart(8, '0')
  for (let round = 0; round < 60; round++) {
    for (let index = 0; index < 500; index++) a.state.put(key(round * 500 + index), value('up'))
    for (let turn = 0; turn < 30; turn++) {
      a.link.flush()
      deliver(a, b)
    }
    if (round === 0) t.equal(Object.keys(heardBy(b)!).length, 500)
    for (let index = 0; index < 500; index++) a.state.put(key(round * 500 + index), value(''))
    await time.turn(100)
  }
  t.ok(a.state.put(key(99_999), value('the last')), '30,000 were there before it')
  for (let second = 0; second < 5; second++) {
    await time.turn(1000)
    for (const end of [a, b]) end.link.tick()
    deliver(a, b)
  }
  t.same(heardBy(b), { [key(99_999)]: 'the last' })

  a.state.put(key(1), value('one'))
  a.link.flush()
  deliver(a, b)
  a.state.put(key(1), value(''))
  for (let index = 2; index < 6000; index++) {
    a.state.put(key(index), value('up'))
    a.state.put(key(index), value(''))
  }
  for (let second = 0; second < 5; second++) {
    await time.turn(1000)
    for (const end of [a, b]) end.link.tick()
    deliver(a, b)
  }
  t.same(heardBy(b), { [key(99_999)]: 'the last' }, 'that one is gone, though nobody remembers it')
  t.same([...a.lines, ...b.lines], [])
})

t.test('time in which a daemon is held up itself is no silence of others, but a long pause is', async (t) => {
  const time = makeManualClock()
  let jump = 0
  const attention = payAttention({ clock: { elapsed: () => time.clock.elapsed() + jump }, after: time.after, mostMs: 10_000 })
  await time.turn(5000)
  t.equal(attention.elapsed(), 5000, 'it goes with the time')
  jump += 4000
  await time.turn(1000)
  t.equal(attention.elapsed(), 6000, 'held up for four seconds')
  jump += 60_000
  t.equal(attention.elapsed(), 56_000, 'of a minute ten seconds are forgiven')
  attention.close()
})

t.test('a restart: what was said before holds for its lease, until all of the new state is in', async (t) => {
  const { time, a, b } = await meet()
  a.state.put('01', value('up'))
  a.link.flush()
  deliver(a, b)
  await time.turn(1500)
  const again = makeEnd('a', 'b', time)
  again.state.put('01', value('new'))
  again.link.tick()
  t.same(heardBy(b), { '01': 'up' })
  deliver(again, b)
  t.same(heardBy(b), { '01': 'new' })
  t.same(heardBy(again), {})
})

t.test('what was recorded is refused: in this life, of a life before, and sent back to who said it', async (t) => {
  const { time, a, b } = await meet()
  a.state.put('01', value('up'))
  a.link.flush()
  const recorded = a.sent.map(({ octets }) => octets)
  deliver(a, b)
  a.state.put('01', value('down'))
  a.link.flush()
  deliver(a, b)
  for (const octets of recorded) b.link.receive(octets)
  t.same(heardBy(b), { '01': 'down' })
  t.equal(b.link.view().refused.replay, recorded.length)
  // b starts again and knows nothing of what it has heard.
  const again = makeEnd('b', 'a', time)
  for (const octets of recorded) again.link.receive(octets)
  t.equal(heardBy(again), undefined, 'it names a session that is no more')
  // a starts again, and its first life speaks up.
  const newer = makeEnd('a', 'b', time)
  newer.state.put('01', value('newer'))
  await time.turn(500)
  newer.link.tick()
  deliver(newer, b)
  a.link.tick()
  const late = a.sent.splice(0)
  for (const { octets } of late) b.link.receive(octets)
  t.same(heardBy(b), { '01': 'newer' })
  newer.sent.splice(0)
  newer.link.tick()
  const mirrored = newer.sent.splice(0)
  for (const { octets } of mirrored) newer.link.receive(octets)
  t.ok((newer.link.view().refused.name ?? 0) + (newer.link.view().refused.rate ?? 0) > 0, 'its own messages are none for it')
})

t.test('a clock too far off is refused and named; the difference of the clocks is measured', async (t) => {
  const { a, b } = await meet({ b: { offMs: -12_000 } })
  t.same(heardBy(a), {})
  t.equal(Math.round(a.link.view().skewMs!), -12_000)
  t.equal(Math.round(b.link.view().skewMs!), 12_000)
  const far = await meet({ b: { offMs: 93_000 } })
  t.equal(heardBy(far.a), undefined)
  t.equal(heardBy(far.b), undefined)
  t.match(far.b.lines, ['the clock of a is 93 s behind ours, and at most 30 s is allowed: what it says does not count'])
  t.equal(far.b.link.view().skewMs, -93_000)
})

t.test('keys are changed without a gap: both know both, then the first of the file changes, then the old one goes', async (t) => {
  const old = 'a7'.repeat(31) + '01'
  const { time, a, b } = await meet()
  const both = keyOf('b9', old)
  const step = async (end: typeof a, keys: typeof both): Promise<void> => {
    end.keys = keys
    await time.turn(1000)
    a.link.tick()
    b.link.tick()
    deliver(a, b)
    t.ok(heardBy(a) && heardBy(b))
  }
  await step(a, keyOf('a7', 'b9'.repeat(31) + '01'))
  await step(b, both)
  await step(a, both)
  await step(b, keyOf('b9'))
  await step(a, keyOf('b9'))
  t.same([...a.lines, ...b.lines], [])
  a.keys = keyOf('c1')
  a.link.tick()
  deliver(a, b)
  t.match(b.lines, ['a message in the name of a is signed with a key that is not in the key file'])
})
